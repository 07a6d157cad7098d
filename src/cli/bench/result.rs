//! The result of a run, as data: what is written as JSON, and what text and page are made of. Field names are promises.

use serde::Serialize;

use super::Setting;
use super::target::Outcome;
use crate::measure::credit::Credit;
use crate::measure::scenario::Scenario;
use crate::measure::score::{Bands, Comparison, Score};
use crate::measure::trace::Trace;

/// Everything.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    /// Always: nobody sent any of it.
    pub(super) simulated: bool,
    /// gatepost's version.
    pub(super) version: &'static str,
    pub(super) scenario: String,
    pub(super) hash: String,
    pub(super) seed: u64,
    /// Clients that came, special cases and users among them.
    pub(super) errands: usize,
    /// From the first to the last, virtual seconds.
    pub(super) span: u64,
    pub(super) clock: u32,
    pub(super) session_clock: u32,
    pub(super) servers: Vec<Server>,
    /// The first server against each other one.
    pub(super) comparisons: Vec<Comparison>,
    /// What is not as it must be; then the exit code is 1.
    pub(super) broken: Vec<String>,
}

/// What came of it at one server.
#[derive(Debug, Serialize)]
pub(super) struct Server {
    pub(super) score: Score,
    /// How far it hangs on the scenario; not where the scenario is not known.
    pub(super) bands: Option<Bands>,
    /// What each check has brought, where the server's records are at hand.
    pub(super) checks: Vec<Credit>,
    /// Connections that were made.
    pub(super) connections: u64,
    /// How late tries were in fact, seconds: the median, and what 99 of 100 kept.
    pub(super) late: [f64; 2],
    /// Errands that had something left to try at the end.
    pub(super) cut_short: usize,
    /// What has to be known to read the figures.
    pub(super) notes: Vec<String>,
}

impl Server {
    pub(super) fn new(
        trace: &Trace,
        scenario: Option<&Scenario>,
        outcome: &Outcome,
        checks: Vec<Credit>,
    ) -> Self {
        Self {
            score: Score::of(trace, &outcome.played),
            bands: scenario.map(|scenario| Bands::of(scenario, trace, &outcome.played)),
            checks,
            connections: outcome.sessions,
            late: outcome.late.map(|late| late.as_secs_f64()),
            cut_short: outcome.cut_short,
            notes: outcome.notes.clone(),
        }
    }
}

impl Results {
    pub(super) fn new(
        trace: &Trace,
        setting: &Setting,
        servers: Vec<Server>,
        outcomes: &[Outcome],
    ) -> Self {
        let comparisons = outcomes.split_first().map(|(first, others)| {
            let with = |other: &Outcome| Comparison::of(trace, &first.played, &other.played);
            others.iter().map(with).collect()
        });
        Self {
            simulated: true,
            version: env!("CARGO_PKG_VERSION"),
            scenario: trace.scenario.clone(),
            hash: trace.hash.clone(),
            seed: trace.seed,
            errands: trace.errands.len(),
            span: trace.span.as_secs(),
            clock: setting.clock,
            session_clock: setting.session_clock,
            servers,
            comparisons: comparisons.unwrap_or_default(),
            broken: Vec::new(),
        }
    }

    /// Notes what the first server breaks: special cases, integrity, and the limits that were set.
    pub(super) fn judge(&mut self, limits: &Limits) {
        let Some(Server { score, .. }) = self.servers.first() else {
            return;
        };
        let mut broken: Vec<String> = score
            .cases
            .iter()
            .filter(|case| case.failed > 0)
            .map(|case| {
                format!(
                    "special case {}: {} of {} failed",
                    case.case, case.failed, case.sent
                )
            })
            .collect();
        let faults = &score.integrity;
        if !faults.holds() {
            broken.push(format!(
                "{} recipients lost, {} served twice, {} against what was answered",
                faults.lost, faults.duplicates, faults.invented
            ));
        }
        let rejected = score.legitimate_rejected.part;
        if limits
            .max_legit_rejected
            .is_some_and(|most| rejected > most)
        {
            broken.push(format!(
                "--max-legit-rejected: {rejected} legitimate messages were not delivered"
            ));
        }
        let percent = |share: f64| share * 100.0;
        let delayed = percent(score.legitimate_delayed.share);
        if limits.max_legit_delayed.is_some_and(|most| delayed > most) {
            broken.push(format!(
                "--max-legit-delayed: {delayed:.2} % of legitimate messages were delayed"
            ));
        }
        let stopped = percent(score.spam_stopped.share);
        if limits.min_spam_stopped.is_some_and(|least| stopped < least) {
            broken.push(format!(
                "--min-spam-stopped: {stopped:.1} % of spam was stopped"
            ));
        }
        self.broken = broken;
    }
}

/// What must hold.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Limits {
    /// Fail if more legitimate messages than this are refused or lost
    #[arg(long, value_name = "N")]
    max_legit_rejected: Option<u64>,
    /// Fail if a larger part of the legitimate messages is delayed
    #[arg(long, value_name = "PERCENT")]
    max_legit_delayed: Option<f64>,
    /// Fail if a smaller part of the spam is stopped
    #[arg(long, value_name = "PERCENT")]
    min_spam_stopped: Option<f64>,
}
