//! What is remembered of earlier sessions: answers the questions about it, and takes down what sessions earn and lose.
//!
//! Between the facts, which speak of ages, and the store, which keeps times: the wall clock is asked here, through a
//! function that the application gives. It judges nothing.

mod by_command;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use ipnet::IpNet;

use crate::facts::{Identity, Recall, Recalled};
use crate::store::{Harvest, Memory, TripletKey};

/// A pass lasts so long from the last session that earned it.
const PASS: Duration = Duration::from_secs(30 * DAY);
/// A triplet that has not waited is forgotten so long after it was here first (RFC 6647 §5 asks for at least a day).
const WINDOW: Duration = Duration::from_secs(2 * DAY);
/// A triplet that has waited is known so long from its last message: one that comes once a month stays known.
const KNOWN: Duration = Duration::from_secs(36 * DAY);
/// Whoever was at the primary so lately has tried it: mail servers go on to the next MX within minutes.
const TRIED: Duration = Duration::from_secs(60 * 60);

const DAY: u64 = 24 * 60 * 60;

/// Seconds since 1970 UTC.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The memory, with the clock that it needs.
#[derive(Clone)]
pub struct Remembrance {
    memory: Arc<dyn Memory>,
    clock: Clock,
}

impl std::fmt::Debug for Remembrance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Remembrance").field(&self.memory).finish()
    }
}

impl Remembrance {
    /// Remembers in `memory`.
    #[must_use]
    pub fn new(memory: Arc<dyn Memory>, clock: Clock) -> Self {
        Self { memory, clock }
    }

    /// What is remembered. Being asked about a triplet is being here: the first time is noted.
    pub(in crate::gather) fn recall(&self, recall: &Recall) -> BoxFuture<'static, Recalled> {
        let now = (self.clock)();
        let Some(key) = self.triplet_key(recall) else {
            return self.look(recall);
        };
        let memory = Arc::clone(&self.memory);
        let note = move |found: Recalled| {
            if found == Recalled::Nothing {
                memory.saw_triplet(key, false, now, WINDOW);
            }
            found
        };
        self.triplet(key, now).map(note).boxed()
    }

    /// What is remembered, for somebody who is not the client: nothing is noted.
    pub(in crate::gather) fn look(&self, recall: &Recall) -> BoxFuture<'static, Recalled> {
        let now = (self.clock)();
        if let Some(key) = self.triplet_key(recall) {
            return self.triplet(key, now);
        }
        match recall {
            Recall::Pass(identity) => self.pass(identity, now),
            Recall::Triplet { .. } => none(),
            Recall::Harvest(network) => {
                let counted = self.memory.harvest(&Identity::Network(*network), now);
                counted
                    .map(|Harvest { refused, accepted }| Recalled::Harvest { refused, accepted })
                    .boxed()
            }
            Recall::Tried { network, listener } => {
                let sightings = self.memory.sightings(&Identity::Network(*network), now);
                let listener = listener.clone();
                sightings
                    .map(move |sightings| {
                        let seen = sightings.iter().find(|seen| seen.listener == listener);
                        seen.map_or(Recalled::Nothing, |seen| Recalled::Tried {
                            since: age(seen.at, now),
                        })
                    })
                    .boxed()
            }
        }
    }

    fn pass(&self, identity: &Identity, now: u64) -> BoxFuture<'static, Recalled> {
        let found = self.memory.pass(std::slice::from_ref(identity), now);
        found
            .map(move |found| {
                found.map_or(Recalled::Nothing, |(_, pass)| Recalled::Pass {
                    since: age(pass.first_seen, now),
                    visits: pass.count,
                })
            })
            .boxed()
    }

    fn triplet(&self, key: TripletKey, now: u64) -> BoxFuture<'static, Recalled> {
        let found = self.memory.triplet(key, now);
        found
            .map(move |found| {
                found.map_or(Recalled::Nothing, |triplet| Recalled::Triplet {
                    since: age(triplet.first_seen, now),
                    passed: triplet.passed,
                })
            })
            .boxed()
    }

    fn triplet_key(&self, recall: &Recall) -> Option<TripletKey> {
        let Recall::Triplet {
            identity,
            sender,
            recipient,
        } = recall
        else {
            return None;
        };
        Some(self.memory.triplet_key(identity, sender, recipient))
    }

    /// A triplet has waited and was let through.
    pub fn has_waited(&self, recall: &Recall) {
        if let Some(key) = self.triplet_key(recall) {
            self.memory.saw_triplet(key, true, (self.clock)(), KNOWN);
        }
    }

    /// A client has delivered clean mail.
    pub fn earned(&self, identities: &[Identity]) {
        self.memory.earn(identities, (self.clock)(), PASS);
    }

    /// A client has lost what trust it had.
    pub fn lost(&self, identities: &[Identity]) {
        self.memory.revoke(identities);
    }

    /// So many recipients of a network were refused and taken by the backend.
    pub fn recipients(&self, network: IpNet, refused: u32, accepted: u32) {
        let counted = Harvest { refused, accepted };
        self.memory
            .count_recipients(&Identity::Network(network), counted, (self.clock)());
    }

    /// What was kept of a zone.
    pub(in crate::gather) fn zone(&self, shown: &str) -> BoxFuture<'static, Option<Box<[u8]>>> {
        self.memory.zone(shown, (self.clock)())
    }

    /// Keeps something of a zone for so long.
    pub(in crate::gather) fn keep_zone(&self, shown: &str, kept: &[u8], lifetime: Duration) {
        self.memory.keep_zone(shown, kept, (self.clock)(), lifetime);
    }

    /// A client was at this listener.
    pub fn was_at(&self, network: IpNet, listener: &str) {
        self.memory
            .sighted(&Identity::Network(network), listener, (self.clock)(), TRIED);
    }
}

/// Where there is no memory.
pub(in crate::gather) fn none() -> BoxFuture<'static, Recalled> {
    ready(Recalled::Unavailable).boxed()
}

fn age(then: u64, now: u64) -> u32 {
    u32::try_from(now.saturating_sub(then)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
