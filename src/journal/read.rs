//! Reading the journal: every record in the order in which sessions ended, bad lines skipped and counted.
//!
//! A line can be bad because the machine stopped while it was written, because the disk was full, or because another
//! version wrote it. A file may go while it is read. None of this ends the reading.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use memchr::memmem;
use serde::de::DeserializeOwned;

use crate::journal::files::{self, Found};
use crate::journal::record::{SessionRecord, Timestamp, VERSION};

/// Longest line that is read, octets; the writer writes none that is longer.
pub(in crate::journal) const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// Octets of a file that are read at once.
const AT_ONCE: usize = 128 * 1024;

/// The records of a journal.
#[derive(Debug)]
pub struct Records {
    files: std::vec::IntoIter<Found>,
    open: Option<BufReader<File>>,
    skipped: u64,
}

/// Every record in `directory`, in the order in which the sessions ended.
///
/// # Errors
///
/// When the directory is missing or can not be read.
pub fn read(directory: &Path) -> io::Result<Records> {
    let files = files::list(directory)?.into_iter();
    Ok(Records {
        files,
        open: None,
        skipped: 0,
    })
}

/// The record of the session `id`; the newest if there are several.
///
/// # Errors
///
/// When the directory is missing or can not be read.
pub fn find(directory: &Path, id: &str) -> io::Result<Option<SessionRecord>> {
    for file in files::list(directory)?.into_iter().rev() {
        let mut newest = None;
        for line in Records::of(file).lines() {
            // Most lines are another session's; they need not be understood.
            if memmem::find(&line, id.as_bytes()).is_some() {
                newest = parse(&line).filter(|record| record.id == id).or(newest);
            }
        }
        if newest.is_some() {
            return Ok(newest);
        }
    }
    Ok(None)
}

impl Records {
    /// Those of one file.
    pub(in crate::journal) fn of(file: Found) -> Self {
        Self {
            files: vec![file].into_iter(),
            open: None,
            skipped: 0,
        }
    }

    /// The lines, whatever is in them.
    pub(in crate::journal) fn lines(mut self) -> impl Iterator<Item = Vec<u8>> {
        std::iter::from_fn(move || self.line())
    }

    /// How many lines and files could not be read so far.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next line without its end; `None` at the end of the last file.
    fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        self.line_into(&mut line).then_some(line)
    }

    /// Puts the next line without its end behind `lines`; false at the end of the last file.
    fn line_into(&mut self, lines: &mut Vec<u8>) -> bool {
        let begin = lines.len();
        loop {
            let Some(open) = &mut self.open else {
                let Some(next) = self.files.next() else {
                    return false;
                };
                let file = File::open(&next.path).ok();
                self.open = file.map(|file| BufReader::with_capacity(AT_ONCE, file));
                self.skipped += u64::from(self.open.is_none());
                continue;
            };
            // One octet for the line's end.
            let bound = u64::try_from(LONGEST_LINE + 1).unwrap_or(u64::MAX);
            match open.by_ref().take(bound).read_until(b'\n', lines) {
                Ok(0) => self.open = None,
                Ok(_) if lines.last() == Some(&b'\n') => {
                    lines.pop();
                    return true;
                }
                // A torn last line, or one that is longer than any that was written.
                Ok(_) => {
                    lines.truncate(begin);
                    self.skipped += 1;
                    if skip_line(open).is_err() {
                        self.open = None;
                    }
                }
                Err(_) => {
                    lines.truncate(begin);
                    self.skipped += 1;
                    self.open = None;
                }
            }
        }
    }
}

/// Reads on to behind the next line's end, and keeps nothing.
fn skip_line(file: &mut BufReader<File>) -> io::Result<()> {
    loop {
        let octets = file.fill_buf()?;
        let end = memchr::memchr(b'\n', octets);
        let read = end.map_or(octets.len(), |end| end + 1);
        file.consume(read);
        if end.is_some() || read == 0 {
            return Ok(());
        }
    }
}

/// The lines of a journal, many at a time, for who understands them on several processors.
#[derive(Debug)]
pub struct Lines(Records);

/// Lines that were read together.
#[derive(Debug, Default)]
pub struct Batch {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

/// The lines of every file in `directory` that can hold a session which ended at `since` or later, and how many octets
/// these files have. Lines of sessions before `since` are among them, as far as they stand in the same file.
///
/// # Errors
///
/// When the directory is missing or can not be read.
pub fn lines(directory: &Path, since: Option<Timestamp>) -> io::Result<(Lines, u64)> {
    let mut files = files::list(directory)?;
    // A file's last session ended before the first of the next one.
    let old = |file: &Found| since.is_some_and(|since| file.time <= since);
    let gone = files.iter().skip(1).take_while(|next| old(next)).count();
    files.drain(..gone);
    let octets = files.iter().map(|file| file.size).sum();
    let records = Records {
        files: files.into_iter(),
        open: None,
        skipped: 0,
    };
    Ok((Lines(records), octets))
}

impl Lines {
    /// Reads the next lines into `batch`, in place of what was in it, until it holds `octets` or more; false at the end.
    pub fn read(&mut self, batch: &mut Batch, octets: usize) -> bool {
        batch.octets.clear();
        batch.ends.clear();
        while batch.octets.len() < octets && self.0.line_into(&mut batch.octets) {
            batch.ends.push(batch.octets.len());
        }
        !batch.ends.is_empty()
    }

    /// How many lines and files could not be read so far.
    #[must_use]
    pub const fn skipped(&self) -> u64 {
        self.0.skipped
    }
}

impl Batch {
    /// Each line, without its end.
    pub fn lines(&self) -> Vec<&[u8]> {
        let mut begin = 0;
        let line = |end: &usize| {
            let line = self.octets.get(begin..*end).unwrap_or_default();
            begin = *end;
            line
        };
        self.ends.iter().map(line).collect()
    }

    /// Octets in it, without the ends of lines.
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.octets.len()
    }
}

impl Iterator for Records {
    type Item = SessionRecord;

    fn next(&mut self) -> Option<SessionRecord> {
        loop {
            let line = self.line()?;
            match parse(&line) {
                Some(record) => return Some(record),
                None => self.skipped += 1,
            }
        }
    }
}

/// The record in a line, if it holds one of this version.
#[must_use]
pub fn parse(line: &[u8]) -> Option<SessionRecord> {
    let record: SessionRecord = parse_as(line)?;
    (record.version == VERSION).then_some(record)
}

/// What a line holds. That it is UTF-8 is seen once, not text by text.
#[must_use]
pub fn parse_as<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let line = std::str::from_utf8(line).ok()?;
    serde_json::from_str(line).ok()
}
