//! Times on the command line: a day, a time of a day, or how long ago; in UTC, as records have them.

use std::time::Duration;

use crate::app;
use crate::journal::{Timestamp, timestamp};

/// What is expected.
const EXPECTED: &str = "write a day such as 2026-11-21, a time such as 2026-11-21T10:00 (both in UTC), or how long ago, such as 24h or 7d";

/// Reads one.
pub(in crate::cli) fn time(text: &str) -> Result<Timestamp, String> {
    if let Some(time) = at(text) {
        return Ok(time);
    }
    ago(text)
        .map(|long| timestamp(app::ago(long)))
        .ok_or_else(|| EXPECTED.to_owned())
}

fn at(text: &str) -> Option<Timestamp> {
    let plain = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let whole = match plain.len() {
        // A day.
        10 if plain.len() == text.len() => format!("{plain}T00:00:00Z"),
        // Without seconds.
        16 => format!("{plain}:00Z"),
        _ => format!("{plain}Z"),
    };
    Timestamp::try_from(whole.replacen(' ', "T", 1)).ok()
}

fn ago(text: &str) -> Option<Duration> {
    let text = text.strip_suffix(" ago").unwrap_or(text);
    humantime::parse_duration(text).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn days_and_times_are_read_in_utc() {
        for (text, time) in [
            ("2026-11-21", "2026-11-21T00:00:00.000Z"),
            ("2026-11-21T10:00", "2026-11-21T10:00:00.000Z"),
            ("2026-11-21 10:00", "2026-11-21T10:00:00.000Z"),
            ("2026-11-21T10:00:30Z", "2026-11-21T10:00:30.000Z"),
            ("2026-11-21T10:00:30.250", "2026-11-21T10:00:30.250Z"),
        ] {
            assert_eq!(super::time(text).unwrap().to_string(), time, "{text}");
        }
    }

    #[test]
    fn so_long_ago_is_before_now() {
        let day = super::time("24h").unwrap().time();
        let week = super::time("7d ago").unwrap().time();
        assert!(week < day && day < std::time::SystemTime::now());
    }

    #[test]
    fn what_is_no_time_is_told_what_to_write() {
        for text in [
            "",
            "yesterday",
            "24",
            "2026-13-01",
            "2026-11-21T25:00",
            "21.11.2026",
            "2026-11-21Z",
        ] {
            assert!(super::time(text).unwrap_err().contains("24h"), "{text}");
        }
    }
}
