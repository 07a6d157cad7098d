//! Lists and series: the most frequent networks and names, the hours, and how far zones agree.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::hash::Hash;

use serde::Serialize;

use crate::journal::Timestamp;
use crate::measure::report::moment::time;
use crate::measure::stats::share;
use crate::measure::tally::look::Looked;
use crate::measure::tally::top::Top;

/// The longest list.
const LISTED: usize = 20;
/// Hours that are told apart: more than a year.
const HOURS: usize = 24 * 400;
const HOUR: u64 = 3600 * 1000;

/// The most often refused, then the most frequent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TopList {
    /// How many different there were, if all could be counted.
    pub different: Option<usize>,
    /// By how much a count may be too small, because there were too many to count all.
    pub short_by: u64,
    /// The first of them.
    pub first: Vec<TopRow>,
}

/// One of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TopRow {
    /// What.
    pub what: String,
    /// Sessions.
    pub sessions: u64,
    /// Of these, those in which something was refused or put off, or that were dropped.
    pub refused: u64,
}

pub(super) fn top_list<K: Hash + Eq + Ord + Clone + Display>(top: &Top<K>) -> TopList {
    let first = top.first(LISTED).into_iter().map(|(what, counts)| TopRow {
        what: what.to_string(),
        sessions: counts.all,
        refused: counts.refused,
    });
    TopList {
        different: top.different(),
        short_by: top.lost(),
        first: first.collect(),
    }
}

/// An hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// When it begins.
    pub time: Timestamp,
    /// Sessions.
    pub sessions: u64,
    /// Messages that were delivered.
    pub delivered: u64,
    /// Recipients that were refused for good.
    pub refused: u64,
    /// Recipients that were put off.
    pub put_off: u64,
}

/// What came in each hour.
#[derive(Debug, Default)]
pub(super) struct Hours(BTreeMap<u64, [u64; 4]>);

impl Hours {
    pub(super) fn add(&mut self, looked: &Looked) {
        let hour = looked.at / HOUR;
        if self.0.len() >= HOURS && !self.0.contains_key(&hour) {
            return;
        }
        let [delivered, ..] = looked.messages;
        let [.., put_off, denied, dropped] = looked.recipients;
        let sums = self.0.entry(hour).or_default();
        for (sum, count) in sums
            .iter_mut()
            .zip([1, delivered, denied + dropped, put_off])
        {
            *sum += count;
        }
    }

    pub(super) fn report(self) -> Vec<Hour> {
        let hour = |(hour, [sessions, delivered, refused, put_off]): (u64, [u64; 4])| Hour {
            time: time(hour * HOUR),
            sessions,
            delivered,
            refused,
            put_off,
        };
        self.0.into_iter().map(hour).collect()
    }
}

/// How far zones agree, over the sessions in which both answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Overlap {
    /// The zones, as they are shown.
    pub zones: Vec<String>,
    /// Sessions in which each answered.
    pub answered: Vec<u64>,
    /// Sessions in which each listed something.
    pub listing: Vec<u64>,
    /// Row *i*, column *j*: of the sessions in which zone *i* lists something and *j* answered, the share in which *j* lists
    /// something too; nothing if there are none.
    pub given: Vec<Vec<Option<f64>>>,
}

#[derive(Debug)]
pub(super) struct Zones {
    answered: Vec<u64>,
    listing: Vec<u64>,
    /// Row: lists something. Column: answered; lists something too.
    both: Vec<Vec<(u64, u64)>>,
}

impl Zones {
    pub(super) fn new(zones: usize) -> Self {
        Self {
            answered: vec![0; zones],
            listing: vec![0; zones],
            both: vec![vec![(0, 0); zones]; zones],
        }
    }

    /// Adds a session in which these zones answered, and of these those listed something.
    pub(super) fn add(&mut self, (answered, listing): (u32, u32)) {
        let bit = |set: u32, at: usize| u64::from(set >> at & 1);
        for (at, count) in self.answered.iter_mut().enumerate() {
            *count += bit(answered, at);
        }
        if listing == 0 {
            return;
        }
        for (at, (count, row)) in self.listing.iter_mut().zip(&mut self.both).enumerate() {
            if bit(listing, at) == 0 {
                continue;
            }
            *count += 1;
            for (other, (asked, too)) in row.iter_mut().enumerate() {
                *asked += bit(answered, other);
                *too += bit(listing, other);
            }
        }
    }

    pub(super) fn report(self, zones: &[String]) -> Overlap {
        let given = |(asked, too): (u64, u64)| (asked > 0).then(|| share(too, asked));
        let rows = self.both.into_iter();
        Overlap {
            zones: zones.to_vec(),
            answered: self.answered,
            listing: self.listing,
            given: rows
                .map(|row| row.into_iter().map(given).collect())
                .collect(),
        }
    }
}
