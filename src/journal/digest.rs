//! What an operator wants to know about one session: who, to whom, what became of it and why. Made from its record.
//!
//! Bounded, so that many can be held and shown: long texts are cut, lists are short, and what is left out is said. Text
//! that the client chose is as it was; whoever shows it must show it as text.

use std::net::IpAddr;

use serde::Serialize;

use crate::checks::finding::Finding;
use crate::checks::points::Points;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{Ended, Fact, Millis};
use crate::journal::record::{SessionRecord, Timestamp};
use crate::smtp::reply::Reply;

/// The most of any list.
const LISTED: usize = 20;
/// The most characters of any text.
const TEXT: usize = 300;

/// A session in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Digest {
    /// The session's id.
    pub id: String,
    /// When it began.
    pub time: Timestamp,
    /// How long it lasted.
    pub duration_ms: Millis,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The listener's name.
    pub listener: String,
    /// The policy's name.
    pub policy: String,
    /// The name in HELO or EHLO.
    pub helo: Option<String>,
    /// The user that is logged in, if the mechanism shows who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The reverse-path that was named last.
    pub sender: Option<String>,
    /// The recipient that was named first.
    pub recipient: Option<String>,
    /// The gravest verdict, as a word; `none` where nobody was judged.
    pub verdict: &'static str,
    /// Whether the verdict was only written down.
    pub observed: bool,
    /// The points of that verdict.
    pub points: Points,
    /// What speaks most against the client, in words.
    pub reason: Option<String>,
    /// The last reply that took something away from the client.
    pub reply: Option<String>,
    /// How it ended, as one word.
    pub ended: &'static str,
    /// The findings of the verdict, those that bring points first.
    pub findings: Vec<Finding>,
    /// Every recipient with the reply to it.
    pub recipients: Vec<Answered>,
    /// The answers to messages.
    pub messages: Vec<String>,
    /// Refusals sent by gatepost itself.
    pub replies: Vec<String>,
    /// Whether there was more than is shown.
    pub cut: bool,
    /// Octets from the client.
    pub bytes_in: u64,
    /// Octets to it.
    pub bytes_out: u64,
}

/// A recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// The forward-path.
    pub path: String,
    /// The verdict, as a word.
    pub verdict: &'static str,
    /// What the client was told.
    pub reply: String,
}

impl SessionRecord {
    /// Whether something was refused, put off or cut off, or would have been.
    #[must_use]
    pub fn lost_something(&self) -> bool {
        let judged = self
            .gravest()
            .is_some_and(|verdict| verdict.action > Action::Clear);
        let recipient = self.recipients.iter().any(|one| !one.accepted());
        let message = self.messages.iter().any(|one| !one.accepted());
        let thrown_out = matches!(
            self.ended,
            Ended::Fault(_) | Ended::Dropped | Ended::Refused(_) | Ended::BackendClosed
        );
        judged || recipient || message || thrown_out
    }

    /// The session in short.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let verdict = self.gravest();
        let mut cut = false;
        let client = self.facts.client();
        let findings = verdict.map(|verdict| findings(verdict, &mut cut));
        let reason = verdict.and_then(Verdict::governing).map(|found| {
            let words = match found.evidence.is_empty() {
                true => &*found.reason,
                false => &found.evidence,
            };
            format!("{}: {}", found.check, short(words))
        });
        let recipients = few(&self.recipients, &mut cut).map(|one| Answered {
            path: short(&one.path.to_string()),
            verdict: one.action.label(),
            reply: short(&one.reply.to_string()),
        });
        let recipients: Vec<Answered> = recipients.collect();
        let messages = few(&self.messages, &mut cut);
        let messages = messages.map(|one| short(&one.reply.to_string())).collect();
        let replies = few(&self.replies, &mut cut).map(|one| short(one)).collect();
        Digest {
            id: short(&self.id),
            time: self.started,
            duration_ms: self.duration_ms,
            client: client.map(crate::facts::Client::ip),
            listener: client.map_or_else(String::new, |client| short(&client.listener)),
            policy: short(&self.policy),
            helo: self.facts.helo().map(|helo| short(helo.name.as_str())),
            user: self.user().map(short),
            sender: self.senders().last().map(|path| short(&path)),
            recipient: recipients.first().map(|one| one.path.clone()),
            verdict: verdict.map_or("none", |verdict| verdict.action.label()),
            observed: verdict.is_some_and(|verdict| verdict.observed),
            points: verdict.map_or(Points::ZERO, |verdict| verdict.points),
            reason,
            reply: self.last_refusal().map(|reply| short(&reply)),
            ended: self.ended.label(),
            findings: findings.unwrap_or_default(),
            recipients,
            messages,
            replies,
            cut,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
        }
    }

    /// The user that is logged in.
    pub(in crate::journal) fn user(&self) -> Option<&str> {
        self.facts.user().and_then(|login| login.name.as_deref())
    }

    /// Every reverse-path, in order.
    pub(in crate::journal) fn senders(&self) -> impl Iterator<Item = String> {
        let entries = self.facts.entries().iter();
        entries.filter_map(|entry| match &entry.fact {
            Fact::Mail(mail) => Some(mail.path.to_string()),
            _ => None,
        })
    }

    pub(in crate::journal) fn gravest(&self) -> Option<&Verdict> {
        let verdicts = self.decisions.iter().map(|decision| &decision.verdict);
        verdicts.max_by_key(|verdict| verdict.action)
    }

    fn last_refusal(&self) -> Option<String> {
        let messages = self.messages.iter().rev().filter(|one| !one.accepted());
        let recipients = self.recipients.iter().rev().filter(|one| !one.accepted());
        let told: Option<&Reply> = messages
            .map(|one| &one.reply)
            .chain(recipients.map(|one| &one.reply))
            .next();
        told.map(ToString::to_string)
            .or_else(|| self.replies.last().cloned())
    }
}

/// Those that bring points first.
fn findings(verdict: &Verdict, cut: &mut bool) -> Vec<Finding> {
    let mut findings: Vec<&Finding> = verdict.findings.iter().collect();
    findings.sort_by_key(|finding| finding.points == Points::ZERO);
    few(&findings, cut)
        .map(|finding| Finding {
            evidence: short(&finding.evidence),
            ..(*finding).clone()
        })
        .collect()
}

fn few<'a, T>(all: &'a [T], cut: &mut bool) -> impl Iterator<Item = &'a T> + use<'a, T> {
    *cut |= all.len() > LISTED;
    all.iter().take(LISTED)
}

fn short(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{} …", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
