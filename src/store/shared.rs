//! What the store, which sessions use, and its keeper share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use serde::Serialize;

use crate::store::admin::Entries;
use crate::store::engine::{Broken, Engine, Opened, Table};
use crate::store::key::Secret;
use crate::store::overlay::Overlay;

/// How the memory is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Whether it outlives the process.
    pub on_disk: bool,
    /// How much each table holds, expired things too.
    pub kept: Vec<(&'static str, u64)>,
    /// Changes that are not in the tables yet.
    pub waiting: usize,
    /// Changes let fall since the start because too many waited.
    pub dropped: u64,
    /// Things removed since the start because there were too many.
    pub evicted: u64,
    /// Things removed since the start because they had expired.
    pub expired: u64,
    /// Failures of the disk since the start.
    pub failures: u64,
}

/// What store and keeper share.
#[derive(Debug)]
pub(in crate::store) struct Shared {
    shelf: RwLock<Shelf>,
    pub(in crate::store) overlay: Overlay,
    pub(in crate::store) entries: Entries,
    pub(in crate::store) tally: Tally,
    /// What a session found wrong with the engine, until the keeper has seen it.
    broken: Mutex<Option<Broken>>,
    /// Whether the keeper knows that changes wait.
    pub(in crate::store) told: AtomicBool,
    /// Whether it knows that many do.
    pub(in crate::store) pressed: AtomicBool,
}

/// Where the engine stands.
#[derive(Debug)]
pub(in crate::store) struct Shelf {
    pub(in crate::store) engine: Box<dyn Engine>,
    pub(in crate::store) secret: Secret,
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(in crate::store) struct Tally {
    dropped: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
    failures: AtomicU64,
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
}

impl Tally {
    pub(in crate::store) fn dropped(&self) {
        add(&self.dropped, 1);
    }

    pub(in crate::store) fn evicted(&self, gone: usize) {
        add(&self.evicted, gone);
    }

    pub(in crate::store) fn expired(&self, gone: usize) {
        add(&self.expired, gone);
    }

    pub(in crate::store) fn failed(&self) {
        add(&self.failures, 1);
    }
}

impl Shared {
    /// Nothing waits.
    pub(in crate::store) fn new(opened: Opened) -> Self {
        let Opened { engine, secret } = opened;
        Self {
            shelf: RwLock::new(Shelf { engine, secret }),
            overlay: Overlay::default(),
            entries: Entries::default(),
            tally: Tally::default(),
            broken: Mutex::default(),
            told: AtomicBool::new(false),
            pressed: AtomicBool::new(false),
        }
    }

    pub(in crate::store) fn shelf(&self) -> RwLockReadGuard<'_, Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keeper looks now: whoever comes later must tell it again.
    pub(in crate::store) fn begin_batch(&self) {
        self.told.store(false, Ordering::Release);
        self.pressed.store(false, Ordering::Release);
    }

    /// Puts another engine in the place of the one there.
    pub(in crate::store) fn put_on_shelf(&self, new: Shelf) -> Shelf {
        let mut shelf = self.shelf.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *shelf, new)
    }

    /// A session has found something wrong with the engine.
    pub(in crate::store) fn found_broken(&self, broken: Broken) {
        self.broken().get_or_insert(broken);
    }

    /// What a session found wrong with the engine.
    pub(in crate::store) fn take_broken(&self) -> Option<Broken> {
        self.broken().take()
    }

    fn broken(&self) -> MutexGuard<'_, Option<Broken>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it is doing.
    pub(in crate::store) fn standing(&self) -> Standing {
        let shelf = self.shelf();
        let count = |table: Table| shelf.engine.count(table).unwrap_or_default();
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Standing {
            on_disk: shelf.engine.lasts(),
            kept: Table::ALL.map(|table| (table.name(), count(table))).into(),
            waiting: self.overlay.waiting(),
            dropped: read(&self.tally.dropped),
            evicted: read(&self.tally.evicted),
            expired: read(&self.tally.expired),
            failures: read(&self.tally.failures),
        }
    }
}
