//! How many sessions there were when: a sample in [`EVERY`], for an hour. Counts since the start; whoever draws them takes
//! the differences.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::app::clock;
use crate::session::context::Tally;

/// Between two samples.
pub(super) const EVERY: Duration = Duration::from_secs(10);
/// How many are kept: an hour.
const KEPT: usize = 360;

/// The samples.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<VecDeque<Sample>>);

/// Counts at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sample {
    /// Seconds since 1970 UTC.
    time: u64,
    /// Sessions ended since the start.
    sessions: u64,
    /// Messages delivered.
    delivered: u64,
    /// Recipients refused.
    refused: u64,
    /// Sessions under way.
    open: u64,
}

impl Sample {
    fn now(tally: &Tally) -> Self {
        let (sessions, delivered, refused) = tally.totals();
        Self {
            time: clock::seconds().unwrap_or_default(),
            sessions,
            delivered,
            refused,
            open: tally.open(),
        }
    }
}

impl History {
    /// Takes samples, for ever.
    pub(super) async fn keep(&self, tally: &Tally) {
        loop {
            self.note(Sample::now(tally));
            tokio::time::sleep(EVERY).await;
        }
    }

    /// What is kept, the oldest first, and how it is now.
    pub(super) fn samples(&self, tally: &Tally) -> Vec<Sample> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().copied().chain([Sample::now(tally)]).collect()
    }

    fn note(&self, sample: Sample) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(sample);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_hour_is_kept_and_no_more() {
        let (history, tally) = (History::default(), Tally::default());
        tally.start();
        let long = EVERY * (u32::try_from(KEPT).unwrap() + 50);
        let _ = tokio::time::timeout(long, history.keep(&tally)).await;
        tally.end(2, 3);
        let samples = history.samples(&tally);
        assert_eq!(samples.len(), KEPT + 1);
        let (first, last) = (samples[0], samples[KEPT]);
        assert_eq!((first.sessions, first.open), (0, 1));
        assert_eq!((last.sessions, last.open), (1, 0));
        assert_eq!((last.delivered, last.refused), (2, 3));
    }
}
