//! What judging costs: a finished session, judged once; all judgements of a clean session, one after the other as it
//! asks for them; a record that is read and replayed. Budget: 1 µs for a judgement, 10 µs for those of a whole session,
//! 5 µs for a replay.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gatepost::checks::policy::Policy;
use gatepost::checks::replay::{Decision, replay};
use gatepost::checks::{ALL, Judgement, judge};
use gatepost::facts::{
    Answer, Answered, Client, DnsAnswer, Fact, Facts, Helo, Logins, Mail, Millis, Primary,
    Question, Rcpt, Recalled, Record, RecordData, RecordType, Room, Silence, Source, Stage,
};
use serde_json::json;

/// All checks, six lists.
fn policy() -> Policy {
    let zones: Vec<_> = (0..6)
        .map(|at| json!({"zone": format!("list{at}.example"), "points": 2}))
        .collect();
    let access = json!({"deny": [{"network": "198.51.100.0/24"}, {"sender": "@bad.example"}]});
    let checks = ALL.iter().filter_map(|kind| {
        let table = match kind.name {
            "dnsbl" => json!({"zones": zones}),
            "access" => access.clone(),
            _ => json!({}),
        };
        (kind.build)(table).expect("settings of a benchmark are right")
    });
    Policy {
        greet_wait: Duration::from_secs(6),
        checks: checks.collect(),
        ..Policy::default()
    }
}

/// A mail server as there are many, with an SPF record that includes another; it may be listed by one of six lists.
fn answer(question: &Question, listed: bool) -> Answer {
    let found = |data| Answer::Dns(DnsAnswer::Found(vec![Record { ttl: 60, data }]));
    match question {
        Question::Primary(_) => Answer::Primary(Primary::Up),
        Question::Count(_) => Answer::Count(Room::Within),
        Question::Memory(_) => Answer::Memory(Recalled::Nothing),
        Question::Silence { wait, .. } => Answer::Silence(Silence::Silent { watched: *wait }),
        Question::Dns {
            name,
            kind: RecordType::Txt,
        } if name.shown() == "example.org" => found(RecordData::Txt(
            "v=spf1 mx include:_spf.example.net ~all".into(),
        )),
        Question::Dns {
            name,
            kind: RecordType::Txt,
        } if name.shown() == "_spf.example.net" => {
            let networks = "ip4:198.51.100.0/24 ip4:203.0.113.0/24 ip4:192.0.2.0/24";
            found(RecordData::Txt(format!("v=spf1 {networks} ~all").into()))
        }
        Question::Dns {
            kind: RecordType::Txt,
            ..
        } => found(RecordData::Txt("see list3.example".into())),
        Question::Dns {
            kind: RecordType::Ptr,
            ..
        } => found(RecordData::Ptr("mail.example.org".into())),
        Question::Dns {
            kind: RecordType::Mx,
            ..
        } => found(RecordData::Mx(10, "mail.example.org".into())),
        Question::Dns {
            name,
            kind: RecordType::A,
        } if name.shown() == "mail.example.org" => found(RecordData::A([192, 0, 2, 1].into())),
        Question::Dns { name, .. } if listed && name.shown().ends_with("list3.example") => {
            found(RecordData::A([127, 0, 0, 2].into()))
        }
        Question::Dns { .. } => Answer::Dns(DnsAnswer::NoName),
    }
}

/// A session to its end.
struct Session {
    facts: Facts,
    /// Its decisions at connect, HELO, MAIL and for two recipients.
    decisions: Vec<Decision>,
    /// What was known at each judgement: one for each command, and one for each batch of answers.
    judged: Vec<Facts>,
}

fn session(policy: &Policy, listed: bool) -> Session {
    let mut facts = Facts::new(Client {
        address: "192.0.2.1:2525".parse().expect("an address"),
        local: "198.51.100.1:25".parse().expect("an address"),
        listener: "mx".into(),
        via: None,
        started: Some(1_798_761_599),
        logins: Logins::None,
    });
    let helo = Helo {
        extended: true,
        name: "mail.example.org".parse().expect("a name"),
    };
    let mail = Mail {
        path: "<a@example.org>".parse().expect("a path"),
        size: None,
    };
    let rcpt = |path: &str| {
        Fact::Rcpt(Box::new(Rcpt {
            path: path.parse().expect("a path"),
        }))
    };
    let steps = [
        (Stage::Connect, None),
        (Stage::Helo, Some(Fact::Helo(Box::new(helo)))),
        (Stage::Mail, Some(Fact::Mail(Box::new(mail)))),
        (Stage::Rcpt, Some(rcpt("<b@example.com>"))),
        (Stage::Rcpt, Some(rcpt("<abuse@example.com>"))),
    ];
    let (mut decisions, mut judged) = (Vec::new(), Vec::new());
    for (stage, fact) in steps {
        if let Some(fact) = fact {
            facts.push(stage, Millis(10), fact);
        }
        loop {
            let judgement = judge(policy, &facts);
            judged.push(facts.clone());
            let questions = judgement.questions().to_vec();
            if questions.is_empty() {
                decisions.push(Decision {
                    seen: facts.entries().len(),
                    verdict: judgement.verdict().clone(),
                });
                break;
            }
            for question in questions {
                let (answer, took) = (answer(&question, listed), Millis(20));
                let answered = Answered {
                    question,
                    answer,
                    took,
                    source: Source::Live,
                };
                facts.push(stage, Millis(20), Fact::Answered(Box::new(answered)));
            }
        }
    }
    Session {
        facts,
        decisions,
        judged,
    }
}

fn judging(criterion: &mut Criterion) {
    let policy = policy();
    let clean = session(&policy, false).judged;
    let Session {
        facts, decisions, ..
    } = session(&policy, true);
    let answers = facts.answers().count();
    assert!((15..40).contains(&answers), "{answers} answers");
    assert_eq!(decisions.len(), 5);
    let record = serde_json::to_vec(&(&facts, &decisions)).expect("a record is written");

    criterion.bench_function(
        &format!("judge a finished session of {answers} answers"),
        |bencher| {
            bencher.iter(|| match judge(black_box(&policy), black_box(&facts)) {
                Judgement::Decide { verdict, .. } => verdict,
                Judgement::Ask { .. } => unreachable!("every question is answered"),
            });
        },
    );
    let name = format!(
        "all {} judgements of a clean session with cached answers",
        clean.len()
    );
    criterion.bench_function(&name, |bencher| {
        bencher.iter(|| {
            for facts in &clean {
                black_box(judge(black_box(&policy), black_box(facts)));
            }
        });
    });
    criterion.bench_function("replay a session of 5 decisions", |bencher| {
        bencher.iter(|| replay(black_box(&policy), black_box(&facts), black_box(&decisions)));
    });
    criterion.bench_function("read the record of a session", |bencher| {
        bencher.iter(|| serde_json::from_slice::<(Facts, Vec<Decision>)>(black_box(&record)));
    });
}

criterion_group!(benches, judging);
criterion_main!(benches);
