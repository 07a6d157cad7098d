//! Scores of runs that are made by hand: a server that takes all, one that refuses all, and servers with one fault.

mod band;
mod integrity;

use std::time::Duration;

use proptest::prelude::*;

use super::outcome::Users;
use super::*;
use crate::measure::hidden::Hidden;
use crate::measure::scenario::Scenario;
use crate::measure::trace::{Act, Arrival, Case, Class, Errand, Ran, Sent, Tried};

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
        dns_questions: Some(500),
        hidden: Hidden::default(),
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

#[test]
fn who_comes_without_mail_is_told_apart_where_nothing_is_refused() {
    let trace = trace(2000);
    let score = Score::of(&trace, &play(&trace, |_, _| Answer::Takes));
    let all = score.hostile_stopped.expect("it is known");
    let with_mail = score.with_mail_stopped.expect("it is known");
    assert!(
        all.part > 0 && all.part == all.whole - with_mail.whole,
        "{all:?}"
    );
    assert_eq!(with_mail.part, 0, "{with_mail:?}");
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
    assert!((most - 3.0 / score.legitimate_rejected.clusters as f64).abs() < 1e-12);
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
    assert!(score.spam_stopped.at_least.is_some_and(|least| least > 0.9));
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
