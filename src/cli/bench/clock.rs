//! The compressed clock of a run: virtual time for arrivals, retries, listings and what the gate remembers; session time
//! for what one client waits for.
//!
//! Two factors, because a session can not be pressed as far as a day: sockets, timers and processors take what they take.
//! Virtual time stands still until the players begin, while the servers already ask for names.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

/// When the run began and how fast it goes. A clone is the same clock.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Clock {
    begun: Arc<OnceLock<Instant>>,
    times: u32,
    session: u32,
}

impl Clock {
    /// Each second will be `times` virtual ones, and `session` of those that clients wait.
    pub(in crate::cli) fn new(times: u32, session: u32) -> Self {
        Self {
            begun: Arc::default(),
            times: times.max(1),
            session: session.max(1),
        }
    }

    /// Virtual time begins.
    pub(in crate::cli) fn start(&self) {
        let _ = self.begun.set(Instant::now());
    }

    /// Virtual time since the beginning.
    pub(in crate::cli) fn now(&self) -> Duration {
        self.elapsed().saturating_mul(self.times)
    }

    /// When it is so late, in fact.
    pub(in crate::cli) fn at(&self, time: Duration) -> Instant {
        let begun = self.begun.get().copied();
        begun.unwrap_or_else(Instant::now) + time / self.times
    }

    /// How long a wait within a session takes in fact.
    pub(in crate::cli) fn wait(&self, time: Duration) -> Duration {
        time / self.session
    }

    /// Since the beginning, in fact.
    pub(in crate::cli) fn elapsed(&self) -> Duration {
        self.begun.get().map_or(Duration::ZERO, Instant::elapsed)
    }
}
