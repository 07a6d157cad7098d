//! From memory to the disk that works again.

use crate::store::admin::Entry;
use crate::store::engine::{Broken, Change, Engine, MOST_ENTRIES, Octets, Place, Table};
use crate::store::key::Key;
use crate::store::shared::Shelf;
use crate::store::value::Kept;

/// Things carried at a time.
const AT_A_TIME: usize = 4096;

/// Writes everything that one shelf holds to the other. What only the secret of the first makes findable is left behind;
/// entries have names, so their keys are made anew.
pub(in crate::store) fn carry_over(
    from: &Shelf,
    entries: &[Entry],
    to: &Shelf,
) -> Result<(), Broken> {
    let same_secret = from.secret.octets() == to.secret.octets();
    let findable = |key: &Key| same_secret || !key.is_hashed();
    let others = Table::ALL
        .into_iter()
        .filter(|table| *table != Table::Entries);
    for table in others {
        let mut after = None;
        loop {
            let found = from.engine.scan(table, after, AT_A_TIME)?;
            let Some((last, _)) = found.last() else { break };
            after = Some(*last);
            let findable = found.iter().filter(|(key, _)| findable(key));
            let changes: Vec<Change<'_>> = findable
                .map(|(key, octets)| (Place { table, key: *key }, Some(&**octets)))
                .collect();
            to.engine.write(&changes, false)?;
        }
    }
    carry_over_entries(entries, to)
}

/// The list at hand takes the place of that in the file, which may hold entries that were removed since.
fn carry_over_entries(entries: &[Entry], to: &Shelf) -> Result<(), Broken> {
    let table = Table::Entries;
    let old = to.engine.scan(table, None, MOST_ENTRIES)?;
    let new: Vec<(Key, Octets)> = entries
        .iter()
        .map(|entry| (entry.subject.key(&to.secret), entry.octets()))
        .collect();
    let gone = old
        .iter()
        .map(|(key, _)| (Place { table, key: *key }, None));
    let kept = new
        .iter()
        .map(|(key, octets)| (Place { table, key: *key }, Some(&**octets)));
    let changes: Vec<Change<'_>> = gone.chain(kept).collect();
    to.engine.write(&changes, true)
}

/// The entries of the allow and deny lists, expired ones too.
pub(in crate::store) fn all_entries(engine: &dyn Engine) -> Vec<Entry> {
    let kept = engine.scan(Table::Entries, None, MOST_ENTRIES);
    let kept = kept.unwrap_or_default();
    kept.iter()
        .filter_map(|(_, octets)| Entry::from_octets(octets, 0))
        .collect()
}
