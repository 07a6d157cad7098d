//! Waiting for a condition, with a deadline. Tests never sleep for a fixed time and hope.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything on loopback may take, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(10);

/// Looks until there is something, and returns it; `None` when [`PATIENCE`] is over.
pub(crate) fn until<T>(look: impl FnMut() -> Option<T>) -> Option<T> {
    until_within(PATIENCE, look)
}

/// The same with another end.
pub(crate) fn until_within<T>(
    patience: Duration,
    mut look: impl FnMut() -> Option<T>,
) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(INTERVAL);
    }
}
