//! How late put-off recipients came: from the first time a triplet was put off to the time it had waited and was let through.
//!
//! By the triplets that the records hold: the sender's network and the names that vouch for it, sender, recipient. Whoever
//! was put off before the journal begins, or came back after it ends, is not seen.

use std::collections::HashMap;

use serde::Serialize;

use crate::measure::stats::quantile;
use crate::measure::tally::look::Looked;

/// Triplets that are watched at a time; later ones are not, and that is said.
const WATCHED: usize = 1_000_000;
/// Delays that are kept for their quantiles.
const KEPT: usize = 1_000_000;
/// Who was put off this late, in milliseconds before the end, may still come.
const MAY_COME: u64 = 24 * 3600 * 1000;

/// How late recipients came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Delay {
    /// Recipients (triplets) that were put off.
    pub put_off: u64,
    /// Of these, those that came again and were let through.
    pub let_through: u64,
    /// Of the others, those that were put off in the last 24 hours: they may still come.
    pub may_still_come: u64,
    /// Half came within this, seconds.
    pub p50_seconds: Option<f64>,
    /// Nine of ten.
    pub p90_seconds: Option<f64>,
    /// Ninety-nine of a hundred.
    pub p99_seconds: Option<f64>,
    /// The last.
    pub most_seconds: Option<f64>,
    /// Recipients that were not watched because there were too many.
    pub not_watched: u64,
}

/// Who waits.
#[derive(Debug, Default)]
pub(super) struct Delays {
    /// The waiting one, by each triplet it is known by.
    by_triplet: HashMap<u64, usize>,
    waiting: Vec<Waiting>,
    delays: Vec<f64>,
    not_watched: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: u64,
    let_through: bool,
}

impl Delays {
    pub(super) fn add(&mut self, looked: &Looked) {
        for triplets in &looked.put_off {
            self.put_off(triplets, looked.at);
        }
        for triplets in &looked.waited {
            self.let_through(triplets, looked.at);
        }
    }

    fn put_off(&mut self, triplets: &[u64], at: u64) {
        let known = triplets
            .iter()
            .find_map(|triplet| self.by_triplet.get(triplet).copied());
        if known.is_none() && self.by_triplet.len() + triplets.len() > WATCHED {
            self.not_watched += 1;
            return;
        }
        let number = known.unwrap_or_else(|| {
            self.waiting.push(Waiting {
                since: at,
                let_through: false,
            });
            self.waiting.len() - 1
        });
        if self.by_triplet.len() + triplets.len() <= WATCHED {
            for triplet in triplets {
                self.by_triplet.entry(*triplet).or_insert(number);
            }
        }
    }

    /// The first time counts: later ones are no longer made to wait.
    fn let_through(&mut self, triplets: &[u64], at: u64) {
        let known = triplets
            .iter()
            .filter_map(|triplet| self.by_triplet.get(triplet).copied());
        let Some(waiting) = known.min().and_then(|number| self.waiting.get_mut(number)) else {
            return;
        };
        if !std::mem::replace(&mut waiting.let_through, true) && self.delays.len() < KEPT {
            self.delays
                .push(at.saturating_sub(waiting.since) as f64 / 1000.0);
        }
    }

    /// `end` is when the last session began.
    pub(super) fn report(mut self, end: u64) -> Delay {
        self.delays.sort_by(f64::total_cmp);
        let count = |is_it: &dyn Fn(&Waiting) -> bool| {
            let count = self.waiting.iter().filter(|one| is_it(one)).count();
            u64::try_from(count).unwrap_or(u64::MAX)
        };
        let late = end.saturating_sub(MAY_COME);
        let at = |part| quantile(&self.delays, part);
        Delay {
            put_off: count(&|_| true),
            let_through: count(&|one| one.let_through),
            may_still_come: count(&|one| !one.let_through && one.since >= late),
            p50_seconds: at(0.5),
            p90_seconds: at(0.9),
            p99_seconds: at(0.99),
            most_seconds: at(1.0),
            not_watched: self.not_watched,
        }
    }
}
