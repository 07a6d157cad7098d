//! One record, as far as it is counted: what was recorded, and what judging it again tells of each check.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use crate::checks::finding::{Finding, Outcome};
use crate::checks::greylist;
use crate::checks::points::Points;
use crate::checks::policy::Policy;
use crate::checks::survey::{Survey, set_of, survey};
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{
    Answer, Answered, Client, DnsAnswer, Entry, Fact, Facts, Identity, Question, RecordType,
    Silence, Source, Stage, one_site,
};
use crate::journal::SessionRecord;
use crate::measure::shares::{MOST, Stopped};
use crate::measure::tally::effect::Effects;
use crate::smtp::reply::{Reply, ReplyClass};

/// The most zones that are compared with each other.
pub(in crate::measure) const ZONES: usize = 32;

/// What became of recipients; the words are those of `gatepost_recipients_total`.
pub(in crate::measure) const RECIPIENTS: [&str; 6] =
    ["taken", "rejected", "deferred", "greylist", "deny", "drop"];
/// What became of messages; the words are those of `gatepost_messages_total`.
pub(in crate::measure) const MESSAGES: [&str; 3] = ["delivered", "rejected", "deferred"];

/// A policy and what was learnt about it.
#[derive(Debug)]
pub(in crate::measure) struct Known {
    pub(in crate::measure) policy: Arc<Policy>,
    pub(in crate::measure) effects: Effects,
}

/// The policies by which records are judged again, and the zones they ask.
#[derive(Debug)]
pub(in crate::measure) struct Book {
    pub(in crate::measure) policies: BTreeMap<Box<str>, Known>,
    /// As they are shown, at most [`ZONES`].
    pub(in crate::measure) zones: Vec<String>,
}

impl Book {
    pub(in crate::measure) fn new(policies: &BTreeMap<String, Arc<Policy>>) -> Self {
        let mut zones = Vec::new();
        let checks = policies.values().flat_map(|policy| &policy.checks);
        for (zone, _) in checks.flat_map(|check| check.zones()) {
            let zone = zone.shown().to_owned();
            if zones.len() < ZONES && !zones.contains(&zone) {
                zones.push(zone);
            }
        }
        let known = policies.iter().map(|(name, policy)| {
            let known = Known {
                policy: Arc::clone(policy),
                effects: Effects::of(policy),
            };
            (name.as_str().into(), known)
        });
        Self {
            policies: known.collect(),
            zones,
        }
    }
}

/// How far a session came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::measure) enum Reached {
    Connect,
    Helo,
    Mail,
    Rcpt,
    Data,
}

/// What kept a session from the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::measure) enum Kept {
    /// Nothing: it was handed on.
    HandedOn,
    /// The connection was ended by gatepost.
    CutOff,
    /// Recipients were refused.
    Refused,
    /// Recipients were put off.
    PutOff,
    /// The client asked for nothing, or went.
    Left,
}

/// What a check cost in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::measure) struct Cost {
    /// Questions to the DNS that were asked then.
    pub(in crate::measure) live: u32,
    /// Questions that the cache answered.
    pub(in crate::measure) cached: u32,
    /// The slowest answer that was asked for, milliseconds.
    pub(in crate::measure) slowest: u32,
    /// How long the greeting was held, milliseconds.
    pub(in crate::measure) held: u32,
}

/// A recipient of a session, as others may come for it again.
#[derive(Clone, Debug)]
pub(in crate::measure) struct Refusal {
    /// Site, sender and recipient.
    pub(in crate::measure) who: u64,
}

/// What each check had to do with a session.
#[derive(Debug, Default)]
pub(in crate::measure) struct Judged {
    /// Whether the last verdict would be another today.
    pub(in crate::measure) otherwise: bool,
    /// Checks that spoke against the client.
    pub(in crate::measure) against: u32,
    /// Checks that spoke for it.
    pub(in crate::measure) in_favour: u32,
    /// Checks that could look.
    pub(in crate::measure) looked: u32,
    pub(in crate::measure) recipients: Vec<Stopped>,
    pub(in crate::measure) transactions: Vec<Stopped>,
    pub(in crate::measure) connection: Option<Stopped>,
    /// By check.
    pub(in crate::measure) costs: Vec<Cost>,
}

/// A session.
#[derive(Debug)]
pub(in crate::measure) struct Looked {
    pub(in crate::measure) id: Box<str>,
    /// Milliseconds since 1970 UTC.
    pub(in crate::measure) at: u64,
    pub(in crate::measure) listener: Box<str>,
    pub(in crate::measure) policy: Box<str>,
    pub(in crate::measure) client: Option<IpAddr>,
    pub(in crate::measure) helo: Option<Box<str>>,
    pub(in crate::measure) ended: &'static str,
    pub(in crate::measure) verdict: &'static str,
    pub(in crate::measure) recipients: [u64; 6],
    pub(in crate::measure) messages: [u64; 3],
    pub(in crate::measure) transactions: u64,
    pub(in crate::measure) bytes: (u64, u64),
    pub(in crate::measure) duration_ms: u64,
    pub(in crate::measure) reached: Reached,
    pub(in crate::measure) kept: Kept,
    /// Octets that were announced for messages.
    pub(in crate::measure) announced: u64,
    /// Check, outcome, reason; as they are counted by `gatepost_findings_total`.
    pub(in crate::measure) found: Vec<(Box<str>, &'static str, Box<str>)>,
    pub(in crate::measure) judged: Option<Judged>,
    /// Zones that were asked, and of these that list something.
    pub(in crate::measure) zones: (u32, u32),
    pub(in crate::measure) dns: (u32, u32),
    pub(in crate::measure) greet_wait_ms: u32,
    /// Triplets that were put off, and that had waited.
    pub(in crate::measure) put_off: Vec<Vec<u64>>,
    pub(in crate::measure) waited: Vec<Vec<u64>>,
    pub(in crate::measure) refusals: Vec<Refusal>,
    /// Whether something was denied in fact.
    pub(in crate::measure) denied: bool,
    /// Whether, of these, SPF and a confirmed reverse name vouched for the client.
    pub(in crate::measure) denied_though_vouched_for: bool,
    /// Whether a message was delivered for a recipient that is not exempt.
    pub(in crate::measure) passed: bool,
}

impl Looked {
    /// What is counted of a record.
    pub(in crate::measure) fn at(record: SessionRecord, book: &Book) -> Self {
        let observed = record
            .decisions
            .iter()
            .any(|decision| decision.verdict.observed);
        let recipients = recipients(&record, observed);
        let mut looked = Self {
            at: millis(&record),
            listener: record
                .facts
                .client()
                .map_or_else(Box::default, |client| client.listener.clone()),
            policy: record.policy.as_str().into(),
            client: record.facts.client().map(Client::ip),
            helo: record.facts.helo().map(|helo| helo.name.as_str().into()),
            ended: record.ended.label(),
            verdict: gravest(&record),
            recipients,
            messages: messages(&record),
            transactions: count(&record.facts, |fact| matches!(fact, Fact::Mail(_))),
            bytes: (record.bytes_in, record.bytes_out),
            duration_ms: record.duration_ms.0.into(),
            reached: reached(&record),
            kept: kept(&record, &recipients),
            announced: announced(&record.facts),
            found: Vec::new(),
            judged: None,
            zones: zones(&record.facts, &book.zones),
            dns: dns(&record.facts),
            greet_wait_ms: held(&record.facts),
            put_off: Vec::new(),
            waited: Vec::new(),
            refusals: refusals(&record, observed),
            denied: !observed && recipients.get(4).is_some_and(|denied| *denied > 0),
            denied_though_vouched_for: false,
            passed: passed(&record),
            id: record.id.into(),
        };
        let known = book.policies.get(&looked.policy);
        let last = record.decisions.last().map(|decision| &decision.verdict);
        looked.found = last.map_or_else(Vec::new, |verdict| found(&verdict.findings));
        let is_none_kept = last.is_none();
        looked.denied_though_vouched_for = looked.denied
            && record
                .decisions
                .iter()
                .any(|one| is_vouched_for(&one.verdict));
        let mut again = Again {
            known,
            facts: record.facts,
            later: Vec::new(),
            used: Vec::new(),
            judged: Judged::default(),
        };
        let mut surveyed = None;
        let mut transactions: BTreeMap<u64, Stopped> = BTreeMap::new();
        for decision in record.decisions.iter().rev() {
            again.facts.wind(decision.seen, &mut again.later);
            looked.waits(&decision.verdict, &again.facts);
            let is_last = surveyed.is_none();
            let Some(survey) = again.survey(&mut transactions) else {
                continue;
            };
            if is_last {
                let differs = survey.verdict.action != decision.verdict.action
                    || survey.verdict.points != decision.verdict.points;
                again.judged.otherwise = differs;
                again.look(&survey);
                surveyed = Some(());
            }
        }
        again.facts.wind(usize::MAX, &mut again.later);
        if is_none_kept && let Some(known) = known {
            let survey = survey(&known.policy, &again.facts);
            again.note(&survey);
            again.look(&survey);
            looked.found = found(&survey.verdict.findings);
        }
        looked.judged = again.finish(transactions);
        looked
    }

    /// Triplets that this decision put off, or let through because they have waited.
    fn waits(&mut self, verdict: &Verdict, facts: &Facts) {
        let hashes = |triplets: Vec<_>| triplets.iter().map(hash).collect::<Vec<u64>>();
        let put_off = greylist::must_wait(verdict, facts);
        if !put_off.is_empty() {
            self.put_off.push(hashes(put_off));
        }
        let waited = greylist::has_waited(verdict, facts);
        if !waited.is_empty() {
            self.waited.push(hashes(waited));
        }
    }
}

/// A session that is judged again.
struct Again<'b> {
    known: Option<&'b Known>,
    facts: Facts,
    later: Vec<Entry>,
    /// Who used each answer.
    used: Vec<u32>,
    judged: Judged,
}

impl Again<'_> {
    /// Judges what is known now. Winding goes from the last decision to the first.
    fn survey(&mut self, transactions: &mut BTreeMap<u64, Stopped>) -> Option<Survey> {
        let known = self.known?;
        let survey = survey(&known.policy, &self.facts);
        self.note(&survey);
        let stopped = known
            .effects
            .stopped(&known.policy, &self.facts, &survey.verdict);
        let and = |other: &Option<Stopped>| {
            other
                .as_ref()
                .map_or_else(|| stopped.clone(), |other| other.and(&stopped))
        };
        if self.facts.rcpt().is_none() {
            // A drop before any recipient was named, or behind the last.
            let is_alone = self.judged.connection.is_none();
            self.judged.connection = is_alone
                .then(|| stopped.clone())
                .or_else(|| self.judged.connection.take());
            return Some(survey);
        }
        self.judged.connection = Some(and(&self.judged.connection));
        let number = count(&self.facts, |fact| matches!(fact, Fact::Mail(_)));
        let together = and(&transactions.get(&number).cloned());
        transactions.insert(number, together);
        self.judged.recipients.push(stopped);
        Some(survey)
    }

    /// Notes who used which answer, and who spoke.
    fn note(&mut self, survey: &Survey) {
        let Some(known) = self.known else { return };
        if self.used.len() < survey.used.len() {
            self.used.resize(survey.used.len(), 0);
        }
        for (used, by) in self.used.iter_mut().zip(&survey.used) {
            *used |= by;
        }
        for finding in &survey.verdict.findings {
            let set = set_of(&known.policy, &finding.check);
            match side(finding) {
                Side::Against => self.judged.against |= set,
                Side::For => self.judged.in_favour |= set,
                Side::Neither => {}
            }
        }
    }

    /// Notes who could look, by the last judgement: who has found something, and who lacked no answer when a recipient was
    /// judged.
    fn look(&mut self, survey: &Survey) {
        let Some(known) = self.known else { return };
        let found = survey.verdict.findings.iter();
        let found = found.fold(0, |set, finding| {
            set | set_of(&known.policy, &finding.check)
        });
        let all = match self.facts.stage() {
            Stage::Rcpt => !survey.waiting,
            _ => 0,
        };
        self.judged.looked = found | all;
    }

    fn finish(mut self, transactions: BTreeMap<u64, Stopped>) -> Option<Judged> {
        let known = self.known?;
        self.judged.recipients.reverse();
        self.judged.transactions = transactions.into_values().collect();
        self.judged.costs = costs(&self.facts, &self.used, known.policy.checks.len());
        Some(self.judged)
    }
}

enum Side {
    Against,
    For,
    Neither,
}

fn side(finding: &Finding) -> Side {
    match finding.outcome {
        Outcome::Deny | Outcome::PutOff => Side::Against,
        Outcome::Allow => Side::For,
        _ if finding.points > Points::ZERO => Side::Against,
        _ if finding.points < Points::ZERO => Side::For,
        _ => Side::Neither,
    }
}

fn costs(facts: &Facts, used: &[u32], checks: usize) -> Vec<Cost> {
    let mut costs = vec![Cost::default(); checks.min(MOST)];
    for (answered, used) in facts.answers().zip(used) {
        for (number, cost) in costs.iter_mut().enumerate() {
            if used >> number & 1 == 1 {
                cost.add(answered);
            }
        }
    }
    costs
}

impl Cost {
    fn add(&mut self, answered: &Answered) {
        match (&answered.question, answered.source) {
            (Question::Dns { .. }, Source::Live) => {
                self.live += 1;
                self.slowest = self.slowest.max(answered.took.0);
            }
            (Question::Dns { .. }, _) => self.cached += 1,
            (Question::Silence { .. }, _) => self.held += answered.took.0,
            _ => {}
        }
    }
}

/// Answers of the DNS that were asked for then, and that the cache gave.
fn dns(facts: &Facts) -> (u32, u32) {
    let of_dns = facts
        .answers()
        .filter(|one| matches!(one.question, Question::Dns { .. }));
    of_dns.fold((0, 0), |(live, cached), one| match one.source {
        Source::Live => (live + 1, cached),
        _ => (live, cached + 1),
    })
}

/// How long the greeting was held.
fn held(facts: &Facts) -> u32 {
    let watched = facts
        .answers()
        .filter(|one| matches!(one.answer, Answer::Silence(Silence::Silent { .. })));
    watched.map(|one| one.took.0).sum()
}

/// Zones that were asked, and of these that list something: whatever a zone answers that can be a listing (RFC 5782 §2.3;
/// not 127.0.0.1, not the error codes of 127.255.255.0/24), counted by the policy or not.
fn zones(facts: &Facts, zones: &[String]) -> (u32, u32) {
    let (mut asked, mut listing) = (0, 0);
    for answered in facts.answers() {
        let (
            Question::Dns {
                name,
                kind: RecordType::A,
            },
            Answer::Dns(answer),
        ) = (&answered.question, &answered.answer)
        else {
            continue;
        };
        if matches!(answer, DnsAnswer::Failed(_)) {
            continue;
        }
        let front = |zone: &String| {
            name.shown()
                .strip_suffix(zone.as_str())
                .is_some_and(|front| front.ends_with('.'))
        };
        if let Some(at) = zones.iter().position(front) {
            asked |= 1 << at;
            let is_listing = |octets: [u8; 4]| {
                octets[0] == 127 && octets[..3] != [127, 255, 255] && octets != [127, 0, 0, 1]
            };
            if answer.a().any(|address| is_listing(address.octets())) {
                listing |= 1 << at;
            }
        }
    }
    (asked, listing)
}

/// By outcome, as they were counted when it happened.
fn recipients(record: &SessionRecord, observed: bool) -> [u64; 6] {
    let mut counts = [0; 6];
    let outcomes = record
        .recipients
        .iter()
        .map(|one| match (observed, one.action) {
            (true, _) | (false, Action::Clear) => answer_label(&one.reply, "taken"),
            (false, action) => action.label(),
        });
    tally(&RECIPIENTS, &mut counts, outcomes.map(|label| (label, 1)));
    tally(
        &RECIPIENTS,
        &mut counts,
        record
            .beyond
            .recipients
            .iter()
            .map(|(label, count)| (&**label, *count)),
    );
    counts
}

fn messages(record: &SessionRecord) -> [u64; 3] {
    let mut counts = [0; 3];
    let outcomes = record
        .messages
        .iter()
        .map(|one| answer_label(&one.reply, "delivered"));
    tally(&MESSAGES, &mut counts, outcomes.map(|label| (label, 1)));
    tally(
        &MESSAGES,
        &mut counts,
        record
            .beyond
            .messages
            .iter()
            .map(|(label, count)| (&**label, *count)),
    );
    counts
}

fn tally<'l>(labels: &[&str], counts: &mut [u64], outcomes: impl Iterator<Item = (&'l str, u64)>) {
    for (outcome, times) in outcomes {
        let mut places = labels.iter().zip(counts.iter_mut());
        if let Some((_, count)) = places.find(|(label, _)| **label == outcome) {
            *count += times;
        }
    }
}

fn answer_label(reply: &Reply, positive: &'static str) -> &'static str {
    match reply.class() {
        ReplyClass::Positive => positive,
        ReplyClass::Permanent => "rejected",
        _ => "deferred",
    }
}

fn gravest(record: &SessionRecord) -> &'static str {
    let actions = record
        .decisions
        .iter()
        .map(|decision| decision.verdict.action);
    actions.max().map_or("none", Action::label)
}

fn reached(record: &SessionRecord) -> Reached {
    if !record.messages.is_empty() {
        return Reached::Data;
    }
    let entries = record.facts.entries().iter();
    let stages = entries.map(|entry| match &entry.fact {
        Fact::Rcpt(_) => Reached::Rcpt,
        Fact::Mail(_) => Reached::Mail,
        Fact::Helo(_) => Reached::Helo,
        _ => Reached::Connect,
    });
    stages.max().unwrap_or(Reached::Connect)
}

fn kept(record: &SessionRecord, recipients: &[u64; 6]) -> Kept {
    use crate::facts::Ended;
    let [taken, rejected, deferred, put_off, denied, dropped] = *recipients;
    let logged_in = record
        .facts
        .entries()
        .iter()
        .any(|entry| matches!(entry.fact, Fact::Login(_)));
    match record.ended {
        _ if taken + rejected + deferred > 0 || logged_in => Kept::HandedOn,
        Ended::Quit
        | Ended::ClientLeft
        | Ended::ClientTimeout
        | Ended::Shutdown
        | Ended::BackendClosed => match () {
            () if denied + dropped > 0 => Kept::Refused,
            () if put_off > 0 => Kept::PutOff,
            () => Kept::Left,
        },
        _ => Kept::CutOff,
    }
}

fn announced(facts: &Facts) -> u64 {
    let mails = facts
        .entries()
        .iter()
        .filter_map(|entry| match &entry.fact {
            Fact::Mail(mail) => mail.size,
            _ => None,
        });
    mails.fold(0, u64::saturating_add)
}

fn count(facts: &Facts, is_it: impl Fn(&Fact) -> bool) -> u64 {
    let all = facts
        .entries()
        .iter()
        .filter(|entry| is_it(&entry.fact))
        .count();
    u64::try_from(all).unwrap_or(u64::MAX)
}

fn found(findings: &[Finding]) -> Vec<(Box<str>, &'static str, Box<str>)> {
    let found = |one: &Finding| {
        (
            one.check.as_ref().into(),
            one.outcome.label(),
            one.reason.as_ref().into(),
        )
    };
    findings.iter().map(found).collect()
}

/// Denied, though SPF passes and the reverse name is confirmed: nothing is forged here.
fn is_vouched_for(verdict: &Verdict) -> bool {
    let mut known_as = verdict.known_as.iter();
    let named = known_as.clone().any(|one| matches!(one, Identity::Name(_)));
    verdict.enforced() >= Action::Deny
        && named
        && known_as.any(|one| matches!(one, Identity::Spf(_)))
}

fn passed(record: &SessionRecord) -> bool {
    let taken = record
        .recipients
        .iter()
        .any(|one| one.accepted() && !one.exempt);
    taken && record.messages.iter().any(|one| one.accepted())
}

/// Recipients that were refused or put off, so that whoever comes again for them is known.
fn refusals(record: &SessionRecord, observed: bool) -> Vec<Refusal> {
    let Some(client) = record.facts.client().filter(|_| !observed) else {
        return Vec::new();
    };
    let site = one_site(client.ip());
    let sender = record
        .facts
        .entries()
        .iter()
        .rev()
        .find_map(|entry| match &entry.fact {
            Fact::Mail(mail) => Some(mail.path.to_string().to_lowercase()),
            _ => None,
        });
    let refused = record
        .recipients
        .iter()
        .filter(|one| one.action > Action::Clear);
    let mut who: Vec<u64> = refused
        .map(|one| hash(&(site, &sender, one.path.to_string().to_lowercase())))
        .collect();
    who.sort_unstable();
    who.dedup();
    who.into_iter().map(|who| Refusal { who }).collect()
}

fn millis(record: &SessionRecord) -> u64 {
    let since = record
        .started
        .time()
        .duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
