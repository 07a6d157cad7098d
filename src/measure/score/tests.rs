//! Scores of runs that are made by hand: a server that takes all, one that refuses all, and servers with one fault.

use proptest::prelude::*;

use super::outcome::Users;
use super::*;
use crate::measure::scenario::{Scenario, Trait};
use crate::measure::trace::{Act, Arrival, Case, Errand, Ran, Sent, Traits, Tried};

const SEED: u64 = 11;

fn scenario() -> Scenario {
    Scenario::load("2026").expect("it is built in")
}

fn trace(errands: usize) -> Trace {
    println!("seed {SEED}");
    Trace::make(&scenario(), SEED, errands)
}

/// What a server says to a client at one try.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    /// Takes what is for somebody who exists.
    Takes,
    /// Refuses every recipient.
    Refuses,
    /// Puts every recipient off.
    PutsOff,
    /// Takes what is for exempt recipients, refuses the others.
    OnlyExempt,
}

/// Plays a trace at a server that is no more than a rule.
fn play(trace: &Trace, answer: impl Fn(&Errand, usize) -> Answer) -> Played {
    let users = Users::of(trace);
    let mut arrived = Vec::new();
    let mut ran = Vec::new();
    for errand in &trace.errands {
        let mut tries = Vec::new();
        for (attempt, planned) in errand.tries.iter().enumerate() {
            let answer = answer(errand, attempt);
            let envelopes = transactions(errand, &users, answer);
            for (number, (sent, to)) in (0..).zip(&envelopes) {
                if sent.data == 250 {
                    arrived.push(Arrival {
                        errand: errand.id,
                        attempt: u32::try_from(attempt).unwrap(),
                        envelope: number,
                        to: to.clone(),
                    });
                }
            }
            tries.push(Tried {
                at: planned.at,
                greeted: Some(Duration::from_millis(1)),
                took: Duration::from_millis(5),
                last: 221,
                reached: Some(!envelopes.is_empty() && answer != Answer::Refuses),
                envelopes: envelopes.into_iter().map(|(sent, _)| sent).collect(),
                ..Tried::default()
            });
            if answer != Answer::PutsOff {
                break;
            }
        }
        ran.push(Ran {
            errand: errand.id,
            tries,
        });
    }
    Played {
        target: "made up".to_owned(),
        ran,
        arrived: Some(arrived),
        server_cpu: Some(2.0),
        backend_cpu: Some(1.0),
        backend_sessions: Some(10),
        dns_questions: 500,
        took: Duration::from_secs(60),
        clock: 600.0,
    }
}

fn transactions(errand: &Errand, users: &Users<'_>, answer: Answer) -> Vec<(Sent, Vec<String>)> {
    let envelopes: Vec<Vec<String>> = match &errand.speech.act {
        Act::Mail { envelopes, .. } => envelopes.iter().map(|one| one.to.clone()).collect(),
        Act::Callout { to } => vec![vec![to.clone()]],
        _ => Vec::new(),
    };
    let is_callout = matches!(errand.speech.act, Act::Callout { .. });
    let code = |to: &String| match answer {
        Answer::PutsOff => 450,
        Answer::Refuses => 550,
        Answer::OnlyExempt if !outcome::is_exempt(to) => 550,
        _ if users.exists(to) => 250,
        _ => 550,
    };
    let transaction = |(of, to): (u32, Vec<String>)| {
        let rcpt: Vec<u16> = to.iter().map(code).collect();
        let accepted = to.iter().zip(&rcpt).filter(|(_, code)| **code == 250);
        let accepted: Vec<String> = accepted.map(|(to, _)| to.clone()).collect();
        let sent = Sent {
            of,
            to: (0..).take(to.len()).collect(),
            mail: 250,
            rcpt,
            data: if accepted.is_empty() || is_callout {
                0
            } else {
                250
            },
        };
        (sent, accepted)
    };
    (0..).zip(envelopes).map(transaction).collect()
}

fn case(score: &Score, case: Case) -> &CaseScore {
    score
        .cases
        .iter()
        .find(|one| one.case == case.name())
        .expect("every case has its line")
}

#[test]
fn a_server_that_takes_all_stops_nothing() {
    let trace = trace(1500);
    let score = Score::of(&trace, &play(&trace, |_, _| Answer::Takes));
    assert_eq!(score.spam_stopped.part, 0);
    assert!(score.spam_stopped.whole > 300, "{:?}", score.spam_stopped);
    assert_eq!(score.legitimate_rejected.part, 0);
    let most = score
        .legitimate_rejected
        .at_most
        .expect("none was rejected");
    assert!((most - 3.0 / score.legitimate_rejected.whole as f64).abs() < 1e-12);
    assert_eq!(score.legitimate_delayed.part, 0);
    assert_eq!(score.exempt.part, score.exempt.whole);
    assert!(
        score.integrity.known && score.integrity.holds(),
        "{:?}",
        score.integrity
    );
    assert_eq!(
        score.integrity.taken,
        play(&trace, |_, _| Answer::Takes).arrived.unwrap().len() as u64
    );
    assert!(
        score.passes(),
        "{:?}",
        score
            .cases
            .iter()
            .filter(|one| !one.passed)
            .collect::<Vec<_>>()
    );
    assert_eq!(score.troubled, 0);
    let delivery = score.times.delivery_new.expect("somebody is new");
    assert_eq!(delivery.max, 0.0);
}

#[test]
fn a_server_that_refuses_all_stops_everything() {
    let trace = trace(1500);
    let score = Score::of(&trace, &play(&trace, |_, _| Answer::Refuses));
    assert_eq!(score.spam_stopped.part, score.spam_stopped.whole);
    assert_eq!(
        score.legitimate_rejected.part,
        score.legitimate_rejected.whole
    );
    let hostile = score.hostile_stopped.as_ref().expect("it is known");
    assert_eq!(hostile.part, hostile.whole);
    assert_eq!(score.exempt.part, 0);
    assert!(score.exempt.whole > 0);
    assert!(score.integrity.holds());
    // Monitoring and what only looks is content with a greeting.
    let passed: Vec<&str> = score
        .cases
        .iter()
        .filter(|one| one.passed)
        .map(|one| one.case)
        .collect();
    assert!(passed.is_empty(), "{passed:?}");
    assert!(
        case(&score, Case::NoRetry).why[0].contains("was refused (MAIL 250, RCPT 550, data 0)")
    );
}

#[test]
fn who_is_put_off_once_is_delayed_and_who_never_comes_back_is_lost() {
    let trace = trace(1500);
    let answer = |_: &Errand, attempt| {
        if attempt == 0 {
            Answer::PutsOff
        } else {
            Answer::Takes
        }
    };
    let score = Score::of(&trace, &play(&trace, answer));
    let rejected = &score.legitimate_rejected;
    let delayed = &score.legitimate_delayed;
    assert_eq!(delayed.part, delayed.whole, "nobody was served at once");
    assert_eq!(rejected.part + delayed.whole, rejected.whole);
    assert!(rejected.part > 0, "some scripts never come back");
    for (of, passes) in [
        (Case::NoRetry, false),
        (Case::NoFallback, false),
        (Case::Spelling, false),
        (Case::SlightPipelining, false),
        (Case::ListedUser, false),
        (Case::ListedToPostmaster, false),
        (Case::PoolRetry, true),
        (Case::FastRetry, true),
        (Case::GivesUpEarly, true),
        (Case::SlowRetry, true),
        (Case::TooFast, true),
        (Case::Forwarder, true),
        (Case::BadNames, true),
        (Case::GoodSecondary, true),
        (Case::ChangingIpv6, true),
        (Case::NeedsTls, true),
    ] {
        let case = case(&score, of);
        assert_eq!(case.passed, passes, "{case:?}");
        assert!(!passes || case.delayed == case.sent, "{case:?}");
    }
    let why = &case(&score, Case::Spelling).why[0];
    assert!(why.contains("arrived at try 2 only, after "), "{why}");
    let delivery = score.times.delivery_new.expect("somebody is new");
    assert!(
        delivery.p50 >= 60.0 && delivery.max >= delivery.p99,
        "{delivery:?}"
    );
}

#[test]
fn exempt_recipients_pass_though_others_are_refused() {
    let trace = trace(500);
    let answer = |errand: &Errand, _| match errand.traits.listed {
        true if errand.speech.login.is_none() => Answer::OnlyExempt,
        _ => Answer::Takes,
    };
    let score = Score::of(&trace, &play(&trace, answer));
    assert!(
        score.passes(),
        "{:?}",
        score
            .cases
            .iter()
            .filter(|one| !one.passed)
            .collect::<Vec<_>>()
    );
    let among = case(&score, Case::PostmasterAmongOthers);
    assert!(
        among.delivered < among.sent,
        "the listed ones' users were refused: {among:?}"
    );
    assert_eq!(score.exempt.part, score.exempt.whole);
}

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

/// Changes the first transaction that was taken; how many recipients it had.
fn change(played: &mut Played, how: impl Fn(&mut Sent)) -> u64 {
    let all = played.ran.iter_mut().flat_map(|ran| &mut ran.tries);
    let mut all = all.flat_map(|tried| &mut tried.envelopes);
    let sent = all.find(|sent| sent.data == 250).expect("one was taken");
    how(sent);
    sent.rcpt.iter().filter(|code| **code == 250).count() as u64
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

#[test]
fn a_client_in_trouble_is_in_no_share_and_fails_its_case() {
    let trace = trace(300);
    let whole = play(&trace, |_, _| Answer::Takes);
    let mut played = whole.clone();
    let spam = trace
        .errands
        .iter()
        .find(|errand| errand.class == Class::V1)
        .unwrap();
    let special = trace
        .errands
        .iter()
        .find(|errand| errand.case == Some(Case::NeedsTls))
        .unwrap();
    for errand in [spam.id, special.id] {
        played.ran[errand as usize].tries[0].trouble = Some("no socket".to_owned());
    }
    let (before, after) = (Score::of(&trace, &whole), Score::of(&trace, &played));
    assert_eq!(after.troubled, 2);
    assert!(after.spam_stopped.whole < before.spam_stopped.whole);
    assert!(!case(&after, Case::NeedsTls).passed);
    let mut played = whole;
    played.ran.truncate(10);
    assert_eq!(
        Score::of(&trace, &played).troubled,
        trace.errands.len() as u64 - 10
    );
}

#[test]
fn unwanted_connections_are_counted_where_they_were_turned_away() {
    let trace = trace(1000);
    let unwanted = |score: &Score| {
        let labels = score
            .labels
            .iter()
            .filter(|one| matches!(one.name.as_str(), "spam" | "hostile"));
        labels.map(|one| one.connections).sum::<u64>()
    };
    let score = Score::of(&trace, &play(&trace, |_, _| Answer::Refuses));
    let Cut {
        greeting,
        helo,
        mail,
        rcpt,
        data,
        taken,
        left,
    } = score.cut;
    assert_eq!(
        greeting + helo + mail + rcpt + data + taken + left,
        unwanted(&score)
    );
    assert!(rcpt > 0 && taken == 0 && left > 0, "{:?}", score.cut);
    let score = Score::of(&trace, &play(&trace, |_, _| Answer::Takes));
    assert!(score.cut.taken > 0);
}

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
    assert!(bands.legitimate_rejected.low <= score.legitimate_rejected.share);
    let of = |of: Trait, among: crate::measure::scenario::Group| {
        bands
            .bands
            .iter()
            .find(|band| band.of == of && band.among == among)
            .expect("it is in the scenario")
    };
    let listed = of(Trait::Listed, crate::measure::scenario::Group::Spam);
    let (low, high) = (listed.at_low.unwrap(), listed.at_high.unwrap());
    assert!(
        low.spam_stopped < share && share < high.spam_stopped,
        "{listed:?}"
    );
    // A trait that decides nothing moves nothing, except by chance.
    let no_quit = of(Trait::BadDomain, crate::measure::scenario::Group::Spam)
        .at_high
        .unwrap();
    assert!((no_quit.spam_stopped - share).abs() < 0.01, "{no_quit:?}");
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
    let spam = crate::measure::scenario::Group::Spam;
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

#[test]
fn intervals_are_over_clusters() {
    let trace = trace(3000);
    let score = Score::of(
        &trace,
        &play(&trace, |errand, _| {
            if errand.traits.listed {
                Answer::Refuses
            } else {
                Answer::Takes
            }
        }),
    );
    let spam = &score.spam_stopped;
    let by_cluster = spam.by_cluster.expect("there are many clusters");
    assert!(
        by_cluster.high - by_cluster.low > spam.wilson.high - spam.wilson.low,
        "{spam:?}"
    );
    assert!(spam.clusters < spam.whole);
    assert_eq!(spam.interval(), by_cluster);
}

#[test]
fn a_score_is_written_with_its_field_names() {
    let trace = trace(300);
    let score = Score::of(&trace, &play(&trace, |_, _| Answer::Takes));
    let json = serde_json::to_value(&score).expect("it can be written");
    for pointer in [
        "/spam_stopped/by_cluster",
        "/legitimate_rejected/at_most",
        "/times/delivery_new/p99",
        "/cost/sessions_spared",
        "/cases/0/passed",
        "/integrity/lost",
        "/cut/rcpt",
        "/classes/0/connections",
    ] {
        assert!(json.pointer(pointer).is_some(), "{pointer}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    /// Whatever was observed, nothing panics, and the counts add up.
    #[test]
    fn whatever_was_observed_is_counted(
        codes in proptest::collection::vec((0u32..3, 0u32..4, 0u16..600, 0u16..600, 0u16..600), 0..40),
        errands in proptest::collection::vec(0u32..400, 0..40),
    ) {
        let trace = Trace::make(&scenario(), SEED, 150);
        let ran = errands.iter().map(|errand| Ran {
            errand: *errand,
            tries: codes.chunks(3).map(|chunk| Tried {
                envelopes: chunk.iter().map(|(of, to, mail, rcpt, data)| Sent {
                    of: *of, to: vec![*to], mail: *mail, rcpt: vec![*rcpt], data: *data,
                }).collect(),
                ..Tried::default()
            }).collect(),
        }).collect();
        let arrived = errands.iter().map(|errand| Arrival {
            errand: *errand, attempt: 0, envelope: 0, to: vec!["a@bench.example".to_owned()],
        }).collect();
        let played = Played { ran, arrived: Some(arrived), ..Played::default() };
        let score = Score::of(&trace, &played);
        for counts in score.classes.iter().chain(&score.labels) {
            prop_assert_eq!(counts.offered, counts.delivered + counts.partly + counts.rejected + counts.lost);
            prop_assert!(counts.accepted <= counts.recipients);
        }
        let bands = Bands::of(&scenario(), &trace, &played);
        prop_assert!(bands.spam_stopped.low <= bands.spam_stopped.high);
    }
}
