//! The DNS that is made beside the clients makes true what was drawn for them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use super::{envelopes, trace};
use crate::checks::address::is_public;
use crate::facts::RecordData;
use crate::measure::trace::{Class, Label, Trace};
use crate::measure::traffic::names;

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
fn the_world_stays_small() {
    let trace = trace("2026", 10_000);
    let (records, errands) = (trace.world.records.len(), trace.errands.len());
    assert!(
        records < 2 * errands,
        "{records} records for {errands} errands"
    );
}
