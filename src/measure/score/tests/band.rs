//! The band, and two servers compared.

use super::{Answer, play, scenario, trace};
use crate::measure::scenario::{Group, Trait};
use crate::measure::score::{Bands, Comparison, Score};
use crate::measure::trace::{Errand, Traits};

#[test]
fn the_band_brackets_what_was_played() {
    let trace = trace(4000);
    let answer = |errand: &Errand, _| match errand.traits {
        Traits { listed: true, .. } => Answer::Refuses,
        Traits { bad_helo: true, .. } => Answer::PutsOff,
        _ => Answer::Takes,
    };
    let played = play(&trace, answer);
    let score = Score::of(&trace, &played);
    let bands = Bands::of(&scenario(), &trace, &played);
    let share = score.spam_stopped.share;
    assert!((bands.played.spam_stopped - share).abs() < 1e-9);
    assert!(
        bands.spam_stopped.low < share && share < bands.spam_stopped.high,
        "{bands:?}"
    );
    // Users who log in are in both.
    let rejected = score.legitimate_rejected.share;
    assert!((bands.played.legitimate_rejected - rejected).abs() < 1e-9);
    assert!(bands.legitimate_rejected.low <= rejected);
    let of = |of: Trait, among: Group| {
        bands
            .bands
            .iter()
            .find(|band| band.of == of && band.among == among)
            .expect("it is in the scenario")
    };
    let listed = of(Trait::Listed, Group::Spam);
    let (low, high) = (listed.at_low.unwrap(), listed.at_high.unwrap());
    assert!(
        low.spam_stopped < share && share < high.spam_stopped,
        "{listed:?}"
    );
    // A trait that decides nothing moves nothing, except by chance.
    let no_quit = of(Trait::BadDomain, Group::Spam).at_high.unwrap();
    assert!((no_quit.spam_stopped - share).abs() < 0.01, "{no_quit:?}");
}

#[test]
fn what_nobody_had_is_said_to_be_not_weighed() {
    let mut trace = trace(300);
    for errand in &mut trace.errands {
        errand.traits.listed = false;
    }
    let played = play(&trace, |_, _| Answer::Takes);
    let bands = Bands::of(&scenario(), &trace, &played);
    let listed = bands.bands.iter().filter(|band| band.of == Trait::Listed);
    assert!(listed.clone().count() > 0);
    let not_weighed: Vec<_> = bands.not_weighed().collect();
    assert!(
        listed.clone().all(|band| not_weighed.contains(&band)),
        "{not_weighed:?}"
    );
    assert!(not_weighed.len() < bands.bands.len());
}

#[test]
fn the_band_meets_the_share_it_assumes() {
    // Who is listed is refused and nobody else is: the share that is stopped is the share that is assumed, but for the
    // number of messages of each.
    let trace = trace(6000);
    let answer = |errand: &Errand, _| {
        if errand.traits.listed {
            Answer::Refuses
        } else {
            Answer::Takes
        }
    };
    let bands = Bands::of(&scenario(), &trace, &play(&trace, answer));
    let spam = Group::Spam;
    let listed = bands
        .bands
        .iter()
        .find(|band| band.of == Trait::Listed && band.among == spam)
        .unwrap();
    for (assumed, result) in [(listed.low, listed.at_low), (listed.high, listed.at_high)] {
        let stopped = 100.0 * result.unwrap().spam_stopped;
        assert!((stopped - assumed).abs() < 4.0, "{assumed}: {stopped}");
    }
}

#[test]
fn two_servers_are_compared_pair_by_pair() {
    let trace = trace(2000);
    let some = play(&trace, |errand, _| {
        if errand.traits.listed {
            Answer::Refuses
        } else {
            Answer::Takes
        }
    });
    let none = play(&trace, |_, _| Answer::Takes);
    let comparison = Comparison::of(&trace, &some, &none);
    let spam = &comparison.spam_stopped;
    assert_eq!((spam.both, spam.only_second), (0, 0));
    assert!(spam.only_first > 50 && spam.p < 1e-6, "{spam:?}");
    let interval = spam.by_cluster.expect("there are many clusters");
    assert!(
        interval.low < spam.difference && spam.difference < interval.high,
        "{spam:?}"
    );
    let same = Comparison::of(&trace, &none, &none).spam_stopped;
    assert_eq!((same.difference, same.p), (0.0, 1.0));
    assert_eq!(comparison.cpu, Some([3.0, 3.0]));
}
