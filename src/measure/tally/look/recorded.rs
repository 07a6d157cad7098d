//! What a record says by itself, without judging anything again.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::checks::finding::Finding;
use crate::checks::points::Points;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{
    Answer, DnsAnswer, Ended, Fact, Facts, Identity, Question, RecordType, Silence, Source,
    one_site,
};
use crate::journal::{MessageOutcome, RecipientOutcome, SessionRecord};
use crate::measure::tally::look::{Kept, MESSAGES, RECIPIENTS, Reached, Sort};
use crate::smtp::fault::Fault;
use crate::smtp::reply::{Reply, ReplyClass};
use crate::smtp::verb::Verb;

/// What one session is believed to hold at most: sums over sessions do not overflow, whatever a record says.
const MOST: u64 = 1 << 32;

/// Answers of the DNS that were asked for then, and that the cache gave.
pub(super) fn dns(facts: &Facts) -> (u32, u32) {
    let of_dns = facts
        .answers()
        .filter(|one| matches!(one.question, Question::Dns { .. }));
    of_dns.fold((0, 0), |(live, cached), one| match one.source {
        Source::Live => (live + 1, cached),
        _ => (live, cached + 1),
    })
}

/// How long the greeting was held.
pub(super) fn held(facts: &Facts) -> u32 {
    let watched = facts
        .answers()
        .filter(|one| matches!(one.answer, Answer::Silence(Silence::Silent { .. })));
    watched.map(|one| one.took.0).sum()
}

/// Zones that were asked, and of these that list something: whatever a zone answers that can be a listing (RFC 5782 §2.3;
/// not 127.0.0.1, not the error codes of 127.255.255.0/24), counted by the policy or not.
pub(super) fn zones(facts: &Facts, zones: &[String]) -> (u32, u32) {
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
        // Of zones below each other the longest is the one that was asked.
        let zone = zones.iter().enumerate().filter(|(_, zone)| front(zone));
        if let Some((at, _)) = zone.max_by_key(|(_, zone)| zone.len()) {
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
pub(super) fn recipients(record: &SessionRecord, observed: bool) -> [u64; 6] {
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

pub(super) fn messages(record: &SessionRecord) -> [u64; 3] {
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
            *count = count.saturating_add(times).min(MOST);
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

pub(super) fn gravest(record: &SessionRecord) -> &'static str {
    let actions = record
        .decisions
        .iter()
        .map(|decision| decision.verdict.action);
    actions.max().map_or("none", Action::label)
}

pub(super) fn reached(record: &SessionRecord) -> Reached {
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

pub(super) fn kept(record: &SessionRecord, recipients: &[u64; 6]) -> Kept {
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

/// Who a client may have been, by what it did; `listed`: a list counts against it.
pub(super) fn sort(record: &SessionRecord, recipients: &[u64; 6], listed: bool) -> Sort {
    let facts = &record.facts;
    let [.., denied, dropped] = *recipients;
    let has = |is_it: fn(&Fact) -> bool| facts.entries().iter().any(|entry| is_it(&entry.fact));
    let is_foreign = |fact: &Fact| matches!(fact, Fact::Fault(Fault::Foreign(_)));
    let is_early = facts
        .answers()
        .any(|one| matches!(one.answer, Answer::Silence(Silence::Spoke { .. })));
    let tried = has(|fact| {
        matches!(
            fact,
            Fact::Login(_)
                | Fact::Fault(
                    Fault::NotOffered(Verb::Auth)
                        | Fault::OutOfOrder(Verb::Auth)
                        | Fault::UnknownMechanism
                )
        )
    });
    match () {
        () if facts.user().is_some() => Sort::User,
        () if has(is_foreign) => Sort::Scanner,
        () if has(|fact| matches!(fact, Fact::Mail(_))) => {
            match denied + dropped > 0 || record.ended == Ended::Dropped || listed {
                true => Sort::Refused,
                false => Sort::Mail,
            }
        }
        () if tried || is_early => Sort::Guesser,
        () if has(|fact| matches!(fact, Fact::Helo(_))) || record.ended == Ended::Quit => {
            Sort::Looker
        }
        () => Sort::Scanner,
    }
}

pub(super) fn announced(facts: &Facts) -> u64 {
    let mails = facts
        .entries()
        .iter()
        .filter_map(|entry| match &entry.fact {
            Fact::Mail(mail) => mail.size,
            _ => None,
        });
    mails.fold(0, u64::saturating_add)
}

pub(super) fn count(facts: &Facts, is_it: impl Fn(&Fact) -> bool) -> u64 {
    let all = facts
        .entries()
        .iter()
        .filter(|entry| is_it(&entry.fact))
        .count();
    u64::try_from(all).unwrap_or(u64::MAX)
}

/// Whether a list counts against the client, by the points that it brought.
pub(super) fn is_listed(findings: &[Finding]) -> bool {
    let mut of_lists = findings
        .iter()
        .filter(|one| matches!(&*one.check, "dnsbl" | "rhsbl"));
    of_lists.any(|one| one.points > Points::ZERO)
}

pub(super) fn found(findings: &[Finding]) -> Vec<(Box<str>, &'static str, Box<str>)> {
    let found = |one: &Finding| {
        (
            one.check.as_ref().into(),
            one.outcome.label(),
            one.reason.as_ref().into(),
        )
    };
    findings.iter().map(found).collect()
}

/// Denied, or to be denied if the policy did not observe, though SPF passes and the reverse name is confirmed: nothing is forged here.
pub(super) fn is_denied_though_vouched_for(verdict: &Verdict) -> bool {
    let mut known_as = verdict.known_as.iter();
    let named = known_as.clone().any(|one| matches!(one, Identity::Name(_)));
    verdict.action >= Action::Deny && named && known_as.any(|one| matches!(one, Identity::Spf(_)))
}

pub(super) fn passed(record: &SessionRecord) -> bool {
    let taken = record
        .recipients
        .iter()
        .any(|one| one.accepted() && !one.exempt && one.action == Action::Clear);
    taken && record.messages.iter().any(MessageOutcome::accepted)
}

/// Each recipient with the sender that was named before it.
fn with_senders(
    record: &SessionRecord,
) -> impl Iterator<Item = (&RecipientOutcome, Option<String>)> {
    let mut entries = record.facts.entries().iter();
    let mut sender = None;
    record.recipients.iter().map(move |one| {
        for entry in entries.by_ref() {
            match &entry.fact {
                Fact::Mail(mail) => sender = Some(mail.path.to_string().to_lowercase()),
                Fact::Rcpt(rcpt) if rcpt.path == one.path => break,
                _ => {}
            }
        }
        (one, sender.clone())
    })
}

/// Recipients that were refused or put off, so that whoever comes again for them is known.
pub(super) fn refusals(record: &SessionRecord, observed: bool) -> Vec<u64> {
    let Some(client) = record.facts.client().filter(|_| !observed) else {
        return Vec::new();
    };
    let site = one_site(client.ip());
    let refused = with_senders(record).filter(|(one, _)| one.action > Action::Clear);
    let mut who: Vec<u64> = refused
        .map(|(one, sender)| hash(&(site, sender, one.path.to_string().to_lowercase())))
        .collect();
    who.sort_unstable();
    who.dedup();
    who
}

pub(super) fn millis(record: &SessionRecord) -> u64 {
    let since = record
        .started
        .time()
        .duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

pub(super) fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
