//! Which listeners a client has tried lately: whoever comes to the secondary MX without having tried the primary shows it.

use serde::Serialize;

use crate::store::engine::Table;
use crate::store::value::{Kept, Reader, write_text, write_time};

/// The most listeners remembered for a client.
pub(in crate::store) const LISTENERS: usize = 8;
/// The longest name of a listener, octets; the configuration allows no longer ones.
const LISTENER_NAME: usize = 64;
/// That a client tried a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The listener's name in the configuration.
    pub listener: Box<str>,
    /// When it last did.
    pub at: u64,
    /// When this is forgotten.
    pub expires: u64,
}

/// The sightings of one client, the latest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Sightings(pub(in crate::store) Vec<Sighting>);

impl Sightings {
    /// With one more, without what has expired, and no more than are kept.
    pub(in crate::store) fn with(self, seen: Sighting, now: u64) -> Self {
        let mut list = self.holding(now).0;
        list.retain(|other| other.listener != seen.listener);
        if seen.listener.len() <= LISTENER_NAME {
            list.insert(0, seen);
        }
        list.truncate(LISTENERS);
        Self(list)
    }

    /// Those that have not expired.
    pub(in crate::store) fn holding(mut self, now: u64) -> Self {
        self.0.retain(|sighting| sighting.expires > now);
        self
    }
}

impl Kept for Sightings {
    const TABLE: Table = Table::Sightings;

    fn expires(&self) -> u64 {
        let ends = self.0.iter().map(|sighting| sighting.expires);
        ends.max().unwrap_or(0)
    }

    fn write(&self, octets: &mut Vec<u8>) {
        for sighting in &self.0 {
            write_text(octets, &sighting.listener);
            write_time(octets, sighting.at);
            write_time(octets, sighting.expires);
        }
    }

    fn read(_expires: u64, octets: &mut Reader<'_>) -> Option<Self> {
        let mut list = Vec::new();
        while !octets.is_empty() && list.len() < LISTENERS {
            list.push(Sighting {
                listener: octets.text()?,
                at: octets.time()?,
                expires: octets.time()?,
            });
        }
        Some(Self(list))
    }
}
