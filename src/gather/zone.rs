//! The zones that are watched, each with a breaker of its own (RFC 5782 zones come and go).
//!
//! Every lookup has one breaker: that of its zone, or, outside of all watched zones, the resolver's. So a zone that is silent
//! says nothing about the resolver or about another zone; a resolver that is silent shows as every zone being so.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::checks::Lists;
use crate::gather::breaker::{Breaker, Standing};

/// A zone whose health is watched: DNSBLs and the like, as the policies name them.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    suffix: Box<str>,
    shown: Box<str>,
    lists: Lists,
}

impl Zone {
    /// The zone whose names end in `asked` (which may hold a secret key) and that is called `shown` toward people.
    #[must_use]
    pub fn new(asked: &str, shown: &str, lists: Lists) -> Self {
        let asked = asked.trim_matches('.').to_ascii_lowercase();
        Self {
            suffix: format!(".{asked}").into(),
            shown: shown.into(),
            lists,
        }
    }

    /// What every name in it ends with. Never print it.
    pub(in crate::gather) fn suffix(&self) -> &str {
        &self.suffix
    }

    /// What it is called toward people.
    pub(in crate::gather) fn shown(&self) -> &str {
        &self.shown
    }

    /// What it lists.
    pub(in crate::gather) const fn lists(&self) -> Lists {
        self.lists
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.shown)
    }
}

/// The zones that are watched, each with its breaker.
#[derive(Debug, Default)]
pub(in crate::gather) struct Zones {
    watched: Mutex<Arc<[Watched]>>,
}

/// A zone with its breaker.
pub(in crate::gather) type Watched = (Zone, Arc<Breaker>);

impl Zones {
    /// Watches `zones` from now on, each once; those that were watched before keep their standing.
    pub(in crate::gather) fn watch(&self, mut zones: Vec<Zone>) {
        let before = self.all();
        // A list of addresses and of names has one standing.
        let mut seen = HashSet::new();
        zones.retain(|zone| seen.insert(zone.suffix.clone()));
        let watched = zones.into_iter().map(|zone| {
            let known = before.iter().find(|(known, _)| *known == zone);
            let breaker = known.map_or_else(
                || Breaker::new(&zone.shown),
                |(_, breaker)| Arc::clone(breaker),
            );
            (zone, breaker)
        });
        let watched = watched.collect();
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = watched;
    }

    /// The breaker of the zone that `name` (lower case) is in; the longest one if zones lie in each other.
    pub(in crate::gather) fn of(&self, name: &str) -> Option<Arc<Breaker>> {
        let zones = self.all();
        let holding = zones
            .iter()
            .filter(|(zone, _)| name.ends_with(&*zone.suffix));
        let longest = holding.max_by_key(|(zone, _)| zone.suffix.len())?;
        Some(Arc::clone(&longest.1))
    }

    /// How each is doing, in the order given to [`Zones::watch`].
    pub(in crate::gather) fn standings(&self) -> Vec<Standing> {
        self.all()
            .iter()
            .map(|(_, breaker)| breaker.standing())
            .collect()
    }

    /// All of them.
    pub(in crate::gather) fn all(&self) -> Arc<[Watched]> {
        Arc::clone(&self.watched.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
