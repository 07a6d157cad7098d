//! What tests show, when the next is due, and what a breaker makes of them, on a paused clock.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use super::*;
use crate::facts::{Record, RecordData};

const REFUSED: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

fn answer(addresses: &[[u8; 4]]) -> DnsAnswer {
    let record = |address: &[u8; 4]| Record {
        ttl: 60,
        data: RecordData::A((*address).into()),
    };
    match addresses {
        [] => DnsAnswer::NoName,
        some => DnsAnswer::Found(some.iter().map(record).collect()),
    }
}

async fn after(time: Duration) {
    tokio::time::advance(time).await;
}

#[test]
fn test_entries_are_those_of_the_rfc() {
    let entries = |lists| Zone::new("Bl.example.", "bl", lists).test_entries();
    assert_eq!(
        entries(Lists::Addresses),
        ["1.0.0.127.bl.example", "2.0.0.127.bl.example"]
    );
    assert_eq!(
        entries(Lists::Names),
        ["invalid.bl.example", "test.bl.example"]
    );
}

#[test]
fn what_must_not_be_listed_is_judged_first() {
    for (addresses, says) in [
        (&[][..], None),
        (&[[127, 0, 0, 2]], Some(Fitness::ListsEverything)),
        (&[[127, 0, 0, 1]], Some(Fitness::ListsEverything)),
        (
            &[[127, 0, 0, 2], [127, 255, 255, 254]],
            Some(Fitness::Wrong(REFUSED)),
        ),
        (
            &[[192, 0, 2, 80]],
            Some(Fitness::Wrong(Ipv4Addr::new(192, 0, 2, 80))),
        ),
    ] {
        assert_eq!(unfit(&answer(addresses)), says, "{addresses:?}");
    }
    assert_eq!(unfit(&DnsAnswer::NoData), None);
}

#[test]
fn what_must_be_listed_is_not_missed_badly() {
    for (addresses, says) in [
        (&[][..], Fitness::NoTestEntry),
        (&[[127, 0, 0, 2], [127, 0, 0, 10]], Fitness::Fit),
        (&[[127, 255, 255, 254]], Fitness::Wrong(REFUSED)),
    ] {
        assert_eq!(read(&answer(addresses)), says, "{addresses:?}");
    }
}

#[test]
fn pauses_differ_a_little() {
    let span: RangeInclusive<_> = Duration::from_secs(540)..=PAUSE;
    let pauses: Vec<_> = (0..100).map(|_| jittered(PAUSE)).collect();
    assert!(pauses.iter().all(|pause| span.contains(pause)));
    assert!(pauses.iter().any(|pause| *pause != pauses[0]));
}

#[tokio::test(start_paused = true)]
async fn an_unfit_zone_is_suspended_until_a_test_is_clean() {
    let breaker = Breaker::new("bl");
    assert!(breaker.is_test_due() && breaker.is_doubtful());
    for (found, suspended, reason) in [
        (Fitness::Fit, false, "tested"),
        (Fitness::ListsEverything, true, "lists_everything"),
        (Fitness::Wrong(REFUSED), true, "error_code"),
        (Fitness::NoTestEntry, false, "no_test_entry"),
        (Fitness::Wrong(Ipv4Addr::new(192, 0, 2, 1)), true, "no_list"),
        (Fitness::Fit, false, "tested"),
    ] {
        breaker.tested(found);
        after(Duration::from_secs(7)).await;
        let standing = breaker.standing();
        let state = if suspended { "suspended" } else { "up" };
        assert_eq!((standing.state(), standing.reason()), (state, reason));
        assert_eq!(standing.tested, Some(Duration::from_secs(7)));
        assert_eq!(
            (standing.suspended, breaker.is_doubtful()),
            (suspended, suspended)
        );
        // The next test may ask all the same.
        assert!(breaker.leave().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_without_an_answer_comes_again_soon_and_suspends_nothing() {
    let breaker = Breaker::new("bl");
    breaker.tested(Fitness::Fit);
    breaker.leave().unwrap().failed();
    let standing = breaker.standing();
    assert_eq!(
        (standing.state(), standing.reason()),
        ("failing", "no_answer")
    );
    assert!(breaker.is_doubtful() && !breaker.is_unfit());
    breaker.test_in(PAUSE_IN_DOUBT);
    after(Duration::from_secs(29)).await;
    assert!(!breaker.is_test_due());
    after(Duration::from_secs(1)).await;
    assert!(breaker.is_test_due());
}
