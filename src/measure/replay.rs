//! A journal judged again: under another policy, to see what it would have changed; or under the same, to see that every
//! verdict is reproduced.
//!
//! [`replay`](crate::checks::replay()) does the judging, decision by decision. Here sessions are counted. A session's change is
//! the most telling of its decisions': [`Change::Harsher`] before [`Change::Undecided`], then [`Change::WentOn`], [`Change::Milder`]
//! and [`Change::Same`]. In a session in which nothing was decided, the other policy can only have dropped it.

mod brief;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::checks::policy::Policy;
use crate::checks::replay::{self as kernel, Decision, Replayed};
use crate::checks::verdict::{Action, Verdict};
use crate::checks::{Judgement, judge};
use crate::facts::{Facts, Question, Recall};
use crate::journal::Timestamp;
use crate::measure::tally::{Line, Read, Wanted, each};
use brief::Brief;

/// Sessions behind a number that are kept, unless more are asked for.
pub const FIRST: usize = 5;
/// Kinds of missing questions that are told apart.
const TOLD_APART: usize = 256;

/// How a session would have gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The same would have been done.
    Same,
    /// Less would have been done against the client.
    Milder,
    /// It was dropped and would have gone on; what would have followed is not known.
    WentOn,
    /// Questions that were not asked could decide it either way.
    Undecided,
    /// More would have been done against the client.
    Harsher,
}

impl Change {
    /// Every one, in the order in which they are told.
    pub const ALL: [Self; 5] = [
        Self::Same,
        Self::Harsher,
        Self::Milder,
        Self::WentOn,
        Self::Undecided,
    ];

    /// It as a word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Milder => "milder",
            Self::WentOn => "went_on",
            Self::Undecided => "undecided",
            Self::Harsher => "harsher",
        }
    }

    const fn of(change: &kernel::Change) -> Self {
        match change {
            kernel::Change::Same => Self::Same,
            kernel::Change::Harsher => Self::Harsher,
            kernel::Change::Milder => Self::Milder,
            kernel::Change::WentOn => Self::WentOn,
            kernel::Change::Undecided(_) => Self::Undecided,
        }
    }
}

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Which sessions.
    pub wanted: Wanted,
    /// The policy by which they are judged; by the name of their own if none is said.
    pub name: Option<String>,
    /// Of which change more than [`FIRST`] sessions are wanted, and how many.
    pub list: Option<(Change, usize)>,
}

/// What would have changed. Field names are a promise.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Changes {
    /// What was read.
    pub read: Read,
    /// Sessions that were judged again.
    pub sessions: u64,
    /// Their decisions.
    pub decisions: u64,
    /// Sessions whose policy is not in the file.
    pub no_such_policy: u64,
    /// The names of these policies.
    pub policies_missing: Vec<Box<str>>,
    /// Sessions by their change.
    pub changes: BTreeMap<&'static str, u64>,
    /// The first sessions behind each number but `same`, in the order in which they ended.
    pub first: BTreeMap<&'static str, Vec<Row>>,
    /// What was not asked then, with the sessions that are undecided for it.
    pub missing: BTreeMap<String, u64>,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its id.
    pub id: Box<str>,
    /// When it began.
    pub time: Timestamp,
    /// What was done.
    pub was: Action,
    /// What would have been done.
    pub would_be: Action,
}

/// What came of judging again under the same policy. Field names are a promise.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// What was read.
    pub read: Read,
    /// Sessions that were judged again.
    pub sessions: u64,
    /// Their decisions.
    pub decisions: u64,
    /// Sessions whose policy is not in the configuration.
    pub no_such_policy: u64,
    /// The names of these policies.
    pub policies_missing: Vec<Box<str>>,
    /// Decisions that came out otherwise.
    pub differences: u64,
    /// The first of them.
    pub first: Vec<Difference>,
}

/// A decision that came out otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The session's id.
    pub id: Box<str>,
    /// Its decision, counted from 1.
    pub decision: usize,
    /// What was recorded.
    pub was: String,
    /// What comes out now.
    pub is: String,
}

/// A session judged again.
struct Again {
    row: Row,
    change: Change,
    decisions: u64,
    missing: Vec<String>,
}

/// Judges every wanted session of the journal in `directory` again under `policies`, by the name that is asked for or its
/// own. `progress` hears how many octets of how many are read.
///
/// # Errors
///
/// When the directory is missing or can not be read.
pub fn replay(
    directory: &Path,
    policies: &BTreeMap<String, Arc<Policy>>,
    options: &Options,
    progress: impl FnMut(u64, u64),
) -> io::Result<Changes> {
    let mut changes = Changes::default();
    changes
        .changes
        .extend(Change::ALL.map(|change| (change.label(), 0)));
    let zones = zones(policies);
    let look = |line: &[u8]| {
        look(line, &options.wanted, |brief| {
            let name = options.name.as_deref().unwrap_or(&brief.policy);
            let policy = policies.get(name).ok_or(brief.policy.clone())?;
            Ok(again(policy, brief, &zones))
        })
    };
    changes.read = each(
        directory,
        options.wanted.since,
        look,
        |looked: Result<Again, Box<str>>| match looked {
            Ok(again) => changes_add(&mut changes, again, options),
            Err(name) => missing_policy(
                &mut changes.no_such_policy,
                &mut changes.policies_missing,
                name,
            ),
        },
        progress,
    )?;
    Ok(changes)
}

/// Judges every wanted session again under the policy of its own name, and compares action and points of each decision.
///
/// # Errors
///
/// As [`replay`].
pub fn verify(
    directory: &Path,
    policies: &BTreeMap<String, Arc<Policy>>,
    wanted: &Wanted,
    progress: impl FnMut(u64, u64),
) -> io::Result<Verified> {
    let mut verified = Verified::default();
    let look = |line: &[u8]| {
        look(line, wanted, |brief| match policies.get(&*brief.policy) {
            Some(policy) => Ok((brief.decisions.len(), differences(policy, brief))),
            None => Err(brief.policy),
        })
    };
    verified.read = each(
        directory,
        wanted.since,
        look,
        |looked| match looked {
            Ok((decisions, differences)) => {
                verified.sessions += 1;
                verified.decisions += u64::try_from(decisions).unwrap_or_default();
                verified.differences += u64::try_from(differences.len()).unwrap_or_default();
                let room = (4 * FIRST).saturating_sub(verified.first.len());
                verified.first.extend(differences.into_iter().take(room));
            }
            Err(name) => missing_policy(
                &mut verified.no_such_policy,
                &mut verified.policies_missing,
                name,
            ),
        },
        progress,
    )?;
    Ok(verified)
}

fn look<T>(line: &[u8], wanted: &Wanted, make: impl FnOnce(Brief) -> T) -> Line<T> {
    let Some(brief) = Brief::parse(line) else {
        return Line::Damaged;
    };
    let listener = brief.facts.client().map_or("", |client| &client.listener);
    match wanted.is_at(brief.started) && wanted.is_of(listener, &brief.policy) {
        true => Line::Wanted(make(brief)),
        false => Line::Other,
    }
}

fn missing_policy(count: &mut u64, names: &mut Vec<Box<str>>, name: Box<str>) {
    *count += 1;
    if names.len() < TOLD_APART && !names.contains(&name) {
        names.push(name);
    }
}

fn changes_add(changes: &mut Changes, again: Again, options: &Options) {
    changes.sessions += 1;
    changes.decisions += again.decisions;
    *changes.changes.entry(again.change.label()).or_default() += 1;
    for question in again.missing {
        if changes.missing.len() < TOLD_APART || changes.missing.contains_key(&question) {
            *changes.missing.entry(question).or_default() += 1;
        }
    }
    let most = match options.list {
        Some((change, most)) if change == again.change => most,
        _ if again.change == Change::Same => 0,
        _ => FIRST,
    };
    let first = changes.first.entry(again.change.label()).or_default();
    if first.len() < most {
        first.push(again.row);
    }
}

fn again(policy: &Policy, brief: Brief, zones: &[String]) -> Again {
    let gravest =
        |actions: &mut dyn Iterator<Item = Action>| actions.max().unwrap_or(Action::Clear);
    let was = gravest(&mut brief.decisions.iter().map(|one| one.verdict.enforced()));
    let decisions = u64::try_from(brief.decisions.len()).unwrap_or_default();
    let replayed = match brief.decisions.is_empty() {
        true => undecided_session(policy, &brief.facts)
            .into_iter()
            .collect(),
        false => kernel::replay_owned(policy, brief.facts, &brief.decisions),
    };
    let would_be = gravest(&mut replayed.iter().map(|one| one.verdict.enforced()));
    let mut missing: Vec<String> = Vec::new();
    for replayed in &replayed {
        if let kernel::Change::Undecided(questions) = &replayed.change {
            missing.extend(questions.iter().map(|question| kind(question, zones)));
        }
    }
    missing.sort_unstable();
    missing.dedup();
    let changes = replayed.iter().map(|one| Change::of(&one.change));
    Again {
        row: Row {
            id: brief.id,
            time: brief.started,
            was,
            would_be,
        },
        change: changes.max().unwrap_or(Change::Same),
        decisions,
        missing,
    }
}

/// A session in which nothing was decided: it has named no recipient and was not dropped. What is not known of it, because it
/// went before, leaves it as it was.
fn undecided_session(policy: &Policy, facts: &Facts) -> Option<Replayed> {
    let verdict = match judge(policy, facts) {
        Judgement::Decide { verdict, .. } => verdict,
        Judgement::Ask { .. } => return None,
    };
    (verdict.enforced() == Action::Drop).then_some(Replayed {
        change: kernel::Change::Harsher,
        verdict,
    })
}

fn differences(policy: &Policy, brief: Brief) -> Vec<Difference> {
    let Brief {
        id,
        mut facts,
        decisions,
        ..
    } = brief;
    let (mut later, mut differences) = (Vec::new(), Vec::new());
    for (number, Decision { seen, verdict: was }) in decisions.iter().enumerate().rev() {
        facts.wind(*seen, &mut later);
        let judgement = judge(policy, &facts);
        let is = judgement.verdict();
        // Whether the policy observes is no part of it: a journal of the weeks before is reproduced when it denies.
        if (was.action, was.points) != (is.action, is.points) {
            differences.push(Difference {
                id: id.clone(),
                decision: number + 1,
                was: told(was),
                is: told(is),
            });
        }
    }
    differences.reverse();
    differences
}

fn told(verdict: &Verdict) -> String {
    let exempt = if verdict.exempt { ", exempt" } else { "" };
    format!(
        "{} with {} points{exempt}",
        verdict.action.label(),
        verdict.points
    )
}

/// The zones of all policies, as they are shown.
fn zones(policies: &BTreeMap<String, Arc<Policy>>) -> Vec<String> {
    let checks = policies.values().flat_map(|policy| &policy.checks);
    let zones = checks.flat_map(|check| check.zones());
    let mut zones: Vec<String> = zones.map(|(zone, _)| zone.shown().to_owned()).collect();
    zones.sort_unstable();
    zones.dedup();
    zones
}

/// A question without whom it is about.
fn kind(question: &Question, zones: &[String]) -> String {
    match question {
        Question::Dns { name, kind } => {
            let front = |zone: &&String| {
                name.shown()
                    .strip_suffix(zone.as_str())
                    .is_some_and(|front| front.ends_with('.'))
            };
            match zones.iter().filter(front).max_by_key(|zone| zone.len()) {
                Some(zone) => format!("{} in {zone}", kind.as_str()),
                None => format!("{} of a name", kind.as_str()),
            }
        }
        Question::Silence { wait, teaser } => {
            let teaser = if *teaser { "with" } else { "without" };
            format!("silence of {wait} {teaser} a first line")
        }
        Question::Memory(Recall::Pass(_)) => "memory of a pass".to_owned(),
        Question::Memory(Recall::Triplet { .. }) => "memory of a triplet".to_owned(),
        Question::Memory(Recall::Harvest(_)) => "memory of refused recipients".to_owned(),
        Question::Memory(Recall::Tried { .. }) => "memory of who was at the primary".to_owned(),
        Question::Primary(_) => "whether the primary is up".to_owned(),
        Question::Count(_) => "counts of recipients".to_owned(),
    }
}

#[cfg(test)]
mod tests;
