//! Lookups under way: one per question, however many sessions want its answer, and not more than a bound.
//!
//! The lookup belongs to nobody: the first asker starts it as a task of its own, and whoever still waits when the answer
//! comes gets it. No map guard is held across an await.

use std::sync::Arc;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::facts::{DnsAnswer, Failure};
use crate::gather::cache::Key;

/// Every lookup under way.
pub(in crate::gather) struct Flights {
    under_way: DashMap<Key, Arrival>,
    /// Of their own, so that names that clients choose do not crowd out lists.
    in_zones: Arc<Semaphore>,
    outside: Arc<Semaphore>,
}

/// Where the answer of a lookup will arrive.
#[derive(Clone)]
pub(in crate::gather) struct Arrival(watch::Receiver<Option<DnsAnswer>>);

impl Arrival {
    /// Waits for the answer; a lookup that was given up (at shutdown) counts as without an answer.
    pub(in crate::gather) async fn wait(mut self) -> DnsAnswer {
        let arrived = self.0.wait_for(Option::is_some).await;
        arrived
            .ok()
            .and_then(|answer| answer.clone())
            .unwrap_or(DnsAnswer::Failed(Failure::Timeout))
    }
}

/// What becomes of an asker.
pub(in crate::gather) enum Boarding {
    /// The answer has just become known.
    Known(DnsAnswer),
    /// Somebody else has started this lookup.
    Joined(Arrival),
    /// The asker is to start it.
    First(Flight, Arrival),
    /// Too many lookups are under way.
    Full,
}

impl Flights {
    /// Room for `bound` lookups in watched zones, and as many others.
    pub(in crate::gather) fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            under_way: DashMap::new(),
            in_zones: Arc::new(Semaphore::new(bound)),
            outside: Arc::new(Semaphore::new(bound)),
        })
    }

    /// Whether the lookup of `key` is under way.
    pub(in crate::gather) fn has(&self, key: &Key) -> bool {
        self.under_way.contains_key(key)
    }

    /// Joins the lookup of `key` or takes a place for a new one. `known` is looked at once more when none is under way:
    /// one may have ended between the asker's look into the cache and now.
    pub(in crate::gather) fn board(
        self: &Arc<Self>,
        key: &Key,
        in_zone: bool,
        known: impl FnOnce() -> Option<DnsAnswer>,
    ) -> Boarding {
        let vacant = match self.under_way.entry(key.clone()) {
            Entry::Occupied(flight) => return Boarding::Joined(flight.get().clone()),
            Entry::Vacant(vacant) => vacant,
        };
        if let Some(answer) = known() {
            return Boarding::Known(answer);
        }
        let places = if in_zone {
            &self.in_zones
        } else {
            &self.outside
        };
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            return Boarding::Full;
        };
        let (sender, receiver) = watch::channel(None);
        let arrival = Arrival(receiver);
        vacant.insert(arrival.clone());
        let flight = Flight {
            flights: Arc::clone(self),
            key: key.clone(),
            sender,
            _place: place,
        };
        Boarding::First(flight, arrival)
    }

    /// How many lookups are under way.
    pub(in crate::gather) fn under_way(&self) -> usize {
        self.under_way.len()
    }
}

/// One lookup under way; it ends when this is dropped.
pub(in crate::gather) struct Flight {
    flights: Arc<Flights>,
    key: Key,
    sender: watch::Sender<Option<DnsAnswer>>,
    _place: OwnedSemaphorePermit,
}

impl Flight {
    /// What is looked up.
    pub(in crate::gather) const fn key(&self) -> &Key {
        &self.key
    }

    /// Hands the answer to all who wait; the first one counts.
    pub(in crate::gather) fn arrive(&self, answer: DnsAnswer) {
        self.sender.send_if_modified(|arrived| {
            let first = arrived.is_none();
            if first {
                *arrived = Some(answer);
            }
            first
        });
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.flights.under_way.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{DnsName, RecordType};

    fn key(name: &str) -> Key {
        Key::new(&DnsName::new(name), RecordType::A)
    }

    #[tokio::test]
    async fn the_second_asker_gets_the_answer_of_the_first() {
        let flights = Flights::new(8);
        let Boarding::First(flight, first) = flights.board(&key("a"), false, || None) else {
            panic!("no lookup was under way")
        };
        let Boarding::Joined(second) = flights.board(&key("a"), false, || None) else {
            panic!("the lookup was under way")
        };
        flight.arrive(DnsAnswer::NoName);
        flight.arrive(DnsAnswer::NoData);
        drop(flight);
        assert_eq!(first.wait().await, DnsAnswer::NoName);
        assert_eq!(second.wait().await, DnsAnswer::NoName);
        assert_eq!(flights.under_way(), 0);
    }

    #[test]
    fn an_answer_that_came_meanwhile_is_taken() {
        let flights = Flights::new(8);
        let boarding = flights.board(&key("a"), false, || Some(DnsAnswer::NoData));
        assert!(matches!(boarding, Boarding::Known(DnsAnswer::NoData)));
        assert_eq!(flights.under_way(), 0);
    }

    #[tokio::test]
    async fn places_are_bounded_and_given_back() {
        let flights = Flights::new(2);
        let a = flights.board(&key("a"), false, || None);
        let b = flights.board(&key("b"), false, || None);
        assert!(matches!(
            flights.board(&key("c"), false, || None),
            Boarding::Full
        ));
        assert!(matches!(
            flights.board(&key("b"), false, || None),
            Boarding::Joined(_)
        ));
        let (Boarding::First(flight, arrival), Boarding::First(..)) = (a, b) else {
            panic!("there was room for two")
        };
        drop(flight);
        assert_eq!(arrival.wait().await, DnsAnswer::Failed(Failure::Timeout));
        assert!(matches!(
            flights.board(&key("c"), false, || None),
            Boarding::First(..)
        ));
    }

    #[tokio::test]
    async fn lists_have_room_of_their_own() {
        let flights = Flights::new(1);
        let _other = flights.board(&key("a"), false, || None);
        let full = flights.board(&key("b"), false, || None);
        assert!(matches!(full, Boarding::Full));
        let list = flights.board(&key("b"), true, || None);
        assert!(matches!(list, Boarding::First(..)));
        assert!(flights.has(&key("b")) && !flights.has(&key("c")));
        let full = flights.board(&key("c"), true, || None);
        assert!(matches!(full, Boarding::Full));
    }
}
