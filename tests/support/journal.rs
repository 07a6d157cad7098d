//! A made journal: sessions of several kinds of clients, each judged as a session does it, with its questions answered by a
//! small made world. For tests and benches of what reads records; it says nothing about real traffic.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gatepost::checks::greylist;
use gatepost::checks::policy::Policy;
use gatepost::checks::replay::Decision;
use gatepost::checks::verdict::{Action, Verdict};
use gatepost::checks::{ALL, Judgement, judge};
use gatepost::facts::{
    Answer, Answered, Client, DnsAnswer, Ended, Fact, Facts, Helo, Logins, Mail, Millis, Primary,
    Question, Rcpt, Recall, Recalled, Record, RecordData, RecordType, Room, Silence, Source, Stage,
};
use gatepost::journal::{
    Beyond, MessageOutcome, RecipientOutcome, SessionRecord, VERSION, timestamp,
};
use gatepost::smtp::reply::Reply;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde_json::json;

/// Sessions begin so far from each other.
const APART: Duration = Duration::from_secs(1);
/// Who was put off comes again after so many more sessions.
const LATER: u64 = 300;

/// All checks, three lists.
pub(crate) fn policy(dnsbl_points: u8) -> Policy {
    let zones: Vec<_> = [
        ("zen.example", dnsbl_points),
        ("two.example", 2),
        ("three.example", 2),
    ]
    .iter()
    .map(|(zone, points)| json!({"zone": zone, "points": points}))
    .collect();
    let checks = ALL.iter().filter_map(|kind| {
        let table = match kind.name {
            "dnsbl" => json!({"zones": zones}),
            "access" => json!({"deny": [{"sender": "@bad.example"}]}),
            _ => json!({}),
        };
        (kind.build)(table).expect("settings of a test are right")
    });
    Policy {
        greet_wait: Duration::from_secs(6),
        checks: checks.collect(),
        ..Policy::default()
    }
}

/// [`policy`] as a configuration has it.
pub(crate) fn policies(dnsbl_points: u8) -> BTreeMap<String, Arc<Policy>> {
    BTreeMap::from([("default".to_owned(), Arc::new(policy(dnsbl_points)))])
}

/// Who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Listed by most lists, unknown users.
    Bot,
    /// Speaks early and never sends mail.
    Guesser,
    /// Sends something that is not SMTP.
    Scanner,
    /// No reverse name and a bad HELO: in doubt, and comes again.
    Odd,
    /// A mail server.
    Server,
}

/// Makes sessions, one after the other.
pub(crate) struct Maker<'p> {
    policy: &'p Policy,
    random: Pcg64Mcg,
    now: SystemTime,
    number: u64,
    /// When triplets were here first.
    triplets: HashMap<Recall, SystemTime>,
    /// Who was put off in which session, and comes again.
    again: VecDeque<(u64, Kind, u32)>,
}

/// What is true of a client.
struct Truth {
    kind: Kind,
    client: IpAddr,
    listed: [bool; 3],
    remembered: bool,
    name: String,
}

impl<'p> Maker<'p> {
    pub(crate) fn new(policy: &'p Policy, seed: u64) -> Self {
        Self {
            policy,
            random: Pcg64Mcg::seed_from_u64(seed),
            now: humantime::parse_rfc3339("2026-11-20T00:00:00Z").expect("a time"),
            number: 0,
            triplets: HashMap::new(),
            again: VecDeque::new(),
        }
    }

    /// The next session.
    pub(crate) fn session(&mut self) -> SessionRecord {
        self.number += 1;
        self.now += APART;
        let is_time = self
            .again
            .front()
            .is_some_and(|(number, ..)| number + LATER <= self.number);
        let again = self
            .again
            .pop_front_if(|_| is_time)
            .map(|(_, kind, host)| (kind, host));
        let (kind, host) = again.unwrap_or_else(|| self.client());
        let truth = self.truth(kind, host);
        let session = Session::new(self, &truth);
        let record = session.walk(&truth);
        let put_off = record
            .recipients
            .iter()
            .any(|one| one.action == Action::Greylist);
        if put_off && again.is_none() {
            self.again.push_back((self.number, kind, host));
        }
        record
    }

    fn client(&mut self) -> (Kind, u32) {
        let kind = match self.random.random_range(0..100) {
            0..30 => Kind::Bot,
            30..50 => Kind::Guesser,
            50..55 => Kind::Scanner,
            55..65 => Kind::Odd,
            _ => Kind::Server,
        };
        let hosts = if kind == Kind::Server { 300 } else { 20_000 };
        (kind, self.random.random_range(0..hosts))
    }

    fn truth(&mut self, kind: Kind, host: u32) -> Truth {
        let net = match kind {
            Kind::Bot => 20,
            Kind::Guesser => 21,
            Kind::Scanner => 22,
            Kind::Odd => 23,
            Kind::Server => 24,
        };
        let [_, b, c, d] = host.to_be_bytes();
        let mut chance = |percent: u32| self.random.random_range(0..100) < percent;
        let listed = match kind {
            Kind::Bot => [chance(90), chance(50), chance(40)],
            Kind::Guesser => [chance(50), chance(20), chance(5)],
            _ => [false, false, chance(1)],
        };
        Truth {
            kind,
            client: [net, b, c, d].into(),
            listed,
            remembered: kind == Kind::Server && chance(80),
            name: format!("host{host}.k{net}.example.org"),
        }
    }
}

struct Session<'m, 'p> {
    maker: &'m mut Maker<'p>,
    facts: Facts,
    at: u32,
    decisions: Vec<Decision>,
}

impl<'m, 'p> Session<'m, 'p> {
    fn new(maker: &'m mut Maker<'p>, truth: &Truth) -> Self {
        let facts = Facts::new(Client {
            address: (truth.client, 40_000).into(),
            local: "192.0.2.25:25".parse().expect("an address"),
            listener: "mx".into(),
            via: None,
            started: maker
                .now
                .duration_since(SystemTime::UNIX_EPOCH)
                .ok()
                .map(|since| since.as_secs()),
            logins: Logins::None,
        });
        Self {
            maker,
            facts,
            at: 0,
            decisions: Vec::new(),
        }
    }

    fn walk(mut self, truth: &Truth) -> SessionRecord {
        let mut record = self.empty();
        let greeted = self.settle(Stage::Connect, truth);
        if truth.kind == Kind::Scanner {
            let fault = gatepost::smtp::fault::Fault::Foreign(gatepost::smtp::Protocol::Http);
            self.learn(Stage::Connect, Fact::Fault(fault));
            let verdict = self.settle(Stage::Connect, truth);
            self.decide(&verdict);
            record.ended = Ended::Dropped;
            return self.finish(record);
        }
        if greeted.action == Action::Drop {
            self.decide(&greeted);
            record.ended = Ended::Dropped;
            return self.finish(record);
        }
        let name = match truth.kind {
            Kind::Guesser => "User".to_owned(),
            Kind::Odd => truth.client.to_string(),
            _ => truth.name.clone(),
        };
        let helo = Helo {
            extended: true,
            name: name.parse().expect("a name"),
        };
        self.learn(Stage::Helo, Fact::Helo(Box::new(helo)));
        if truth.kind == Kind::Guesser {
            record.ended = Ended::ClientLeft;
            return self.finish(record);
        }
        let mail = Mail {
            path: format!("<news@{}>", truth.name).parse().expect("a path"),
            size: Some(20_000),
        };
        self.learn(Stage::Mail, Fact::Mail(Box::new(mail)));
        let users = self
            .maker
            .random
            .random_range(1..=if truth.kind == Kind::Bot { 4 } else { 1 });
        for user in 0..users {
            let path = format!("<user{}@example.com>", (user + truth.name.len()) % 7);
            let path = if truth.kind == Kind::Bot && user == 3 {
                "<postmaster@example.com>"
            } else {
                &path
            };
            let path: gatepost::smtp::path::ForwardPath = path.parse().expect("a path");
            self.learn(
                Stage::Rcpt,
                Fact::Rcpt(Box::new(Rcpt { path: path.clone() })),
            );
            let verdict = self.settle(Stage::Rcpt, truth);
            self.decide(&verdict);
            for triplet in greylist::must_wait(&verdict, &self.facts) {
                let now = self.maker.now;
                self.maker.triplets.entry(triplet).or_insert(now);
            }
            let reply = match verdict.enforced() {
                Action::Clear => Reply::new(250, Some((2, 1, 5)), "Accepted"),
                Action::Greylist => verdict.put_off(truth.client),
                _ => verdict.denial(truth.client, &path),
            };
            record
                .recipients
                .push(RecipientOutcome::new(&path, &verdict, &reply));
        }
        if record.recipients.iter().any(RecipientOutcome::accepted) {
            record.messages.push(MessageOutcome::new(
                20_000,
                &Reply::new(250, None, "OK id=1"),
            ));
        }
        self.finish(record)
    }

    fn empty(&self) -> SessionRecord {
        SessionRecord {
            version: VERSION,
            id: format!("m{:010}", self.maker.number),
            started: timestamp(self.maker.now),
            duration_ms: Millis(0),
            policy: "default".to_owned(),
            facts: Facts::default(),
            decisions: Vec::new(),
            recipients: Vec::new(),
            messages: Vec::new(),
            replies: Vec::new(),
            ended: Ended::Quit,
            bytes_in: 21_000,
            bytes_out: 500,
            beyond: Beyond::default(),
        }
    }

    fn learn(&mut self, stage: Stage, fact: Fact) {
        self.at += 20;
        self.facts.push(stage, Millis(self.at), fact);
    }

    fn decide(&mut self, verdict: &Verdict) {
        self.decisions.push(Decision {
            seen: self.facts.entries().len(),
            verdict: verdict.clone(),
        });
    }

    fn finish(self, mut record: SessionRecord) -> SessionRecord {
        record.duration_ms = Millis(self.at + 100);
        record.facts = self.facts;
        record.decisions = self.decisions;
        record
    }

    /// Answers until nothing is asked any more.
    fn settle(&mut self, stage: Stage, truth: &Truth) -> Verdict {
        loop {
            let judgement = judge(self.maker.policy, &self.facts);
            if let (Judgement::Decide { verdict, .. }, Stage::Rcpt) = (&judgement, stage) {
                return verdict.clone();
            }
            let questions = judgement.questions().to_vec();
            if questions.is_empty() {
                return judgement.verdict().clone();
            }
            for question in questions {
                let cached = self.maker.random.random_range(0..3) == 0;
                let (answer, took) = self.answer(&question, truth);
                let source = match (&question, cached) {
                    (Question::Dns { .. }, true) => Source::Cache,
                    (Question::Dns { .. }, false) => Source::Live,
                    (Question::Silence { .. }, _) => Source::Session,
                    _ => Source::Memory,
                };
                let took = if source == Source::Live {
                    took
                } else {
                    took * u32::from(source == Source::Session)
                };
                let answered = Answered {
                    question,
                    answer,
                    took: Millis(took),
                    source,
                };
                self.at += took;
                self.learn(stage, Fact::Answered(Box::new(answered)));
            }
        }
    }

    fn answer(&self, question: &Question, truth: &Truth) -> (Answer, u32) {
        let found = |data| Answer::Dns(DnsAnswer::Found(vec![Record { ttl: 300, data }]));
        let answer = match question {
            Question::Primary(_) => Answer::Primary(Primary::Up),
            Question::Count(_) => Answer::Count(Room::Within),
            Question::Memory(triplet @ Recall::Triplet { .. }) => {
                Answer::Memory(self.maker.triplets.get(triplet).map_or(
                    Recalled::Nothing,
                    |first| {
                        let since = self.maker.now.duration_since(*first).unwrap_or_default();
                        Recalled::Triplet {
                            since: u32::try_from(since.as_secs()).unwrap_or(u32::MAX),
                            passed: false,
                        }
                    },
                ))
            }
            Question::Memory(Recall::Pass(_)) if truth.remembered => {
                Answer::Memory(Recalled::Pass {
                    since: 86_400,
                    visits: 3,
                })
            }
            Question::Memory(_) => Answer::Memory(Recalled::Nothing),
            Question::Silence { wait, .. } => match truth.kind {
                Kind::Guesser => {
                    let spoke = Silence::Spoke {
                        after: Millis(40),
                        bytes: "EHLO User\\r\\n".into(),
                    };
                    return (Answer::Silence(spoke), 40);
                }
                _ => return (Answer::Silence(Silence::Silent { watched: *wait }), wait.0),
            },
            Question::Dns { name, kind } => self
                .dns(name.shown(), *kind, truth)
                .map_or(Answer::Dns(DnsAnswer::NoName), found),
        };
        (answer, 15)
    }

    fn dns(&self, name: &str, kind: RecordType, truth: &Truth) -> Option<RecordData> {
        let zones = ["zen.example", "two.example", "three.example"];
        let zone = zones.iter().position(|zone| name.ends_with(zone));
        let IpAddr::V4(client) = truth.client else {
            return None;
        };
        let named = !matches!(truth.kind, Kind::Odd | Kind::Guesser);
        match (kind, zone) {
            (RecordType::A, Some(zone)) if truth.listed.get(zone) == Some(&true) => {
                Some(RecordData::A([127, 0, 0, 2].into()))
            }
            (RecordType::Txt, Some(_)) => {
                Some(RecordData::Txt("listed, see https://zen.example/".into()))
            }
            (_, Some(_)) => None,
            (RecordType::Ptr, None) if named => Some(RecordData::Ptr(truth.name.as_str().into())),
            (RecordType::A, None) if name == truth.name => Some(RecordData::A(client)),
            (RecordType::Mx, None) => Some(RecordData::Mx(10, truth.name.as_str().into())),
            (RecordType::Txt, None) if truth.kind == Kind::Server => Some(RecordData::Txt(
                "v=spf1 ip4:24.0.0.0/8 include:_spf.example.net -all".into(),
            )),
            _ => None,
        }
    }
}

/// Writes `sessions` sessions into `directory`, in files of about 64 MB, as the journal names them.
pub(crate) fn write(directory: &std::path::Path, policy: &Policy, seed: u64, sessions: u64) {
    use std::io::Write;
    let mut maker = Maker::new(policy, seed);
    let mut file: Option<(std::io::BufWriter<std::fs::File>, usize)> = None;
    for _ in 0..sessions {
        let record = maker.session();
        let line = serde_json::to_vec(&record).expect("a record is written");
        let (out, size) = file.get_or_insert_with(|| {
            let name = record.ended_at().to_string().replace(['-', ':'], "");
            let path = directory.join(format!("sessions-{name}.jsonl"));
            (
                std::io::BufWriter::new(std::fs::File::create(path).expect("a file")),
                0,
            )
        });
        out.write_all(&line)
            .and_then(|()| out.write_all(b"\n"))
            .expect("a line is written");
        *size += line.len() + 1;
        if *size > 64 << 20 {
            file = None;
        }
    }
}
