//! One record, as far as it is counted: what was recorded, and what judging it again tells of each check.

mod again;
mod recorded;

use std::net::IpAddr;

use crate::checks::greylist;
use crate::checks::replay::Decision;
use crate::checks::verdict::Action;
use crate::facts::{Client, Ended, Fact, Facts};
use crate::journal::SessionRecord;
use again::Again;

pub(in crate::measure) use again::{Book, Cost, Judged, Known};

/// The most zones that are compared with each other.
pub(in crate::measure) const ZONES: usize = 32;

/// What became of recipients; the words are those of `gatepost_recipients_total`.
pub(in crate::measure) const RECIPIENTS: [&str; 6] =
    ["taken", "rejected", "deferred", "greylist", "deny", "drop"];
/// What became of messages; the words are those of `gatepost_messages_total`.
pub(in crate::measure) const MESSAGES: [&str; 3] = ["delivered", "rejected", "deferred"];

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

/// What a client did, as far as it tells who it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::measure) enum Sort {
    /// Tried passwords, or spoke early; no mail.
    Guesser,
    /// Did not speak SMTP.
    Scanner,
    /// Looked and went.
    Looker,
    /// Came with mail, and was refused or is on a list.
    Refused,
    /// Came with mail.
    Mail,
    /// A user.
    User,
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
    /// Whether gatepost dropped the connection.
    pub(in crate::measure) dropped: bool,
    pub(in crate::measure) verdict: &'static str,
    pub(in crate::measure) recipients: [u64; 6],
    pub(in crate::measure) messages: [u64; 3],
    pub(in crate::measure) transactions: u64,
    pub(in crate::measure) bytes: (u64, u64),
    pub(in crate::measure) duration_ms: u64,
    pub(in crate::measure) reached: Reached,
    pub(in crate::measure) kept: Kept,
    pub(in crate::measure) sort: Sort,
    /// Octets that were announced for messages.
    pub(in crate::measure) announced: u64,
    /// Check, outcome, reason; as they are counted by `gatepost_findings_total`.
    pub(in crate::measure) found: Vec<(Box<str>, &'static str, Box<str>)>,
    pub(in crate::measure) judged: Option<Judged>,
    /// Zones that were asked, and of these that list something.
    pub(in crate::measure) zones: (u32, u32),
    /// Whether a list counted against it; those of good clients do not.
    pub(in crate::measure) listed: bool,
    pub(in crate::measure) dns: (u32, u32),
    pub(in crate::measure) greet_wait_ms: u32,
    /// Triplets that were put off, and that had waited.
    pub(in crate::measure) put_off: Vec<Vec<u64>>,
    pub(in crate::measure) waited: Vec<Vec<u64>>,
    /// Recipients that were refused or put off, each with who wanted it, so that who comes again is known.
    pub(in crate::measure) refusals: Vec<u64>,
    /// Whether a verdict was only recorded, because the policy observes.
    pub(in crate::measure) observed: bool,
    /// Whether a recipient was denied, or the connection dropped; where the policy observes, whether it would have been.
    pub(in crate::measure) denied: bool,
    /// Whether, of these, SPF and a confirmed reverse name vouched for the client.
    pub(in crate::measure) denied_though_vouched_for: bool,
    /// Whether a message was delivered for a recipient that is not exempt and was cleared.
    pub(in crate::measure) passed: bool,
}

impl Looked {
    /// What is counted of a record.
    pub(in crate::measure) fn at(record: SessionRecord, book: &Book) -> Self {
        let observed = record.decisions.iter().any(|one| one.verdict.observed);
        let recipients = recorded::recipients(&record, observed);
        let dropped = record.ended == Ended::Dropped;
        let mut actions = record.decisions.iter().map(|one| one.verdict.action);
        let denied = match observed {
            true => actions.any(|action| action >= Action::Deny),
            false => {
                let counts = recipients.get(4..);
                dropped || counts.is_some_and(|counts| counts.iter().any(|count| *count > 0))
            }
        };
        let vouched_for = record
            .decisions
            .iter()
            .any(|one| recorded::is_denied_though_vouched_for(&one.verdict));
        let last = record.decisions.last().map(|one| &one.verdict);
        let facts = &record.facts;
        let zones = recorded::zones(facts, &book.zones);
        let mut verdicts = record.decisions.iter().map(|one| &one.verdict);
        let listed = verdicts.any(|verdict| recorded::is_listed(&verdict.findings));
        let mut looked = Self {
            at: recorded::millis(&record),
            listener: facts
                .client()
                .map_or_else(Box::default, |client| client.listener.clone()),
            policy: record.policy.as_str().into(),
            client: facts.client().map(Client::ip),
            helo: facts.helo().map(|helo| helo.name.as_str().into()),
            ended: record.ended.label(),
            dropped,
            verdict: recorded::gravest(&record),
            recipients,
            messages: recorded::messages(&record),
            transactions: recorded::count(facts, |fact| matches!(fact, Fact::Mail(_))),
            bytes: (record.bytes_in, record.bytes_out),
            duration_ms: record.duration_ms.0.into(),
            reached: recorded::reached(&record),
            kept: recorded::kept(&record, &recipients),
            sort: recorded::sort(&record, &recipients, listed),
            listed,
            announced: recorded::announced(facts),
            found: last.map_or_else(Vec::new, |verdict| recorded::found(&verdict.findings)),
            judged: None,
            zones,
            dns: recorded::dns(facts),
            greet_wait_ms: recorded::held(facts),
            put_off: Vec::new(),
            waited: Vec::new(),
            refusals: recorded::refusals(&record, observed),
            observed,
            denied,
            denied_though_vouched_for: denied && vouched_for,
            passed: recorded::passed(&record),
            id: record.id.into(),
        };
        let mut again = Again::new(book.policies.get(&looked.policy), record.facts);
        for decision in record.decisions.iter().rev() {
            looked.waits(decision, again.decide(decision));
        }
        let (judged, findings) = again.finish();
        if record.decisions.is_empty() {
            looked.found = recorded::found(&findings);
            looked.listed = recorded::is_listed(&findings);
            if looked.listed && looked.sort == Sort::Mail {
                looked.sort = Sort::Refused;
            }
        }
        looked.judged = judged;
        looked
    }

    /// Triplets that this decision put off, or let through because they have waited.
    fn waits(&mut self, decision: &Decision, facts: &Facts) {
        let hashes = |triplets: Vec<_>| triplets.iter().map(recorded::hash).collect::<Vec<u64>>();
        let put_off = greylist::must_wait(&decision.verdict, facts);
        if !put_off.is_empty() {
            self.put_off.push(hashes(put_off));
        }
        let waited = greylist::has_waited(&decision.verdict, facts);
        if !waited.is_empty() {
            self.waited.push(hashes(waited));
        }
    }
}
