//! Reading the journal: every record in the order in which sessions ended, bad lines skipped and counted.
//!
//! A line can be bad because the machine stopped while it was written, because the disk was full, or because another
//! version wrote it. A file may go while it is read. None of this ends the reading.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use memchr::memmem;

use crate::journal::files::{self, Found};
use crate::journal::record::{SessionRecord, VERSION};

/// Longest line that is read, octets; the writer writes none that is longer.
pub(in crate::journal) const LONGEST_LINE: usize = 16 * 1024 * 1024;

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
        loop {
            let Some(open) = &mut self.open else {
                let next = self.files.next()?;
                self.open = File::open(&next.path).ok().map(BufReader::new);
                self.skipped += u64::from(self.open.is_none());
                continue;
            };
            let mut line = Vec::new();
            // One octet for the line's end.
            let bound = u64::try_from(LONGEST_LINE + 1).unwrap_or(u64::MAX);
            match open.by_ref().take(bound).read_until(b'\n', &mut line) {
                Ok(0) => self.open = None,
                Ok(_) if line.last() == Some(&b'\n') => {
                    line.pop();
                    return Some(line);
                }
                // A torn last line, or one that is longer than any that was written.
                Ok(_) | Err(_) => {
                    self.skipped += 1;
                    self.open = None;
                }
            }
        }
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
pub(in crate::journal) fn parse(line: &[u8]) -> Option<SessionRecord> {
    let record: SessionRecord = serde_json::from_slice(line).ok()?;
    (record.version == VERSION).then_some(record)
}
