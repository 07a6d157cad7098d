//! What can be remembered and asked: the interface, whoever keeps it.
//!
//! Reads give futures, although the embedded [`crate::store::Store`] has its answer at once: a memory that several
//! machines share would have to ask for it. Several that are asked together cost one round trip there. Writes are said
//! and done: whether they reach the disk is nobody's business but [`Memory::flush`]'s.
//!
//! `now` is seconds since 1970 UTC. What has expired by `now` is not there, whether or not it has been removed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::facts::Identity;
use crate::store::{Entry, Harvest, Pass, Sighting, Standing, Subject};
use crate::store::{Triplet, TripletKey};

/// Remembers clients across sessions and restarts.
pub trait Memory: Send + Sync + std::fmt::Debug {
    /// The pass of the first of `identities` that has one, and which it was.
    fn pass(&self, identities: &[Identity], now: u64) -> BoxFuture<'static, Option<(usize, Pass)>>;

    /// Gives each of `identities` a pass, or renews it, until `lifetime` from now.
    fn earn(&self, identities: &[Identity], now: u64, lifetime: Duration);

    /// Takes the passes of `identities` away.
    fn revoke(&self, identities: &[Identity]);

    /// The key of a triplet. Sender and recipient count as they are: case, tags and counters in them are folded before.
    fn triplet_key(&self, identity: &Identity, sender: &str, recipient: &str) -> TripletKey;

    /// When a triplet was seen, and whether it has passed.
    fn triplet(&self, key: TripletKey, now: u64) -> BoxFuture<'static, Option<Triplet>>;

    /// Notes that a triplet was seen now, and perhaps passed; it is kept until `window` from now. One that has passed
    /// stays so.
    fn saw_triplet(&self, key: TripletKey, passed: bool, now: u64, window: Duration);

    /// How many recipients of this client the backend has refused and accepted lately.
    fn harvest(&self, client: &Identity, now: u64) -> BoxFuture<'static, Harvest>;

    /// Counts recipients of this client.
    fn count_recipients(&self, client: &Identity, counted: Harvest, now: u64);

    /// The listeners this client has tried lately, at most eight, the latest first.
    fn sightings(&self, client: &Identity, now: u64) -> BoxFuture<'static, Vec<Sighting>>;

    /// Notes that this client has tried a listener now; it is kept until `lifetime` from now.
    fn sighted(&self, client: &Identity, listener: &str, now: u64, lifetime: Duration);

    /// What was kept for a zone under the name it is shown by.
    fn zone(&self, shown: &str, now: u64) -> BoxFuture<'static, Option<Box<[u8]>>>;

    /// Keeps up to 256 octets for a zone until `lifetime` from now; more are not kept.
    fn keep_zone(&self, shown: &str, state: &[u8], now: u64, lifetime: Duration);

    /// Entries of the allow and deny lists that were added by command, in no order. At hand without asking: sessions look
    /// through them. Expired ones may still be among them: [`Entry::holds`].
    fn entries(&self) -> Arc<Vec<Entry>>;

    /// Adds an entry, in place of another with the same subject. Says whether there was room for it.
    fn keep_entry(&self, entry: Entry) -> bool;

    /// Removes an entry. Says whether it was there.
    fn remove_entry(&self, subject: &Subject) -> bool;

    /// Forgets what is known under this identity itself: its pass, its recipients, the listeners it tried. Triplets, whose
    /// keys can not be listed, expire.
    fn forget(&self, identity: &Identity);

    /// Looks at the next `budget` things kept and removes those that have expired; whoever calls it again and again comes
    /// round. Gives how many were removed. Trouble with the disk is looked into on the same occasion.
    fn sweep(&self, now: u64, budget: usize) -> BoxFuture<'static, usize>;

    /// Resolves when everything noted so far has been written. Says whether it outlives the process.
    fn flush(&self) -> BoxFuture<'static, bool>;

    /// How it is doing.
    fn standing(&self) -> Standing;
}
