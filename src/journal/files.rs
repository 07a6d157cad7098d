//! The files of the journal: `sessions-<time>.jsonl`, where the time is the end of the first session in it, so that
//! the order of names is the order of time.
//!
//! No other file in the directory is read, counted or removed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::journal::record::{Timestamp, timestamp};

const PREFIX: &str = "sessions-";
const SUFFIX: &str = ".jsonl";

/// A file of the journal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::journal) struct Found {
    /// The time in its name.
    pub(in crate::journal) time: Timestamp,
    /// Where it is.
    pub(in crate::journal) path: PathBuf,
    /// Its size, octets.
    pub(in crate::journal) size: u64,
}

/// The file that begins at `time`.
pub(in crate::journal) fn path(directory: &Path, time: Timestamp) -> PathBuf {
    // Without colons, which other systems do not take and shells must quote.
    let time = time.to_string().replace(['-', ':'], "");
    directory.join(format!("{PREFIX}{time}{SUFFIX}"))
}

/// The time in a file's name; `None` for files that are not the journal's.
fn time_of(name: &OsStr) -> Option<Timestamp> {
    let time = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let part = |range: std::ops::Range<usize>| time.get(range);
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    let (hour, minute, rest) = (part(9..11)?, part(11..13)?, part(13..time.len())?);
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{rest}");
    let time = Timestamp::try_from(text).ok()?;
    // Only names as they are written here.
    (path(Path::new(""), time).as_os_str() == name).then_some(time)
}

/// The journal's files, oldest first.
pub(in crate::journal) fn list(directory: &Path) -> io::Result<Vec<Found>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let Some(time) = time_of(&entry.file_name()) else {
            continue;
        };
        // One that goes while it is looked at is none.
        if let Some(kept) = entry.metadata().ok().filter(fs::Metadata::is_file) {
            files.push(Found {
                time,
                path: entry.path(),
                size: kept.len(),
            });
        }
    }
    files.sort();
    Ok(files)
}

/// Removes the oldest files until `room` more octets fit into `most`, and those whose last record is older than `age`
/// at `now`. The newest file stays in any case.
pub(in crate::journal) fn prune(
    directory: &Path,
    (most, room): (u64, u64),
    age: Duration,
    now: Timestamp,
) -> io::Result<()> {
    let files = list(directory)?;
    let mut total: u64 = files.iter().map(|file| file.size).sum();
    let oldest = now.time().checked_sub(age).map(timestamp);
    for pair in files.windows(2) {
        let [file, next] = pair else { break };
        let old = oldest.is_some_and(|oldest| next.time < oldest);
        if !old && total.saturating_add(room) <= most {
            break;
        }
        match fs::remove_file(&file.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => total = total.saturating_sub(file.size),
        }
    }
    Ok(())
}
