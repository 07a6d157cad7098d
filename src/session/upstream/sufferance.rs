//! The few places for clients that would be denied if they did not write to an exempt recipient, and who has them: one
//! client network has only some of them, so that no single one keeps all others from postmaster.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::facts::one_site;
use crate::session::Trouble;
use crate::session::upstream::PLACE_WAIT;

/// How many one client network has, or waits for.
const PER_SITE: u8 = 2;

/// Who has or waits for a place; a network without one is not in it.
type Sites = Mutex<HashMap<IpNet, u8>>;

/// The places.
#[derive(Debug)]
pub(super) struct Sufferance {
    places: Arc<Semaphore>,
    sites: Arc<Sites>,
}

/// One of them; given back when dropped.
#[derive(Debug)]
pub(super) struct Suffered {
    _place: OwnedSemaphorePermit,
    _claim: Claim,
}

impl Sufferance {
    pub(super) fn new(places: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            sites: Arc::default(),
        }
    }

    /// A place for this client, if one becomes free soon.
    pub(super) async fn place(&self, client: IpAddr) -> Result<Suffered, Trouble> {
        let claim = Claim::new(&self.sites, one_site(client)).ok_or(Trouble::Busy)?;
        let place = timeout(PLACE_WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let place = place.ok().and_then(Result::ok).ok_or(Trouble::Busy)?;
        Ok(Suffered {
            _place: place,
            _claim: claim,
        })
    }
}

/// One of the places that a network may have.
#[derive(Debug)]
struct Claim {
    sites: Arc<Sites>,
    site: IpNet,
}

impl Claim {
    fn new(sites: &Arc<Sites>, site: IpNet) -> Option<Self> {
        let mut counts = counts(sites);
        let count = counts.entry(site).or_default();
        // A network that is in the table has one at least.
        if *count >= PER_SITE {
            return None;
        }
        *count += 1;
        Some(Self {
            sites: Arc::clone(sites),
            site,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut counts = counts(&self.sites);
        if let Some(count) = counts.get_mut(&self.site) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.site);
            }
        }
    }
}

fn counts(sites: &Sites) -> MutexGuard<'_, HashMap<IpNet, u8>> {
    // The counts are plain values: a panic elsewhere can not have left them half written.
    sites.lock().unwrap_or_else(PoisonError::into_inner)
}
