//! Traces: repeatable, true to the tables, and at one with the DNS made beside them. Seeds are fixed and printed.

mod cases;
mod world;

use std::collections::HashSet;
use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use proptest::prelude::*;

use super::*;
use crate::measure::scenario::Trait;
use crate::measure::trace::{Act, Door, Envelope, Parting, Starttls};

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

fn envelopes(errand: &Errand) -> &[Envelope] {
    match &errand.speech.act {
        Act::Mail { envelopes, .. } => envelopes,
        _ => &[],
    }
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
