//! The wall clock, read here and nowhere else; deadlines use the monotonic clock.

use std::time::SystemTime;

/// The time of day.
#[must_use]
pub(in crate::app) fn now() -> SystemTime {
    SystemTime::now()
}

/// The time of day as facts hold it: whole seconds since 1970 UTC.
pub(in crate::app) fn seconds() -> Option<u64> {
    let since = now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
