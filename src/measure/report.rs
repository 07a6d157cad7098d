//! What the records of real traffic say: how much was refused, by which check, at what cost, and who may have been refused
//! wrongly. Made in one pass, in bounded memory; what was left out for that is said.
//!
//! No record says what was spam. So it is told what was *refused*, *put off* and *handed on*, and nothing else. The words of
//! outcomes are those of the metrics (`docs/metrics.md`), and so are the totals, over the same sessions.

mod delay;
mod fit;
mod html;
mod moment;
mod policy;
mod series;
mod sum;
mod suspects;
mod text;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::checks::policy::Policy;
use crate::journal::{Timestamp, parse};
use crate::measure::stats::Interval;
use crate::measure::tally::look::{Book, Looked};
use crate::measure::tally::{Line, Read, Wanted, each};
use sum::Sum;

pub use delay::Delay;
pub use fit::{FitError, Sorts};
pub use policy::{Brought, CheckRow, PolicyPart, Unit};
pub use series::{Hour, Overlap, TopList, TopRow};
pub use suspects::{Suspect, SuspectKind, Suspects};

/// Everything that is told. Field names are a promise.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this form.
    pub version: u8,
    /// What was read.
    pub read: Read,
    /// The time asked for.
    pub since: Option<Timestamp>,
    /// Its end.
    pub until: Option<Timestamp>,
    /// The listener asked for.
    pub listener: Option<String>,
    /// The policy asked for.
    pub policy: Option<String>,
    /// When the first session began.
    pub first: Option<Timestamp>,
    /// When the last session began.
    pub last: Option<Timestamp>,
    /// Sessions, by how they ended and by their gravest verdict.
    pub sessions: Sessions,
    /// Mail transactions that were begun.
    pub transactions: u64,
    /// Recipients by what became of them.
    pub recipients: BTreeMap<&'static str, u64>,
    /// Messages by the answer to them.
    pub messages: BTreeMap<&'static str, u64>,
    /// Octets from clients.
    pub received_bytes: u64,
    /// Octets to clients.
    pub sent_bytes: u64,
    /// Shares of the whole, with intervals.
    pub shares: Shares,
    /// How far sessions came, and what kept them from the backend.
    pub reached: Vec<ReachedRow>,
    /// What the backend was spared.
    pub spared: Spared,
    /// Questions to the DNS.
    pub dns: Dns,
    /// Each policy and its checks.
    pub policies: Vec<PolicyPart>,
    /// What was found, once for each session.
    pub findings: Vec<FindingRow>,
    /// Recipients that were put off, and how late they came.
    pub delay: Delay,
    /// The wait before the greeting.
    pub greeting: Greeting,
    /// Client networks.
    pub networks: TopList,
    /// Names in HELO.
    pub helo_names: TopList,
    /// Zones, and how far they agree.
    pub zones: Overlap,
    /// Who may have been refused wrongly.
    pub suspects: Suspects,
    /// Hour by hour.
    pub hours: Vec<Hour>,
    /// Sessions by what they did, to fit a scenario to.
    pub sorts: Sorts,
}

/// Sessions.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Sessions {
    /// All.
    pub all: u64,
    /// Of these, those in which the policy only observed: nothing was refused or put off in fact.
    pub observed: u64,
    /// By how they ended.
    pub ended: BTreeMap<&'static str, u64>,
    /// By their gravest verdict.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// By listener.
    pub listeners: BTreeMap<Box<str>, u64>,
}

/// A share of a whole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Of it.
    pub part: u64,
    /// All.
    pub whole: u64,
    /// 0 to 1.
    pub share: f64,
    /// 95 %; over client networks, if `networks` is set, else by Wilson's formula.
    pub interval: Interval,
    /// Whether the interval is from a bootstrap over client networks.
    pub networks: bool,
}

/// The main shares.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Shares {
    /// Sessions that the backend never saw.
    pub kept_from_backend: Part,
    /// Sessions whose connection gatepost dropped.
    pub dropped: Part,
    /// Recipients that were refused for good.
    pub refused: Part,
    /// Recipients that were put off.
    pub put_off: Part,
}

/// How far sessions came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReachedRow {
    /// The last thing that happened: `connect`, `helo`, `mail`, `rcpt`, `data`.
    pub reached: &'static str,
    /// Handed on to the backend.
    pub handed_on: u64,
    /// Ended by gatepost.
    pub cut_off: u64,
    /// All recipients refused.
    pub refused: u64,
    /// Put off.
    pub put_off: u64,
    /// Went by themselves.
    pub left: u64,
}

/// What the backend was spared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spared {
    /// Sessions that it never saw.
    pub sessions: u64,
    /// Octets that clients sent in these.
    pub received_bytes: u64,
    /// Octets of messages that were announced in these (SIZE, RFC 1870) and never sent.
    pub announced_bytes: u64,
    /// Seconds that these sessions lasted, all together.
    pub seconds: u64,
}

/// Questions to the DNS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Dns {
    /// That were asked then.
    pub live: u64,
    /// That the cache answered.
    pub cached: u64,
    /// Asked then, for each session.
    pub live_per_session: f64,
}

/// The wait before the greeting, of sessions that delivered something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Greeting {
    /// Sessions that delivered something.
    pub delivered: u64,
    /// Of these, those that were made to wait.
    pub waited: u64,
    /// How long these waited, on average.
    pub mean_seconds: f64,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingRow {
    /// The check.
    pub check: Box<str>,
    /// Its outcome.
    pub outcome: &'static str,
    /// Its reason.
    pub reason: Box<str>,
    /// Sessions.
    pub sessions: u64,
}

/// Reads the journal in `directory` and reports on the sessions that are `wanted`; `policies` are the configuration's, under
/// which each session is judged again by the name of its own. `progress` hears how many octets of how many are read.
///
/// # Errors
///
/// When the directory is missing or can not be read.
pub fn report(
    directory: &Path,
    wanted: &Wanted,
    policies: &BTreeMap<String, Arc<Policy>>,
    progress: impl FnMut(u64, u64),
) -> io::Result<Report> {
    let book = Book::new(policies);
    let mut sum = Sum::new(&book);
    let look = |line: &[u8]| {
        let Some(record) = parse(line) else {
            return Line::Damaged;
        };
        let listener = record.facts.client().map_or("", |client| &client.listener);
        match wanted.is_at(record.started) && wanted.is_of(listener, &record.policy) {
            true => Line::Wanted(Box::new(Looked::at(record, &book))),
            false => Line::Other,
        }
    };
    let read = each(
        directory,
        wanted.since,
        look,
        |looked: Box<Looked>| sum.add(&looked),
        progress,
    )?;
    Ok(sum.report(read, wanted))
}

impl Report {
    /// As text for a terminal, at most 100 columns.
    #[must_use]
    pub fn text(&self) -> String {
        text::text(self)
    }

    /// As a page; see [`crate::measure::page`].
    ///
    /// # Errors
    ///
    /// When a plot can not be drawn.
    pub fn html(&self) -> Result<String, crate::measure::plot::PlotError> {
        html::html(self)
    }
}

#[cfg(test)]
mod tests;
