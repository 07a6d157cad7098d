//! What is remembered, whoever keeps it; then what happens when the disk does not.

mod bounds;
mod faults;
mod model;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::engine::{Engine, InMemory, Opener, Place, Table};
use super::key::Key;

use super::sweep::Eviction;
use super::*;
use crate::facts::Identity;

const NOW: u64 = 1_800_000_000;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: u64 = 86400;

/// A store whose keeper runs.
struct Running {
    store: Store,
    keeper: JoinHandle<()>,
}

impl Running {
    fn begin(directory: Option<&Path>, most: u64) -> Self {
        Self::start(open(directory, most))
    }

    fn with(opener: Opener, most: u64) -> Self {
        Self::start(open::open_with(Some(opener), most))
    }

    fn start((store, keeper): (Store, Keeper)) -> Self {
        let keeper = std::thread::spawn(move || keeper.run());
        Self { store, keeper }
    }

    /// As at the end of the process.
    fn close(self) {
        drop(self.store);
        self.keeper.join().unwrap();
    }

    fn flush(&self) -> bool {
        wait(self.store.flush())
    }

    fn sweep(&self, now: u64, budget: usize) -> usize {
        wait(self.store.sweep(now, budget))
    }
}

/// What the keeper has to do first.
fn wait<T>(future: BoxFuture<'static, T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// What must be at hand.
fn at_once<T>(future: BoxFuture<'static, T>) -> T {
    future.now_or_never().unwrap()
}

fn client(text: &str) -> Identity {
    Identity::client(text.parse().unwrap())
}

fn pass(memory: &dyn Memory, identity: &Identity, now: u64) -> Option<Pass> {
    let found = at_once(memory.pass(std::slice::from_ref(identity), now));
    found.map(|(_, pass)| pass)
}

fn entry(subject: Subject, comment: &str) -> Entry {
    Entry {
        subject,
        allow: true,
        comment: comment.into(),
        created: NOW,
        expires: Some(NOW + DAY),
    }
}

/// Notes one of each kind, before which nothing is there.
fn note_all(memory: &dyn Memory) {
    let client = client("192.0.2.1");
    let name = Identity::spf("Example.ORG.");
    assert_eq!(pass(memory, &name, NOW), None);
    memory.earn(&[client.clone(), name], NOW, HOUR);
    let key = memory.triplet_key(&client, "a@example.org", "b@example.com");
    assert_eq!(at_once(memory.triplet(key, NOW)), None);
    memory.saw_triplet(key, false, NOW, HOUR);
    let counted = Harvest {
        refused: 3,
        accepted: 1,
    };
    memory.count_recipients(&client, counted, NOW);
    memory.sighted(&client, "mx", NOW, HOUR);
    memory.keep_zone("zen.example", b"suspended", NOW, HOUR);
    let helo = Subject::Helo(".example.org".into());
    assert!(memory.keep_entry(entry(helo, "a friend")));
}

/// Finds what [`note_all`] noted.
fn find_all(memory: &dyn Memory) {
    let client = client("192.0.2.1");
    let expected = Pass {
        first_seen: NOW,
        last_seen: NOW,
        expires: NOW + 3600,
        count: 1,
    };
    assert_eq!(pass(memory, &client, NOW), Some(expected));
    let identities = [Identity::spf("other.example"), Identity::spf("example.org")];
    assert_eq!(at_once(memory.pass(&identities, NOW)), Some((1, expected)));
    let key = memory.triplet_key(&client, "a@example.org", "b@example.com");
    let triplet = Triplet {
        first_seen: NOW,
        last_seen: NOW,
        expires: NOW + 3600,
        passed: false,
    };
    assert_eq!(at_once(memory.triplet(key, NOW)), Some(triplet));
    let other = memory.triplet_key(&client, "a@example.org", "c@example.com");
    assert_eq!(at_once(memory.triplet(other, NOW)), None);
    let counted = Harvest {
        refused: 3,
        accepted: 1,
    };
    assert_eq!(at_once(memory.harvest(&client, NOW)), counted);
    let sighting = Sighting {
        listener: "mx".into(),
        at: NOW,
        expires: NOW + 3600,
    };
    assert_eq!(at_once(memory.sightings(&client, NOW)), [sighting]);
    let state = at_once(memory.zone("zen.example", NOW)).unwrap();
    assert_eq!(&*state, b"suspended");
    let helo = Subject::Helo(".example.org".into());
    assert_eq!(*memory.entries(), [entry(helo, "a friend")]);
}

#[test]
fn what_was_noted_is_there_at_once_and_after_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    for directory in [None, Some(directory.path())] {
        let running = Running::begin(directory, 1000);
        note_all(&running.store);
        find_all(&running.store);
        assert_eq!(running.flush(), directory.is_some());
        find_all(&running.store);
        let standing = running.store.standing();
        assert_eq!(standing.on_disk, directory.is_some());
        assert_eq!(standing.waiting, 0);
        let kept: Vec<u64> = standing.kept.iter().map(|(_, count)| *count).collect();
        assert_eq!(kept, [2, 1, 1, 1, 1, 1]);
        running.close();
    }
}

#[test]
fn a_restart_forgets_nothing() {
    let directory = tempfile::tempdir().unwrap();
    // Nothing is flushed: the end writes what waits.
    let running = Running::begin(Some(directory.path()), 1000);
    note_all(&running.store);
    running.close();
    let running = Running::begin(Some(directory.path()), 1000);
    find_all(&running.store);
    running.close();
    use std::os::unix::fs::PermissionsExt;
    let about = std::fs::metadata(directory.path().join("memory.redb")).unwrap();
    assert_eq!(about.permissions().mode() & 0o777, 0o600);
}

#[test]
fn in_memory_alone_a_restart_forgets_everything() {
    let running = Running::begin(None, 1000);
    note_all(&running.store);
    running.close();
    let running = Running::begin(None, 1000);
    assert_eq!(pass(&running.store, &client("192.0.2.1"), NOW), None);
    assert!(running.store.entries().is_empty());
    running.close();
}

#[test]
fn a_pass_is_earned_renewed_revoked_and_ends() {
    let (store, _keeper) = open(None, 1000);
    let client = client("2001:db8:1:2::3");
    store.earn(std::slice::from_ref(&client), NOW, HOUR);
    store.earn(std::slice::from_ref(&client), NOW + 10, HOUR);
    let renewed = Pass {
        first_seen: NOW,
        last_seen: NOW + 10,
        expires: NOW + 3610,
        count: 2,
    };
    // The whole /64 is one client.
    let neighbour = Identity::client("2001:db8:1:2:ffff::".parse().unwrap());
    assert_eq!(pass(&store, &neighbour, NOW + 3609), Some(renewed));
    assert_eq!(pass(&store, &neighbour, NOW + 3610), None);
    let other = Identity::client("2001:db8:1:3::3".parse().unwrap());
    assert_eq!(pass(&store, &other, NOW), None);
    // After its end it begins anew.
    store.earn(std::slice::from_ref(&client), NOW + DAY, HOUR);
    assert_eq!(pass(&store, &client, NOW + DAY).unwrap().count, 1);
    store.revoke(std::slice::from_ref(&client));
    assert_eq!(pass(&store, &client, NOW + DAY), None);
}

#[test]
fn a_triplet_that_has_passed_stays_so() {
    let (store, _keeper) = open(None, 1000);
    let key = store.triplet_key(&client("192.0.2.1"), "a@b.example", "c@d.example");
    store.saw_triplet(key, false, NOW, HOUR);
    store.saw_triplet(key, true, NOW + 60, HOUR);
    store.saw_triplet(key, false, NOW + 120, HOUR);
    let triplet = at_once(store.triplet(key, NOW + 120)).unwrap();
    assert!(triplet.passed);
    assert_eq!(triplet.first_seen, NOW);
    assert_eq!(
        (triplet.last_seen, triplet.expires),
        (NOW + 120, NOW + 3720)
    );
}

#[test]
fn the_parts_of_a_triplet_can_not_be_shifted() {
    let (store, _keeper) = open(None, 1000);
    let client = client("192.0.2.1");
    let key = store.triplet_key(&client, "ab", "c");
    assert_ne!(key, store.triplet_key(&client, "a", "bc"));
    assert_eq!(key, store.triplet_key(&client, "ab", "c"));
    // Every store has a secret of its own.
    let (other, _keeper) = open(None, 1000);
    assert_ne!(key, other.triplet_key(&client, "ab", "c"));
}

#[test]
fn counts_of_recipients_fade() {
    let (store, _keeper) = open(None, 1000);
    let client = client("192.0.2.1");
    let counted = |refused, accepted| Harvest { refused, accepted };
    store.count_recipients(&client, counted(100, 8), NOW);
    assert_eq!(at_once(store.harvest(&client, NOW)), counted(100, 8));
    let half_a_day = at_once(store.harvest(&client, NOW + DAY / 2));
    assert_eq!(half_a_day, counted(75, 6));
    assert_eq!(at_once(store.harvest(&client, NOW + DAY)), counted(50, 4));
    store.count_recipients(&client, counted(50, 0), NOW + DAY);
    assert_eq!(
        at_once(store.harvest(&client, NOW + 2 * DAY)),
        counted(50, 2)
    );
    // A clock that went back makes nothing larger, and nothing overflows.
    assert_eq!(at_once(store.harvest(&client, NOW - DAY)), counted(100, 4));
    store.count_recipients(&client, counted(u32::MAX, u32::MAX), NOW + DAY);
    store.count_recipients(&client, counted(u32::MAX, u32::MAX), NOW + DAY);
    assert!(at_once(store.harvest(&client, NOW + DAY)).refused > 4_000_000);
    assert_eq!(
        at_once(store.harvest(&client, NOW + 14 * DAY)),
        Harvest::default()
    );
    assert_eq!(
        at_once(store.harvest(&client, u64::MAX)),
        Harvest::default()
    );
}

#[test]
fn the_latest_sightings_of_each_listener_are_kept() {
    let (store, _keeper) = open(None, 1000);
    let client = client("192.0.2.1");
    let names = |now| -> Vec<String> {
        let found = at_once(store.sightings(&client, now));
        found.iter().map(|seen| seen.listener.to_string()).collect()
    };
    store.sighted(&client, "mx", NOW, Duration::from_secs(60));
    store.sighted(&client, "backup", NOW + 1, HOUR);
    store.sighted(&client, "mx", NOW + 2, Duration::from_secs(60));
    assert_eq!(names(NOW + 2), ["mx", "backup"]);
    assert_eq!(names(NOW + 62), ["backup"]);
    for number in 0..20 {
        store.sighted(&client, &format!("listener{number}"), NOW + 3, HOUR);
    }
    store.sighted(&client, &"x".repeat(1000), NOW + 4, HOUR);
    assert_eq!(names(NOW + 4).len(), 8);
    assert_eq!(names(NOW + 4)[0], "listener19");
}

#[test]
fn a_zone_keeps_only_so_much() {
    let (store, _keeper) = open(None, 1000);
    store.keep_zone("zen.example", &[7; 256], NOW, HOUR);
    store.keep_zone("zen.example", &[8; 257], NOW, HOUR);
    let state = at_once(store.zone("zen.example", NOW)).unwrap();
    assert_eq!(*state, [7; 256]);
    assert_eq!(at_once(store.zone("zen.example", NOW + 3600)), None);
    assert_eq!(at_once(store.zone("zen", NOW)), None);
}

#[test]
fn entries_are_few_and_one_for_each_subject() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::begin(Some(directory.path()), 1000);
    let store = &running.store;
    let network = |text: &str| Subject::Network(text.parse().unwrap());
    assert!(store.keep_entry(entry(network("192.0.2.0/24"), "first")));
    assert!(store.keep_entry(entry(network("192.0.2.0/24"), "second")));
    assert!(store.keep_entry(entry(network("192.0.2.0/25"), &"ä".repeat(300))));
    assert!(!store.keep_entry(entry(Subject::Sender("x".repeat(321).into()), "")));
    assert!(store.keep_entry(Entry {
        expires: None,
        ..entry(Subject::Sender("@example.org".into()), "for ever")
    }));
    let comments = |store: &Store| -> Vec<String> {
        let list = store.entries();
        let mut comments: Vec<_> = list.iter().map(|entry| entry.comment.to_string()).collect();
        comments.sort();
        comments
    };
    let expected = ["for ever", "second", &"ä".repeat(128)];
    assert_eq!(comments(store), expected);
    assert!(store.remove_entry(&network("192.0.2.0/25")));
    assert!(!store.remove_entry(&network("192.0.2.0/25")));
    assert_eq!(running.sweep(NOW + DAY, 100), 1);
    assert_eq!(comments(store), ["for ever"]);
    for number in 1..MOST_ENTRIES {
        let name = Subject::Helo(format!("h{number}.example").into());
        assert!(store.keep_entry(entry(name, "")));
    }
    let one_more = Subject::Helo("more.example".into());
    assert!(!store.keep_entry(entry(one_more, "")));
    running.close();
    let running = Running::begin(Some(directory.path()), 1000);
    assert_eq!(running.store.entries().len(), MOST_ENTRIES);
    let list = running.store.entries();
    let lasting = list.iter().find(|entry| entry.expires.is_none()).unwrap();
    assert!(lasting.holds(u64::MAX));
    running.close();
}

#[test]
fn who_is_forgotten_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::begin(Some(directory.path()), 1000);
    note_all(&running.store);
    assert!(running.flush());
    let client = client("192.0.2.1");
    running.store.forget(&client);
    let gone = |memory: &dyn Memory| {
        assert_eq!(pass(memory, &client, NOW), None);
        assert_eq!(at_once(memory.harvest(&client, NOW)), Harvest::default());
        assert!(at_once(memory.sightings(&client, NOW)).is_empty());
        assert!(pass(memory, &Identity::spf("example.org"), NOW).is_some());
    };
    gone(&running.store);
    running.close();
    let running = Running::begin(Some(directory.path()), 1000);
    gone(&running.store);
    running.close();
}
