//! Traces: repeatable, true to the tables, and at one with the DNS made beside them. Seeds are fixed and printed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use proptest::prelude::*;

use super::*;
use crate::checks::address::is_public;
use crate::facts::RecordData;
use crate::measure::scenario::Trait;
use crate::measure::trace::{Act, Case, Door, Envelope, Grouping, Parting, Starttls};

const SEED: u64 = 2026;

fn scenario(name: &str) -> Scenario {
    Scenario::load(name).expect("it is built in")
}

fn trace(name: &str, errands: usize) -> Trace {
    println!("scenario {name}, seed {SEED}");
    Trace::make(&scenario(name), SEED, errands)
}

fn hash(trace: &Trace) -> Vec<u8> {
    let json = serde_json::to_vec(trace).expect("it can be written");
    digest(&SHA256, &json).as_ref().to_vec()
}

fn drawn(trace: &Trace, class: Class) -> Vec<&Errand> {
    let errands = trace.errands.iter();
    errands
        .filter(|errand| errand.class == class && errand.case.is_none())
        .collect()
}

fn of_case(trace: &Trace, case: Case) -> Vec<&Errand> {
    trace
        .errands
        .iter()
        .filter(|errand| errand.case == Some(case))
        .collect()
}

fn envelopes(errand: &Errand) -> &[Envelope] {
    match &errand.speech.act {
        Act::Mail { envelopes, .. } => envelopes,
        _ => &[],
    }
}

/// The made DNS, by name.
struct Dns<'t>(HashMap<&'t str, Vec<&'t RecordData>>);

impl<'t> Dns<'t> {
    fn of(trace: &'t Trace) -> Self {
        let mut records: HashMap<&str, Vec<&RecordData>> = HashMap::new();
        for (name, data) in &trace.world.records {
            records.entry(name).or_default().push(data);
        }
        Self(records)
    }

    fn at(&self, name: &str) -> &[&'t RecordData] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    fn ptr(&self, address: IpAddr) -> Vec<&'t str> {
        let records = self.at(&names::reversed(address)).iter();
        let names = records.filter_map(|data| match data {
            RecordData::Ptr(name) => Some(name.as_ref()),
            _ => None,
        });
        names.collect()
    }

    fn has_address(&self, name: &str, address: IpAddr) -> bool {
        self.at(name).iter().any(|data| match data {
            RecordData::A(v4) => address == IpAddr::V4(*v4),
            RecordData::Aaaa(v6) => address == IpAddr::V6(*v6),
            _ => false,
        })
    }

    /// What SPF says, for records of networks and `all` only.
    fn spf(&self, domain: &str, client: IpAddr) -> &'static str {
        let policy = self.at(domain).iter().find_map(|data| match data {
            RecordData::Txt(text) => text.strip_prefix("v=spf1 "),
            _ => None,
        });
        let Some(policy) = policy else { return "none" };
        for term in policy.split(' ') {
            let network = term
                .strip_prefix("ip4:")
                .or_else(|| term.strip_prefix("ip6:"));
            match term {
                "+all" => return "pass",
                "-all" => return "fail",
                "~all" => return "softfail",
                "?all" => return "neutral",
                _ => {
                    let network: ipnet::IpNet = network.expect(term).parse().expect(term);
                    if network.contains(&client) {
                        return "pass";
                    }
                }
            }
        }
        "neutral"
    }
}

fn domain_of(mailbox: &str) -> Option<&str> {
    mailbox.rsplit_once('@').map(|(_, domain)| domain)
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let scenario = scenario("2026");
    let one = hash(&Trace::make(&scenario, 7, 2000));
    assert_eq!(one, hash(&Trace::make(&scenario, 7, 2000)));
    assert_ne!(one, hash(&Trace::make(&scenario, 8, 2000)));
}

#[test]
fn errands_are_numbered_in_the_order_of_their_first_tries() {
    let trace = trace("2016", 3000);
    let span = scenario("2016").span;
    let mut before = Duration::ZERO;
    for (number, errand) in (0..).zip(&trace.errands) {
        assert_eq!(errand.id, number);
        let first = errand.tries.first().expect("there is one");
        assert!(before <= first.at && first.at <= span, "{errand:?}");
        assert!(errand.tries.is_sorted_by_key(|one| one.at), "{errand:?}");
        before = first.at;
    }
    assert_eq!(trace.span, before);
}

#[test]
fn classes_come_by_their_shares() {
    for name in ["2008", "2016", "2026"] {
        let trace = trace(name, 10_000);
        let scenario = scenario(name);
        let mut sum = 0;
        for (class, row) in &scenario.class {
            let count = drawn(&trace, *class).len();
            let expected = row.share * 100.0;
            assert!(
                (count as f64 - expected).abs() <= 1.0,
                "{name} {class:?}: {count}, expected {expected}"
            );
            sum += if *class == Class::M1 { 0 } else { count };
        }
        assert!((9_999..=10_001).contains(&sum), "{name}: {sum}");
    }
}

/// The share of a trait among the errands of a class, at the first visit of each address (listing goes on after it), and
/// how far chance may put it from the table: five standard deviations of a sum over addresses.
#[test]
fn traits_are_as_in_the_tables() {
    for name in ["2008", "2016", "2026"] {
        let trace = trace(name, 30_000);
        for (class, row) in &scenario(name).class {
            let mut seen = HashSet::new();
            let all = drawn(&trace, *class);
            let first: Vec<&Errand> = all
                .iter()
                .copied()
                .filter(|one| seen.insert(one.tries[0].from))
                .collect();
            for of in Trait::ALL {
                // The envelope's traits are drawn for each errand, the host's once.
                let (errands, label) = match of {
                    Trait::SpfFail | Trait::BadDomain => (&all, "errands"),
                    _ => (&first, "addresses"),
                };
                let count = errands
                    .iter()
                    .filter(|one| of.was_drawn(&one.traits))
                    .count() as f64;
                let (all, p) = (errands.len() as f64, of.percent(row) / 100.0);
                let apart = 5.0 * (all * p * (1.0 - p)).sqrt() + 2.0;
                assert!(
                    (count - all * p).abs() <= apart,
                    "{name} {class:?} {of:?}: {count} of {all} {label}, expected {:.1}",
                    all * p
                );
            }
        }
    }
}

#[test]
fn every_case_comes_as_often_as_it_should() {
    for errands in [0, 200] {
        let trace = trace("2026", errands);
        for (case, count) in scenario("2026").case {
            assert_eq!(of_case(&trace, case).len(), count as usize, "{case:?}");
            assert!(count >= 3);
        }
    }
}

#[test]
fn couplings_hold() {
    let trace = trace("2026", 60_000);
    let share = |of: &[&Errand], such: &dyn Fn(&Errand) -> bool| {
        of.iter().filter(|one| such(one)).count() as f64 / of.len() as f64
    };
    for class in [
        Class::B1,
        Class::B2,
        Class::B3,
        Class::B4,
        Class::A1,
        Class::V1,
    ] {
        let mut seen = HashSet::new();
        let of = drawn(&trace, class);
        let dynamic: Vec<&Errand> = of
            .iter()
            .copied()
            .filter(|one| one.traits.dynamic && seen.insert(one.tries[0].from))
            .collect();
        let listed = share(&dynamic, &|one| one.traits.listed);
        let room = 3.0 / (dynamic.len() as f64).sqrt();
        assert!(
            (listed - 0.85).abs() < room,
            "{class:?}: {listed} of {}",
            dynamic.len()
        );
        assert!(
            of.iter()
                .all(|one| !(one.traits.dynamic && one.traits.no_ptr))
        );
    }
    let early: Vec<&Errand> = drawn(&trace, Class::B1)
        .into_iter()
        .filter(|one| one.traits.early)
        .collect();
    let rude = share(&early, &|one| {
        !one.speech.extended && one.speech.parting == Parting::Close
    });
    assert!((0.4..=0.95).contains(&rude), "{rude} of {}", early.len());
    for errand in drawn(&trace, Class::A1) {
        assert!(matches!(errand.speech.act, Act::Guess(1..)));
    }
    for errand in drawn(&trace, Class::G7)
        .into_iter()
        .chain(drawn(&trace, Class::K1))
    {
        assert!(envelopes(errand).iter().all(|one| one.from.is_empty()));
    }
    let switching = share(&drawn(&trace, Class::B4), &|one| {
        matches!(
            one.speech.act,
            Act::Mail {
                other_sender: Some(_),
                ..
            }
        )
    });
    assert!((0.17..0.23).contains(&switching), "{switching}");
}

#[test]
fn good_hosts_return() {
    let trace = trace("2026", 60_000);
    let of = drawn(&trace, Class::G3);
    let hosts: HashSet<IpAddr> = of.iter().map(|one| one.tries[0].from).collect();
    let returning = 1.0 - hosts.len() as f64 / of.len() as f64;
    assert!((0.7..=0.9).contains(&returning), "{returning}");
}

#[test]
fn what_is_no_column_is_as_the_scenario_says() {
    let trace = trace("2026", 60_000);
    let wanted = |wanted: &dyn Fn(&Errand) -> bool| -> Vec<&Errand> {
        trace
            .errands
            .iter()
            .filter(|one| one.case.is_none() && one.class != Class::M1 && wanted(one))
            .collect()
    };
    let share = |of: &[&Errand], such: &dyn Fn(&Errand) -> bool| {
        100.0 * of.iter().filter(|one| such(one)).count() as f64 / of.len() as f64
    };
    let legitimate = wanted(&|one| one.class.label() == Label::Legitimate);
    let unwanted = wanted(&|one| matches!(one.class.label(), Label::Spam | Label::Hostile));
    let to_secondary = share(&unwanted, &|one| one.tries[0].door == Door::Secondary);
    assert!((to_secondary - 20.0).abs() < 1.5, "{to_secondary}");
    let to_secondary = share(&legitimate, &|one| one.tries[0].door == Door::Secondary);
    assert!((to_secondary - 0.5).abs() < 0.3, "{to_secondary}");
    let starttls = share(&legitimate, &|one| one.speech.tls != Starttls::Never);
    assert!((92.0..98.0).contains(&starttls), "{starttls}");
    let over_ipv6 = share(&legitimate, &|one| one.tries[0].from.is_ipv6());
    assert!((over_ipv6 - 30.0).abs() < 3.0, "{over_ipv6}");
    let impatient = wanted(&|one| matches!(one.class, Class::B1 | Class::B2 | Class::D1));
    let impatient = share(&impatient, &|one| one.speech.patience.is_some());
    assert!((impatient - 15.0).abs() < 3.0, "{impatient}");
}

#[test]
fn the_dns_makes_true_what_was_drawn() {
    for name in ["2008", "2026"] {
        let trace = trace(name, 5000);
        let dns = Dns::of(&trace);
        let mut passes = 0;
        for errand in &trace.errands {
            let (traits, from) = (errand.traits, errand.tries[0].from);
            let names = dns.ptr(from);
            assert_eq!(names.is_empty(), traits.no_ptr, "{errand:?}");
            assert!(names.len() <= 1, "{errand:?}");
            for envelope in envelopes(errand) {
                let Some(domain) =
                    domain_of(&envelope.from).filter(|domain| *domain != trace.domain)
                else {
                    continue;
                };
                assert_eq!(
                    dns.at(domain).is_empty(),
                    traits.bad_domain,
                    "{domain} {errand:?}"
                );
                let spf = dns.spf(domain, from);
                assert_eq!(spf == "fail", traits.spf_fail, "{domain} {spf} {errand:?}");
                passes += usize::from(spf == "pass");
            }
        }
        assert!(passes > 100, "{passes}");
    }
}

#[test]
fn lists_list_who_is_listed() {
    let trace = trace("2026", 5000);
    let zen = trace
        .world
        .lists
        .iter()
        .find(|list| list.zone == "zen.spamhaus.org")
        .expect("it is in the scenario");
    let listed: HashMap<IpAddr, Duration> = zen
        .listings
        .iter()
        .map(|one| (one.address, one.from))
        .collect();
    assert_eq!(listed.len(), zen.listings.len(), "each once");
    assert!(
        listed.contains_key(&IpAddr::from([127, 0, 0, 2])),
        "the test entry of RFC 5782"
    );
    let mut later = 0;
    for errand in &trace.errands {
        let first = errand.tries[0];
        let is_listed = listed
            .get(&first.from)
            .is_some_and(|from| *from <= first.at);
        assert_eq!(is_listed, errand.traits.listed, "{errand:?}");
        later += usize::from(listed.get(&first.from).is_some_and(|from| *from > first.at));
    }
    assert!(later > 10, "some are listed only after they came: {later}");
    assert!(zen.troubles.len() == 1 && trace.world.lists.len() == 3);
    let allowed = trace
        .world
        .lists
        .iter()
        .find(|list| list.zone == "list.dnswl.org")
        .unwrap();
    assert!(allowed.listings.len() > 100);
}

#[test]
fn retries_of_pools_come_from_other_addresses() {
    let trace = trace("2026", 3000);
    for case in [Case::PoolRetry, Case::ChangingIpv6] {
        for errand in of_case(&trace, case) {
            let from: HashSet<IpAddr> = errand.tries.iter().map(|one| one.from).collect();
            assert!(from.len() > 1, "{errand:?}");
            assert_ne!(errand.tries[0].from, errand.tries[1].from);
        }
    }
    for errand in of_case(&trace, Case::ChangingIpv6) {
        let networks = errand.tries.iter().take(3).map(|one| match one.from {
            IpAddr::V6(v6) => v6.segments()[..4].to_vec(),
            IpAddr::V4(_) => panic!("{errand:?}"),
        });
        assert_eq!(networks.collect::<HashSet<_>>().len(), 3, "{errand:?}");
    }
    let pooled = drawn(&trace, Class::G1)
        .into_iter()
        .filter(|one| one.tries.len() > 1);
    let moving = pooled
        .filter(|one| one.tries[0].from != one.tries[1].from)
        .count();
    assert!(moving > 20, "{moving}");
    // Who came to the secondary for a good reason goes to the primary next.
    for errand in of_case(&trace, Case::GoodSecondary) {
        assert_eq!(
            (errand.tries[0].door, errand.tries[1].door),
            (Door::Secondary, Door::Primary)
        );
    }
}

#[test]
fn timetables_are_kept() {
    let trace = trace("2026", 0);
    let offsets: Vec<Vec<u64>> = of_case(&trace, Case::PoolRetry)
        .iter()
        .map(|one| {
            one.tries
                .iter()
                .map(|each| (each.at - one.tries[0].at).as_secs())
                .collect()
        })
        .collect();
    let gmail = [0, 362, 1742, 3396, 5924, 9720, 13740, 18540, 26040];
    assert_eq!(
        offsets.iter().filter(|one| **one == gmail).count(),
        3,
        "{offsets:?}"
    );
    for errand in of_case(&trace, Case::GivesUpEarly) {
        assert_eq!(errand.tries.len(), 5);
    }
    for errand in of_case(&trace, Case::NoRetry) {
        assert_eq!(errand.tries.len(), 1);
    }
    let most = of_case(&trace, Case::FastRetry)
        .iter()
        .map(|one| one.tries.len())
        .max();
    assert_eq!(most, Some(94));
}

#[test]
fn addresses_are_public_and_nobody_shares_a_network_with_strangers() {
    let trace = trace("2026", 20_000);
    let mut owners: HashMap<Vec<u8>, HashSet<Label>> = HashMap::new();
    for errand in &trace.errands {
        for one in &errand.tries {
            assert!(is_public(one.from), "{errand:?}");
            let network = match one.from {
                IpAddr::V4(v4) => v4.octets()[..3].to_vec(),
                IpAddr::V6(v6) => {
                    assert_eq!(v6.segments()[..2], [0x2001, 0xdb8]);
                    v6.octets()[..8].to_vec()
                }
            };
            let pooled = matches!(errand.class, Class::G1 | Class::G2 | Class::P1 | Class::E1);
            owners
                .entry(network)
                .or_default()
                .extend((!pooled).then_some(errand.class.label()));
        }
    }
    assert!(owners.values().all(|labels| labels.len() <= 1));
}

#[test]
fn nothing_that_is_named_exists_elsewhere() {
    let trace = trace("2016", 3000);
    for (name, data) in &trace.world.records {
        assert!(
            name.ends_with(".example") || name.ends_with(".arpa"),
            "{name}"
        );
        if let RecordData::Ptr(target) | RecordData::Mx(_, target) = data {
            assert!(target.ends_with(".example"), "{target}");
        }
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, data) in &trace.world.records {
        if let RecordData::Txt(_) = data {
            *seen.entry(name).or_default() += 1;
        }
    }
    assert!(
        seen.values().all(|count| *count == 1),
        "one SPF record each"
    );
}

#[test]
fn special_cases_are_what_they_say() {
    let trace = trace("2026", 0);
    let exempt =
        |to: &String| to.to_lowercase().starts_with("postmaster@") || to.starts_with("abuse@");
    for errand in of_case(&trace, Case::ListedToPostmaster) {
        assert!(errand.traits.listed && envelopes(errand)[0].to.iter().all(exempt));
    }
    let among = of_case(&trace, Case::PostmasterAmongOthers);
    let first = among
        .iter()
        .filter(|one| exempt(&envelopes(one)[0].to[0]))
        .count();
    assert!(first > 0 && first < among.len(), "both orders");
    assert!(
        among.iter().any(|one| one.traits.listed) && among.iter().any(|one| !one.traits.listed)
    );
    for errand in of_case(&trace, Case::ListedUser) {
        assert!(errand.speech.login.is_some() && errand.traits.listed);
        assert!(errand.tries.iter().all(|one| one.door == Door::Submission));
    }
    for errand in of_case(&trace, Case::NeedsTls) {
        assert_eq!(errand.speech.tls, Starttls::Required);
    }
    for errand in of_case(&trace, Case::UniqueSender) {
        let senders: HashSet<&str> = envelopes(errand)
            .iter()
            .map(|one| one.from.as_str())
            .collect();
        assert_eq!(senders.len(), 3, "{senders:?}");
    }
    for errand in of_case(&trace, Case::Forwarder) {
        assert!(errand.traits.spf_fail);
    }
    let partings = of_case(&trace, Case::SlightPipelining);
    assert!(
        partings
            .iter()
            .any(|one| one.speech.dialect.grouping == Grouping::Parting)
    );
    assert!(
        partings
            .iter()
            .any(|one| one.speech.parting == Parting::QuitUnheard)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Any seed and any number of errands.
    #[test]
    fn a_trace_can_be_made(seed: u64, errands in 0usize..600) {
        let scenario = scenario("2026");
        let trace = Trace::make(&scenario, seed, errands);
        let cases = trace.errands.iter().filter(|one| one.case.is_some()).count();
        let users = drawn(&trace, Class::M1).len();
        prop_assert!(trace.errands.len().abs_diff(errands + cases + users) <= 1);
        let users: HashSet<&String> = trace.users.iter().collect();
        prop_assert_eq!(users.len(), USERS);
        for errand in &trace.errands {
            for envelope in envelopes(errand) {
                prop_assert!(!envelope.to.is_empty());
                prop_assert!(envelope.to.iter().all(|to| to.ends_with("@bench.example")));
            }
        }
    }
}

#[test]
fn the_world_stays_small() {
    let trace = trace("2026", 10_000);
    let (records, errands) = (trace.world.records.len(), trace.errands.len());
    assert!(
        records < 2 * errands,
        "{records} records for {errands} errands"
    );
}
