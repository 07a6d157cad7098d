//! Looking for sessions in the journal, by what somebody has at hand: an address, a sender, a recipient, a session id; or by
//! several of them at once, with verdict, check and time.
//!
//! The newest files first, within a bound of octets, time and hits: whoever asks is told when it was cut. Blocks.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use memchr::memmem::Finder;

use crate::checks::finding::{Finding, Outcome};
use crate::checks::judge;
use crate::checks::points::Points;
use crate::checks::policy::Policy;
use crate::journal::digest::Digest;
use crate::journal::files;
use crate::journal::parse::parse;
use crate::journal::read::Records;
use crate::journal::record::{SessionRecord, Timestamp};

/// Between two looks at the clock.
const LINES: usize = 256;

/// How much may be looked at.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Octets of files.
    pub octets: u64,
    /// Time.
    pub time: Duration,
    /// Sessions found; the newest are kept.
    pub hits: usize,
    /// Sessions that ended before this are left out, as far as whole files go.
    pub since: Option<Timestamp>,
}

/// What was found, the newest first.
#[derive(Debug, Default)]
pub struct Hits {
    /// The sessions.
    pub digests: Vec<Digest>,
    /// Whether a bound was reached, so that there may be more.
    pub cut: bool,
}

/// What is looked for; letters of ASCII in either case are the same.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    text: String,
    filter: Filter,
}

/// What a session must be besides; what is not said may be anything. Texts are looked for anywhere in what they are about.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// The client's network.
    pub client: Option<IpNet>,
    /// A name in HELO.
    pub helo: Option<String>,
    /// A sender.
    pub sender: Option<String>,
    /// A recipient.
    pub recipient: Option<String>,
    /// The gravest verdict, as a word; `none` where nobody was judged.
    pub verdict: Option<String>,
    /// A check that spoke for or against the client; in a session in which nothing was decided, if it were judged now.
    pub check: Option<String>,
    /// The policies to judge these by, by name; without, no check has spoken in them.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// The listener.
    pub listener: Option<String>,
    /// It began at this time or later.
    pub since: Option<Timestamp>,
    /// It began before.
    pub until: Option<Timestamp>,
}

impl Filter {
    fn texts(&mut self) -> [&mut Option<String>; 3] {
        [&mut self.helo, &mut self.sender, &mut self.recipient]
    }

    fn is_met_by(&self, record: &SessionRecord) -> bool {
        let client = record.facts.client();
        let is_or_any =
            |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|it| it == is);
        self.since.is_none_or(|since| record.started >= since)
            && self.until.is_none_or(|until| record.started < until)
            && is_or_any(&self.listener, client.map_or("", |client| &client.listener))
            && self.client.is_none_or(|wanted| {
                client.is_some_and(|client| wanted.contains(&client.ip().to_canonical()))
            })
            && is_or_any(
                &self.verdict,
                record.gravest().map_or("none", |one| one.action.label()),
            )
            && self
                .check
                .as_ref()
                .is_none_or(|check| spoke(record, check, &self.policies))
            && is_in_any(
                &self.helo,
                record
                    .facts
                    .helos()
                    .map(|helo| helo.name.as_str().to_owned()),
            )
            && is_in_any(&self.sender, record.senders())
            && is_in_any(
                &self.recipient,
                record.recipients.iter().map(|one| one.path.to_string()),
            )
    }
}

/// Whether a check spoke for or against the client.
fn spoke(record: &SessionRecord, check: &str, policies: &BTreeMap<String, Arc<Policy>>) -> bool {
    let speaks = |finding: &Finding| {
        finding.check == check
            && (finding.points != Points::ZERO
                || matches!(
                    finding.outcome,
                    Outcome::Allow | Outcome::Deny | Outcome::PutOff
                ))
    };
    if !record.decisions.is_empty() {
        let verdicts = record.decisions.iter().map(|one| &one.verdict);
        return verdicts.flat_map(|one| &one.findings).any(speaks);
    }
    let policy = policies.get(&record.policy);
    policy.is_some_and(|policy| {
        let judgement = judge(policy, &record.facts);
        judgement.verdict().findings.iter().any(speaks)
    })
}

fn is_in_any(wanted: &Option<String>, mut all: impl Iterator<Item = String>) -> bool {
    wanted
        .as_ref()
        .is_none_or(|wanted| all.any(|one| one.to_ascii_lowercase().contains(wanted)))
}

impl Wanted {
    /// Whatever contains `text` in its id, its client's address, a name in HELO, a sender or a recipient.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self {
            text: text.trim().to_ascii_lowercase(),
            filter: Filter::default(),
        }
    }

    /// Whatever meets a filter.
    #[must_use]
    pub fn filtered(mut filter: Filter) -> Self {
        for text in filter.texts().into_iter().flatten() {
            text.make_ascii_lowercase();
        }
        Self {
            text: String::new(),
            filter,
        }
    }

    /// Whether a digest is wanted.
    #[must_use]
    pub fn is_in(&self, digest: &Digest) -> bool {
        let client = digest.client.map(|client| client.to_string());
        let paths = digest.recipients.iter().map(|one| &one.path);
        let words = [&client, &digest.helo, &digest.sender];
        let mut all = words.into_iter().flatten().chain([&digest.id]).chain(paths);
        all.any(|text| self.matches(text))
    }

    /// The record in a line, if it is wanted. Most are not, and need not be understood.
    fn record(&self, needle: &Finder<'_>, line: &[u8]) -> Option<SessionRecord> {
        needle.find(&line.to_ascii_lowercase())?;
        parse(line).filter(|record| self.is_in_record(record) && self.filter.is_met_by(record))
    }

    fn is_in_record(&self, record: &SessionRecord) -> bool {
        let client = record.facts.client().map(|client| client.ip().to_string());
        self.matches(&record.id)
            || client.is_some_and(|client| self.matches(&client))
            || record
                .facts
                .helo()
                .is_some_and(|helo| self.matches(helo.name.as_str()))
            || record.user().is_some_and(|user| self.matches(user))
            || record.senders().any(|sender| self.matches(&sender))
            || record
                .recipients
                .iter()
                .any(|one| self.matches(&one.path.to_string()))
    }

    fn matches(&self, text: &str) -> bool {
        text.to_ascii_lowercase().contains(&self.text)
    }

    /// As it stands in a line, where quotes and the like are escaped.
    fn in_a_line(&self) -> String {
        let texts = [
            &self.filter.helo,
            &self.filter.sender,
            &self.filter.recipient,
        ];
        let texts = texts.into_iter().flatten().chain([&self.text]);
        let longest = texts.max_by_key(|text| text.len());
        let escaped = serde_json::to_string(longest.map_or("", |text| text)).unwrap_or_default();
        let inner = escaped.get(1..escaped.len().saturating_sub(1));
        inner.unwrap_or_default().to_owned()
    }
}

/// Sessions in `directory` that are `wanted`.
///
/// # Errors
///
/// When the directory is missing or can not be read.
pub fn search(directory: &Path, wanted: &Wanted, bounds: Bounds) -> io::Result<Hits> {
    let deadline = Instant::now() + bounds.time;
    let line = wanted.in_a_line();
    let needle = Finder::new(line.as_bytes());
    let mut left = bounds.octets;
    let mut hits = Hits::default();
    let mut files = files::list(directory)?;
    while let Some(file) = files.pop() {
        // Its last session ended before the first of the next file.
        let begins = file.time;
        match left.checked_sub(file.size) {
            Some(rest) => left = rest,
            None => {
                hits.cut = true;
                return Ok(hits);
            }
        }
        let mut found = VecDeque::new();
        let room = bounds.hits.saturating_sub(hits.digests.len());
        for (number, line) in Records::of(file).lines().enumerate() {
            if number.is_multiple_of(LINES) && Instant::now() >= deadline {
                hits.cut = true;
                break;
            }
            let Some(record) = wanted.record(&needle, &line) else {
                continue;
            };
            found.push_back(record.digest());
            if found.len() > room {
                found.pop_front();
                hits.cut = true;
            }
        }
        hits.digests.extend(found.into_iter().rev());
        let old = bounds.since.is_some_and(|since| begins < since);
        let full = hits.cut || hits.digests.len() >= bounds.hits;
        if full || old {
            hits.cut |= full && !old && !files.is_empty();
            return Ok(hits);
        }
    }
    Ok(hits)
}

#[cfg(test)]
mod tests;
