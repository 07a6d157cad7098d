//! Two servers that were put through the same trace: the same message at both, pair by pair.

use std::collections::BTreeMap;

use serde::Serialize;

use super::outcome::{self, Fate, Outcome};
use crate::measure::stats::{self, Interval};
use crate::measure::trace::{Label, Played, Trace};

/// What two servers did differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The first server.
    pub first: String,
    /// The second.
    pub second: String,
    /// Spam transactions that were stopped.
    pub spam_stopped: Paired,
    /// Spam and hostile connections (first tries) that did not reach the backend, where both can tell.
    pub hostile_stopped: Option<Paired>,
    /// Legitimate transactions that were refused or lost.
    pub legitimate_rejected: Paired,
    /// CPU of server and backend together for the whole trace, seconds: first, second.
    pub cpu: Option<[f64; 2]>,
    /// Sessions of the backend: first, second.
    pub backend_sessions: Option<[u64; 2]>,
}

/// How often it happened at both, at one, at none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Paired {
    /// At both.
    pub both: u64,
    /// At the first only.
    pub only_first: u64,
    /// At the second only.
    pub only_second: u64,
    /// At none.
    pub neither: u64,
    /// How likely such a difference, or more, is if there is none (McNemar), as if all were independent.
    pub p: f64,
    /// The first's share less the second's, -1 to 1.
    pub difference: f64,
    /// Its interval over hosts and networks that are independent of each other (bootstrap).
    pub by_cluster: Option<Interval>,
}

/// Both, only the first, only the second, neither.
type Table = [u64; 4];

impl Comparison {
    /// Compares two servers.
    #[must_use]
    pub fn of(trace: &Trace, first: &Played, second: &Played) -> Self {
        let pairs: Vec<(Outcome<'_>, Outcome<'_>)> = outcome::all(trace, first)
            .into_iter()
            .zip(outcome::all(trace, second))
            .collect();
        // Only what went well for the player at both.
        let pairs: Vec<_> = pairs
            .iter()
            .filter(|(one, other)| {
                one.is_drawn() && one.trouble().is_none() && other.trouble().is_none()
            })
            .collect();
        let messages = |label: Label, such: fn(Fate) -> bool| {
            let mut tables: BTreeMap<u32, Table> = BTreeMap::new();
            for (one, other) in pairs.iter().filter(|(one, _)| one.is_counted(label)) {
                for (first, second) in one.messages().zip(other.messages()) {
                    count(&mut tables, one, such(first.fate), such(second.fate));
                }
            }
            Paired::of(tables, trace.seed)
        };
        let mut connections: BTreeMap<u32, Table> = BTreeMap::new();
        for (one, other) in pairs.iter().filter(|(one, _)| one.is_unwanted()) {
            let reached =
                |outcome: &Outcome<'_>| outcome.tries().next().and_then(|tried| tried.reached);
            if let (Some(first), Some(second)) = (reached(one), reached(other)) {
                count(&mut connections, one, !first, !second);
            }
        }
        let cpu =
            |played: &Played| Some(played.server_cpu? + played.backend_cpu.unwrap_or_default());
        Self {
            first: first.target.clone(),
            second: second.target.clone(),
            spam_stopped: messages(Label::Spam, |fate| {
                !matches!(fate, Fate::Delivered | Fate::Partly)
            }),
            hostile_stopped: (!connections.is_empty()).then(|| Paired::of(connections, trace.seed)),
            legitimate_rejected: messages(Label::Legitimate, |fate| fate != Fate::Delivered),
            cpu: cpu(first).zip(cpu(second)).map(<[f64; 2]>::from),
            backend_sessions: first
                .backend_sessions
                .zip(second.backend_sessions)
                .map(<[u64; 2]>::from),
        }
    }
}

fn count(tables: &mut BTreeMap<u32, Table>, outcome: &Outcome<'_>, first: bool, second: bool) {
    let [both, only_first, only_second, neither] =
        tables.entry(outcome.errand.cluster).or_default();
    *match (first, second) {
        (true, true) => both,
        (true, false) => only_first,
        (false, true) => only_second,
        (false, false) => neither,
    } += 1;
}

impl Paired {
    fn of(tables: BTreeMap<u32, Table>, seed: u64) -> Self {
        let tables: Vec<Table> = tables.into_values().collect();
        let sum = |at: fn(&Table) -> u64| tables.iter().map(at).sum::<u64>();
        let [both, only_first, only_second, neither] = [
            sum(|[both, ..]| *both),
            sum(|[_, only, ..]| *only),
            sum(|[_, _, only, _]| *only),
            sum(|[.., neither]| *neither),
        ];
        let difference = |tables: &[&Table]| {
            let (mut apart, mut all) = (0.0, 0.0);
            for [both, first, second, neither] in tables {
                apart += *first as f64 - *second as f64;
                all += (both + first + second + neither) as f64;
            }
            if all > 0.0 { apart / all } else { 0.0 }
        };
        Self {
            both,
            only_first,
            only_second,
            neither,
            p: stats::mcnemar(only_first, only_second),
            difference: difference(&tables.iter().collect::<Vec<_>>()),
            by_cluster: stats::bootstrap(&tables, seed, difference),
        }
    }
}
