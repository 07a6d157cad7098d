//! The wall clock, read here and nowhere else; deadlines use the monotonic clock.
//!
//! It goes as fast as what is remembered ([`pace`]).

use std::time::SystemTime;

use crate::net::pace;

/// The time of day.
#[must_use]
pub(in crate::app) fn now() -> SystemTime {
    SystemTime::now() + pace::ahead()
}

/// The time of day as facts hold it: whole seconds since 1970 UTC.
pub(in crate::app) fn seconds() -> Option<u64> {
    let since = now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(since.as_secs())
}
