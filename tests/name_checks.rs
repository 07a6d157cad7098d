//! Checks that ask several questions at once, one after the other's answer: whatever the DNS answers, in whatever order,
//! a decision that was given before the last answer is the one that all answers give.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::net::Ipv4Addr;
use std::time::Duration;

use gatepost::checks::policy::Policy;
use gatepost::checks::verdict::Action;
use gatepost::checks::{ALL, Judgement, judge};
use gatepost::facts::{
    Answer, Answered, Client, DnsAnswer, Fact, Facts, Failure, Helo, Mail, Millis, Question, Rcpt,
    Record, RecordData, RecordType, Source, Stage,
};
use proptest::prelude::*;
use serde_json::json;

const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 25);

/// Points of the checks, `greylist_points`, `deny_points` and `drop_points`.
#[derive(Clone, Debug)]
struct Plan {
    points: Vec<i8>,
    thresholds: [u8; 3],
}

impl Plan {
    fn policy(&self) -> Policy {
        let p = |at: usize| f64::from(self.points[at]) / 2.0;
        let tables = [
            (
                "rhsbl",
                json!({"zones": [
                    {"zone": "a.test", "points": p(0)},
                    {"zone": "b.test", "points": p(1), "of": ["helo", "reverse_name"]},
                    {"zone": "b.test", "points": p(2), "answers": "127.0.0.3", "of": ["sender"]},
                ]}),
            ),
            (
                "rdns",
                json!({"no_name": p(3), "unconfirmed": p(4), "dynamic": p(5), "at_most": p(6)}),
            ),
            (
                "helo",
                json!({"unresolvable": p(7), "unqualified": p(8), "own_names": ["mx.test"]}),
            ),
            (
                "sender_domain",
                json!({"no_address": p(9), "null_mx": p(10), "numeric_mx": p(11),
                       "private": p(12), "mx_alias": p(13)}),
            ),
        ];
        let checks = tables.into_iter().filter_map(|(name, table)| {
            let kind = ALL.iter().find(|kind| kind.name == name).unwrap();
            (kind.build)(table).unwrap()
        });
        let [greylist, deny, drop] = self.thresholds.map(|points| json!(points));
        let points = |number| serde_json::from_value(number).unwrap();
        Policy {
            greet_wait: Duration::ZERO,
            greylist_points: points(greylist),
            deny_points: points(deny),
            drop_points: points(drop),
            checks: checks.collect(),
            ..Policy::default()
        }
    }
}

fn session() -> Facts {
    let mut facts = Facts::new(Client::new(
        (CLIENT, 2525).into(),
        "198.51.100.1:25".parse().unwrap(),
        "mx",
    ));
    for name in ["host.test", "friend", "mail.sender.test"] {
        let helo = Helo {
            extended: true,
            name: name.parse().unwrap(),
        };
        facts.push(Stage::Helo, Millis(0), Fact::Helo(Box::new(helo)));
    }
    let mail = Mail {
        path: "<a@sender.test>".parse().unwrap(),
        size: None,
    };
    facts.push(Stage::Mail, Millis(0), Fact::Mail(Box::new(mail)));
    let rcpt = Rcpt {
        path: "<b@example.com>".parse().unwrap(),
    };
    facts.push(Stage::Rcpt, Millis(0), Fact::Rcpt(Box::new(rcpt)));
    facts
}

/// The answer that this world has for a question; `choices` makes the world.
fn answer(question: &Question, choices: &[u8]) -> Answered {
    let text = question.to_string();
    let place = text.bytes().fold(7_usize, |hash, octet| {
        hash.wrapping_mul(31).wrapping_add(octet.into())
    });
    let choice = choices[place % choices.len()];
    let Question::Dns { kind, name } = question else {
        panic!("{question}")
    };
    let found = |data: Vec<RecordData>| {
        let record = |data| Record { ttl: 60, data };
        DnsAnswer::Found(data.into_iter().map(record).collect())
    };
    let names = |number: u8| match number % 4 {
        0 => vec!["host.test"],
        1 => vec!["pool-203-0-113-25.isp.test"],
        2 => vec!["host.test", "pool-203-0-113-25.isp.test", "localhost"],
        _ => vec!["host.test", "other.test", "pool-203-0-113-25.isp.test"],
    };
    let in_list = name.shown().ends_with("a.test") || name.shown().ends_with("b.test");
    let answer = match (kind, choice % 8) {
        (_, 0) => DnsAnswer::NoName,
        (_, 1) => DnsAnswer::NoData,
        (_, 2) => DnsAnswer::Failed(Failure::Timeout),
        (RecordType::Ptr, _) => found(
            names(choice / 8)
                .into_iter()
                .map(|name| RecordData::Ptr(name.into()))
                .collect(),
        ),
        (RecordType::Mx, 3) => found(vec![RecordData::Mx(0, ".".into())]),
        (RecordType::Mx, 4) => found(vec![RecordData::Mx(0, "192.0.2.1".into())]),
        (RecordType::Mx, _) => found(vec![
            RecordData::Mx(1, "mx1.sender.test".into()),
            RecordData::Mx(2, "mx2.sender.test".into()),
        ]),
        (RecordType::A, _) if in_list => {
            found(vec![RecordData::A([127, 0, 0, 2 + choice % 2].into())])
        }
        (RecordType::A, 3) => found(vec![RecordData::A([10, 0, 0, 1].into())]),
        (RecordType::A, 4) => found(vec![
            RecordData::Cname("alias.test".into()),
            RecordData::A(CLIENT),
        ]),
        (RecordType::A, 5) => found(vec![RecordData::A([192, 0, 2, 7].into())]),
        (RecordType::A, _) => found(vec![RecordData::A(CLIENT)]),
        (RecordType::Aaaa, _) => DnsAnswer::NoData,
        (RecordType::Txt, _) => found(vec![RecordData::Txt("why".into())]),
    };
    Answered {
        question: question.clone(),
        answer: Answer::Dns(answer),
        took: Millis(1),
        source: Source::Live,
    }
}

/// Answers one question after the other, taking them in an order that `order` says, and says what was decided on the
/// way: the first decision and the last.
fn play(policy: &Policy, choices: &[u8], order: &[u8]) -> (Judgement, Judgement, usize) {
    let mut facts = session();
    let mut asked: Vec<Question> = Vec::new();
    let mut open: Vec<Question> = Vec::new();
    let mut first = None;
    let mut order = order.iter().cycle();
    loop {
        let judgement = judge(policy, &facts);
        for question in judgement.questions() {
            if !asked.contains(question) {
                asked.push(question.clone());
                open.push(question.clone());
            }
        }
        if let (Judgement::Decide { .. }, None) = (&judgement, &first) {
            first = Some(judgement.clone());
        }
        if open.is_empty() {
            assert!(
                matches!(judgement, Judgement::Decide { .. }),
                "{judgement:?}"
            );
            return (first.unwrap(), judgement, asked.len());
        }
        let next = usize::from(*order.next().unwrap()) % open.len();
        let answered = answer(&open.swap_remove(next), choices);
        facts.push(Stage::Rcpt, Millis(1), Fact::Answered(Box::new(answered)));
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let points = prop_oneof![4 => 0..=10i8, 1 => -6..=0i8];
    let thresholds = (1..=4u8, 0..=4u8, 0..=8u8).prop_map(|(a, b, c)| [a, a + b, a + b + c]);
    (prop::collection::vec(points, 14), thresholds)
        .prop_map(|(points, thresholds)| Plan { points, thresholds })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_decision_stands_whatever_comes_behind_it(
        plan in plans(),
        choices in prop::collection::vec(any::<u8>(), 40),
        orders in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..30), 2),
    ) {
        let policy = plan.policy();
        let mut ends = Vec::new();
        for order in &orders {
            let (first, last, asked) = play(&policy, &choices, order);
            prop_assert_eq!(first.verdict().action, last.verdict().action, "{:#?} {:#?}", first, last);
            prop_assert!(asked < 80, "{} questions", asked);
            ends.push(last.verdict().clone());
        }
        let [one, other] = &ends[..] else { panic!() };
        prop_assert_eq!(one.action, other.action, "{:#?} {:#?}", one, other);
        // With all answers there, order is forgotten; behind a drop not all are asked for.
        if one.action != Action::Drop {
            prop_assert_eq!(one.points, other.points, "{:#?} {:#?}", one, other);
        }
    }
}

#[test]
fn the_world_of_this_test_has_every_finding() {
    let mut reasons = std::collections::BTreeSet::new();
    let plan = Plan {
        points: vec![1; 14],
        thresholds: [90, 91, 92],
    };
    let policy = plan.policy();
    for seed in 0..400_u32 {
        let choices: Vec<u8> = (0..40_u32)
            .map(|at| u8::try_from((seed * 7919 + at * 104_729 + seed * at * 31) % 251).unwrap())
            .collect();
        let (_, last, _) = play(&policy, &choices, &[0, 3, 1]);
        for finding in &last.verdict().findings {
            reasons.insert(format!("{} {}", finding.check, finding.reason));
        }
    }
    let all = [
        "helo failed",
        "helo unqualified",
        "helo unresolvable",
        "rdns confirmed",
        "rdns dynamic",
        "rdns failed",
        "rdns no_name",
        "rdns unconfirmed",
        "rhsbl failed",
        "rhsbl listed",
        "rhsbl not_counted",
        "rhsbl not_listed",
        "sender_domain failed",
        "sender_domain mx_alias",
        "sender_domain no_address",
        "sender_domain null_mx",
        "sender_domain numeric_mx",
        "sender_domain private",
        "sender_domain reachable",
    ];
    let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
    assert_eq!(reasons, all);
}
