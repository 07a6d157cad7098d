//! Removing what has expired and what is too much, a little at a time.

use crate::store::engine::{Broken, Engine, Octets, Place, Table};
use crate::store::key::Key;
use crate::store::value::expires;

/// Of so many candidates for each thing too much, the one that ends first goes.
const CANDIDATES: usize = 4;
/// The most candidates at a time; what is then still too much goes the next time.
const MOST_CANDIDATES: usize = 65_536;

/// Where a walk through all tables stands.
#[derive(Debug, Default)]
pub(in crate::store) struct Walk {
    table: usize,
    after: Option<Key>,
}

impl Walk {
    /// Looks at the next `budget` things and removes what has expired by `now` or makes no sense. Gives how many.
    pub(in crate::store) fn step(
        &mut self,
        engine: &dyn Engine,
        now: u64,
        budget: usize,
    ) -> Result<usize, Broken> {
        let mut left = budget;
        let mut gone = Vec::new();
        // Once round at most, however few things there are.
        for _ in Table::ALL {
            let Some(table) = Table::ALL.get(self.table).copied() else {
                break;
            };
            let found = engine.scan(table, self.after, left)?;
            left = left.saturating_sub(found.len());
            self.after = found.last().map(|(key, _)| *key);
            let old = found
                .into_iter()
                .filter(|(_, octets)| expires(octets).is_none_or(|expires| expires <= now));
            gone.extend(old.map(|(key, _)| Place { table, key }));
            if left == 0 {
                break;
            }
            self.after = None;
            self.table = (self.table + 1) % Table::ALL.len();
        }
        remove(engine, &gone)?;
        Ok(gone.len())
    }
}

/// Where the search for what is to go stands, for each table.
#[derive(Debug, Default)]
pub(in crate::store) struct Eviction {
    after: [Option<Key>; Table::ALL.len()],
}

impl Eviction {
    /// Removes what is too much where all tables together may hold `total`: of the candidates at hand, those that end
    /// first. Gives how many.
    pub(in crate::store) fn step(
        &mut self,
        engine: &dyn Engine,
        total: u64,
    ) -> Result<usize, Broken> {
        let mut gone = Vec::new();
        for (table, after) in Table::ALL.into_iter().zip(&mut self.after) {
            let excess = engine.count(table)?.saturating_sub(table.most(total));
            let excess = usize::try_from(excess).unwrap_or(usize::MAX);
            if excess == 0 {
                continue;
            }
            let most = excess.saturating_mul(CANDIDATES).min(MOST_CANDIDATES);
            let mut found = candidates(engine, table, after, most)?;
            found.sort_unstable_by_key(|(_, octets)| expires(octets));
            let first = found.into_iter().take(excess);
            gone.extend(first.map(|(key, _)| Place { table, key }));
        }
        remove(engine, &gone)?;
        Ok(gone.len())
    }
}

/// The next things of a table, from its beginning again behind its end.
fn candidates(
    engine: &dyn Engine,
    table: Table,
    after: &mut Option<Key>,
    most: usize,
) -> Result<Vec<(Key, Octets)>, Broken> {
    let from = *after;
    let mut found = engine.scan(table, from, most)?;
    if found.len() < most && from.is_some() {
        let rest = engine.scan(table, None, most - found.len())?;
        // Not those again that were found first.
        found.extend(rest.into_iter().filter(|(key, _)| Some(*key) <= from));
    }
    *after = found.last().map(|(key, _)| *key);
    Ok(found)
}

fn remove(engine: &dyn Engine, gone: &[Place]) -> Result<(), Broken> {
    if gone.is_empty() {
        return Ok(());
    }
    let changes: Vec<_> = gone.iter().map(|place| (*place, None)).collect();
    engine.write(&changes, false)
}
