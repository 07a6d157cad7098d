//! How the primary mail servers are of which policies are the secondary. Looking at them is the application's business.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::facts::Primary;

/// Failures in a row after which a primary is down: one lost packet opens no secondary.
const FAILURES: u32 = 2;

/// What is known of each, by its addresses as written.
#[derive(Debug, Default)]
pub(in crate::gather) struct Primaries(Mutex<HashMap<Box<str>, Watched>>);

#[derive(Debug, Default)]
struct Watched {
    failed_in_a_row: u32,
    /// Whether it was up or down before; unknown until then.
    was: Option<Primary>,
}

impl Primaries {
    /// Notes what a look brought; a change is told in the log.
    pub(in crate::gather) fn saw(&self, addresses: &str, greets: bool) {
        let mut all = self.lock();
        let watched = all.entry(addresses.into()).or_default();
        watched.failed_in_a_row = match greets {
            true => 0,
            false => watched.failed_in_a_row.saturating_add(1),
        };
        let now = match (greets, watched.failed_in_a_row) {
            (true, _) => Primary::Up,
            (false, FAILURES..) => Primary::Down,
            (false, _) => return,
        };
        if watched.was.replace(now) == Some(now) {
            return;
        }
        drop(all);
        match now {
            Primary::Down => {
                tracing::warn!(
                    primary = addresses,
                    "the primary is down: its mail is taken here"
                );
            }
            _ => tracing::info!(
                primary = addresses,
                "the primary is up: its mail is sent there"
            ),
        }
    }

    /// How it is.
    pub(in crate::gather) fn of(&self, addresses: &str) -> Primary {
        let known = self.lock().get(addresses).and_then(|watched| watched.was);
        known.unwrap_or(Primary::Unknown)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Watched>> {
        // Each change is one assignment: a panic elsewhere can not have left it half made.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_no_downfall_and_one_greeting_is_a_return() {
        let primaries = Primaries::default();
        assert_eq!(primaries.of("a"), Primary::Unknown);
        primaries.saw("a", false);
        assert_eq!(primaries.of("a"), Primary::Unknown);
        primaries.saw("a", true);
        primaries.saw("a", false);
        assert_eq!(primaries.of("a"), Primary::Up);
        primaries.saw("a", false);
        assert_eq!(primaries.of("a"), Primary::Down);
        assert_eq!(primaries.of("b"), Primary::Unknown);
        primaries.saw("a", true);
        assert_eq!(primaries.of("a"), Primary::Up);
    }
}
