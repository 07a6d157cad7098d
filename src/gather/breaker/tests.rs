//! Breakers on a paused clock.

use super::*;

fn fail(breaker: &Arc<Breaker>, times: u32) {
    for _ in 0..times {
        breaker.leave().unwrap().failed();
    }
}

async fn after(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_it_and_an_answer_closes_it() {
    let breaker = Breaker::new("x");
    fail(&breaker, 4);
    breaker.leave().unwrap().answered();
    fail(&breaker, 5);
    assert!(breaker.leave().is_none());
    after(1).await;
    let mut probe = breaker.leave().unwrap();
    assert!(breaker.leave().is_none(), "one probe at a time");
    probe.answered();
    assert!(breaker.leave().is_some());
    let standing = breaker.standing();
    assert_eq!(
        (standing.answered, standing.failed, standing.suspended),
        (2, 9, false)
    );
}

#[tokio::test(start_paused = true)]
async fn back_off_doubles_up_to_half_a_minute() {
    let breaker = Breaker::new("x");
    fail(&breaker, 5);
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        after(seconds - 1).await;
        assert!(breaker.leave().is_none(), "{seconds}");
        after(1).await;
        fail(&breaker, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_given_up_makes_room_for_the_next() {
    let breaker = Breaker::new("x");
    fail(&breaker, 5);
    after(1).await;
    drop(breaker.leave().unwrap());
    assert!(breaker.leave().is_some());
}

#[tokio::test(start_paused = true)]
async fn lookups_from_before_neither_lengthen_the_back_off_nor_are_probes() {
    let breaker = Breaker::new("x");
    let mut old = breaker.leave().unwrap();
    fail(&breaker, 5);
    old.failed();
    after(1).await;
    assert!(breaker.leave().is_some());
    let mut late = old;
    late.answered();
    assert!(!breaker.standing().suspended, "a late answer closes it");
}

#[tokio::test(start_paused = true)]
async fn silence_for_which_others_may_be_to_blame_opens_it_only_when_it_was_found_out() {
    let breaker = Breaker::new("x");
    fail(&breaker, 4);
    let mut doubting = breaker.leave().unwrap();
    assert!(doubting.unanswered());
    for _ in 0..5 {
        let more = breaker.leave().unwrap().unanswered();
        assert!(!more, "one is enough to find out");
    }
    doubting.excused();
    let standing = breaker.standing();
    assert_eq!((standing.failed, standing.failed_in_a_row), (10, 0));
    assert_eq!(standing.state(), "up");

    for _ in 0..4 {
        assert!(!breaker.leave().unwrap().unanswered());
    }
    drop(doubting);
    let mut given_up = breaker.leave().unwrap();
    assert!(given_up.unanswered());
    drop(given_up);
    let mut doubting = breaker.leave().unwrap();
    assert!(doubting.unanswered());
    doubting.failed();
    assert!(breaker.leave().is_none());

    after(1).await;
    let mut probe = breaker.leave().unwrap();
    assert!(probe.unanswered(), "a probe that brings nothing");
    probe.excused();
    assert!(breaker.leave().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_answer_while_it_is_being_found_out_counts_for_it() {
    let breaker = Breaker::new("x");
    fail(&breaker, 4);
    let mut doubting = breaker.leave().unwrap();
    assert!(doubting.unanswered());
    breaker.leave().unwrap().answered();
    doubting.failed();
    assert_eq!(breaker.standing().state(), "failing");
}
