//! Room for lookups: places on the wire, and of each client's a share.
//!
//! Names that clients choose are answered by servers that clients may choose too, as late as they like. So lists have places of
//! their own, which no other lookup takes; one client has a bounded share of the others; and an answer that is late is
//! waited for in a place of a third kind, if one is free. Lists need no shares: their servers are not the client's.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;
use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::facts::one_site;

/// Lookups under way at one time in watched zones, and as many outside of them, those that wait for the wire included;
/// beyond it questions fail at once.
pub(in crate::gather) const UNDER_WAY: usize = 4096;
/// Lookups in watched zones on the wire at one time. Each on the wire costs a UDP socket, or two.
const IN_ZONES: usize = 200;
/// Other lookups on the wire at one time.
const OUTSIDE: usize = 250;
/// Lookups that nobody waits for any more.
const LATE: usize = 50;
/// Lookups outside of the zones that one client may have under way, late ones included.
const SHARE: usize = 32;

/// The places on the wire.
pub(in crate::gather) struct Places {
    zones: Semaphore,
    others: Semaphore,
    late: Semaphore,
}

impl Places {
    /// All are free.
    pub(in crate::gather) const fn new() -> Self {
        Self {
            zones: Semaphore::const_new(IN_ZONES),
            others: Semaphore::const_new(OUTSIDE),
            late: Semaphore::const_new(LATE),
        }
    }

    /// A place on the wire, when one is free: those who wait get them in their order.
    pub(in crate::gather) async fn take(&self, in_zone: bool) -> Option<SemaphorePermit<'_>> {
        let places = if in_zone { &self.zones } else { &self.others };
        places.acquire().await.ok()
    }

    /// A place for a lookup that goes on after its askers were told that nothing came, if one is free.
    pub(in crate::gather) fn late(&self) -> Option<SemaphorePermit<'_>> {
        self.late.try_acquire().ok()
    }
}

/// Who has lookups under way, or waits for room: IPv4 by /24, IPv6 by /56, since one customer may hold as much.
#[derive(Default)]
pub(in crate::gather) struct Shares {
    clients: DashMap<IpNet, Arc<Semaphore>>,
}

impl Shares {
    /// The share of `client`; it is forgotten when nobody has a place in it or waits for one.
    pub(in crate::gather) fn of(self: &Arc<Self>, client: IpAddr) -> Share {
        let client = one_site(client);
        let places = self.clients.entry(client);
        let places = places.or_insert_with(|| Arc::new(Semaphore::new(SHARE)));
        Share {
            shares: Arc::clone(self),
            client,
            places: Some(Arc::clone(&places)),
        }
    }
}

/// A client's share.
pub(in crate::gather) struct Share {
    shares: Arc<Shares>,
    client: IpNet,
    /// `None` only while it is dropped.
    places: Option<Arc<Semaphore>>,
}

/// A place in a client's share.
pub(in crate::gather) struct Place {
    // Before the share, which looks whether it was the last.
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

impl Share {
    /// A place, if one is free and nobody waits for it.
    pub(in crate::gather) fn try_take(self) -> Result<Place, Self> {
        let permit = self
            .places
            .as_ref()
            .and_then(|places| Arc::clone(places).try_acquire_owned().ok());
        match permit {
            Some(permit) => Ok(self.place(permit)),
            None => Err(self),
        }
    }

    /// A place, when one is free: those who wait get them in their order.
    pub(in crate::gather) async fn take(self) -> Option<Place> {
        let places = Arc::clone(self.places.as_ref()?);
        let permit = places.acquire_owned().await.ok()?;
        Some(self.place(permit))
    }

    const fn place(self, permit: OwnedSemaphorePermit) -> Place {
        Place {
            _permit: permit,
            _share: self,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        drop(self.places.take());
        // Under the map's lock, where alone it is given to others.
        self.shares
            .clients
            .remove_if(&self.client, |_, places| Arc::strong_count(places) == 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn share(shares: &Arc<Shares>, client: &str) -> Share {
        shares.of(client.parse().unwrap())
    }

    fn full(shares: &Arc<Shares>, client: &str) -> Vec<Place> {
        let places = (0..SHARE).map(|_| share(shares, client).try_take());
        places.map(|place| place.ok().unwrap()).collect()
    }

    #[test]
    fn a_network_has_its_share_and_no_more() {
        let shares = Arc::new(Shares::default());
        let _places = full(&shares, "192.0.2.1");
        assert!(share(&shares, "192.0.2.200").try_take().is_err());
        assert!(share(&shares, "192.0.3.1").try_take().is_ok());
        let _places = full(&shares, "2001:db8::1");
        assert!(share(&shares, "2001:db8:0:ff::1").try_take().is_err());
        assert!(share(&shares, "2001:db8:0:100::1").try_take().is_ok());
    }

    #[test]
    fn who_waits_gets_the_place_that_is_given_back_before_others() {
        let shares = Arc::new(Shares::default());
        let mut places = full(&shares, "192.0.2.1");
        let mut waiting = Box::pin(share(&shares, "192.0.2.2").take());
        assert!(waiting.as_mut().now_or_never().is_none());
        places.pop();
        assert!(share(&shares, "192.0.2.3").try_take().is_err());
        assert!(waiting.now_or_never().flatten().is_some());
    }

    #[test]
    fn nothing_is_kept_of_who_has_no_lookups() {
        let shares = Arc::new(Shares::default());
        let mut places = full(&shares, "192.0.2.1");
        let mut waiting = Box::pin(share(&shares, "192.0.2.2").take());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(places.split_off(1));
        drop(waiting);
        assert_eq!(shares.clients.len(), 1);
        drop(places);
        assert_eq!(shares.clients.len(), 0);
    }
}
