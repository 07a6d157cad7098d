//! The most frequent of very many, in bounded memory: when there are too many, those of least count go, and by how much a
//! count may be too small is known (after G. S. Manku and R. Motwani, 2002, lossy counting).

use std::collections::HashMap;
use std::hash::Hash;

/// Counts of what is frequent.
#[derive(Clone, Debug)]
pub(in crate::measure) struct Top<K> {
    counts: HashMap<K, Counts>,
    most: usize,
    lost: u64,
}

/// How often something came, and how often of these it was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::measure) struct Counts {
    pub(in crate::measure) all: u64,
    pub(in crate::measure) refused: u64,
}

impl<K: Hash + Eq + Ord + Clone> Top<K> {
    /// Of at most so many at a time.
    pub(in crate::measure) fn new(most: usize) -> Self {
        Self {
            counts: HashMap::new(),
            most: most.max(2),
            lost: 0,
        }
    }

    /// It has come once more.
    pub(in crate::measure) fn add(&mut self, what: K, refused: bool) {
        if self.counts.len() >= self.most && !self.counts.contains_key(&what) {
            self.shed();
        }
        let counts = self.counts.entry(what).or_default();
        counts.all += 1;
        counts.refused += u64::from(refused);
    }

    /// Lets the less frequent half go.
    fn shed(&mut self) {
        let mut counts: Vec<u64> = self.counts.values().map(|counts| counts.all).collect();
        let middle = counts.len() / 2;
        let (_, median, _) = counts.select_nth_unstable(middle);
        let least = *median;
        self.counts.retain(|_, counts| counts.all > least);
        self.lost += least;
    }

    /// By how much a count may be too small; 0: all were counted.
    pub(in crate::measure) const fn lost(&self) -> u64 {
        self.lost
    }

    /// How many different there are, if all were counted.
    pub(in crate::measure) fn different(&self) -> Option<usize> {
        (self.lost == 0).then_some(self.counts.len())
    }

    /// The most often refused, then the most frequent, at most `count`.
    pub(in crate::measure) fn first(&self, count: usize) -> Vec<(K, Counts)> {
        let mut all: Vec<(K, Counts)> = self
            .counts
            .iter()
            .map(|(what, counts)| (what.clone(), *counts))
            .collect();
        all.sort_by(|(one, a), (other, b)| {
            (b.refused, b.all)
                .cmp(&(a.refused, a.all))
                .then_with(|| one.cmp(other))
        });
        all.truncate(count);
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_most_often_refused_come_first() {
        let mut top = Top::new(100);
        for (what, times, refused) in [("a", 5, 1), ("b", 3, 3), ("c", 9, 0)] {
            (0..times).for_each(|at| top.add(what, at < refused));
        }
        let names: Vec<&str> = top.first(2).iter().map(|(name, _)| *name).collect();
        assert_eq!(
            (names, top.lost(), top.different()),
            (vec!["b", "a"], 0, Some(3))
        );
    }

    proptest! {
        #[test]
        fn no_count_is_too_large_nor_smaller_than_is_said(all in prop::collection::vec(0_u32..60, 0..600)) {
            let mut top = Top::new(16);
            let mut truth: HashMap<u32, u64> = HashMap::new();
            for one in &all {
                // The frequent ones come from the lower numbers.
                let one = one * one / 60;
                top.add(one, true);
                *truth.entry(one).or_default() += 1;
            }
            prop_assert!(top.counts.len() <= 16);
            for (one, count) in &truth {
                let counted = top.counts.get(one).map_or(0, |counts| counts.all);
                prop_assert!(counted <= *count && *count <= counted + top.lost());
            }
        }
    }
}
