//! Messages that are lost, doubled or invented are found.

use super::{Answer, play, trace};
use crate::measure::score::Integrity;
use crate::measure::trace::{Arrival, Played, Sent};

#[test]
fn a_lost_message_is_found() {
    let trace = trace(300);
    let mut played = play(&trace, |_, _| Answer::Takes);
    let lost = played.arrived.as_mut().unwrap().remove(5);
    let integrity = Integrity::of(&trace, &played);
    assert!(!integrity.holds());
    assert_eq!(integrity.lost, lost.to.len() as u64);
    let expected = format!(
        "{}.{}.{} was taken and did not arrive",
        lost.errand, lost.attempt, lost.envelope
    );
    assert!(
        integrity.faults[0].starts_with(&expected),
        "{:?}",
        integrity.faults
    );
}

#[test]
fn a_duplicate_is_found() {
    let trace = trace(300);
    let mut played = play(&trace, |_, _| Answer::Takes);
    let arrived = played.arrived.as_mut().unwrap();
    let again = arrived[3].clone();
    arrived.push(again.clone());
    let integrity = Integrity::of(&trace, &played);
    assert_eq!(
        (integrity.duplicates, integrity.lost),
        (again.to.len() as u64, 0)
    );
    assert!(!integrity.holds());
}

#[test]
fn what_was_refused_must_not_arrive() {
    let trace = trace(300);
    let mut played = play(&trace, |_, _| Answer::Takes);
    // The reply is changed to a refusal after it has arrived.
    let changed = change(&mut played, |sent| sent.data = 554);
    let integrity = Integrity::of(&trace, &played);
    assert_eq!(integrity.invented, changed, "{integrity:?}");
    // A message for one more than was accepted.
    let mut played = play(&trace, |_, _| Answer::Takes);
    played.arrived.as_mut().unwrap()[0]
        .to
        .push("stranger@bench.example".to_owned());
    let integrity = Integrity::of(&trace, &played);
    assert_eq!(integrity.invented, 1, "{integrity:?}");
    // A message of nobody.
    let mut played = play(&trace, |_, _| Answer::Takes);
    played.arrived.as_mut().unwrap()[0].errand = 99_999;
    assert!(!Integrity::of(&trace, &played).holds());
    // No reply was heard: nothing is wrong with what arrived.
    let mut played = play(&trace, |_, _| Answer::Takes);
    change(&mut played, |sent| sent.data = 0);
    let integrity = Integrity::of(&trace, &played);
    assert!(integrity.holds() && integrity.unheard == 1, "{integrity:?}");
}

#[test]
fn recipients_may_arrive_one_by_one_and_in_other_letters() {
    let trace = trace(300);
    let mut played = play(&trace, |_, _| Answer::Takes);
    let arrived = played.arrived.take().unwrap();
    let split = arrived.into_iter().flat_map(|arrival| {
        let one = |to: String| Arrival {
            to: vec![to.to_uppercase()],
            ..arrival.clone()
        };
        arrival.to.clone().into_iter().map(one).collect::<Vec<_>>()
    });
    played.arrived = Some(split.collect());
    let integrity = Integrity::of(&trace, &played);
    assert!(integrity.holds(), "{integrity:?}");
}

/// Changes the first transaction that was taken; how many recipients it had.
fn change(played: &mut Played, how: impl Fn(&mut Sent)) -> u64 {
    let all = played.ran.iter_mut().flat_map(|ran| &mut ran.tries);
    let mut all = all.flat_map(|tried| &mut tried.envelopes);
    let sent = all.find(|sent| sent.data == 250).expect("one was taken");
    how(sent);
    sent.rcpt.iter().filter(|code| **code == 250).count() as u64
}
