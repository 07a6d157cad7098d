//! Who is let in: connections in all, per address and per network, and new connections per time and address.
//!
//! IPv4 clients are counted per address and per /24, IPv6 clients per /64 and per /56, since one customer holds a whole
//! /64. The counts are exact and shrink with the connections; the rate state is a bounded cache, so that a client that
//! rotates through its network can not make us remember without end. It forgets the least used first.

use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use governor::clock::DefaultClock;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};
use ipnet::IpNet;

use crate::facts::Limit;

/// Addresses whose connection rate is remembered at most; about 12 MB when full.
const RATE_ENTRIES: usize = 100_000;

/// The limits of admission.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections per IPv4 address or IPv6 /64.
    pub per_address: usize,
    /// Connections per IPv4 /24 or IPv6 /56.
    pub per_network: usize,
    /// New connections per address: so many (the burst) in such a time; `None` for no limit.
    pub rate: Option<(NonZeroU32, Duration)>,
}

/// Counts connections and lets clients in.
#[derive(Debug)]
pub struct Admission {
    limits: Limits,
    open: AtomicUsize,
    clients: DashMap<IpNet, usize>,
    rate: Option<RateLimiter<IpNet, Bounded, DefaultClock>>,
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
        let rate = limits.rate.and_then(|(burst, period)| {
            let quota = Quota::with_period(period / burst.get())?.allow_burst(burst);
            Some(RateLimiter::new(
                quota,
                Bounded::new(RATE_ENTRIES),
                DefaultClock::default(),
            ))
        });
        Arc::new(Self {
            limits,
            open: AtomicUsize::new(0),
            clients: DashMap::new(),
            rate,
        })
    }

    /// A place among all connections, taken before anything is known about the client.
    ///
    /// # Errors
    ///
    /// [`Limit::Connections`].
    pub fn enter(self: &Arc<Self>) -> Result<Place, Limit> {
        let taken = self.open.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if taken >= self.limits.connections {
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
        let (address, network) = groups(client);
        if self
            .rate
            .as_ref()
            .is_some_and(|rate| rate.check_key(&address).is_err())
        {
            return Err(Limit::Rate);
        }
        if !self.count(address, self.limits.per_address) {
            return Err(Limit::PerAddress);
        }
        if !self.count(network, self.limits.per_network) {
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

/// The groups a client is counted in: its own and its network's.
fn groups(client: IpAddr) -> (IpNet, IpNet) {
    let (own, network) = match client {
        IpAddr::V4(_) => (32, 24),
        IpAddr::V6(_) => (64, 56),
    };
    let group = |length| IpNet::new(client, length).map_or(IpNet::from(client), |net| net.trunc());
    (group(own), group(network))
}

/// Rate state of a bounded number of clients.
#[derive(Debug)]
struct Bounded(quick_cache::sync::Cache<IpNet, Arc<AtomicU64>>);

impl Bounded {
    fn new(capacity: usize) -> Self {
        Self(quick_cache::sync::Cache::new(capacity))
    }
}

impl StateStore for Bounded {
    type Key = IpNet;

    fn measure_and_replace<T, F, E>(&self, key: &Self::Key, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Ok(cell) = self
            .0
            .get_or_insert_with(key, || Ok::<_, std::convert::Infallible>(Arc::default()));
        let mut previous = cell.load(Ordering::Acquire);
        loop {
            let (outcome, next) = f(NonZeroU64::new(previous).map(|nanos| nanos.get().into()))?;
            match cell.compare_exchange_weak(
                previous,
                next.into(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(outcome),
                Err(changed) => previous = changed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(per_address: usize, per_network: usize, rate: Option<u32>) -> Arc<Admission> {
        let rate = rate
            .and_then(NonZeroU32::new)
            .map(|burst| (burst, Duration::from_secs(3600)));
        Admission::new(Limits {
            connections: 3,
            per_address,
            per_network,
            rate,
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
