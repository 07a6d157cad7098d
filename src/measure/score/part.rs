//! Shares, and how sure they are: errands of one host or network are not independent of each other, so that intervals are
//! drawn over clusters.

use std::collections::BTreeMap;

use serde::Serialize;

use super::outcome::Outcome;
use crate::measure::stats::{self, Interval};

/// A part of a whole, and how sure that is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
    /// The share, 0 to 1.
    pub share: f64,
    /// Wilson's interval, as if all were independent.
    pub wilson: Interval,
    /// The exact interval (Clopper and Pearson), as if all were independent.
    pub exact: Interval,
    /// For none: what lies above is unlikely (rule of three, over the clusters: messages of one host are no evidence of their
    /// own).
    pub at_most: Option<f64>,
    /// For all: what lies below is unlikely.
    pub at_least: Option<f64>,
    /// How many hosts and networks are independent of each other.
    pub clusters: u64,
    /// The interval over these (bootstrap): the one to quote. Nothing if there are fewer than two, or if none or all are
    /// part: drawing again can not find what was never seen.
    pub by_cluster: Option<Interval>,
}

impl Part {
    /// Of clusters with their parts and sizes.
    pub(super) fn of(clusters: BTreeMap<u32, (u64, u64)>, seed: u64) -> Self {
        let clusters: Vec<(u64, u64)> = clusters.into_values().filter(|one| one.1 > 0).collect();
        let sum = |of: fn(&(u64, u64)) -> u64| clusters.iter().map(of).sum::<u64>();
        let (part, whole) = (sum(|one| one.0), sum(|one| one.1));
        let three = stats::rule_of_three(clusters.len() as u64);
        let is_mixed = part > 0 && part < whole;
        Self {
            part,
            whole,
            share: stats::share(part, whole),
            wilson: stats::wilson(part, whole),
            exact: stats::clopper_pearson(part, whole),
            at_most: (part == 0).then_some(three),
            at_least: (part == whole).then_some(1.0 - three),
            clusters: clusters.len() as u64,
            by_cluster: stats::bootstrap_share(&clusters, seed).filter(|_| is_mixed),
        }
    }

    /// The interval to quote.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.by_cluster.unwrap_or(self.exact)
    }
}

/// Sums over clusters.
pub(super) fn clustered<'o>(
    outcomes: impl Iterator<Item = &'o Outcome<'o>>,
    of: impl Fn(&Outcome<'_>) -> (u64, u64),
) -> BTreeMap<u32, (u64, u64)> {
    let mut clusters: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for outcome in outcomes {
        let (part, whole) = of(outcome);
        let sum = clusters.entry(outcome.errand.cluster).or_default();
        *sum = (sum.0 + part, sum.1 + whole);
    }
    clusters
}
