//! Writing the journal: a bounded queue that never waits, and the keeper that empties it onto the disk.
//!
//! The keeper blocks and belongs on a thread of its own. When the disk takes no more it keeps what it has in hand and
//! tries again; the queue fills, and what does not fit is counted. Whole lines only: a line that was written in part is
//! cut away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::journal::files::{self, Found};
use crate::journal::read::LONGEST_LINE;
use crate::journal::record::{SessionRecord, Timestamp, timestamp};

/// Records that wait to be written, at most.
const QUEUE: usize = 1024;
/// Entries (facts, findings, outcomes) in records that wait, at most: some records are a thousand times as large as
/// others.
const QUEUED_ENTRIES: usize = 128 * 1024;
/// Octets gathered into one write.
const BATCH: usize = 64 * 1024;
/// The journal is at least this many files, so that pruning takes a small part.
const PARTS: u32 = 16;
/// How long the keeper lets records gather once one is there. Whoever queues one meanwhile need not wake it, and many go
/// to the disk in one write; what a crash can lose is the records of this time.
const GATHER: Duration = Duration::from_millis(20);
/// How long the keeper waits before it tries again what failed.
const RETRY: Duration = Duration::from_secs(1);

/// Hands records to the keeper; cheap to clone. When the last one goes, the keeper writes what is queued and ends.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: SyncSender<SessionRecord>,
    tally: Arc<Tally>,
    directory: Arc<Path>,
}

/// What became of records so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Written to the disk.
    pub written: u64,
    /// Let fall because too many waited.
    pub dropped: u64,
    /// Let fall because they could not be written even at the end, or are too large.
    pub lost: u64,
    /// Failed attempts to write.
    pub errors: u64,
}

#[derive(Debug, Default)]
struct Tally {
    written: AtomicU64,
    dropped: AtomicU64,
    lost: AtomicU64,
    errors: AtomicU64,
    queued_entries: AtomicUsize,
}

/// Writes the records; runs on a thread of its own.
#[derive(Debug)]
pub struct Keeper {
    queue: Receiver<SessionRecord>,
    tally: Arc<Tally>,
    shelf: Shelf,
    retry: Duration,
    /// Whether the last attempt failed, so that trouble is said once.
    troubled: bool,
}

/// A journal in `directory`, whose files together take at most `max_size` octets and are dropped when all their records
/// are older than `max_age`. Nothing is touched before the first record.
#[must_use]
pub fn open(directory: &Path, max_size: u64, max_age: Duration) -> (Writer, Keeper) {
    let (sender, queue) = sync_channel(QUEUE);
    let tally = Arc::new(Tally::default());
    let shelf = Shelf {
        directory: directory.to_owned(),
        max_size,
        max_age,
        open: None,
    };
    let keeper = Keeper {
        queue,
        tally: Arc::clone(&tally),
        shelf,
        retry: RETRY,
        troubled: false,
    };
    (
        Writer {
            queue: sender,
            tally,
            directory: directory.into(),
        },
        keeper,
    )
}

impl Writer {
    /// Queues a record; never waits. When too many wait it is let fall and counted.
    pub fn write(&self, record: SessionRecord) {
        let entries = record.entries();
        let before = self
            .tally
            .queued_entries
            .fetch_add(entries, Ordering::Relaxed);
        let full = before.saturating_add(entries) > QUEUED_ENTRIES;
        if full || self.queue.try_send(record).is_err() {
            self.tally
                .queued_entries
                .fetch_sub(entries, Ordering::Relaxed);
            self.tally.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Where the records are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// What became of records so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Tally {
            written,
            dropped,
            lost,
            errors,
            ..
        } = &*self.tally;
        Counts {
            written: read(written),
            dropped: read(dropped),
            lost: read(lost),
            errors: read(errors),
        }
    }
}

/// Lines to be written together.
#[derive(Debug)]
struct Batch {
    lines: Vec<u8>,
    records: u64,
    /// When the first session in it ended.
    time: Timestamp,
}

impl Keeper {
    /// Writes records until every [`Writer`] has gone and the queue is empty. Blocks.
    pub fn run(mut self) {
        let most = self.shelf.part().min(LONGEST_LINE);
        let mut next = self.queue.recv().ok();
        while let Some(record) = next.take() {
            let mut batch = Batch {
                lines: Vec::new(),
                records: 0,
                time: record.ended_at(),
            };
            self.add(&mut batch, &record, most);
            std::thread::sleep(GATHER);
            while batch.lines.len() < BATCH.min(most) {
                let Ok(record) = self.queue.try_recv() else {
                    break;
                };
                self.add(&mut batch, &record, most);
            }
            self.put(&batch);
            next = self.queue.recv().ok();
        }
    }

    fn add(&self, batch: &mut Batch, record: &SessionRecord, most: usize) {
        self.tally
            .queued_entries
            .fetch_sub(record.entries(), Ordering::Relaxed);
        let line = serde_json::to_vec(record)
            .ok()
            .filter(|line| line.len() < most);
        let Some(line) = line else {
            self.tally.lost.fetch_add(1, Ordering::Relaxed);
            return;
        };
        batch.lines.extend_from_slice(&line);
        batch.lines.push(b'\n');
        batch.records += 1;
    }

    /// Writes a batch, as often as it takes; gives up only when nobody is left to write for.
    fn put(&mut self, batch: &Batch) {
        if batch.records == 0 {
            return;
        }
        while let Err(error) = self.shelf.put(batch) {
            self.tally.errors.fetch_add(1, Ordering::Relaxed);
            self.complain(&error);
            // The writers share the tally: alone with it, nobody writes any more and gatepost is stopping.
            if Arc::strong_count(&self.tally) == 1 {
                self.tally.lost.fetch_add(batch.records, Ordering::Relaxed);
                return;
            }
            std::thread::sleep(self.retry);
        }
        self.tally
            .written
            .fetch_add(batch.records, Ordering::Relaxed);
        if std::mem::take(&mut self.troubled) {
            let dropped = self.tally.dropped.load(Ordering::Relaxed);
            tracing::warn!(dropped, "the journal is written again");
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.troubled, true) {
            let directory = self.shelf.directory.display();
            tracing::error!(%directory, %error, "session records can not be written; mail flows on");
        }
    }

    #[cfg(test)]
    pub(in crate::journal) const fn retry_after(&mut self, retry: Duration) {
        self.retry = retry;
    }
}

/// The files, one of them open.
#[derive(Debug)]
struct Shelf {
    directory: PathBuf,
    max_size: u64,
    max_age: Duration,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    since: Timestamp,
    /// Octets of whole lines in it.
    length: u64,
}

impl Shelf {
    /// The largest a file becomes, octets.
    fn part(&self) -> usize {
        usize::try_from(self.max_size / u64::from(PARTS)).unwrap_or(usize::MAX)
    }

    fn put(&mut self, batch: &Batch) -> io::Result<()> {
        let size = u64::try_from(batch.lines.len()).unwrap_or(u64::MAX);
        if self
            .open
            .as_ref()
            .is_some_and(|open| self.is_full(open, size, batch.time))
        {
            self.open = None;
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => {
                let open = none.insert(begin(&self.directory, batch.time)?);
                // A file may outgrow its part by one batch, which is at most another part.
                let sizes = (self.max_size, 2 * (self.max_size / u64::from(PARTS)));
                if let Err(error) = files::prune(&self.directory, sizes, self.max_age, batch.time) {
                    tracing::warn!(%error, "old session records can not be removed");
                }
                open
            }
        };
        if let Err(error) = open.file.write_all(&batch.lines) {
            // If the torn line can not be cut away either, readers skip it: the next write begins a new file.
            if open.file.set_len(open.length).is_err() {
                self.open = None;
            }
            return Err(error);
        }
        open.length += size;
        Ok(())
    }

    fn is_full(&self, open: &Open, size: u64, now: Timestamp) -> bool {
        let part = self.max_size / u64::from(PARTS);
        let age = now
            .time()
            .duration_since(open.since.time())
            .unwrap_or_default();
        open.length.saturating_add(size) > part || age > self.max_age / PARTS
    }
}

/// Begins a new file at `time`, or right behind the newest one there if the clock has gone back.
fn begin(directory: &Path, time: Timestamp) -> io::Result<Open> {
    if !directory.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(directory)?;
    }
    let behind = |file: &Found| file.time.time().checked_add(Duration::from_millis(1));
    let earliest = files::list(directory)?
        .last()
        .and_then(behind)
        .map(timestamp);
    let since = earliest.map_or(time, |earliest| time.max(earliest));
    let path = files::path(directory, since);
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o640)
        .open(path)?;
    Ok(Open {
        file,
        since,
        length: 0,
    })
}
