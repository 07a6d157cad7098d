//! Going through a journal: many records at a time on all processors, and what was made of them one after the other, in the
//! order in which the sessions ended. Memory is bounded by a few batches, whatever the journal's size.

pub(in crate::measure) mod effect;
pub(in crate::measure) mod look;
pub(in crate::measure) mod top;

use std::io;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use crate::journal::{Batch, Timestamp, lines};

/// Octets of lines that are worked on together.
const BATCH: usize = 4 * 1024 * 1024;

/// Which sessions are meant.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Those that began at this time or later.
    pub since: Option<Timestamp>,
    /// Those that began before.
    pub until: Option<Timestamp>,
    /// Those of this listener.
    pub listener: Option<String>,
    /// Those that were judged under the policy of this name.
    pub policy: Option<String>,
}

impl Wanted {
    /// Whether a session that began then is meant.
    #[must_use]
    pub fn is_at(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    /// Whether a session of this listener and policy is meant.
    #[must_use]
    pub fn is_of(&self, listener: &str, policy: &str) -> bool {
        let is_or_any =
            |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|it| it == is);
        is_or_any(&self.listener, listener) && is_or_any(&self.policy, policy)
    }
}

/// What a line was.
#[derive(Debug)]
pub enum Line<T> {
    /// A record that is meant, and what was made of it.
    Wanted(T),
    /// A record that is not meant.
    Other,
    /// No record, or one of another version.
    Damaged,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Read {
    /// Records that were meant.
    pub records: u64,
    /// Records that were not.
    pub others: u64,
    /// Lines and files that could not be understood.
    pub damaged: u64,
    /// Octets of lines.
    pub octets: u64,
}

/// Goes through the journal in `directory`: `look` makes something of each line, on whatever processor, `take` gets that in
/// order, and `progress` hears how many octets of how many are done.
///
/// # Errors
///
/// When the directory is missing or can not be read.
pub fn each<T: Send>(
    directory: &Path,
    since: Option<Timestamp>,
    look: impl Fn(&[u8]) -> Line<T> + Sync,
    mut take: impl FnMut(T) + Send,
    mut progress: impl FnMut(u64, u64),
) -> io::Result<Read> {
    let (mut source, octets) = lines(directory, since)?;
    let (mut batch, mut next) = (Batch::default(), Batch::default());
    let mut looked: Vec<Line<T>> = Vec::new();
    let mut read = Read::default();
    let mut more = source.read(&mut batch, BATCH);
    while more {
        // While one batch is looked at, the one before it is taken and the one behind it is read.
        let before = std::mem::take(&mut looked);
        let taken = || {
            before
                .into_iter()
                .fold(Read::default(), |read, line| count(read, line, &mut take))
        };
        let ((counted, again), now) = rayon::join(
            || rayon::join(taken, || source.read(&mut next, BATCH)),
            || batch.lines().into_par_iter().map(&look).collect(),
        );
        (looked, more) = (now, again);
        read = read.and(counted);
        read.octets += u64::try_from(batch.octets()).unwrap_or_default();
        progress(read.octets, octets);
        std::mem::swap(&mut batch, &mut next);
    }
    let last = looked
        .into_iter()
        .fold(Read::default(), |read, line| count(read, line, &mut take));
    read = read.and(last);
    read.damaged += source.skipped();
    Ok(read)
}

fn count<T>(mut read: Read, line: Line<T>, take: &mut impl FnMut(T)) -> Read {
    match line {
        Line::Wanted(made) => {
            read.records += 1;
            take(made);
        }
        Line::Other => read.others += 1,
        Line::Damaged => read.damaged += 1,
    }
    read
}

impl Read {
    const fn and(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            others: self.others + other.others,
            damaged: self.damaged + other.damaged,
            octets: self.octets + other.octets,
        }
    }
}

#[cfg(test)]
mod tests;
