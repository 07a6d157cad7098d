//! Files that can not be read, disks that do not take or give octets, and a process that is killed.

use std::fs;
use std::io;
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};

use redb::backends::FileBackend;
use redb::{BackendError, Database, ReadableDatabase, StorageBackend, TableDefinition};

use super::*;
use crate::store::disk::{Disk, Refused};
use crate::store::engine::{Broken, Change, Octets, Opened};
use crate::store::key::Secret;

fn file(directory: &Path) -> PathBuf {
    directory.join("memory.redb")
}

fn aside(directory: &Path) -> PathBuf {
    directory.join("memory.redb.bad")
}

/// A file with what [`note_all`] notes.
fn filled() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::begin(Some(directory.path()), 100_000);
    note_all(&running.store);
    for number in 0..2000_u32 {
        let address = std::net::Ipv4Addr::from(0xc633_0000 + number).to_string();
        running.store.earn(&[client(&address)], NOW, HOUR);
    }
    running.close();
    directory
}

/// What can not be read is moved aside, once, and everything works anew.
fn is_renewed(directory: &Path) {
    let bad = fs::read(file(directory)).unwrap();
    let running = Running::begin(Some(directory), 1000);
    note_all(&running.store);
    find_all(&running.store);
    assert!(running.flush(), "it is on disk");
    running.close();
    // Of what redb itself can read it may have dropped unused octets.
    let kept = fs::read(aside(directory)).unwrap();
    assert!(kept == bad || kept.starts_with(b"redb") && bad.starts_with(b"redb"));
    let running = Running::begin(Some(directory), 1000);
    find_all(&running.store);
    running.close();
    let names = fs::read_dir(directory).unwrap().count();
    assert_eq!(names, 2, "one file and one aside");
}

#[test]
fn garbage_is_moved_aside() {
    for garbage in [&b"not a database"[..], &[0; 100_000], &[0xff; 8192]] {
        let directory = tempfile::tempdir().unwrap();
        fs::write(file(directory.path()), garbage).unwrap();
        fs::write(aside(directory.path()), "of last time").unwrap();
        is_renewed(directory.path());
    }
}

#[test]
fn an_empty_file_is_a_new_one() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(file(directory.path()), "").unwrap();
    let running = Running::begin(Some(directory.path()), 1000);
    note_all(&running.store);
    assert!(running.flush());
    running.close();
    assert!(!aside(directory.path()).exists());
}

#[test]
fn a_file_cut_short_is_moved_aside() {
    for part in [2, 5, 100] {
        let directory = filled();
        let open = fs::OpenOptions::new()
            .write(true)
            .open(file(directory.path()))
            .unwrap();
        let length = open.metadata().unwrap().len();
        open.set_len(length / part).unwrap();
        drop(open);
        is_renewed(directory.path());
    }
}

#[test]
fn a_file_that_something_else_wrote_to_is_moved_aside_or_sound() {
    let mut renewed = 0;
    for at in 0..12 {
        let directory = filled();
        let path = file(directory.path());
        let mut octets = fs::read(&path).unwrap();
        let place = 512 + octets.len() / 12 * at;
        let end = octets.len().min(place + 3000);
        octets[place..end].fill(0x5a);
        fs::write(&path, octets).unwrap();
        let running = Running::begin(Some(directory.path()), 1000);
        // Where it hit nothing that counts, all is there; else all is new.
        if aside(directory.path()).exists() {
            renewed += 1;
            note_all(&running.store);
        }
        find_all(&running.store);
        assert!(running.flush());
        running.close();
    }
    assert!(renewed > 2, "{renewed} of 12 hit something");
}

#[test]
fn a_file_of_another_version_is_moved_aside() {
    let directory = filled();
    let database = Database::open(file(directory.path())).unwrap();
    let transaction = database.begin_write().unwrap();
    let about = TableDefinition::<&str, &[u8]>::new("about");
    let mut table = transaction.open_table(about).unwrap();
    table.insert("version", &[2][..]).unwrap();
    drop(table);
    transaction.commit().unwrap();
    drop(database);
    is_renewed(directory.path());
    let database = Database::open(aside(directory.path())).unwrap();
    let transaction = database.begin_read().unwrap();
    let table = transaction.open_table(about).unwrap();
    assert_eq!(table.get("version").unwrap().unwrap().value(), [2]);
}

#[test]
fn a_directory_in_its_place_is_moved_aside() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(file(directory.path())).unwrap();
    let running = Running::begin(Some(directory.path()), 1000);
    assert!(running.flush());
    running.close();
    assert!(aside(directory.path()).is_dir());
    assert!(file(directory.path()).is_file());
}

#[test]
fn where_no_directory_can_be_made_it_is_kept_in_memory_until_one_can() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    // A file where the directory should be: nothing can be written, not even by root.
    fs::write(&store, "in the way").unwrap();
    let running = Running::begin(Some(&store), 1000);
    note_all(&running.store);
    find_all(&running.store);
    assert!(!running.flush());
    running.sweep(NOW, 10);
    assert!(!running.store.standing().on_disk);
    fs::remove_file(&store).unwrap();
    // It is not tried all the time.
    running.sweep(NOW + 59, 10);
    assert!(!running.store.standing().on_disk);
    running.sweep(NOW + 60, 10);
    assert!(running.store.standing().on_disk);
    // What stands under a network or a name at hand is carried over; hashed keys have a new secret.
    assert!(pass(&running.store, &client("192.0.2.1"), NOW).is_some());
    assert!(pass(&running.store, &Identity::spf("example.org"), NOW).is_none());
    assert_eq!(running.store.entries().len(), 1);
    running.close();
    let running = Running::begin(Some(&store), 1000);
    assert!(pass(&running.store, &client("192.0.2.1"), NOW).is_some());
    assert_eq!(running.store.entries().len(), 1);
    assert!(
        running
            .store
            .remove_entry(&Subject::Helo(".example.org".into()))
    );
    running.close();
}

#[test]
fn a_file_that_another_process_uses_is_left_alone_until_it_is_free() {
    let directory = filled();
    let first = Running::begin(Some(directory.path()), 1000);
    let second = Running::begin(Some(directory.path()), 1000);
    find_all(&first.store);
    assert!(second.store.entries().is_empty());
    let added = Subject::Helo("late.example".into());
    assert!(second.store.keep_entry(entry(added, "")));
    assert!(!second.flush());
    first.close();
    second.sweep(NOW, 1);
    assert!(second.store.standing().on_disk);
    assert!(pass(&second.store, &Identity::spf("example.org"), NOW).is_some());
    assert_eq!(second.store.entries().len(), 2);
    second.close();
    assert!(!aside(directory.path()).exists());
}

/// A disk that can fail, and can stand still.
#[derive(Clone, Debug, Default)]
struct Trouble(Arc<Switches>);

#[derive(Debug, Default)]
struct Switches {
    full: AtomicBool,
    stands_still: Mutex<bool>,
    moves: Condvar,
    writes: AtomicU64,
}

impl Trouble {
    fn full(&self, full: bool) {
        self.0.full.store(full, Ordering::SeqCst);
    }

    fn stand_still(&self, still: bool) {
        *self.0.stands_still.lock().unwrap() = still;
        self.0.moves.notify_all();
    }

    fn pass_write(&self) -> io::Result<()> {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
        let still = self.0.stands_still.lock().unwrap();
        drop(self.0.moves.wait_while(still, |still| *still).unwrap());
        if self.0.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// Opens a file on this disk, whatever the state of it.
    fn opener(&self, directory: &Path) -> Opener {
        let (trouble, path) = (self.clone(), file(directory));
        Box::new(move || {
            let mut options = fs::OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false);
            let file = FileBackend::new(file.open(&path).unwrap()).unwrap();
            let disk = OnDisk {
                file,
                trouble: trouble.clone(),
            };
            match Disk::open(disk) {
                Ok((disk, secret)) => Ok(Opened {
                    engine: Box::new(disk),
                    secret,
                }),
                Err(Refused::Unusable(error)) => Err(error),
                Err(Refused::Damaged(error)) => panic!("damaged: {error}"),
            }
        })
    }
}

#[derive(Debug)]
struct OnDisk {
    file: FileBackend,
    trouble: Trouble,
}

impl StorageBackend for OnDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.trouble.pass_write()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.trouble.pass_write()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.trouble.pass_write()?;
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}

#[test]
fn a_full_disk_costs_no_session_anything_and_is_used_again_when_it_has_room() {
    let directory = filled();
    let trouble = Trouble::default();
    let running = Running::with(trouble.opener(directory.path()), 100_000);
    find_all(&running.store);
    trouble.full(true);
    let new = Identity::spf("new.example");
    running.store.earn(std::slice::from_ref(&new), NOW, HOUR);
    assert!(
        running
            .store
            .remove_entry(&Subject::Helo(".example.org".into()))
    );
    assert!(!running.flush());
    assert!(pass(&running.store, &new, NOW).is_some());
    let standing = running.store.standing();
    assert_eq!(
        (standing.on_disk, standing.failures, standing.waiting),
        (false, 1, 0)
    );
    running.sweep(NOW, 10);
    assert!(!running.store.standing().on_disk);
    assert!(pass(&running.store, &new, NOW).is_some());

    trouble.full(false);
    running.sweep(NOW + 60, 10);
    assert!(running.store.standing().on_disk);
    // What was there before, and what came meanwhile; what was removed stays so.
    assert!(pass(&running.store, &Identity::spf("example.org"), NOW).is_some());
    assert!(pass(&running.store, &new, NOW).is_some());
    assert!(running.store.entries().is_empty());
    running.close();
    let running = Running::begin(Some(directory.path()), 100_000);
    assert!(pass(&running.store, &Identity::spf("example.org"), NOW).is_some());
    assert!(pass(&running.store, &new, NOW).is_some());
    assert!(running.store.entries().is_empty());
    running.close();
}

#[test]
fn a_disk_that_is_full_at_the_start_is_none() {
    let directory = filled();
    let trouble = Trouble::default();
    trouble.full(true);
    let running = Running::with(trouble.opener(directory.path()), 1000);
    assert!(!running.store.standing().on_disk);
    let client = client("203.0.113.1");
    running.store.earn(std::slice::from_ref(&client), NOW, HOUR);
    assert!(pass(&running.store, &client, NOW).is_some());
    running.close();
}

/// An engine that can not be read any more from the time that is said.
#[derive(Debug)]
struct Unreadable(Arc<AtomicBool>);

impl Unreadable {
    fn check<T: Default>(&self) -> Result<T, Broken> {
        if self.0.load(Ordering::SeqCst) {
            return Err(Broken("bad sector".to_owned()));
        }
        Ok(T::default())
    }
}

impl Engine for Unreadable {
    fn get(&self, _place: &Place) -> Result<Option<Octets>, Broken> {
        self.check()
    }

    fn scan(&self, _: Table, _: Option<Key>, _: usize) -> Result<Vec<(Key, Octets)>, Broken> {
        self.check()
    }

    fn write(&self, _changes: &[Change<'_>], _lasting: bool) -> Result<(), Broken> {
        Ok(())
    }

    fn count(&self, _table: Table) -> Result<u64, Broken> {
        Ok(0)
    }

    fn lasts(&self) -> bool {
        true
    }
}

#[test]
fn a_disk_that_can_not_be_read_knows_nobody_and_is_left() {
    let broken = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&broken);
    let opener: Opener = Box::new(move || {
        Ok(Opened {
            engine: Box::new(Unreadable(Arc::clone(&flag))),
            secret: Secret::random(),
        })
    });
    let running = Running::with(opener, 1000);
    let (old, new) = (client("192.0.2.1"), client("192.0.2.2"));
    assert_eq!(pass(&running.store, &old, NOW), None);
    assert!(running.store.standing().on_disk);
    broken.store(true, Ordering::SeqCst);
    // The session hears that nothing is known; the keeper hears of it too, without being asked.
    assert_eq!(pass(&running.store, &old, NOW), None);
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while running.store.standing().on_disk {
        assert!(std::time::Instant::now() < deadline, "it is never left");
        std::thread::yield_now();
    }
    running.store.earn(std::slice::from_ref(&new), NOW, HOUR);
    assert!(!running.flush());
    assert!(pass(&running.store, &new, NOW).is_some());
    assert_eq!(running.store.standing().failures, 1);
    running.close();
}

#[test]
fn a_disk_that_stands_still_holds_nobody_up() {
    let directory = filled();
    let trouble = Trouble::default();
    let running = Running::with(trouble.opener(directory.path()), 100_000);
    trouble.stand_still(true);
    let before = trouble.0.writes.load(Ordering::SeqCst);
    let store = &running.store;
    let new = client("203.0.113.1");
    store.earn(std::slice::from_ref(&new), NOW, HOUR);
    let flushed = store.flush();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while trouble.0.writes.load(Ordering::SeqCst) == before {
        assert!(std::time::Instant::now() < deadline, "nothing is written");
        std::thread::yield_now();
    }
    // The keeper waits for the disk now.
    find_all(store);
    assert!(pass(store, &new, NOW).is_some());
    for number in 0..5000_u32 {
        let address = std::net::Ipv4Addr::from(number).to_string();
        store.earn(&[client(&address)], NOW, HOUR);
        assert!(pass(store, &client(&address), NOW).is_some());
    }
    assert!(store.standing().waiting >= 5000);
    trouble.stand_still(false);
    assert!(wait(flushed));
    assert!(running.flush());
    assert_eq!(running.store.standing().waiting, 0);
    running.close();
}

/// Where the next test finds the directory when it runs as the process to be killed.
const KILLED_IN: &str = "GATEPOST_TEST_KILLED_IN";

#[test]
fn a_process_that_is_killed_keeps_what_was_flushed() {
    if let Some(directory) = std::env::var_os(KILLED_IN) {
        let running = Running::begin(Some(Path::new(&directory)), 1000);
        note_all(&running.store);
        assert!(running.flush());
        running.store.earn(&[client("203.0.113.1")], NOW, HOUR);
        // The parent kills us, when it has seen this.
        fs::write(Path::new(&directory).join("ready"), "").unwrap();
        loop {
            std::thread::park();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::faults::a_process_that_is_killed_keeps_what_was_flushed",
        ])
        .env(KILLED_IN, directory.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !directory.path().join("ready").exists() {
        assert!(std::time::Instant::now() < deadline, "it is never ready");
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let running = Running::begin(Some(directory.path()), 1000);
    find_all(&running.store);
    assert!(!aside(directory.path()).exists());
    running.close();
}
