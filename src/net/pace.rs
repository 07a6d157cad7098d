//! How fast time passes for what is remembered: as it does, but for measurements, which play a day in minutes.
//!
//! Memory, rates, kept answers and the health of zones live in hours and days; `gatepost bench` has the gate under test
//! take each second for many (`gatepost run --pace`). Sessions do not: what they wait for is real. Set once, before
//! anything is remembered; where it is not set, nothing here changes anything.

use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::Instant;

static PACE: OnceLock<(Instant, u32)> = OnceLock::new();

/// From now on each second is `times` seconds. Only the first call counts.
pub fn set(times: u32) {
    let _ = PACE.set((Instant::now(), times.max(1)));
}

/// How much more time has passed for what is remembered than in fact.
#[must_use]
pub fn ahead() -> Duration {
    match PACE.get() {
        None => Duration::ZERO,
        Some((begun, times)) => begun.elapsed().saturating_mul(times - 1),
    }
}

/// The present, for what is remembered.
#[must_use]
pub fn now() -> Instant {
    Instant::now() + ahead()
}

/// How long a pause between two looks after what is remembered is in fact; at least 20 ms.
#[must_use]
pub fn pause(time: Duration) -> Duration {
    match PACE.get() {
        None | Some((_, 1)) => time,
        Some((_, times)) => (time / *times).max(Duration::from_millis(20)),
    }
}
