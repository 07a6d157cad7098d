//! How sure a figure is: intervals for shares, quantiles, and the comparison of two results on the same sessions.
//!
//! All intervals are two-sided, 95 %. Sessions of one host are not independent of each other: where hosts are known, an
//! interval comes from [`bootstrap`] over them and not from a formula.

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64Mcg;
use serde::Serialize;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use statrs::function::beta::beta_reg;

/// The 97.5 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;
/// What lies outside of an interval on each side.
const TAIL: f64 = 0.025;
/// Samples of a bootstrap; more change the third digit of an interval.
pub const ROUNDS: usize = 1000;
/// Up to so many pairs that differ, the comparison of two results is exact.
const EXACT: u64 = 1000;

/// From where to where a value lies, in 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// `part` of `whole`, 0 to 1; 0 of nothing.
#[must_use]
pub fn share(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}

/// Wilson's interval for a share (E. B. Wilson, 1927, without correction): right also for few and for none.
#[must_use]
pub fn wilson(part: u64, whole: u64) -> Interval {
    if whole == 0 {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let (n, p) = (whole as f64, share(part.min(whole), whole));
    let middle = p + Z * Z / (2.0 * n);
    let reach = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Interval {
        low: if part == 0 {
            0.0
        } else {
            ((middle - reach) / scale).max(0.0)
        },
        high: if part >= whole {
            1.0
        } else {
            ((middle + reach) / scale).min(1.0)
        },
    }
}

/// The exact interval for a share (C. J. Clopper and E. S. Pearson, 1934): never too narrow, often too wide.
#[must_use]
pub fn clopper_pearson(part: u64, whole: u64) -> Interval {
    let part = part.min(whole);
    let (hits, misses) = (part as f64, (whole - part) as f64);
    let low = match part {
        0 => 0.0,
        _ => beta_quantile(hits, misses + 1.0, TAIL),
    };
    let high = match whole - part {
        0 => 1.0,
        _ => beta_quantile(hits + 1.0, misses, 1.0 - TAIL),
    };
    Interval { low, high }
}

/// The share below which the true one lies, in 95 of 100 cases, if none was seen among `whole` (the rule of three).
#[must_use]
pub fn rule_of_three(whole: u64) -> f64 {
    match whole {
        0 => 1.0,
        whole => (3.0 / whole as f64).min(1.0),
    }
}

/// Where the beta distribution has `below` of its weight below. Halving ends, whatever the parameters; Newton's method of
/// the library need not.
fn beta_quantile(a: f64, b: f64, below: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        match beta_reg(a, b, middle) < below {
            true => low = middle,
            false => high = middle,
        }
    }
    f64::midpoint(low, high)
}

/// The value below which `part` (0 to 1) of the values lie, between two of them if need be; `None` of no values. They must
/// be sorted.
#[must_use]
pub fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = part.clamp(0.0, 1.0) * last as f64;
    let (below, rest) = (place.floor(), place.fract());
    let at = |place: f64| sorted.get(place as usize).copied();
    let low = at(below)?;
    let high = at(below + 1.0).unwrap_or(low);
    Some(low + (high - low) * rest)
}

/// How likely two results on the same sessions differ as much as they do, or more, if there is no difference: McNemar's
/// test. `only_first` sessions were stopped by the first alone, `only_second` by the second alone. Exact up to 1000 of
/// them, above with Edwards' correction for continuity.
#[must_use]
pub fn mcnemar(only_first: u64, only_second: u64) -> f64 {
    let (fewer, all) = (only_first.min(only_second), only_first + only_second);
    if all == 0 {
        return 1.0;
    }
    if all <= EXACT {
        // P(X ≤ fewer) of the binomial distribution with p = 1/2, by the beta function.
        let below = beta_reg((all - fewer) as f64, fewer as f64 + 1.0, 0.5);
        return (2.0 * below).min(1.0);
    }
    let apart = only_first.abs_diff(only_second) as f64;
    let statistic = (apart - 1.0).max(0.0).powi(2) / all as f64;
    ChiSquared::new(1.0).map_or(1.0, |distribution| distribution.sf(statistic))
}

/// The interval of a statistic over clusters (hosts, networks) that are independent of each other, though what is in one of
/// them is not: drawn again with replacement [`ROUNDS`] times, from `seed`. `None` of fewer than two clusters, for nothing
/// can be said then.
pub fn bootstrap<T>(
    clusters: &[T],
    seed: u64,
    statistic: impl Fn(&[&T]) -> f64,
) -> Option<Interval> {
    if clusters.len() < 2 {
        return None;
    }
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let mut drawn = Vec::with_capacity(clusters.len());
    let mut values = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        drawn.clear();
        for _ in clusters {
            drawn.extend(clusters.get(random.random_range(0..clusters.len())));
        }
        values.push(statistic(&drawn));
    }
    values.sort_by(f64::total_cmp);
    Some(Interval {
        low: quantile(&values, TAIL)?,
        high: quantile(&values, 1.0 - TAIL)?,
    })
}

/// The interval of a share over clusters, each with its hits and its size, as [`bootstrap`] finds it.
#[must_use]
pub fn bootstrap_share(clusters: &[(u64, u64)], seed: u64) -> Option<Interval> {
    bootstrap(clusters, seed, |drawn| {
        let (part, whole) = drawn
            .iter()
            .fold((0, 0), |(part, whole), one| (part + one.0, whole + one.1));
        share(part, whole)
    })
}

#[cfg(test)]
mod tests;
