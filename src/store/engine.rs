//! What keeps octets under keys: the tables, what an engine must do, and the engine in memory.
//!
//! An engine knows nothing of what the octets mean. It is written by the keeper alone and read by all sessions, which it
//! must not hold up while it writes.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::store::key::{Key, Secret};

/// The most entries of the allow and deny lists.
pub const MOST_ENTRIES: usize = 10_000;
/// The most zones kept.
const MOST_ZONES: u64 = 1000;
/// Changes that the engine in memory makes at a time, so that it holds up nobody.
const AT_A_TIME: usize = 256;

/// What is said when there is no file to write to.
pub(in crate::store) const KEPT_IN_MEMORY: &str = "what is remembered of clients can not be kept on disk; \
     until it can, it is kept in memory, and mail flows on";

/// The tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) enum Table {
    /// Good results, by identity.
    Passes,
    /// Greylist triplets, by hash.
    Triplets,
    /// Counts of recipients, by client.
    Harvest,
    /// Listeners that were tried, by client.
    Sightings,
    /// Health of zones, by the name shown.
    Zones,
    /// Entries of the allow and deny lists, by subject.
    Entries,
}

impl Table {
    pub(in crate::store) const ALL: [Self; 6] = [
        Self::Passes,
        Self::Triplets,
        Self::Harvest,
        Self::Sightings,
        Self::Zones,
        Self::Entries,
    ];

    /// Its name in files and metrics.
    pub(in crate::store) const fn name(self) -> &'static str {
        match self {
            Self::Passes => "passes",
            Self::Triplets => "triplets",
            Self::Harvest => "harvest",
            Self::Sightings => "sightings",
            Self::Zones => "zones",
            Self::Entries => "entries",
        }
    }

    /// The most it holds of `total` things. Each has a part of its own, so that a flood of one kind, which a client can
    /// cause, does not drive out the others.
    pub(in crate::store) fn most(self, total: u64) -> u64 {
        match self {
            Self::Passes => total / 2,
            Self::Triplets => total / 10 * 3,
            Self::Harvest | Self::Sightings => total / 10,
            Self::Zones => MOST_ZONES,
            Self::Entries => u64::try_from(MOST_ENTRIES).unwrap_or(u64::MAX),
        }
    }
}

/// Where something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Place {
    pub(in crate::store) table: Table,
    pub(in crate::store) key: Key,
}

/// An engine failed: nothing it says is to be believed any more.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::store) struct Broken(pub(in crate::store) String);

/// The octets of a value.
pub(in crate::store) type Octets = Box<[u8]>;

/// A value in place of another, or none.
pub(in crate::store) type Change<'a> = (Place, Option<&'a [u8]>);

/// Keeps octets.
pub(in crate::store) trait Engine: Send + Sync + std::fmt::Debug {
    /// What is kept there.
    fn get(&self, place: &Place) -> Result<Option<Octets>, Broken>;

    /// The first things of a table behind a key, in the order of keys.
    fn scan(
        &self,
        table: Table,
        after: Option<Key>,
        most: usize,
    ) -> Result<Vec<(Key, Octets)>, Broken>;

    /// Makes all changes or none. Those that are `lasting`, and all before them, are there after a crash.
    fn write(&self, changes: &[Change<'_>], lasting: bool) -> Result<(), Broken>;

    /// How much a table holds.
    fn count(&self, table: Table) -> Result<u64, Broken>;

    /// Whether it outlives the process.
    fn lasts(&self) -> bool;
}

/// An engine that is ready, and the secret of its keys.
pub(in crate::store) struct Opened {
    pub(in crate::store) engine: Box<dyn Engine>,
    pub(in crate::store) secret: Secret,
}

/// Opens the engine, now and again after it has failed. The error is for people.
pub(in crate::store) type Opener = Box<dyn FnMut() -> Result<Opened, String> + Send>;

/// Keeps octets for as long as the process runs.
#[derive(Debug, Default)]
pub(in crate::store) struct InMemory(RwLock<BTreeMap<Place, Octets>>);

impl InMemory {
    fn map(&self) -> RwLockReadGuard<'_, BTreeMap<Place, Octets>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine for InMemory {
    fn get(&self, place: &Place) -> Result<Option<Octets>, Broken> {
        Ok(self.map().get(place).cloned())
    }

    fn scan(
        &self,
        table: Table,
        after: Option<Key>,
        most: usize,
    ) -> Result<Vec<(Key, Octets)>, Broken> {
        let start = after.map_or(Bound::Included(Key::FIRST), Bound::Excluded);
        let place = |key| Place { table, key };
        let range = (start.map(place), Bound::Included(place(Key::LAST)));
        let map = self.map();
        let found = map.range(range).take(most);
        Ok(found
            .map(|(place, octets)| (place.key, octets.clone()))
            .collect())
    }

    fn write(&self, changes: &[Change<'_>], _lasting: bool) -> Result<(), Broken> {
        for changes in changes.chunks(AT_A_TIME) {
            let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
            for (place, value) in changes {
                match value {
                    Some(octets) => map.insert(*place, Octets::from(*octets)),
                    None => map.remove(place),
                };
            }
        }
        Ok(())
    }

    fn count(&self, table: Table) -> Result<u64, Broken> {
        let place = |key| Place { table, key };
        let count = self
            .map()
            .range(place(Key::FIRST)..=place(Key::LAST))
            .count();
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    fn lasts(&self) -> bool {
        false
    }
}
