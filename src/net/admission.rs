//! Who is let in: connections in all, per address and per network, and new connections per time and address.
//!
//! IPv4 clients are counted per address and per /24, IPv6 clients per /64 and per /56, since one customer holds a whole
//! /64. The counts are exact and shrink with the connections; those of the rate are kept of a bounded number of clients.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use dashmap::DashMap;
use ipnet::IpNet;

use crate::facts::{Limit, Rate, one_client, one_site};
use crate::net::rate_limit::RateLimit;

/// Addresses whose connection rate is remembered at most; about 12 MB when full.
const RATE_ENTRIES: usize = 100_000;

/// The limits of admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections per IPv4 address or IPv6 /64.
    pub per_address: usize,
    /// Connections per IPv4 /24 or IPv6 /56.
    pub per_network: usize,
    /// New connections per address; `None` for no limit.
    pub rate: Option<Rate>,
}

/// Counts connections and lets clients in.
#[derive(Debug)]
pub struct Admission {
    terms: RwLock<Terms>,
    open: AtomicUsize,
    clients: DashMap<IpNet, usize>,
}

/// What can be changed while clients are in.
#[derive(Clone, Debug)]
struct Terms {
    limits: Limits,
    rate: Option<Arc<RateLimit<IpNet>>>,
}

impl Terms {
    fn new(limits: Limits) -> Self {
        let rate = limits.rate;
        let rate = rate.and_then(|rate| RateLimit::new(rate, RATE_ENTRIES));
        Self {
            limits,
            rate: rate.map(Arc::new),
        }
    }
}

/// A place among the connections; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    admission: Arc<Admission>,
    address: IpNet,
    network: IpNet,
}

/// A place among all connections, without a client yet.
#[derive(Debug)]
pub struct Place(Arc<Admission>);

impl Admission {
    /// Nobody is in yet.
    #[must_use]
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            terms: RwLock::new(Terms::new(limits)),
            open: AtomicUsize::new(0),
            clients: DashMap::new(),
        })
    }

    /// Sets other limits, for those that come from now on. Who is in stays in and counts; a rate that stays goes on.
    pub fn change(&self, limits: Limits) {
        let mut terms = self.terms.write().unwrap_or_else(PoisonError::into_inner);
        match terms.limits.rate == limits.rate {
            true => terms.limits = limits,
            false => *terms = Terms::new(limits),
        }
    }

    fn limits(&self) -> Limits {
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        terms.limits
    }

    fn is_too_often(&self, client: IpNet) -> bool {
        let terms = self.terms.read().unwrap_or_else(PoisonError::into_inner);
        let rate = terms.rate.as_ref();
        rate.is_some_and(|rate| rate.take(client).is_err())
    }

    /// A place among all connections, taken before anything is known about the client.
    ///
    /// # Errors
    ///
    /// [`Limit::Connections`].
    pub fn enter(self: &Arc<Self>) -> Result<Place, Limit> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if taken >= self.limits().connections {
            Err(Limit::Connections)
        } else {
            Ok(place)
        }
    }

    /// A place for this client.
    ///
    /// # Errors
    ///
    /// The limit that keeps it out.
    pub fn admit(self: &Arc<Self>, client: IpAddr) -> Result<Permit, Limit> {
        let (address, network) = (one_client(client), one_site(client));
        if self.is_too_often(address) {
            return Err(Limit::Rate);
        }
        let limits = self.limits();
        if !self.count(address, limits.per_address) {
            return Err(Limit::PerAddress);
        }
        if !self.count(network, limits.per_network) {
            self.uncount(address);
            return Err(Limit::PerNetwork);
        }
        Ok(Permit {
            admission: Arc::clone(self),
            address,
            network,
        })
    }

    /// Connections open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn count(&self, group: IpNet, limit: usize) -> bool {
        let mut count = self.clients.entry(group).or_insert(0);
        if *count >= limit {
            return false;
        }
        *count += 1;
        true
    }

    fn uncount(&self, group: IpNet) {
        self.clients.remove_if_mut(&group, |_, count| {
            *count = count.saturating_sub(1);
            *count == 0
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.uncount(self.address);
        self.admission.uncount(self.network);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Per;

    fn admission(per_address: usize, per_network: usize, rate: Option<u32>) -> Arc<Admission> {
        Admission::new(Limits {
            connections: 3,
            per_address,
            per_network,
            rate: rate.and_then(|count| Rate::new(count, Per::Hour)),
        })
    }

    #[test]
    fn places_in_all_are_given_back() {
        let admission = admission(9, 9, None);
        let places: Vec<_> = (0..3).map(|_| admission.enter().unwrap()).collect();
        assert_eq!(admission.enter().unwrap_err(), Limit::Connections);
        assert_eq!(admission.open(), 3);
        drop(places);
        assert!(admission.enter().is_ok());
    }

    #[test]
    fn an_address_has_its_share_and_gives_it_back() {
        let admission = admission(2, 9, None);
        let client = "192.0.2.1".parse().unwrap();
        let first = admission.admit(client).unwrap();
        let _second = admission.admit(client).unwrap();
        assert_eq!(admission.admit(client).unwrap_err(), Limit::PerAddress);
        assert!(admission.admit("192.0.2.2".parse().unwrap()).is_ok());
        drop(first);
        assert!(admission.admit(client).is_ok());
    }

    /// As after a reload: nobody is sent away, and nobody may come again who could not before.
    #[test]
    fn other_limits_hold_for_those_that_come() {
        let admission = admission(2, 9, Some(3));
        let client = "192.0.2.1".parse().unwrap();
        let _in = [
            admission.admit(client).unwrap(),
            admission.admit(client).unwrap(),
        ];
        let limits = Limits {
            per_address: 3,
            ..admission.limits()
        };
        admission.change(limits);
        let _third = admission.admit(client).unwrap();
        assert_eq!(admission.admit(client).unwrap_err(), Limit::Rate);
        let more = Limits {
            rate: None,
            per_address: 1,
            ..limits
        };
        admission.change(more);
        assert_eq!(admission.admit(client).unwrap_err(), Limit::PerAddress);
    }

    #[test]
    fn an_ipv6_client_is_its_64_and_its_network_the_56() {
        let admission = admission(1, 2, None);
        let _a = admission.admit("2001:db8:0:1::1".parse().unwrap()).unwrap();
        assert_eq!(
            admission
                .admit("2001:db8:0:1::ffff".parse().unwrap())
                .unwrap_err(),
            Limit::PerAddress
        );
        let _b = admission.admit("2001:db8:0:2::1".parse().unwrap()).unwrap();
        assert_eq!(
            admission
                .admit("2001:db8:0:3::1".parse().unwrap())
                .unwrap_err(),
            Limit::PerNetwork
        );
        assert!(
            admission
                .admit("2001:db8:0:100::1".parse().unwrap())
                .is_ok()
        );
    }

    #[test]
    fn a_client_turned_away_leaves_no_trace() {
        let admission = admission(9, 1, None);
        let held = admission.admit("192.0.2.1".parse().unwrap()).unwrap();
        assert_eq!(
            admission.admit("192.0.2.2".parse().unwrap()).unwrap_err(),
            Limit::PerNetwork
        );
        drop(held);
        assert!(admission.clients.is_empty());
    }

    #[test]
    fn the_rate_allows_its_burst_and_then_no_more() {
        let admission = admission(9, 9, Some(2));
        let client = "192.0.2.1".parse().unwrap();
        assert!(admission.admit(client).is_ok());
        assert!(admission.admit(client).is_ok());
        assert_eq!(admission.admit(client).unwrap_err(), Limit::Rate);
        assert!(admission.admit("198.51.100.1".parse().unwrap()).is_ok());
    }
}
