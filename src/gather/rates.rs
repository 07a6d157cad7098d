//! Counts recipients against the rates that checks name, in the memory of this process alone: a restart forgets them.
//!
//! It judges nothing. Who is counted is kept as a hash with a secret of the process, so that an entry is small, whatever a
//! sender is called.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::facts::{Counting, Millis, Rate, Room};
use crate::net::rate_limit::RateLimit;

/// Parties remembered for each rate; some 10 MB when full.
const PARTIES: usize = 100_000;

/// Recipients counted, for each rate that was ever asked for: as many as the configuration names.
#[derive(Debug, Default)]
pub struct Rates {
    limits: RwLock<HashMap<Rate, Limit>>,
    hasher: RandomState,
}

/// `None` for a rate too high to be counted.
type Limit = Option<Arc<RateLimit<u64>>>;

impl Rates {
    /// Counts a recipient in all quotas, or in none if one of them has no room.
    #[must_use]
    pub fn count(&self, counting: &Counting) -> Room {
        let limits = self.limits(counting, Self::limit);
        over(&limits, RateLimit::peek)
            // Another session may have been faster since.
            .or_else(|| over(&limits, RateLimit::take))
            .unwrap_or(Room::Within)
    }

    /// Whether there is room, for somebody who is not the client: nothing is counted.
    #[must_use]
    pub fn look(&self, counting: &Counting) -> Room {
        // What nobody was counted against has room.
        let limits = self.limits(counting, |rates, rate| rates.known(rate).flatten());
        over(&limits, RateLimit::peek).unwrap_or(Room::Within)
    }

    fn limits(
        &self,
        counting: &Counting,
        limit: impl Fn(&Self, Rate) -> Limit,
    ) -> Vec<(Limit, u64)> {
        let quotas = counting.quotas.iter();
        let limits = quotas.map(|quota| {
            let key = self.hasher.hash_one(&quota.of);
            (limit(self, quota.rate), key)
        });
        limits.collect()
    }

    fn limit(&self, rate: Rate) -> Limit {
        if let Some(limit) = self.known(rate) {
            return limit;
        }
        // Each change is one insertion: a panic elsewhere can not have left it half made.
        let mut known = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        let limit = known
            .entry(rate)
            .or_insert_with(|| RateLimit::new(rate, PARTIES).map(Arc::new));
        limit.clone()
    }

    fn known(&self, rate: Rate) -> Option<Limit> {
        let known = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&rate).cloned()
    }
}

/// Looks into all limits; the one that takes longest, if any has no room.
fn over(
    limits: &[(Limit, u64)],
    look: impl Fn(&RateLimit<u64>, u64) -> Result<(), Duration>,
) -> Option<Room> {
    let looked = limits.iter().zip(0u8..).filter_map(|((limit, key), at)| {
        let wait = look(limit.as_deref()?, *key).err()?;
        Some((wait, at))
    });
    let (wait, quota) = looked.max_by_key(|(wait, _)| *wait)?;
    // Rounded up: who comes back then finds room.
    let wait = Millis::from(wait + Duration::from_micros(999));
    Some(Room::Over { quota, wait })
}

#[cfg(test)]
mod tests;
