//! The memory of one machine: an overlay of changes in front of an engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::oneshot;

use crate::facts::Identity;
use crate::store::admin::{Entry, Subject};
use crate::store::engine::{Octets, Opened, Opener, Place};
use crate::store::harvest::{Counts, Harvest};
use crate::store::keeper::{Keeper, Wake};
use crate::store::key::{Key, TripletKey};
use crate::store::memory::Memory;
use crate::store::overlay::{MOST, Taken, Weight};
use crate::store::shared::{Shared, Standing};
use crate::store::sightings::{Sighting, Sightings};
use crate::store::value::{Kept, Pass, Triplet, ZONE_OCTETS, Zone, after};

/// Things that wait for the keeper, at most.
const WAKES: usize = 64;

/// What is remembered, on this machine; cheap to clone. When the last one goes, the keeper writes what is left and ends.
#[derive(Clone, Debug)]
pub struct Store {
    shared: Arc<Shared>,
    wakes: SyncSender<Wake>,
}

/// A store and its keeper, with what was opened.
pub(in crate::store) fn pair(opened: Opened, opener: Option<Opener>, most: u64) -> (Store, Keeper) {
    let shared = Arc::new(Shared::new(opened));
    let (wakes, waking) = sync_channel(WAKES);
    let keeper = Keeper::new(Arc::clone(&shared), waking, opener, most);
    (Store { shared, wakes }, keeper)
}

impl Store {
    fn key(&self, identity: &Identity) -> Key {
        match identity {
            Identity::Network(network) => Key::network(network),
            _ => self.shared.shelf().secret.identity(identity),
        }
    }

    fn hash(&self, kind: &str, parts: &[&str]) -> Key {
        self.shared.shelf().secret.hash(kind, parts)
    }

    /// What the engine keeps; nothing if it fails.
    fn kept(&self, place: &Place) -> Option<Octets> {
        match self.shared.shelf().engine.get(place) {
            Ok(octets) => octets,
            Err(broken) => {
                self.shared.found_broken(broken);
                self.tell(0);
                None
            }
        }
    }

    /// What is remembered under `key`.
    fn recall<T: Kept>(&self, key: Key, now: u64) -> Option<T> {
        let place = Place {
            table: T::TABLE,
            key,
        };
        let octets = match self.shared.overlay.look(&place) {
            Some(changed) => changed,
            None => self.kept(&place),
        };
        T::from_octets(&octets?, now)
    }

    /// Puts something in the place of what is remembered, if anything is.
    fn change<T: Kept>(&self, key: Key, now: u64, change: impl Fn(Option<T>) -> T) {
        self.write::<T>(key, Weight::Light, |octets| {
            let before = octets.and_then(|octets| T::from_octets(octets, now));
            Some(Some(change(before).octets()))
        });
    }

    /// Removes what is remembered.
    fn remove<T: Kept>(&self, key: Key, weight: Weight) {
        self.write::<T>(key, weight, |octets| octets.map(|_| None));
    }

    fn write<T: Kept>(
        &self,
        key: Key,
        weight: Weight,
        change: impl Fn(Option<&[u8]>) -> Option<Option<Octets>>,
    ) {
        let place = Place {
            table: T::TABLE,
            key,
        };
        let kept = || self.kept(&place);
        match self.shared.overlay.change(place, weight, kept, change) {
            Taken::Nothing => {}
            Taken::Dropped => self.shared.tally.dropped(),
            Taken::Waits(waiting) => self.tell(waiting),
        }
    }

    /// Wakes the keeper, once for each batch, and once more when it had better not wait.
    fn tell(&self, waiting: usize) {
        let tell = |known: &AtomicBool, wake| {
            // The keeper may be gone; then nobody is served any more.
            if !known.swap(true, Ordering::AcqRel) && self.wakes.try_send(wake).is_err() {
                known.store(false, Ordering::Release);
            }
        };
        tell(&self.shared.told, Wake::Work);
        if waiting >= MOST / 2 {
            tell(&self.shared.pressed, Wake::Hurry);
        }
    }
}

impl Memory for Store {
    fn pass(&self, identities: &[Identity], now: u64) -> BoxFuture<'static, Option<(usize, Pass)>> {
        let mut passes = identities.iter().enumerate().filter_map(|(at, identity)| {
            let pass = self.recall(self.key(identity), now)?;
            Some((at, pass))
        });
        ready(passes.next()).boxed()
    }

    fn earn(&self, identities: &[Identity], now: u64, lifetime: Duration) {
        for identity in identities {
            self.change(self.key(identity), now, |before: Option<Pass>| Pass {
                first_seen: before.map_or(now, |pass| pass.first_seen),
                last_seen: now,
                expires: after(now, lifetime),
                count: before.map_or(0, |pass| pass.count).saturating_add(1),
            });
        }
    }

    fn revoke(&self, identities: &[Identity]) {
        for identity in identities {
            self.remove::<Pass>(self.key(identity), Weight::Light);
        }
    }

    fn triplet_key(&self, identity: &Identity, sender: &str, recipient: &str) -> TripletKey {
        let who = identity.to_string();
        TripletKey(self.hash("triplet", &[&who, sender, recipient]))
    }

    fn triplet(&self, key: TripletKey, now: u64) -> BoxFuture<'static, Option<Triplet>> {
        ready(self.recall(key.0, now)).boxed()
    }

    fn saw_triplet(&self, key: TripletKey, passed: bool, now: u64, window: Duration) {
        self.change(key.0, now, |before: Option<Triplet>| Triplet {
            first_seen: before.map_or(now, |triplet| triplet.first_seen),
            last_seen: now,
            expires: after(now, window),
            passed: passed || before.is_some_and(|triplet| triplet.passed),
        });
    }

    fn harvest(&self, client: &Identity, now: u64) -> BoxFuture<'static, Harvest> {
        let counts = self.recall::<Counts>(self.key(client), now);
        let harvest = counts.map(|counts| counts.decayed(now).rounded());
        ready(harvest.unwrap_or_default()).boxed()
    }

    fn count_recipients(&self, client: &Identity, counted: Harvest, now: u64) {
        self.change(self.key(client), now, |before: Option<Counts>| {
            let before = before.unwrap_or(Counts::none(now));
            before.decayed(now).plus(counted)
        });
    }

    fn sightings(&self, client: &Identity, now: u64) -> BoxFuture<'static, Vec<Sighting>> {
        let sightings = self.recall::<Sightings>(self.key(client), now);
        ready(sightings.unwrap_or_default().holding(now).0).boxed()
    }

    fn sighted(&self, client: &Identity, listener: &str, now: u64, lifetime: Duration) {
        self.change(self.key(client), now, |before: Option<Sightings>| {
            let seen = Sighting {
                listener: listener.into(),
                at: now,
                expires: after(now, lifetime),
            };
            before.unwrap_or_default().with(seen, now)
        });
    }

    fn zone(&self, shown: &str, now: u64) -> BoxFuture<'static, Option<Box<[u8]>>> {
        let zone = self.recall::<Zone>(self.hash("zone", &[shown]), now);
        ready(zone.map(|zone| zone.state)).boxed()
    }

    fn keep_zone(&self, shown: &str, state: &[u8], now: u64, lifetime: Duration) {
        if state.len() > ZONE_OCTETS {
            return;
        }
        self.change(self.hash("zone", &[shown]), now, |_: Option<Zone>| Zone {
            expires: after(now, lifetime),
            state: state.into(),
        });
    }

    fn entries(&self) -> Arc<Vec<Entry>> {
        self.shared.entries.list()
    }

    fn keep_entry(&self, entry: Entry) -> bool {
        let Some(entry) = entry.tidied() else {
            return false;
        };
        let fits = self.shared.entries.keep(&entry);
        if fits {
            let key = entry.subject.key(&self.shared.shelf().secret);
            let octets = entry.octets();
            self.write::<Entry>(key, Weight::Heavy, |_| Some(Some(octets.clone())));
        }
        fits
    }

    fn remove_entry(&self, subject: &Subject) -> bool {
        let key = subject.key(&self.shared.shelf().secret);
        self.remove::<Entry>(key, Weight::Heavy);
        self.shared.entries.remove(subject)
    }

    fn forget(&self, identity: &Identity) {
        let key = self.key(identity);
        self.remove::<Pass>(key, Weight::Heavy);
        self.remove::<Counts>(key, Weight::Heavy);
        self.remove::<Sightings>(key, Weight::Heavy);
    }

    fn sweep(&self, now: u64, budget: usize) -> BoxFuture<'static, usize> {
        let (done, waiting) = oneshot::channel();
        let asked = self.wakes.try_send(Wake::Sweep { now, budget, done });
        drop(asked);
        waiting.map(Result::unwrap_or_default).boxed()
    }

    fn flush(&self) -> BoxFuture<'static, bool> {
        let (done, waiting) = oneshot::channel();
        drop(self.wakes.try_send(Wake::Flush(done)));
        waiting.map(Result::unwrap_or_default).boxed()
    }

    fn standing(&self) -> Standing {
        self.shared.standing()
    }
}
