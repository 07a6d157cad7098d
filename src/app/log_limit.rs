//! A log line that a flood could repeat without end: so many in a time, the rest is counted and told with the next one.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// The limit of one line; a static, for it is one for the whole process.
pub(in crate::app) struct LogLimit {
    rate: LazyLock<DefaultDirectRateLimiter>,
    untold: AtomicU64,
}

impl LogLimit {
    /// Ten lines a second: what clients do.
    pub(in crate::app) const fn ten_a_second() -> Self {
        const TEN: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");
        Self::new(|| RateLimiter::direct(Quota::per_second(TEN)))
    }

    /// One line in ten seconds: a state of ours that lasts.
    pub(in crate::app) const fn one_in_ten_seconds() -> Self {
        Self::new(|| {
            let quota = Quota::with_period(Duration::from_secs(10));
            RateLimiter::direct(quota.unwrap_or(Quota::per_minute(NonZeroU32::MIN)))
        })
    }

    const fn new(rate: fn() -> DefaultDirectRateLimiter) -> Self {
        Self {
            rate: LazyLock::new(rate),
            untold: AtomicU64::new(0),
        }
    }

    /// Whether a line may be written now, and how many were not since the last.
    pub(in crate::app) fn admit(&self) -> Option<u64> {
        if self.rate.check().is_ok() {
            return Some(self.untold.swap(0, Ordering::Relaxed));
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        for (limit, burst) in [
            (LogLimit::ten_a_second(), 10),
            (LogLimit::one_in_ten_seconds(), 1),
        ] {
            let told = (0..burst).all(|_| limit.admit() == Some(0));
            assert!(told, "the first {burst} are told");
            // A slow machine may earn a line of the ten a second meanwhile.
            let untold = (0..1000).filter(|_| limit.admit().is_none()).count() as u64;
            assert!(untold > 900, "{untold} of 1000 were held back");
            assert!(limit.untold.load(Ordering::Relaxed) <= untold);
        }
    }

    #[test]
    fn what_was_held_back_is_told_with_the_next_line() {
        let limit = LogLimit::new(|| {
            let quota = Quota::with_period(Duration::from_nanos(1));
            RateLimiter::direct(quota.unwrap())
        });
        limit.untold.store(7, Ordering::Relaxed);
        assert_eq!(limit.admit(), Some(7));
        assert_eq!(limit.untold.load(Ordering::Relaxed), 0);
    }
}
