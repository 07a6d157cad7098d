//! Moments of the records, as a report shows them.

use std::time::{Duration, SystemTime};

use crate::journal::{Timestamp, timestamp};

/// Milliseconds since 1970 UTC as a time.
pub(super) fn time(millis: u64) -> Timestamp {
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    timestamp(time.unwrap_or(SystemTime::UNIX_EPOCH))
}
