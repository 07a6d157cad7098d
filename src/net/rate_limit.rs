//! Counts each of many keys against one rate, in memory that is bounded.
//!
//! A client that rotates through its network can not make us remember without end: beyond a number of keys the least used
//! are forgotten, and are allowed their full number again. Nothing outlives the process. The clock is tokio's monotonic
//! one: setting the time of day changes nothing.

use std::convert::Infallible;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::facts::Rate;
use crate::net::pace;

/// One rate for many keys: each may come so often at once, and then as often as the rate gives room again.
pub struct RateLimit<K: Hash + Eq + Clone>(
    RateLimiter<Look<K>, Bounded<K>, Since, NoOpMiddleware<Duration>>,
);

impl<K: Hash + Eq + Clone> RateLimit<K> {
    /// Remembers at most so many keys. `None` for a rate that is too high to be counted, which limits nobody.
    #[must_use]
    pub fn new(rate: Rate, keys: usize) -> Option<Self> {
        let every = rate.per.duration() / rate.count.get();
        let quota = Quota::with_period(every)?.allow_burst(rate.count);
        let state = Bounded(Cache::new(keys));
        Some(Self(RateLimiter::new(quota, state, Since(pace::now()))))
    }

    /// Counts one of `key`.
    ///
    /// # Errors
    ///
    /// When the rate is reached: how long until the next is allowed. It is not counted then.
    pub fn take(&self, key: K) -> Result<(), Duration> {
        self.look(&Look { key, take: true })
    }

    /// Whether [`RateLimit::take`] would count, without counting.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn peek(&self, key: K) -> Result<(), Duration> {
        self.look(&Look { key, take: false })
    }

    fn look(&self, look: &Look<K>) -> Result<(), Duration> {
        let looked = self.0.check_key(look);
        looked.map_err(|until| until.wait_time_from(self.0.clock().now()))
    }
}

impl<K: Hash + Eq + Clone> fmt::Debug for RateLimit<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RateLimit")
    }
}

/// Time since the limit was made.
struct Since(Instant);

impl Clock for Since {
    type Instant = Duration;

    fn now(&self) -> Duration {
        pace::now() - self.0
    }
}

/// A key, and whether it is counted or only looked at.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Look<K> {
    key: K,
    take: bool,
}

/// The state of a bounded number of keys.
struct Bounded<K>(Cache<K, Arc<AtomicU64>>);

impl<K: Hash + Eq + Clone> StateStore for Bounded<K> {
    type Key = Look<K>;

    fn measure_and_replace<T, F, E>(&self, look: &Look<K>, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let measured = |state: u64| measure(NonZeroU64::new(state).map(|nanos| nanos.get().into()));
        if !look.take {
            let known = self.0.get(&look.key);
            let state = known.map_or(0, |cell| cell.load(Ordering::Acquire));
            return measured(state).map(|(outcome, _)| outcome);
        }
        let Ok(cell) = self
            .0
            .get_or_insert_with(&look.key, || Ok::<_, Infallible>(Arc::default()));
        let mut previous = cell.load(Ordering::Acquire);
        loop {
            let (outcome, next) = measured(previous)?;
            match cell.compare_exchange_weak(
                previous,
                next.into(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(outcome),
                Err(changed) => previous = changed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Per;

    fn limit(count: u32, keys: usize) -> RateLimit<u32> {
        let rate = Rate::new(count, Per::Minute).unwrap();
        RateLimit::new(rate, keys).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_and_then_as_the_rate_gives_room() {
        let limit = limit(3, 10);
        for _ in 0..3 {
            assert_eq!(limit.take(1), Ok(()));
        }
        let wait = limit.take(1).unwrap_err();
        assert_eq!(wait, Duration::from_secs(20));
        assert_eq!(limit.take(2), Ok(()), "another key");
        tokio::time::advance(wait - Duration::from_millis(1)).await;
        assert_eq!(limit.take(1), Err(Duration::from_millis(1)));
        // What was refused was not counted: the wait has not grown.
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(limit.take(1), Ok(()));
        assert!(limit.take(1).is_err());
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!((0..9).filter(|_| limit.take(1).is_ok()).count(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn looking_counts_nothing() {
        let limit = limit(1, 10);
        for _ in 0..5 {
            assert_eq!(limit.peek(1), Ok(()));
        }
        assert_eq!(limit.take(1), Ok(()));
        assert_eq!(limit.peek(1), Err(Duration::from_secs(60)));
        assert_eq!(limit.0.into_state_store().0.len(), 1);
    }

    #[test]
    fn it_remembers_no_more_keys_than_it_may() {
        let limit = limit(1, 100);
        for key in 0..10_000 {
            assert_eq!(limit.take(key), Ok(()));
        }
        let kept = limit.0.into_state_store().0.len();
        assert!((1..=100).contains(&kept), "{kept}");
    }

    #[test]
    fn a_rate_that_can_not_be_counted_is_none() {
        let rate = Rate::new(u32::MAX, Per::Second).unwrap();
        assert!(RateLimit::<u32>::new(rate, 1).is_none());
    }
}
