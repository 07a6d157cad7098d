//! Allow and deny lists: what the operator knows about a client, which no points outweigh.
//!
//! An entry names a network, a HELO name or a sender. One on the allow list clears outright, one on
//! the deny list denies outright, and allow beats deny. A network is proven by the connection;
//! HELO name and sender are only claimed. Names are compared as RFC 5321 §2.4 wants it for domains,
//! local-parts without regard to case as well, as people mean it in a list.
//!
//! Entries that were added by command (`gatepost allow`, `gatepost deny`) come as facts, and count as
//! those of the configuration.

mod entry;

use serde::Deserialize;

use crate::checks::examination::Examination;
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, Remark, SettingsError, settings};
use crate::facts::{self, Facts, Listed};
use entry::{Entry, Subject};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "access",
    summary: "is the client on the operator's allow or deny list?",
    sample: SAMPLE,
    build,
};

/// The reason of entries that were added by command.
const BY_COMMAND: &str = "command";

const SAMPLE: &str = r#"# Clients that are let through whatever the other checks say, and are not made to wait. An entry
# names one of:
#   network = "192.0.2.0/24"     an address or network, IPv4 or IPv6
#   helo = "mx.example.org"      the name in HELO; ".example.org" for every name below
#   sender = "a@example.org"     the address in MAIL; "@example.org" for the whole domain,
#                                "@.example.org" for every domain below
# and, if wanted, comment = "..." (never shown to clients) and expires = "2026-12-31" (the last day,
# UTC, on which it holds; or a time such as "2026-12-31T12:00:00Z"). A network is known for sure,
# but anybody can claim a HELO name or a sender: allow by network where you can.
allow = []
# Clients that are refused at RCPT, but for postmaster and abuse; entries as above. An entry of
# `allow` beats one of `deny`.
deny = []
"#;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Access {
    allow: Vec<Entry>,
    deny: Vec<Entry>,
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Access = settings(table)?;
    Ok(Some(Box::new(check)))
}

impl Check for Access {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn judges_users(&self) -> bool {
        true
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let facts = examination.facts();
        let started = facts.client().and_then(|client| client.started);
        let lists = [
            (&self.allow, Outcome::Allow, "allowed"),
            (&self.deny, Outcome::Deny, "denied"),
        ];
        for (list, outcome, word) in lists {
            let mut holding = list.iter().filter(|entry| entry.holds(started));
            if let Some(entry) = holding.find(|entry| matches(&entry.subject, facts, outcome)) {
                let subject = &entry.subject;
                let evidence = format!("{word} here by {} {subject}", subject.reason());
                examination.found(outcome, Points::ZERO, subject.reason(), evidence);
            }
        }
        for (outcome, word) in [(Outcome::Allow, "allowed"), (Outcome::Deny, "denied")] {
            let allow = outcome == Outcome::Allow;
            let mut noted = latest(facts).filter(|listed| listed.allow == allow);
            if let Some(subject) = noted.find_map(|listed| concerns(listed, facts)) {
                let evidence = format!("{word} here by {} {subject}", subject.reason());
                examination.found(outcome, Points::ZERO, BY_COMMAND, evidence);
            }
        }
    }

    fn remarks(&self, now: Option<u64>) -> Vec<Remark> {
        let Some(now) = now else {
            return Vec::new();
        };
        let mut all = expired("allow", &self.allow, now);
        all.extend(expired("deny", &self.deny, now));
        all
    }
}

/// The entries added by command, each as it was noted last: one may have been put in another's place.
fn latest(facts: &Facts) -> impl Iterator<Item = &Listed> {
    let noted = facts.listed().enumerate();
    noted
        .filter(|(at, listed)| {
            let mut later = facts.listed().skip(at + 1);
            !later.any(|later| later.subject == listed.subject)
        })
        .map(|(_, listed)| listed)
}

/// The subject of an entry added by command, if it speaks of this session as it stands.
fn concerns(listed: &Listed, facts: &Facts) -> Option<Subject> {
    let outcome = match listed.allow {
        true => Outcome::Allow,
        false => Outcome::Deny,
    };
    Subject::noted(&listed.subject).filter(|subject| matches(subject, facts, outcome))
}

/// Whether an entry added by command speaks of this session as it stands.
#[must_use]
pub fn speaks_of(listed: &Listed, facts: &Facts) -> bool {
    concerns(listed, facts).is_some()
}

/// Reads whom an operator means: a network or address, a name in HELO, or a sender.
///
/// # Errors
///
/// What is wrong with the text, and what to write.
pub fn subject(text: &str) -> Result<facts::Subject, String> {
    Subject::guess(text.trim()).map(|subject| subject.to_note())
}

fn expired(setting: &'static str, list: &[Entry], now: u64) -> Vec<Remark> {
    let gone = list.iter().enumerate();
    let gone = gone.filter(|(_, entry)| !entry.holds(Some(now)));
    gone.map(|(index, entry)| Remark {
        setting,
        index,
        found: format!("the entry for {} has expired", entry.subject),
        advice: "remove it, or write a later date",
    })
    .collect()
}

/// Whether an entry speaks of this session. A HELO name that is denied stays denied after another
/// HELO; one that is allowed must be the latest.
fn matches(subject: &Subject, facts: &Facts, outcome: Outcome) -> bool {
    match subject {
        Subject::Network(network) => facts
            .client()
            .is_some_and(|client| network.contains(&client.ip().to_canonical())),
        Subject::Helo(names) if outcome == Outcome::Deny => {
            facts.helos().any(|helo| names.contain(helo.name.as_str()))
        }
        Subject::Helo(names) => facts
            .helo()
            .is_some_and(|helo| names.contain(helo.name.as_str())),
        Subject::Sender(senders) => facts
            .mail()
            .and_then(|mail| mail.path.mailbox())
            .is_some_and(|mailbox| senders.contain(mailbox)),
    }
}
