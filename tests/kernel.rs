//! The kernel's promises, checked against whatever policies, sessions and answers come to mind.
//!
//! Policies here have DNS lists of any points, positive and negative, and perhaps a wait before the
//! greeting: every question a check can ask comes from one of these two.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::time::Duration;

use gatepost::checks::policy::{Mode, Policy};
use gatepost::checks::replay::{Change, Decision, replay};
use gatepost::checks::survey::{action_by, relevant, survey};
use gatepost::checks::verdict::{Action, Verdict};
use gatepost::checks::{ALL, Check, Judgement, judge};
use gatepost::facts::{
    Answer, Answered, Client, Counting, DnsAnswer, Fact, Facts, Failure, Mail, Millis, Party,
    Primary, Question, Quota, Rcpt, Recall, Recalled, Record, RecordData, RecordType, Room,
    Silence, Source, Stage,
};
use gatepost::smtp::fault::{Fault, Protocol};
use gatepost::smtp::path::ReversePath;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

/// Asking may take this many rounds at one stage, no more.
const ROUNDS: usize = 4;

/// A policy as data, so that it can be shown when a property fails.
#[derive(Clone, Debug)]
struct Plan {
    mode: Mode,
    greet_wait: u64,
    thresholds: [i32; 3],
    pregreet: i32,
    zones: Vec<i32>,
}

impl Plan {
    fn policy(&self) -> Policy {
        let zones: Vec<_> = self
            .zones
            .iter()
            .enumerate()
            .map(|(at, points)| json!({"zone": format!("z{at}.example"), "points": points}))
            .collect();
        let build = |name: &str, table| -> Option<Box<dyn Check>> {
            let kind = ALL.iter().find(|kind| kind.name == name).unwrap();
            (kind.build)(table).unwrap()
        };
        let checks = [
            build("pregreet", json!({"points": self.pregreet})),
            build("dnsbl", json!({"zones": zones})),
            build("conduct", json!({})),
            build("greylist", json!({})),
            build("rate", json!({})),
        ];
        let [greylist, deny, drop] = self
            .thresholds
            .map(|points| serde_json::from_value(json!(points)).unwrap());
        Policy {
            mode: self.mode,
            greet_wait: Duration::from_secs(self.greet_wait),
            greylist_points: greylist,
            deny_points: deny,
            drop_points: drop,
            checks: checks.into_iter().flatten().collect(),
            ..Policy::default()
        }
    }

    /// Every question the policy can ask first, in its order, the one about whoever is in doubt, and behind all others the
    /// one about whether there is room for `recipient`.
    fn questions(&self, recipient: &str) -> Vec<Question> {
        let mut questions = judge(&self.policy(), &session()).questions().to_vec();
        questions.push(triplet());
        questions.push(count(1, recipient));
        questions
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let points = || prop_oneof![4 => -6..=12i32, 1 => 40..=60i32];
    let mode = prop_oneof![4 => Just(Mode::Enforce), 1 => Just(Mode::Observe)];
    let wait = prop_oneof![1 => Just(0u64), 2 => Just(6u64)];
    let thresholds = (-2..=4i32, 0..=6i32, 0..=40i32).prop_map(|(a, b, c)| [a, a + b, a + b + c]);
    (
        mode,
        wait,
        thresholds,
        points(),
        prop::collection::vec(points(), 0..6),
    )
        .prop_map(|(mode, greet_wait, thresholds, pregreet, zones)| Plan {
            mode,
            greet_wait,
            thresholds,
            pregreet,
            zones,
        })
}

/// Plans that a configuration could hold: it refuses thresholds that no points at all would reach.
fn usual_plans() -> impl Strategy<Value = Plan> {
    plans().prop_map(|mut plan| {
        plan.thresholds = plan.thresholds.map(|points| points.max(1));
        plan
    })
}

fn session() -> Facts {
    let client = "192.0.2.1:2525".parse().unwrap();
    let local = "198.51.100.1:25".parse().unwrap();
    let mut facts = Facts::new(Client::new(client, local, "mx"));
    // Nobody here has a pass: without that answer the greeting would not begin.
    let pass = Question::Memory(Recall::Pass("192.0.2.1/32".parse().unwrap()));
    facts.push(Stage::Connect, Millis(0), answered(&pass, 0));
    facts
}

/// Who [`at_rcpt`] is to the memory.
fn triplet() -> Question {
    Question::Memory(Recall::Triplet {
        identity: "192.0.2.0/24".parse().unwrap(),
        sender: "".into(),
        recipient: "b@example.com".into(),
    })
}

/// Is there room for this recipient, the so-manieth of the session, by the defaults?
fn count(recipient: u32, path: &str) -> Question {
    let (address, network) = ("192.0.2.1/32", "192.0.2.0/24");
    let (address, network) = (address.parse().unwrap(), network.parse().unwrap());
    let quota = |of, rate: &str| Quota {
        of,
        rate: rate.parse().unwrap(),
    };
    let quotas = match path {
        "<b@example.com>" => [
            quota(Party::Address(address), "5000/h"),
            quota(Party::Network(network), "20000/h"),
        ],
        _ => [
            quota(Party::ExemptFromAddress(address), "30/h"),
            quota(Party::ExemptFromNetwork(network), "100/h"),
        ],
    };
    let quotas = quotas.into();
    Question::Count(Box::new(Counting { recipient, quotas }))
}

fn rcpt(path: &str) -> Fact {
    Fact::Rcpt(Box::new(Rcpt {
        path: path.parse().unwrap(),
    }))
}

fn at_rcpt(path: &str) -> Facts {
    let mut facts = session();
    facts.push(
        Stage::Mail,
        Millis(0),
        Fact::Mail(Box::new(Mail {
            path: ReversePath::Null,
            size: None,
        })),
    );
    facts.push(Stage::Rcpt, Millis(0), rcpt(path));
    facts
}

/// An answer of the right kind; `choice` says which.
fn answered(question: &Question, choice: u8) -> Fact {
    let found = |data| DnsAnswer::Found(vec![Record { ttl: 60, data }]);
    let answer = match question {
        Question::Silence { wait, .. } => Answer::Silence(match choice % 3 {
            0 => Silence::Silent { watched: *wait },
            1 => Silence::Spoke {
                after: Millis(wait.0 / 2),
                bytes: "EHLO".into(),
            },
            _ => Silence::Left { after: Millis(0) },
        }),
        Question::Dns {
            kind: RecordType::Txt,
            ..
        } => Answer::Dns(found(RecordData::Txt("why".into()))),
        Question::Dns { .. } => Answer::Dns(match choice % 5 {
            0 => DnsAnswer::NoName,
            1 => DnsAnswer::Failed(Failure::Timeout),
            2 => found(RecordData::A([127, 255, 255, 254].into())),
            _ => found(RecordData::A([127, 0, 0, choice.max(2)].into())),
        }),
        Question::Primary(_) => Answer::Primary(Primary::Up),
        Question::Count(_) => Answer::Count(match choice % 3 {
            0 => Room::Within,
            1 => Room::Over {
                quota: choice % 2,
                wait: Millis(1),
            },
            _ => Room::Unknown,
        }),
        Question::Memory(_) => Answer::Memory(match choice % 4 {
            0 => Recalled::Nothing,
            1 => Recalled::Unavailable,
            2 => Recalled::Triplet {
                since: 3600,
                passed: false,
            },
            _ => Recalled::Triplet {
                since: 5,
                passed: false,
            },
        }),
    };
    let (took, source) = (Millis(u32::from(choice)), Source::Live);
    Fact::Answered(Box::new(Answered {
        question: question.clone(),
        answer,
        took,
        source,
    }))
}

/// Answers in the order of arrival `order`, at the newest stage.
fn learn(facts: &mut Facts, questions: &[Question], choices: &[u8], order: &[usize]) {
    let stage = facts.stage();
    for &at in order {
        facts.push(stage, Millis(1), answered(&questions[at], choices[at]));
    }
}

fn is_settled(judgement: &Judgement) -> bool {
    matches!(judgement, Judgement::Decide { .. })
}

/// Every action that could still come out, over all answers that could still come.
fn possible_actions(policy: &Policy, facts: &Facts, open: &[Question]) -> Vec<Action> {
    let Some((question, rest)) = open.split_first() else {
        return vec![judge(policy, facts).verdict().action];
    };
    let mut actions = Vec::new();
    // Listed or not, spoke or not: the two ends of what each answer can bring.
    for choice in [
        0,
        match question {
            Question::Dns { .. } => 4,
            _ => 1,
        },
    ] {
        let mut facts = facts.clone();
        let stage = facts.stage();
        facts.push(stage, Millis(1), answered(question, choice));
        actions.extend(possible_actions(policy, &facts, rest));
    }
    actions.sort_unstable();
    actions.dedup();
    actions
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 8)
}

fn orders() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 8)
}

/// A permutation of `0..length` from random indices, but for the last: recipients are counted when all else is known.
fn order(length: usize, indices: &[Index]) -> Vec<usize> {
    let mut order = permutation(length - 1, indices);
    order.push(length - 1);
    order
}

/// A permutation of `0..length` from random indices.
fn permutation(length: usize, indices: &[Index]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..length).collect();
    indices
        .iter()
        .take(length)
        .map(|index| left.remove(index.index(left.len())))
        .collect()
}

/// Plays a whole session, answers trickling in, and keeps a record of it.
fn live(
    plan: &Plan,
    recipients: &[&str],
    choices: &[u8],
    order: &[Index],
) -> (Facts, Vec<Decision>) {
    let policy = plan.policy();
    let (mut facts, mut decisions) = (session(), Vec::new());
    let mut asked: Vec<Question> = Vec::new();
    let mut indices = order.iter().cycle();
    let mut steps = vec![
        (Stage::Connect, None),
        (Stage::Helo, Some(Fact::Fault(Fault::BareLf))),
    ];
    steps.extend(
        recipients
            .iter()
            .map(|path| (Stage::Rcpt, Some(rcpt(path)))),
    );
    for (stage, fact) in steps {
        if let Some(fact) = fact {
            facts.push(stage, Millis(1), fact);
        }
        loop {
            let judgement = judge(&policy, &facts);
            asked.extend(
                judgement
                    .questions()
                    .iter()
                    .filter(|&new| !asked.contains(new))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            let open: Vec<_> = asked
                .iter()
                .enumerate()
                .filter(|(_, question)| facts.answer(question).is_none())
                .collect();
            if is_settled(&judgement) {
                decisions.push(Decision {
                    seen: facts.entries().len(),
                    verdict: judgement.verdict().clone(),
                });
                break;
            }
            let (at, question) = open[indices.next().map_or(0, |index| index.index(open.len()))];
            let fact = answered(question, choices[at % choices.len()]);
            facts.push(stage, Millis(2), fact);
        }
        if decisions.last().unwrap().verdict.enforced() == Action::Drop {
            break;
        }
    }
    (facts, decisions)
}

fn changes(policy: &Policy, facts: &Facts, decisions: &[Decision]) -> Vec<Change> {
    replay(policy, facts, decisions)
        .into_iter()
        .map(|replayed| replayed.change)
        .collect()
}

proptest! {
    #[test]
    fn the_order_of_answers_never_changes_the_verdict(
        plan in plans(), choices in choices(), one in orders(), other in orders(),
    ) {
        let policy = plan.policy();
        let questions = plan.questions("<b@example.com>");
        let mut verdicts: Vec<Verdict> = Vec::new();
        for indices in [&one, &other] {
            let mut facts = at_rcpt("<b@example.com>");
            let mut settled: Option<Action> = None;
            for at in order(questions.len(), indices) {
                learn(&mut facts, &questions, &choices, &[at]);
                let judgement = judge(&policy, &facts);
                if let Some(action) = settled {
                    prop_assert!(is_settled(&judgement), "a decision was taken back");
                    prop_assert_eq!(judgement.verdict().action, action, "a decision was changed");
                }
                settled = settled.or(is_settled(&judgement).then(|| judgement.verdict().action));
            }
            prop_assert!(is_settled(&judge(&policy, &facts)));
            verdicts.push(judge(&policy, &facts).verdict().clone());
        }
        prop_assert_eq!(&verdicts[0], &verdicts[1]);
    }

    #[test]
    fn asking_ends_and_asks_nothing_twice(plan in plans(), choices in choices()) {
        let policy = plan.policy();
        let mut facts = at_rcpt("<b@example.com>");
        let mut asked: Vec<Question> = Vec::new();
        for round in 0.. {
            prop_assert!(round < ROUNDS, "still asking");
            let open = judge(&policy, &facts).questions().to_vec();
            if open.is_empty() {
                break;
            }
            for question in open {
                prop_assert!(!asked.contains(&question), "asked twice: {}", question);
                facts.push(Stage::Rcpt, Millis(1), answered(&question, choices[asked.len() % choices.len()]));
                asked.push(question);
            }
        }
        prop_assert!(is_settled(&judge(&policy, &facts)));
    }

    #[test]
    fn waiting_ends_exactly_when_nothing_can_change_the_action(
        plan in plans(), choices in choices(), indices in orders(), arrived in any::<Index>(),
        stage in prop_oneof![Just(Stage::Connect), Just(Stage::Rcpt), Just(Stage::Data)],
        recipient in prop_oneof![Just("<b@example.com>"), Just("<postmaster>")],
    ) {
        let policy = plan.policy();
        let questions = plan.questions(recipient);
        let mut facts = if stage == Stage::Connect { session() } else { at_rcpt(recipient) };
        if stage == Stage::Data {
            facts.push(stage, Millis(1), Fact::Fault(Fault::UnknownVerb));
        }
        let order = order(questions.len(), &indices);
        let arrived = arrived.index(questions.len() + 1);
        learn(&mut facts, &questions, &choices, &order[..arrived]);
        let open: Vec<_> = order[arrived..].iter().map(|&at| questions[at].clone()).collect();

        let actions = possible_actions(&policy, &facts, &open);
        let judgement = judge(&policy, &facts);
        // The greeting waits for its time to pass, unless the session is dropped before it.
        let greeting = open.iter().any(|question| matches!(question, Question::Silence { .. }));
        let dropped = actions == [Action::Drop] && plan.mode == Mode::Enforce;
        prop_assert_eq!(is_settled(&judgement), actions.len() == 1 && (!greeting || dropped), "{:?}", actions);
        if is_settled(&judgement) {
            prop_assert_eq!(&[judgement.verdict().action][..], &actions[..]);
        }
    }

    #[test]
    fn a_session_replayed_under_its_own_policy_is_the_same(
        plan in plans(), choices in choices(), order in orders(),
    ) {
        let recipients = ["<a@example.com>", "<abuse@example.com>", "<b@example.com>"];
        let (facts, decisions) = live(&plan, &recipients, &choices, &order);
        let record = serde_json::to_string(&(&facts, &decisions)).unwrap();
        let (facts, decisions): (Facts, Vec<Decision>) = serde_json::from_str(&record).unwrap();
        let replayed = replay(&plan.policy(), &facts, &decisions);
        prop_assert_eq!(replayed.len(), decisions.len());
        for (replayed, decision) in replayed.iter().zip(&decisions) {
            prop_assert_eq!(&replayed.change, &Change::Same);
            prop_assert_eq!(&replayed.verdict, &decision.verdict);
        }
    }

    #[test]
    fn a_session_replayed_under_any_policy_is_what_that_policy_would_have_decided(
        plan in plans(), other in plans(), choices in choices(), order in orders(),
    ) {
        let recipients = ["<a@example.com>", "<b@example.com>"];
        let (facts, decisions) = live(&plan, &recipients, &choices, &order);
        let mut dropped = false;
        let replayed = replay(&other.policy(), &facts, &decisions);
        for (replayed, decision) in replayed.iter().zip(&decisions) {
            let (was, now) = (decision.verdict.enforced(), replayed.verdict.enforced());
            match &replayed.change {
                Change::Same => prop_assert_eq!(now, was),
                Change::Harsher => prop_assert!(now > was),
                Change::Milder => prop_assert!(now < was && was != Action::Drop),
                Change::WentOn => prop_assert!(now < was && was == Action::Drop),
                Change::Undecided(questions) => {
                    prop_assert!(!dropped, "undecided behind a drop");
                    prop_assert!(questions.iter().any(|question| facts.answer(question).is_none()));
                }
            }
            dropped |= now == Action::Drop && !matches!(replayed.change, Change::Undecided(_));
            prop_assert!(!dropped || now == Action::Drop);
        }
    }

    #[test]
    fn a_survey_is_the_judgement_and_the_same_checks_are_all_checks(
        plan in plans(), choices in choices(), order in orders(),
    ) {
        let policy = plan.policy();
        let recipients = ["<a@example.com>", "<abuse@example.com>", "<b@example.com>"];
        let (facts, decisions) = live(&plan, &recipients, &choices, &order);
        let (mut wound, mut later) = (facts.clone(), Vec::new());
        for decision in decisions.iter().rev() {
            wound.wind(decision.seen, &mut later);
            prop_assert_eq!(&wound, &facts.up_to(decision.seen));
            let survey = survey(&policy, &wound);
            let judgement = judge(&policy, &wound);
            prop_assert_eq!(&survey.verdict, judgement.verdict());
            prop_assert_eq!(survey.used.len(), wound.answers().count());
            prop_assert_eq!(survey.verdict.action, action_by(&policy, &wound, u32::MAX));
        }
        wound.wind(usize::MAX, &mut later);
        prop_assert_eq!(wound, facts);
    }

    #[test]
    fn checks_that_are_not_relevant_change_nothing(plan in usual_plans(), choices in choices(), order in orders()) {
        let policy = plan.policy();
        let (facts, decisions) = live(&plan, &["<a@example.com>", "<b@example.com>"], &choices, &order);
        for decision in &decisions {
            let known = facts.up_to(decision.seen);
            let survey = survey(&policy, &known);
            let relevant = relevant(&policy, &known, &survey);
            for set in 0..1 << policy.checks.len() {
                let (all, part) = (action_by(&policy, &known, set), action_by(&policy, &known, set & relevant));
                let kept_out = |action| action > Action::Clear;
                prop_assert_eq!(kept_out(all), kept_out(part), "{:b} of {:b}: {:?}", set, relevant, survey);
            }
        }
    }

    #[test]
    fn the_judge_says_the_same_again(plan in plans(), choices in choices(), order in orders()) {
        let (facts, _) = live(&plan, &["<a@example.com>"], &choices, &order);
        let read: Facts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
        for seen in 0..=facts.entries().len() {
            let judgement = judge(&plan.policy(), &facts.up_to(seen));
            prop_assert_eq!(&judge(&plan.policy(), &facts.up_to(seen)), &judgement);
            prop_assert_eq!(&judge(&plan.policy(), &read.up_to(seen)), &judgement);
        }
    }

    #[test]
    fn an_exempt_recipient_carries_no_other(
        plan in plans(), choices in choices(), exempt in prop::collection::vec(any::<bool>(), 1..6),
    ) {
        let policy = plan.policy();
        let mut questions = plan.questions("<b@example.com>");
        questions.pop();
        let order: Vec<_> = (0..questions.len()).collect();
        let judged = |mut facts: Facts, number: u32, path: &str| {
            let room = answered(&count(number, path), choices[7]);
            facts.push(Stage::Rcpt, Millis(3), room);
            judge(&policy, &facts).verdict().clone()
        };
        let alone = |path| {
            let mut facts = at_rcpt(path);
            learn(&mut facts, &questions, &choices, &order);
            judged(facts, 1, path).action
        };
        let (ordinary, favoured) = (alone("<b@example.com>"), alone("<abuse@example.com>"));
        // Put off only where there is no room.
        prop_assert!(favoured != Action::Deny && (favoured != Action::Greylist || choices[7] % 3 == 1));
        prop_assert_eq!(favoured == Action::Drop, ordinary == Action::Drop);

        let mut facts = at_rcpt("<postmaster@example.com>");
        learn(&mut facts, &questions, &choices, &order);
        for (exempt, number) in exempt.into_iter().zip(2..) {
            let path = if exempt { "<abuse@example.com>" } else { "<b@example.com>" };
            facts.push(Stage::Rcpt, Millis(3), rcpt(path));
            let verdict = judged(facts.clone(), number, path);
            prop_assert_eq!(verdict.exempt, exempt);
            prop_assert_eq!(verdict.action, if exempt { favoured } else { ordinary });
        }
    }

    #[test]
    fn the_key_to_the_backend_goes_with_clearing_alone(plan in plans(), choices in choices(), order in orders()) {
        let (_, decisions) = live(&plan, &["<a@example.com>", "<postmaster>"], &choices, &order);
        for Decision { verdict, .. } in decisions {
            prop_assert_eq!(verdict.cleared().is_some(), verdict.enforced() == Action::Clear);
            prop_assert!(verdict.observed || verdict.cleared().is_none() || verdict.action <= Action::Greylist);
        }
    }
}

fn plan(zones: &[i32]) -> Plan {
    Plan {
        mode: Mode::Enforce,
        greet_wait: 6,
        thresholds: [3, 5, 50],
        pregreet: 5,
        zones: zones.to_vec(),
    }
}

const LISTED: u8 = 4;
const NOT_LISTED: u8 = 0;

#[test]
fn a_drop_does_not_wait_for_the_greeting() {
    let (policy, mut facts) = (plan(&[60]).policy(), session());
    assert!(!is_settled(&judge(&policy, &facts)));
    facts.push(
        Stage::Connect,
        Millis(1),
        Fact::Fault(Fault::Foreign(Protocol::Http)),
    );
    let judgement = judge(&policy, &facts);
    assert_eq!(judgement.verdict().action, Action::Drop);
    assert!(is_settled(&judgement) && judgement.questions().is_empty());
}

#[test]
fn what_can_not_change_the_verdict_is_asked_but_not_waited_for() {
    let (policy, mut facts) = (plan(&[5]).policy(), session());
    facts.push(
        Stage::Connect,
        Millis(1),
        answered(
            &Question::Silence {
                wait: Millis(6000),
                teaser: true,
            },
            0,
        ),
    );
    // Before a recipient is named, five points more or less change nothing.
    let Judgement::Decide { wanted, .. } = judge(&policy, &facts) else {
        panic!("waits")
    };
    assert_eq!(wanted.len(), 1);
    facts.push(Stage::Rcpt, Millis(1), rcpt("<b@example.com>"));
    assert!(!is_settled(&judge(&policy, &facts)));
}

#[test]
fn behind_rcpt_only_a_drop_is_left() {
    let (policy, mut facts) = (plan(&[5]).policy(), at_rcpt("<b@example.com>"));
    let questions = plan(&[5]).questions("<b@example.com>");
    learn(&mut facts, &questions, &[0, LISTED], &[0, 1]);
    assert_eq!(judge(&policy, &facts).verdict().action, Action::Deny);
    facts.push(Stage::Predata, Millis(2), Fact::Fault(Fault::Pipelining));
    assert_eq!(judge(&policy, &facts).verdict().action, Action::Clear);
    facts.push(Stage::Predata, Millis(3), Fact::Fault(Fault::DataBefore354));
    assert_eq!(judge(&policy, &facts).verdict().action, Action::Drop);
}

#[test]
fn other_policies_are_harsher_milder_or_need_what_nobody_asked() {
    let recipients = ["<a@example.com>", "<b@example.com>"];
    // The client of `live` has two points for a bare LF already.
    let [greylisted, denied, dropped] = [2, 5, 60].map(|points| plan(&[points]));
    let (facts, decisions) = live(&denied, &recipients, &[NOT_LISTED, LISTED], &[]);
    assert_eq!(
        changes(&greylisted.policy(), &facts, &decisions)[2..],
        [Change::Milder, Change::Milder]
    );
    // Dropped as soon as the recorded answer could have been there: at the greeting.
    assert_eq!(
        changes(&dropped.policy(), &facts, &decisions),
        vec![Change::Harsher; 4]
    );

    let (facts, decisions) = live(&dropped, &recipients, &[NOT_LISTED, LISTED], &[]);
    assert_eq!(
        changes(&denied.policy(), &facts, &decisions),
        [Change::WentOn]
    );

    // Nobody asked the list then; its five points matter at RCPT only.
    let (facts, decisions) = live(&plan(&[]), &recipients, &[NOT_LISTED], &[]);
    let replayed = changes(&denied.policy(), &facts, &decisions);
    let [
        Change::Same,
        Change::Same,
        Change::Undecided(first),
        Change::Undecided(second),
    ] = &replayed[..]
    else {
        panic!("{replayed:?}");
    };
    assert_eq!(first, second);
    assert_eq!(
        first.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["A 1.2.0.192.z0.example"]
    );

    // A policy that waits longer for the greeting learns from the shorter watch that it knows nothing.
    let longer = Plan {
        greet_wait: 8,
        ..plan(&[])
    };
    let replayed = replay(&longer.policy(), &facts, &decisions);
    assert!(
        replayed
            .iter()
            .all(|replayed| replayed.change == Change::Same)
    );
    assert_eq!(
        replayed[0].verdict.findings[0].reason,
        "watched_too_briefly"
    );
}
