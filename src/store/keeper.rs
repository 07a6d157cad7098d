//! The keeper: takes changes out of the overlay and writes them, sweeps, and bears trouble with the disk.
//!
//! It blocks and belongs on a thread of its own. A batch is written when changes have gathered for a while; not each of
//! them is synced to the disk, but a change is never older than about two seconds by then. When the engine fails, what it
//! held is out of reach, and things are kept in memory until a sweep finds the disk well again.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::store::carry_over::{all_entries, carry_over};
use crate::store::disk;
use crate::store::engine::{Broken, Change, Engine, InMemory, KEPT_IN_MEMORY, Opened, Opener};
use crate::store::overlay::{Changes, MOST};
use crate::store::shared::{Shared, Shelf};
use crate::store::sweep::{Eviction, Walk};

/// How long changes gather before they are written.
const GATHER: Duration = Duration::from_millis(250);
/// At the latest so many batches after the last one that was synced, one is.
const UNSYNCED: u32 = 8;
/// When nothing comes for so long, what was written is synced.
const IDLE: Duration = Duration::from_secs(1);
/// Least time between attempts to use the disk again, in seconds.
const RETRY: u64 = 60;
/// The most things kept while they are in memory only.
const MOST_IN_MEMORY: u64 = 100_000;

/// What the keeper is to do.
#[derive(Debug)]
pub(in crate::store) enum Wake {
    /// Changes have come.
    Work,
    /// Many have.
    Hurry,
    /// Sweep.
    Sweep {
        now: u64,
        budget: usize,
        done: oneshot::Sender<usize>,
    },
    /// Write everything and sync it.
    Flush(oneshot::Sender<bool>),
}

/// Writes what is remembered; runs on a thread of its own.
pub struct Keeper {
    shared: Arc<Shared>,
    wakes: Receiver<Wake>,
    opener: Option<Opener>,
    most: u64,
    walk: Walk,
    eviction: Eviction,
    /// Batches written since the last sync.
    unsynced: u32,
    /// What was in them: an engine that fails takes it along.
    at_risk: Changes,
    /// When the disk was last tried, if it is not in use.
    tried: Option<u64>,
    /// Whether the entries of the file, if there is one, are at hand.
    knows_entries: bool,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

impl Keeper {
    /// Without an opener things stay in memory, and nothing is wrong with that.
    pub(in crate::store) fn new(
        shared: Arc<Shared>,
        wakes: Receiver<Wake>,
        opener: Option<Opener>,
        most: u64,
    ) -> Self {
        let mut keeper = Self {
            shared,
            wakes,
            opener,
            most,
            walk: Walk::default(),
            eviction: Eviction::default(),
            unsynced: 0,
            at_risk: Changes::default(),
            tried: None,
            knows_entries: false,
        };
        if keeper.lasts() {
            keeper.shared.entries.join(keeper.with_engine(all_entries));
            keeper.knows_entries = true;
        }
        keeper
    }

    /// Keeps until every [`crate::store::Store`] has gone; then writes what is left. Blocks.
    pub fn run(mut self) {
        while let Some(wake) = self.next() {
            let follows = match wake {
                Wake::Work => self.wakes.recv_timeout(GATHER).ok(),
                _ => None,
            };
            self.act(wake);
            if let Some(wake) = follows {
                self.act(wake);
            }
        }
        self.commit(true);
    }

    /// What to do next; `None` when nobody is left to do it for.
    fn next(&mut self) -> Option<Wake> {
        if self.unsynced == 0 {
            return self.wakes.recv().ok();
        }
        match self.wakes.recv_timeout(IDLE) {
            Ok(wake) => Some(wake),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.commit(true);
                self.wakes.recv().ok()
            }
        }
    }

    fn act(&mut self, wake: Wake) {
        if let Some(broken) = self.shared.take_broken() {
            self.fall(&broken);
        }
        match wake {
            Wake::Work | Wake::Hurry => self.commit(false),
            Wake::Sweep { now, budget, done } => {
                self.retry(now);
                // Whoever asked may have gone.
                let _ = done.send(self.sweep(now, budget));
            }
            Wake::Flush(done) => {
                self.commit(true);
                let _ = done.send(self.lasts());
            }
        }
    }

    /// Writes what waits.
    fn commit(&mut self, sync: bool) {
        self.shared.begin_batch();
        let taken = self.shared.overlay.take();
        let mut changes: Vec<Change<'_>> = taken
            .iter()
            .map(|(place, value)| (*place, value.as_deref()))
            .collect();
        if changes.is_empty() && !(sync && self.unsynced > 0) {
            return;
        }
        // Neighbours in the order of keys are neighbours in the file.
        changes.sort_unstable_by_key(|(place, _)| *place);
        let many = self.unsynced + 1 >= UNSYNCED || self.at_risk.len() >= MOST;
        let sync = sync || many;
        if let Err(broken) = self.with_engine(|engine| engine.write(&changes, sync)) {
            self.fall(&broken);
            let _ = self.with_engine(|engine| engine.write(&changes, sync));
        }
        drop(changes);
        self.shared.overlay.written();
        if sync {
            self.unsynced = 0;
            self.at_risk = Changes::default();
        } else {
            self.unsynced += 1;
            let values = taken.iter();
            self.at_risk
                .extend(values.map(|(place, value)| (*place, value.clone())));
        }
        drop(taken);
        self.evict();
    }

    fn evict(&mut self) {
        let most = if self.lasts() {
            self.most
        } else {
            self.most.min(MOST_IN_MEMORY)
        };
        let mut eviction = std::mem::take(&mut self.eviction);
        let gone = self.with_engine(|engine| eviction.step(engine, most));
        self.eviction = eviction;
        let gone = self.removed(gone);
        self.shared.tally.evicted(gone);
    }

    fn sweep(&mut self, now: u64, budget: usize) -> usize {
        self.shared.entries.sweep(now);
        let mut walk = std::mem::take(&mut self.walk);
        let gone = self.with_engine(|engine| walk.step(engine, now, budget));
        self.walk = walk;
        let gone = self.removed(gone);
        self.shared.tally.expired(gone);
        gone
    }

    /// So much was removed, or it could not be.
    fn removed(&mut self, gone: Result<usize, Broken>) -> usize {
        match gone {
            Ok(0) => 0,
            Ok(gone) => {
                self.unsynced = self.unsynced.max(1);
                gone
            }
            Err(broken) => {
                self.fall(&broken);
                0
            }
        }
    }

    /// The engine is not to be believed any more: things are kept in memory from here on.
    fn fall(&mut self, broken: &Broken) {
        self.shared.tally.failed();
        tracing::error!(error = %broken, "{KEPT_IN_MEMORY}");
        let secret = self.shared.shelf().secret.clone();
        let engine = Box::new(InMemory::default());
        let unsynced = std::mem::take(&mut self.at_risk);
        let changes: Vec<Change<'_>> = unsynced
            .iter()
            .map(|(place, value)| (*place, value.as_deref()))
            .collect();
        // Memory takes everything.
        let _ = engine.write(&changes, false);
        self.put_on_shelf(Shelf { engine, secret });
        // What sessions found wrong with the old engine meanwhile says nothing of this one.
        let _ = self.shared.take_broken();
        self.unsynced = 0;
        self.tried = None;
    }

    /// Tries the disk again, if it is not in use and some time has passed.
    fn retry(&mut self, now: u64) {
        let soon = self.tried.is_some_and(|tried| tried.abs_diff(now) < RETRY);
        if soon || self.lasts() {
            return;
        }
        self.tried = Some(now);
        let Some(Ok(Opened { engine, secret })) = self.opener.as_mut().map(|opener| opener())
        else {
            return;
        };
        self.commit(false);
        let new = Shelf { engine, secret };
        if !self.knows_entries {
            self.shared.entries.join(all_entries(&*new.engine));
            self.knows_entries = true;
        }
        if carry_over(&self.shared.shelf(), &self.shared.entries.list(), &new).is_err() {
            self.shared.tally.failed();
            return disk::close(new.engine);
        }
        self.put_on_shelf(new);
        tracing::warn!("what is remembered of clients is kept on disk again");
    }

    fn with_engine<T>(&self, use_it: impl FnOnce(&dyn Engine) -> T) -> T {
        use_it(&*self.shared.shelf().engine)
    }

    fn lasts(&self) -> bool {
        self.with_engine(|engine| engine.lasts())
    }

    fn put_on_shelf(&self, new: Shelf) {
        // Nobody waits for it.
        disk::close(self.shared.put_on_shelf(new).engine);
    }
}
