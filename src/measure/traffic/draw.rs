//! Drawing lots: one seeded source for each concern, so that a change in one class leaves the others' draws as they were.

use std::time::Duration;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, StandardNormal};
use rand_pcg::Pcg64;

/// A seeded source of lots.
#[derive(Debug)]
pub(super) struct Draw(Pcg64);

impl Draw {
    /// The source of number `stream` for a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        // Neighbouring seeds must not give neighbouring states.
        let mut mixed = Pcg64::seed_from_u64(seed);
        let state = u128::from(mixed.next_u64()) << 64 | u128::from(mixed.next_u64());
        Self(Pcg64::new(state, u128::from(stream)))
    }

    /// From 0 to below 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// True this often.
    pub(super) fn chance(&mut self, percent: f64) -> bool {
        self.unit() * 100.0 < percent
    }

    /// A number of any size.
    pub(super) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From the least to the most.
    pub(super) fn between(&mut self, [least, most]: [u32; 2]) -> u32 {
        self.0.random_range(least..=most.max(least))
    }

    /// From the least to the most, small numbers more often: evenly on a logarithmic scale.
    pub(super) fn skewed(&mut self, [least, most]: [u32; 2]) -> u32 {
        let (low, high) = (
            f64::from(least.max(1)),
            f64::from(most.max(least).max(1)) + 1.0,
        );
        let drawn = low * (high / low).powf(self.unit());
        (drawn as u32).clamp(least, most.max(least))
    }

    /// Below `end`; 0 for 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        match end {
            0 => 0,
            end => self.0.random_range(0..end),
        }
    }

    /// One of them.
    pub(super) fn one<'t, T>(&mut self, of: &'t [T]) -> Option<&'t T> {
        of.choose(&mut self.0)
    }

    /// One of some words.
    pub(super) fn word(&mut self, of: &[&'static str]) -> &'static str {
        self.one(of).copied().unwrap_or_default()
    }

    /// In another order.
    pub(super) fn shuffle<T>(&mut self, all: &mut [T]) {
        all.shuffle(&mut self.0);
    }

    /// From zero to below `end`.
    pub(super) fn time(&mut self, end: Duration) -> Duration {
        end.mul_f64(self.unit())
    }

    /// From one time to another.
    pub(super) fn time_between(&mut self, from: Duration, to: Duration) -> Duration {
        from + self.time(to.saturating_sub(from))
    }

    /// A wait without memory, of this mean.
    pub(super) fn wait(&mut self, mean: Duration) -> Duration {
        let waited: f64 = Exp1.sample(&mut self.0);
        mean.mul_f64(waited)
    }

    /// Around the median, log-normal.
    pub(super) fn around(&mut self, median: f64, sigma: f64) -> f64 {
        let normal: f64 = StandardNormal.sample(&mut self.0);
        median * (sigma * normal).exp()
    }

    /// Which of `count` have a trait that `percent` have: as many as that, up to a fraction that is drawn. Shares come out
    /// as the tables say even where a class has few addresses.
    pub(super) fn quota(&mut self, count: usize, percent: f64) -> Vec<bool> {
        let exact = count as f64 * percent / 100.0 + self.unit();
        let having = (exact as usize).min(count);
        let mut drawn = vec![false; count];
        drawn.iter_mut().take(having).for_each(|has| *has = true);
        self.shuffle(&mut drawn);
        drawn
    }

    /// How often, one time at least, for this mean.
    pub(super) fn repeats(&mut self, mean: f64, most: usize) -> usize {
        let again = 100.0 * (1.0 - 1.0 / mean.max(1.0));
        let mut count = 1;
        while count < most && self.chance(again) {
            count += 1;
        }
        count
    }
}
