//! What it cost: sessions of the backend, CPU, DNS questions, held connections.

use std::time::Duration;

use serde::Serialize;

use super::outcome::Outcome;
use super::part::Part;
use crate::measure::trace::Played;

/// What it cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Connections in all.
    pub connections: u64,
    /// Sessions that the backend had.
    pub backend_sessions: Option<u64>,
    /// Share of connections that made no session of the backend, 0 to 1.
    pub sessions_spared: Option<f64>,
    /// CPU of the server for a thousand connections, seconds.
    pub server_cpu: Option<f64>,
    /// CPU of the backend for a thousand connections, seconds.
    pub backend_cpu: Option<f64>,
    /// DNS questions for a connection; `None` if they can not be seen.
    pub dns: Option<f64>,
    /// CPU of the server for each spam transaction that was stopped, milliseconds.
    pub cpu_per_spam_stopped: Option<f64>,
    /// DNS questions for each.
    pub dns_per_spam_stopped: Option<f64>,
    /// Seconds (real) for which connections of unwanted clients were held, for each.
    pub held_per_spam_stopped: Option<f64>,
}

impl Cost {
    pub(super) fn of(outcomes: &[Outcome<'_>], played: &Played, spam_stopped: &Part) -> Self {
        let connections: usize = outcomes.iter().map(|one| one.tries().count()).sum();
        let thousands = connections as f64 / 1000.0;
        let per_thousand =
            |cpu: Option<f64>| cpu.filter(|_| connections > 0).map(|cpu| cpu / thousands);
        let questions = played.dns_questions.map(|count| count as f64);
        let stopped = spam_stopped.part as f64;
        let per_stopped = |cost: f64| (spam_stopped.part > 0).then(|| cost / stopped);
        let unwanted = outcomes
            .iter()
            .filter(|one| one.is_drawn() && one.is_unwanted());
        let held: Duration = unwanted
            .flat_map(Outcome::tries)
            .map(|tried| tried.took)
            .sum();
        let spared = |sessions: u64| 1.0 - (sessions as f64 / connections as f64).min(1.0);
        Self {
            connections: connections as u64,
            backend_sessions: played.backend_sessions,
            sessions_spared: played
                .backend_sessions
                .filter(|_| connections > 0)
                .map(spared),
            server_cpu: per_thousand(played.server_cpu),
            backend_cpu: per_thousand(played.backend_cpu),
            dns: questions.map(|count| count / connections.max(1) as f64),
            cpu_per_spam_stopped: played.server_cpu.and_then(|cpu| per_stopped(cpu * 1000.0)),
            dns_per_spam_stopped: questions.and_then(per_stopped),
            held_per_spam_stopped: per_stopped(held.as_secs_f64()),
        }
    }
}
