//! One case of a verdict table: its form, and the world it plays to the judge.

use std::collections::BTreeMap;
use std::time::Duration;

use gatepost::checks::policy::{Mode, Policy};
use gatepost::checks::shield::{self, Shield};
use gatepost::checks::verdict::{Action, Verdict};
use gatepost::checks::{ALL, Judgement, access, judge};
use gatepost::facts::{
    Answer, Answered, Client, DnsAnswer, Fact, Facts, Failure, Helo, Listed, Login, Logins, Mail,
    Millis, Primary, Question, Rcpt, Recalled, Record, RecordData, Room, Silence, Source, Stage,
};
use gatepost::smtp::fault::Fault;
use gatepost::smtp::path::ForwardPath;
use gatepost::smtp::reply::Reply;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) case: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) name: String,
    #[serde(default)]
    policy: Settings,
    session: Session,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    mode: Mode,
    greet_wait: String,
    greylist_points: f64,
    deny_points: f64,
    drop_points: f64,
    exempt_recipients: Vec<Box<str>>,
    shield: shield::Mode,
    /// Only the checks named here are switched on; none named: all, with their defaults.
    checks: BTreeMap<String, Value>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Enforce,
            greet_wait: "6s".into(),
            greylist_points: 3.0,
            deny_points: 5.0,
            drop_points: 50.0,
            exempt_recipients: vec!["postmaster".into(), "abuse".into()],
            shield: shield::Mode::Off,
            checks: BTreeMap::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Session {
    client: std::net::IpAddr,
    /// A time of RFC 3339.
    started: Option<String>,
    /// `silent 6s`, `spoke 3s` or `left 1s`; silent for as long as asked if not given.
    silence: Option<String>,
    #[serde(default)]
    helo: Many,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    rcpt: Many,
    /// Whether users may log in at the listener.
    #[serde(default)]
    logins: Logins,
    /// Codes that logins were answered with, behind HELO.
    #[serde(default)]
    login: Vec<u16>,
    /// Faults of the client, before the first recipient.
    #[serde(default)]
    faults: Vec<Fault>,
    /// Recipients that the backend has refused, before the first of `rcpt`.
    #[serde(default)]
    rejected: usize,
    /// `"name TYPE"`: records, or `NXDOMAIN`, `NODATA`, `timeout` and other failures, `pending`. A
    /// name without a type answers for every type. `took 2s` behind a single word: how long it took.
    #[serde(default)]
    dns: BTreeMap<String, Many>,
    /// What is remembered: `"triplet NETWORK SENDER RECIPIENT"`: `nothing` (as where it is not written), `no memory`,
    /// `here 90s ago`, `passed 3d ago`, `pass 3d ago`, `tried 5m ago`, `60 refused 3 accepted`, `pending`.
    #[serde(default)]
    memory: BTreeMap<String, String>,
    /// Entries added by command, noted when they speak of the session: `deny 192.0.2.0/24`.
    #[serde(default)]
    listed: Vec<String>,
    /// Whether there is room for each recipient in turn: `within` (as where it is not written), `over 1 3m` with the
    /// place of the quota in the question, from 0, and how long until it has room, `unknown`, `pending`.
    #[serde(default)]
    room: Many,
    /// How the primary is: `up` (as where it is not written), `down`, `unknown`, `pending`.
    #[serde(default)]
    primary: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    verdict: Many,
    /// Left out where a table is about verdicts alone.
    findings: Option<Vec<String>>,
    asked: Option<Vec<String>>,
    #[serde(default)]
    waits: Vec<String>,
    reply: Option<String>,
}

/// One text or several.
#[derive(Clone, Default, Deserialize)]
#[serde(untagged)]
enum Many {
    #[default]
    None,
    One(String),
    Several(Vec<String>),
}

impl Many {
    fn all(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::One(one) => vec![one.clone()],
            Self::Several(several) => several.clone(),
        }
    }
}

/// What came out.
#[derive(Default)]
struct Outcome {
    verdicts: Vec<String>,
    asked: Vec<String>,
    waits: Vec<String>,
    last: Option<Verdict>,
    reply: Option<Reply>,
}

impl Case {
    /// Whether a recipient or the session is to be refused.
    pub(crate) fn refuses(&self) -> bool {
        let verdicts = self.expect.verdict.all();
        let mut verdicts = verdicts.iter();
        verdicts.any(|verdict| verdict.starts_with("deny") || verdict.starts_with("drop"))
    }

    /// Plays the session and compares; says what differs.
    pub(crate) fn run(&self) -> Result<(), String> {
        let outcome = self.session.play(&self.policy.policy());
        let verdict = outcome.last.expect("a session is judged at least once");
        let findings: Vec<_> = verdict
            .findings
            .iter()
            .map(|finding| {
                let (outcome, points, reason) =
                    (finding.outcome.label(), finding.points, &finding.reason);
                let evidence = if finding.evidence.is_empty() {
                    ""
                } else {
                    ": "
                };
                format!(
                    "{} {outcome} {points} {reason}{evidence}{}",
                    finding.check, finding.evidence
                )
            })
            .collect();
        let mut wrong = String::new();
        differ(
            "verdict",
            &self.expect.verdict.all(),
            &outcome.verdicts,
            &mut wrong,
        );
        match &self.expect.findings {
            Some(expected) => differ("findings", expected, &findings, &mut wrong),
            // Whoever reads that a verdict is wrong wants to know why.
            None if !wrong.is_empty() => wrong += &format!("  findings: {findings:#?}\n"),
            None => {}
        }
        differ("waits", &self.expect.waits, &outcome.waits, &mut wrong);
        if let Some(asked) = &self.expect.asked {
            differ("asked", asked, &outcome.asked, &mut wrong);
        }
        if let Some(expected) = &self.expect.reply {
            let mut written = Vec::new();
            outcome
                .reply
                .iter()
                .for_each(|reply| reply.write(&mut written));
            let written = String::from_utf8(written).unwrap();
            let fits = written.starts_with(expected.as_str());
            if !fits || expected.is_empty() != written.is_empty() {
                wrong +=
                    &format!("  reply: expected {expected:?}\n              got {written:?}\n");
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn differ(what: &str, expected: &[String], got: &[String], wrong: &mut String) {
    if expected != got {
        *wrong += &format!("  {what}: expected {expected:#?}\n  got {got:#?}\n");
    }
}

impl Settings {
    fn policy(&self) -> Policy {
        let points = |number: f64| serde_json::from_value(json!(number)).unwrap();
        for name in self.checks.keys() {
            assert!(
                ALL.iter().any(|kind| kind.name == name),
                "no check is called {name}"
            );
        }
        let switched_on = |name: &str| self.checks.is_empty() || self.checks.contains_key(name);
        let checks = ALL
            .iter()
            .filter(|kind| switched_on(kind.name))
            .filter_map(|kind| {
                let table = self
                    .checks
                    .get(kind.name)
                    .cloned()
                    .unwrap_or_else(|| json!({}));
                (kind.build)(table).unwrap_or_else(|error| panic!("{}: {error}", kind.name))
            });
        Policy {
            mode: self.mode,
            greet_wait: duration(&self.greet_wait),
            greylist_points: points(self.greylist_points),
            deny_points: points(self.deny_points),
            drop_points: points(self.drop_points),
            exempt_recipients: self.exempt_recipients.clone(),
            shield: Shield {
                mode: self.shield,
                primary: "192.0.2.25:25".into(),
            },
            checks: checks.collect(),
            ..Policy::default()
        }
    }
}

fn duration(text: &str) -> Duration {
    humantime::parse_duration(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

impl Session {
    fn play(&self, policy: &Policy) -> Outcome {
        let mut outcome = Outcome::default();
        let mut facts = Facts::new(self.client());
        // Each step is learnt, then judged; a drop ends the session.
        for (stage, fact) in self.steps() {
            if let Some(fact) = fact {
                facts.push(stage, Millis(1), fact);
            }
            self.note_listed(stage, &mut facts);
            let verdict = self.settle(policy, &mut facts, stage, &mut outcome);
            let dropped = verdict.enforced() == Action::Drop;
            let recipient = facts
                .rcpt()
                .filter(|_| stage == Stage::Rcpt)
                .map(|rcpt| &rcpt.path);
            if dropped || recipient.is_some() {
                outcome.verdicts.push(spell(&verdict));
                outcome.reply = refusal(&verdict, self.client, recipient);
            }
            outcome.last = Some(verdict);
            if dropped {
                break;
            }
        }
        outcome
    }

    fn note_listed(&self, stage: Stage, facts: &mut Facts) {
        for text in &self.listed {
            let (word, subject) = text.split_once(' ').unwrap();
            let listed = Listed {
                allow: word == "allow",
                subject: access::subject(subject).unwrap(),
            };
            let noted = facts.listed().any(|noted| *noted == listed);
            if !noted && access::speaks_of(&listed, facts) {
                facts.push(stage, Millis(1), Fact::Listed(Box::new(listed)));
            }
        }
    }

    fn client(&self) -> Client {
        let started = self.started.as_ref().map(|time| {
            let time = humantime::parse_rfc3339(time).unwrap();
            time.duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_secs()
        });
        Client {
            address: (self.client, 2525).into(),
            local: "198.51.100.1:25".parse().unwrap(),
            listener: "mx".into(),
            via: None,
            started,
            logins: self.logins,
        }
    }

    fn steps(&self) -> Vec<(Stage, Option<Fact>)> {
        let mut steps = vec![(Stage::Connect, None)];
        for name in self.helo.all() {
            let helo = Helo {
                extended: true,
                name: name.parse().unwrap(),
            };
            steps.push((Stage::Helo, Some(Fact::Helo(Box::new(helo)))));
        }
        for code in &self.login {
            let login = Login {
                mechanism: "PLAIN".into(),
                code: *code,
                name: None,
            };
            steps.push((Stage::Helo, Some(Fact::Login(Box::new(login)))));
        }
        for _ in 0..self.rejected {
            steps.push((Stage::Helo, Some(Fact::Rejected)));
        }
        for fault in &self.faults {
            steps.push((Stage::Helo, Some(Fact::Fault(*fault))));
        }
        if let Some(path) = &self.from {
            let mail = Mail {
                path: path.parse().unwrap(),
                size: None,
            };
            steps.push((Stage::Mail, Some(Fact::Mail(Box::new(mail)))));
        }
        for path in self.rcpt.all() {
            let rcpt = Rcpt {
                path: path.parse().unwrap(),
            };
            steps.push((Stage::Rcpt, Some(Fact::Rcpt(Box::new(rcpt)))));
        }
        steps
    }

    /// Judges and answers until nothing more holds the session up; then answers what is wanted.
    fn settle(
        &self,
        policy: &Policy,
        facts: &mut Facts,
        stage: Stage,
        outcome: &mut Outcome,
    ) -> Verdict {
        loop {
            let judgement = judge(policy, facts);
            let waiting = matches!(judgement, Judgement::Ask { .. });
            let before = facts.entries().len();
            for question in judgement.questions() {
                if !outcome.asked.contains(&question.to_string()) {
                    outcome.asked.push(question.to_string());
                }
                if let Some(answered) = self.answer(question) {
                    facts.push(stage, Millis(2), Fact::Answered(Box::new(answered)));
                }
            }
            let learnt = facts.entries().len() > before;
            if !learnt {
                outcome.waits = match &judgement {
                    Judgement::Ask { questions, .. } => {
                        questions.iter().map(ToString::to_string).collect()
                    }
                    Judgement::Decide { .. } => Vec::new(),
                };
                return judgement.verdict().clone();
            }
            // A decision stands however many answers come behind it.
            if !waiting {
                let later = judge(policy, facts);
                assert!(
                    matches!(later, Judgement::Decide { .. }),
                    "a decision was taken back"
                );
                assert_eq!(
                    later.verdict().action,
                    judgement.verdict().action,
                    "a decision was changed"
                );
            }
        }
    }

    /// A name that has records of another type exists.
    fn absent(&self, name: &str) -> String {
        let names = self.dns.keys().filter_map(|key| key.split_once(' '));
        let exists = names.into_iter().any(|(known, _)| known == name);
        if exists { "NODATA" } else { "NXDOMAIN" }.to_owned()
    }

    fn answer(&self, question: &Question) -> Option<Answered> {
        let (answer, took, source) = match question {
            Question::Silence { wait, .. } => {
                let text = self
                    .silence
                    .clone()
                    .unwrap_or_else(|| format!("silent {}ms", wait.0));
                let (what, time) = text.split_once(' ').unwrap();
                let time = Millis::from(duration(time));
                (Answer::Silence(silence(what, time)), time, Source::Session)
            }
            Question::Dns { name, .. } => {
                let text = question.to_string();
                let (kind, _) = text.split_once(' ').unwrap();
                let listed = self.dns.get(&format!("{} {kind}", name.shown()));
                let records = listed.map_or_else(|| vec![self.absent(name.shown())], Many::all);
                let (answer, took) = dns(kind, &records)?;
                (Answer::Dns(answer), took, Source::Live)
            }
            Question::Primary(_) => {
                let state = match self.primary.as_deref().unwrap_or("up") {
                    "up" => Primary::Up,
                    "down" => Primary::Down,
                    "unknown" => Primary::Unknown,
                    _ => return None,
                };
                (Answer::Primary(state), Millis(0), Source::Live)
            }
            Question::Count(counting) => {
                let rooms = self.room.all();
                let number = usize::try_from(counting.recipient).unwrap() - 1;
                let text = rooms.get(number).map_or("within", String::as_str);
                (Answer::Count(room(text)?), Millis(0), Source::Memory)
            }
            Question::Memory(recall) => {
                let text = self.memory.get(&recall.to_string());
                let recalled = recalled(text.map_or("nothing", String::as_str))?;
                (Answer::Memory(recalled), Millis(0), Source::Live)
            }
        };
        Some(Answered {
            question: question.clone(),
            answer,
            took,
            source,
        })
    }
}

fn silence(what: &str, time: Millis) -> Silence {
    match what {
        "silent" => Silence::Silent { watched: time },
        "spoke" => Silence::Spoke {
            after: time,
            bytes: "EHLO bot\\r\\n".into(),
        },
        "left" => Silence::Left { after: time },
        _ => panic!("{what}: write silent, spoke or left"),
    }
}

/// Reads whether there is room; `None` for `pending`.
fn room(text: &str) -> Option<Room> {
    let words: Vec<&str> = text.split(' ').collect();
    Some(match words.as_slice() {
        ["pending"] => return None,
        ["within"] => Room::Within,
        ["unknown"] => Room::Unknown,
        ["over", quota, time] => Room::Over {
            quota: quota.parse().unwrap(),
            wait: Millis::from(duration(time)),
        },
        _ => panic!("{text}: not how much room there is"),
    })
}

/// Reads what is remembered; `None` for `pending`.
fn recalled(text: &str) -> Option<Recalled> {
    let age = |time: &str| u32::try_from(duration(time).as_secs()).unwrap();
    let words: Vec<&str> = text.split(' ').collect();
    Some(match words.as_slice() {
        ["pending"] => return None,
        ["nothing"] => Recalled::Nothing,
        ["no", "memory"] => Recalled::Unavailable,
        [what @ ("here" | "passed"), time, "ago"] => Recalled::Triplet {
            since: age(time),
            passed: *what == "passed",
        },
        ["tried", time, "ago"] => Recalled::Tried { since: age(time) },
        [refused, "refused", accepted, "accepted"] => Recalled::Harvest {
            refused: refused.parse().unwrap(),
            accepted: accepted.parse().unwrap(),
        },
        ["pass", time, "ago"] => Recalled::Pass {
            since: age(time),
            visits: 1,
        },
        _ => panic!("{text}: not something to remember"),
    })
}

/// Reads what the DNS answers; `None` for `pending`.
fn dns(kind: &str, records: &[String]) -> Option<(DnsAnswer, Millis)> {
    let mut took = Millis(20);
    let read = |text: &String| match kind {
        "A" => RecordData::A(
            text.parse()
                .unwrap_or_else(|_| panic!("{text}: no address")),
        ),
        "AAAA" => RecordData::Aaaa(
            text.parse()
                .unwrap_or_else(|_| panic!("{text}: no IPv6 address")),
        ),
        "TXT" => RecordData::Txt(text.as_str().into()),
        "PTR" => RecordData::Ptr(text.as_str().into()),
        "MX" => {
            let (preference, exchange) = text.split_once(' ').unwrap_or(("10", text));
            RecordData::Mx(preference.parse().unwrap(), exchange.into())
        }
        _ => panic!("{kind} records are not written in tables"),
    };
    // `-> name` in front of the records: the name asked for is an alias.
    let read = |text: &String| match text.strip_prefix("-> ") {
        Some(canonical) => RecordData::Cname(canonical.into()),
        None => read(text),
    };
    let answer = match records {
        [one] => {
            let (word, time) = one.split_once(" took ").unwrap_or((one, "20ms"));
            took = Millis::from(duration(time));
            match word {
                "pending" => return None,
                "NXDOMAIN" => DnsAnswer::NoName,
                "NODATA" => DnsAnswer::NoData,
                "timeout" => DnsAnswer::Failed(Failure::Timeout),
                "refused" => DnsAnswer::Failed(Failure::Refused),
                "SERVFAIL" => DnsAnswer::Failed(Failure::ServFail),
                record => DnsAnswer::Found(vec![Record {
                    ttl: 60,
                    data: read(&record.to_owned()),
                }]),
            }
        }
        several => DnsAnswer::Found(
            several
                .iter()
                .map(|text| Record {
                    ttl: 60,
                    data: read(text),
                })
                .collect(),
        ),
    };
    Some((answer, took))
}

fn spell(verdict: &Verdict) -> String {
    let exempt = if verdict.exempt { " exempt" } else { "" };
    let observed = if verdict.observed { " observed" } else { "" };
    format!(
        "{} {}{exempt}{observed}",
        verdict.action.label(),
        verdict.points
    )
}

fn refusal(
    verdict: &Verdict,
    client: std::net::IpAddr,
    recipient: Option<&ForwardPath>,
) -> Option<Reply> {
    assert_eq!(
        verdict.cleared().is_some(),
        verdict.enforced() == Action::Clear
    );
    match (verdict.enforced(), recipient) {
        (Action::Drop, _) => Some(verdict.farewell(client)),
        (Action::Deny, Some(recipient)) => Some(verdict.denial(client, recipient)),
        (Action::Greylist, _) => Some(verdict.put_off(client)),
        _ => None,
    }
}
