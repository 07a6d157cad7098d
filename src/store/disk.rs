//! The engine on disk: one file of redb.
//!
//! redb checks what it reads, but a file that something else has written to can still make it panic; a panic is caught
//! here and means the same as an error. The whole file is checked when it is opened.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{PoisonError, RwLock};

use redb::{Builder, Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable};
use redb::{
    ReadableTableMetadata, StorageBackend, StorageError, TableDefinition, WriteTransaction,
};

use crate::store::engine::{Broken, Change, Engine, Octets, Place, Table};
use crate::store::key::{KEY_LENGTH, Key, Secret};

/// The version of the file: its tables and what its keys are made of. Values have their own.
const VERSION: &[u8] = &[1];
/// The most octets of the file that are held in memory; the system holds others.
const CACHE: usize = 32 << 20;

/// About the file itself: its version and its secret.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");

type Columns = TableDefinition<'static, [u8; KEY_LENGTH], &'static [u8]>;

const fn columns(table: Table) -> Columns {
    TableDefinition::new(table.name())
}

/// Why a file can not be used.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Refused {
    /// It is not what it should be and never will be.
    Damaged(String),
    /// Somebody else uses it, or the disk does not take or give octets now.
    Unusable(String),
}

/// A file that is open. It is locked: no other process has it.
pub(in crate::store) struct Disk {
    /// What readers see: everything up to the last write. It is open all the time, since opening takes longer than
    /// reading. Stands before the database, so that it is closed first.
    view: RwLock<View>,
    database: Database,
}

/// The tables as they are for readers, in the order of [`Table::ALL`].
type View = Vec<ReadOnlyTable<[u8; KEY_LENGTH], &'static [u8]>>;

fn view(database: &Database) -> Result<View, redb::Error> {
    let transaction = database.begin_read()?;
    let tables = Table::ALL.map(|table| transaction.open_table(columns(table)));
    Ok(tables.into_iter().collect::<Result<_, _>>()?)
}

impl Disk {
    /// Opens what is there, or begins anew if nothing is.
    pub(in crate::store) fn open(file: impl StorageBackend) -> Result<(Self, Secret), Refused> {
        let open = || {
            let mut builder = Builder::new();
            builder.set_cache_size(CACHE);
            builder.set_check_integrity_on_open(true);
            let database = builder.create_with_backend(file)?;
            let about = begin(&database)?;
            if about.version != VERSION {
                return Err(redb::Error::Corrupted(
                    "it is of another version".to_owned(),
                ));
            }
            let view = RwLock::new(view(&database)?);
            Ok((Self { view, database }, about.secret))
        };
        let (disk, secret) = caught(open)
            .unwrap_or_else(|panic| Err(redb::Error::Corrupted(panic)))
            .map_err(|error| refused(&error))?;
        match <[u8; 16]>::try_from(secret.as_slice()) {
            Ok(secret) => Ok((disk, Secret::from(secret))),
            Err(_) => Err(Refused::Damaged("it has no secret".to_owned())),
        }
    }
}

struct About {
    version: Vec<u8>,
    secret: Vec<u8>,
}

/// Makes the tables that are not there, and reads what the file says about itself.
fn begin(database: &Database) -> Result<About, redb::Error> {
    let transaction = database.begin_write()?;
    let about = {
        let mut table = transaction.open_table(ABOUT)?;
        if table.is_empty()? {
            table.insert("version", VERSION)?;
            table.insert("secret", Secret::random().octets().as_slice())?;
        }
        let get = |name| Ok::<_, StorageError>(table.get(name)?.map(|kept| kept.value().to_vec()));
        About {
            version: get("version")?.unwrap_or_default(),
            secret: get("secret")?.unwrap_or_default(),
        }
    };
    if about.version == VERSION {
        for table in Table::ALL {
            transaction.open_table(columns(table))?;
        }
        transaction.commit()?;
    }
    Ok(about)
}

fn refused(error: &redb::Error) -> Refused {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    let text = error.to_string();
    match error {
        redb::Error::Io(error)
            if !matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) =>
        {
            Refused::Unusable(text)
        }
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => {
            Refused::Unusable("another process uses it".to_owned())
        }
        _ => Refused::Damaged(text),
    }
}

/// Closes an engine, whatever state it is in. Takes a while.
pub(in crate::store) fn close(engine: Box<dyn Engine>) {
    // What can not be written any more is lost; that it can not has been said.
    let _ = caught(|| drop(engine));
}

/// Runs it; a panic is an error.
fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // The file is not used any more after that, so nobody sees what was left half done.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        format!("defect found in it: {}", text.unwrap_or("unknown"))
    })
}

fn tried<T>(run: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Broken> {
    caught(run)
        .map_err(Broken)?
        .map_err(|error| Broken(error.to_string()))
}

impl Disk {
    fn read<T>(
        &self,
        table: Table,
        read: impl FnOnce(&ReadOnlyTable<[u8; KEY_LENGTH], &'static [u8]>) -> Result<T, StorageError>,
    ) -> Result<T, Broken> {
        tried(|| {
            let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
            let at = Table::ALL.iter().position(|other| *other == table);
            let open = at.and_then(|at| view.get(at));
            Ok(read(open.ok_or(StorageError::DatabaseClosed)?)?)
        })
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Engine for Disk {
    fn get(&self, place: &Place) -> Result<Option<Octets>, Broken> {
        self.read(place.table, |table| {
            Ok(table
                .get_owned(place.key.0)?
                .map(|kept| kept.value().into()))
        })
    }

    fn scan(
        &self,
        table: Table,
        after: Option<Key>,
        most: usize,
    ) -> Result<Vec<(Key, Octets)>, Broken> {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = after.map_or(Unbounded, |key| Excluded(key.0));
        self.read(table, |table| {
            let range = table.range_owned::<[u8; KEY_LENGTH]>((start, Unbounded))?;
            let found = range.take(most).map(|kept| {
                let (key, value) = kept?;
                Ok((Key(key.value()), value.value().into()))
            });
            found.collect()
        })
    }

    fn write(&self, changes: &[Change<'_>], lasting: bool) -> Result<(), Broken> {
        tried(|| {
            let mut transaction = self.database.begin_write()?;
            transaction.set_durability(if lasting {
                Durability::Immediate
            } else {
                Durability::None
            })?;
            for table in Table::ALL {
                let changes = changes.iter().filter(|(place, _)| place.table == table);
                write_table(&transaction, table, changes)?;
            }
            transaction.commit()?;
            let new = view(&self.database)?;
            let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
            let old = std::mem::replace(&mut *view, new);
            drop(view);
            drop(old);
            Ok(())
        })
    }

    fn count(&self, table: Table) -> Result<u64, Broken> {
        self.read(table, ReadableTableMetadata::len)
    }

    fn lasts(&self) -> bool {
        true
    }
}

fn write_table<'a>(
    transaction: &WriteTransaction,
    table: Table,
    changes: impl Iterator<Item = &'a Change<'a>>,
) -> Result<(), redb::Error> {
    let mut changes = changes.peekable();
    if changes.peek().is_none() {
        return Ok(());
    }
    let mut open = transaction.open_table(columns(table))?;
    for (place, value) in changes {
        match value {
            Some(octets) => drop(open.insert(place.key.0, *octets)?),
            None => drop(open.remove(place.key.0)?),
        }
    }
    Ok(())
}
