//! The special cases are there, and are what they say.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{drawn, envelopes, scenario, trace};
use crate::measure::trace::{Case, Class, Door, Errand, Grouping, Parting, Starttls, Trace};

fn of_case(trace: &Trace, case: Case) -> Vec<&Errand> {
    let errands = trace.errands.iter();
    errands.filter(|errand| errand.case == Some(case)).collect()
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
