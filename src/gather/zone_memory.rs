//! The health of zones across a restart: what the last tests have shown is kept, and holds again until the next test.
//!
//! Without it a list that lists everything would be believed after each restart until its first test is in, and a dead one
//! waited for. It is kept as JSON under the name the zone is shown by; what can not be read is as good as nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::gather::Inner;
use crate::gather::fitness::Fitness;
use crate::gather::memory::Remembrance;

/// How long it holds: what was known two days ago may have been mended, and the first test comes within seconds.
const LIFETIME: Duration = Duration::from_hours(48);

/// What outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::gather) struct Health {
    /// What the last test has shown.
    pub(in crate::gather) fitness: Fitness,
    /// Whether the zone has left so many lookups unanswered that nobody waits for it.
    pub(in crate::gather) silent: bool,
}

/// Takes up what is remembered of the watched zones of which nothing is known yet.
pub(in crate::gather) async fn restore(inner: &Inner, memory: &Remembrance) {
    for (zone, breaker) in inner.zones.all().iter() {
        let Some(kept) = memory.zone(zone.shown()).await else {
            continue;
        };
        if let Ok(health) = serde_json::from_slice(&kept) {
            breaker.restore(health);
        }
    }
}

/// Keeps how the watched zones are. Those whose health is remembered already are written again, for it expires.
pub(in crate::gather) fn keep(inner: &Inner, memory: &Remembrance) {
    for (zone, breaker) in inner.zones.all().iter() {
        if let Ok(health) = serde_json::to_vec(&breaker.health()) {
            memory.keep_zone(zone.shown(), &health, LIFETIME);
        }
    }
}
