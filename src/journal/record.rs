//! What a record of a session holds: all that was seen and decided, enough to judge the session again.
//!
//! The form on disk is a promise: `tests/records/v1.jsonl` must read and write unchanged. Fields may be added with a
//! default; anything else is a new [`VERSION`].

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::checks::replay::Decision;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{Ended, Facts, Millis};
use crate::smtp::path::ForwardPath;
use crate::smtp::reply::{Reply, ReplyClass};

/// The version of the form that is written, and the only one that is read.
pub const VERSION: u8 = 1;

/// Everything about one session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// The version of this form.
    pub version: u8,
    /// The session's id, as in the log and in refusing replies.
    pub id: String,
    /// When the client was accepted.
    pub started: Timestamp,
    /// From accept to end.
    pub duration_ms: Millis,
    /// The policy's name.
    pub policy: String,
    /// What was learnt, raw and in order.
    pub facts: Facts,
    /// What was decided, each with how much was known.
    pub decisions: Vec<Decision>,
    /// What became of each recipient.
    pub recipients: Vec<RecipientOutcome>,
    /// What became of each message.
    pub messages: Vec<MessageOutcome>,
    /// Refusals sent, each as one line.
    pub replies: Vec<String>,
    /// How the session ended.
    pub ended: Ended,
    /// Octets received from the client.
    pub bytes_in: u64,
    /// Octets sent to the client.
    pub bytes_out: u64,
    /// What is only counted, because the session was too long to keep all of it.
    #[serde(default, skip_serializing_if = "Beyond::is_empty")]
    pub beyond: Beyond,
}

/// Recipients and messages of a session that are counted and not kept, by what became of them, in the words of the metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Beyond {
    /// Recipients: `taken`, `rejected`, `deferred`, `greylist`, `deny`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub recipients: BTreeMap<Box<str>, u64>,
    /// Messages: `delivered`, `rejected`, `deferred`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub messages: BTreeMap<Box<str>, u64>,
}

impl Beyond {
    /// Whether all was kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recipients.is_empty() && self.messages.is_empty()
    }

    /// Counts a recipient.
    pub fn recipient(&mut self, outcome: &str) {
        *self.recipients.entry(outcome.into()).or_default() += 1;
    }

    /// Counts a message.
    pub fn message(&mut self, outcome: &str) {
        *self.messages.entry(outcome.into()).or_default() += 1;
    }
}

impl SessionRecord {
    /// When the session ended, by the wall clock at its start and the monotonic clock from there.
    #[must_use]
    pub fn ended_at(&self) -> Timestamp {
        let ended = self.started.0.checked_add(self.duration_ms.into());
        ended.map_or(self.started, timestamp)
    }

    /// About how much memory it takes, in entries; for the bound of the queue.
    pub(in crate::journal) fn entries(&self) -> usize {
        let findings: usize = self
            .decisions
            .iter()
            .map(|decision| 1 + decision.verdict.findings.len())
            .sum();
        let outcomes = self.recipients.len() + self.messages.len() + self.replies.len();
        1 + self.facts.entries().len() + findings + outcomes
    }
}

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecipientOutcome {
    /// The forward-path.
    pub path: ForwardPath,
    /// What the points called for.
    pub action: Action,
    /// Whether it is exempt from filtering.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exempt: bool,
    /// What the client was told.
    pub reply: Reply,
}

impl RecipientOutcome {
    /// The recipient `path`, judged by `verdict` and answered with `reply`.
    #[must_use]
    pub fn new(path: &ForwardPath, verdict: &Verdict, reply: &Reply) -> Self {
        let Verdict { action, exempt, .. } = *verdict;
        Self {
            path: path.clone(),
            action,
            exempt,
            reply: reply.clone(),
        }
    }

    /// Whether the recipient was taken.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.reply.class() == ReplyClass::Positive
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageOutcome {
    /// Octets of mail data, the final dot not counted.
    pub size: u64,
    /// What the client was told.
    pub reply: Reply,
}

impl MessageOutcome {
    /// A message of `size` octets, answered with `reply`.
    #[must_use]
    pub fn new(size: u64, reply: &Reply) -> Self {
        Self {
            size,
            reply: reply.clone(),
        }
    }

    /// Whether the message was taken.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.reply.class() == ReplyClass::Positive
    }
}

/// A point in time, whole milliseconds, in UTC; as text by RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Timestamp(SystemTime);

/// `time` as records keep it. Times before 1970 or after the year 9999 are brought to the nearer end.
#[must_use]
pub fn timestamp(time: SystemTime) -> Timestamp {
    /// The last second of the year 9999, since 1970.
    const LAST: Duration = Duration::from_secs(253_402_300_799);
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default()
        .min(LAST);
    let millis = Duration::new(since.as_secs(), since.subsec_millis() * 1_000_000);
    Timestamp(
        SystemTime::UNIX_EPOCH
            .checked_add(millis)
            .unwrap_or(SystemTime::UNIX_EPOCH),
    )
}

impl Timestamp {
    /// It as a time of the system.
    #[must_use]
    pub const fn time(self) -> SystemTime {
        self.0
    }
}

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        humantime::format_rfc3339_millis(self.0).fmt(f)
    }
}

impl From<Timestamp> for String {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.to_string()
    }
}

impl TryFrom<String> for Timestamp {
    type Error = humantime::TimestampError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        humantime::parse_rfc3339(&text).map(timestamp)
    }
}
