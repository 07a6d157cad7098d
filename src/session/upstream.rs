//! What all sessions know together about one backend: its settings, what it offered last, and whether it is down.
//!
//! Connections are not shared: behind a PROXY header a connection belongs to one client (PROXY protocol §2), so there
//! is no pool. Shared are the EHLO keywords of the last session that got so far, for they decide what is offered to
//! clients before their own backend connection exists; and the moment until which a backend that could not be reached
//! is not tried again, so that its clients get their 4xx at once.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::config;
use crate::smtp::extension::Extensions;

/// A backend as its sessions see it.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration (`exim` for `[backend.exim]`).
    pub name: Box<str>,
    /// Its settings.
    pub backend: config::Backend,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    offered: Option<Extensions>,
    down_until: Option<Instant>,
}

/// After a failure to reach a backend nobody tries for this long; the next session is the probe.
const BACK_OFF: Duration = Duration::from_secs(1);

impl Upstream {
    /// A backend about which nothing is known yet.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, backend: config::Backend) -> Self {
        Self {
            name: name.into(),
            backend,
            state: Mutex::default(),
        }
    }

    /// What the backend offered when last asked; nothing but the basics before that.
    #[must_use]
    pub fn offered(&self) -> Extensions {
        self.state().offered.clone().unwrap_or_default()
    }

    /// Notes what the backend offers; it is evidently up.
    pub fn is_up(&self, offered: Extensions) {
        let mut state = self.state();
        state.offered = Some(offered);
        if state.down_until.take().is_some() {
            tracing::info!(backend = %self.name, "backend answers again");
        }
    }

    /// Notes that the backend could not be reached.
    pub fn is_down(&self) {
        self.state().down_until = Some(Instant::now() + BACK_OFF);
    }

    /// Whether the backend failed so recently that trying again is of no use yet.
    #[must_use]
    pub fn backs_off(&self) -> bool {
        self.state()
            .down_until
            .is_some_and(|until| Instant::now() < until)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is two plain values: a panic elsewhere can not have left it half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
