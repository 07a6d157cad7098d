//! The wall clock, read here and nowhere else; deadlines use the monotonic clock.

use std::time::SystemTime;

/// The time of day.
#[must_use]
pub(in crate::app) fn now() -> SystemTime {
    SystemTime::now()
}
