//! How much of a result each check has brought, in three accounts: *alone* (what it would stop without the others),
//! *unique* (what would come through without it: leave one out) and its *Shapley share* (L. S. Shapley, 1953), which is what it
//! adds on average over all orders, and the only one of the three that sums to the total.
//!
//! A test that is asked first takes the credit of all that come behind it; so what each *set* of checks would stop is
//! counted, on the same sessions, and shares are derived from that. Exact, over bit masks: a set of checks is a number
//! whose bit *i* says that check *i* is in. For how many checks: [`MOST`].

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde::Serialize;

/// The most checks: beyond it, sets are too many to be counted one by one.
pub const MOST: usize = 16;

/// Kinds of cases that are kept apart before they are added up.
const KINDS: usize = 4096;

/// What a check has brought, in cases (connections, mail transactions, recipients).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// What it would stop alone.
    pub alone: u64,
    /// What would not be stopped without it; less than nothing if it lets in more than it stops.
    pub unique: i64,
    /// What it adds on average over all orders.
    pub shapley: f64,
}

/// Which sets of checks stop one kind of case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped(Arc<[u64]>);

impl Hash for Stopped {
    /// Folded first: it is a kilobyte, and looked up several times a session.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let fold =
            |sum: u64, word: &u64| (sum.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state.write_u64(self.0.iter().fold(0, fold));
    }
}

impl Stopped {
    /// What `stops` says of each set of `checks` checks, at most [`MOST`].
    #[must_use]
    pub fn by(checks: usize, stops: impl Fn(u32) -> bool) -> Self {
        let words = (0..sets(checks)).step_by(64);
        Self(words.map(|from| word_of(checks, from, &stops)).collect())
    }

    /// As [`Stopped::by`], where only the checks in `relevant` can matter: whether the others are there or not is the same.
    #[must_use]
    pub fn by_relevant(checks: usize, relevant: u32, stops: impl Fn(u32) -> bool) -> Self {
        let mut known = vec![false; usize::try_from(sets(checks)).unwrap_or_default()];
        let at = |set: u32| usize::try_from(set & relevant).unwrap_or_default();
        // Every set that holds nothing but relevant checks, the empty one last.
        let mut part = relevant & (sets(checks) - 1);
        loop {
            if let Some(known) = known.get_mut(at(part)) {
                *known = stops(part);
            }
            if part == 0 {
                break;
            }
            part = (part - 1) & relevant;
        }
        let known = |set: u32| known.get(at(set)).copied().unwrap_or(false);
        let mut words: Vec<u64> = Vec::new();
        for from in (0..sets(checks)).step_by(64) {
            // Sets that differ in what does not matter alone are alike, and those without it were before.
            let alike = usize::try_from((from & relevant) / 64).unwrap_or_default();
            let word = words.get(alike).copied();
            words.push(word.unwrap_or_else(|| word_of(checks, from, known)));
        }
        Self(words.into())
    }

    /// Stopped by a set if both are: a mail transaction is, if each of its recipients is.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        if Arc::ptr_eq(&self.0, &other.0) {
            return self.clone();
        }
        Self(
            self.0
                .iter()
                .zip(other.0.iter())
                .map(|(one, other)| one & other)
                .collect(),
        )
    }

    /// Whether `set` stops it.
    #[must_use]
    pub fn is_by(&self, set: u32) -> bool {
        let word = usize::try_from(set / 64).ok().and_then(|at| self.0.get(at));
        word.is_some_and(|word| word >> (set % 64) & 1 == 1)
    }
}

/// Of which of the 64 sets from this one on `stops` says so.
fn word_of(checks: usize, from: u32, stops: impl Fn(u32) -> bool) -> u64 {
    let sets = from..from.saturating_add(64).min(sets(checks));
    sets.fold(0, |word, set| word | u64::from(stops(set)) << (set - from))
}

/// How many sets of so many checks there are.
fn sets(checks: usize) -> u32 {
    1 << checks.min(MOST)
}

/// How many cases each set of checks would stop.
#[derive(Clone, Debug)]
pub struct Table {
    checks: usize,
    cases: u64,
    stopped: Vec<u64>,
    /// Cases that are not added up yet, by kind; few kinds are frequent.
    waiting: HashMap<Stopped, u64>,
}

impl Table {
    /// For so many checks, at most [`MOST`].
    #[must_use]
    pub fn new(checks: usize) -> Self {
        let checks = checks.min(MOST);
        let sets = usize::try_from(sets(checks)).unwrap_or_default();
        Self {
            checks,
            cases: 0,
            stopped: vec![0; sets],
            waiting: HashMap::new(),
        }
    }

    /// Adds `count` cases that `stopped` describes.
    pub fn add(&mut self, stopped: &Stopped, count: u64) {
        self.cases += count;
        if let Some(waiting) = self.waiting.get_mut(stopped) {
            *waiting += count;
            return;
        }
        if self.waiting.len() >= KINDS {
            self.settle();
        }
        self.waiting.insert(stopped.clone(), count);
    }

    /// Adds a case that the sets stop of which `stops` says so.
    pub fn add_by(&mut self, stops: impl Fn(u32) -> bool) {
        self.add(&Stopped::by(self.checks, stops), 1);
    }

    /// Adds what another table of the same checks has counted.
    pub fn merge(&mut self, mut other: Self) {
        other.settle();
        self.cases += other.cases;
        for (mine, others) in self.stopped.iter_mut().zip(&other.stopped) {
            *mine += others;
        }
    }

    /// Adds up what waits.
    pub fn settle(&mut self) {
        for (kind, count) in self.waiting.drain() {
            for (sets, word) in self.stopped.chunks_mut(64).zip(kind.0.iter()) {
                let mut left = *word;
                while left != 0 {
                    let set = usize::try_from(left.trailing_zeros()).unwrap_or_default();
                    if let Some(stopped) = sets.get_mut(set) {
                        *stopped += count;
                    }
                    left &= left - 1;
                }
            }
        }
    }

    /// All cases, stopped or not.
    #[must_use]
    pub const fn cases(&self) -> u64 {
        self.cases
    }

    /// How many the set would stop. What waits is not in it: see [`Table::settle`].
    #[must_use]
    pub fn stopped_by(&self, set: u32) -> u64 {
        let at = usize::try_from(set).unwrap_or(usize::MAX);
        self.stopped.get(at).copied().unwrap_or_default()
    }

    /// How many all checks together stop.
    #[must_use]
    pub fn stopped(&self) -> u64 {
        self.stopped_by(sets(self.checks) - 1)
    }

    /// How many are stopped without any check.
    #[must_use]
    pub fn stopped_anyway(&self) -> u64 {
        self.stopped_by(0)
    }

    /// What each check has brought, in their order. Shapley shares sum to what all checks stop, without what is stopped
    /// anyway.
    #[must_use]
    pub fn shares(&self) -> Vec<Share> {
        (0..self.checks).map(|check| self.share(check)).collect()
    }

    fn share(&self, check: usize) -> Share {
        let (bit, all) = (1_u32 << check, sets(self.checks) - 1);
        let adds = |set: u32| signed(self.stopped_by(set | bit)) - signed(self.stopped_by(set));
        // What it adds to sets of each size, together; whole numbers, so that nothing is lost on the way.
        let mut added = vec![0_i128; self.checks];
        for set in (0..=all).filter(|set| set & bit == 0) {
            let size = usize::try_from(set.count_ones()).unwrap_or_default();
            if let Some(added) = added.get_mut(size) {
                *added += i128::from(adds(set));
            }
        }
        let orders = added.iter().zip(orders(self.checks));
        let sum: i128 = orders.map(|(added, orders)| added * orders).sum();
        Share {
            alone: self.stopped_by(bit),
            unique: adds(all & !bit),
            shapley: sum as f64 / factorial(self.checks) as f64,
        }
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// In how many orders of all checks one comes right behind a certain set, by the size of the set.
fn orders(checks: usize) -> impl Iterator<Item = i128> {
    (0..checks).map(move |size| factorial(size) * factorial(checks - 1 - size))
}

/// At most that of [`MOST`], 2 · 10¹³.
fn factorial(number: usize) -> i128 {
    (1..=number.min(MOST)).fold(1, |product, factor| {
        product * i128::try_from(factor).unwrap_or(1)
    })
}

#[cfg(test)]
mod tests;
