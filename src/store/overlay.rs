//! Changes that are not yet in the engine: what was written last is read first.
//!
//! It is the queue to the keeper too, and bounded. Changes of one place become one. The keeper takes all of them at
//! once; until it has written them, they are looked up here beside those that came meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::engine::{Octets, Place};

/// The most changes that wait; about 10 MB.
pub(in crate::store) const MOST: usize = 65_536;
/// How often a change begins anew because what it changes was written meanwhile.
const ATTEMPTS: u32 = 4;

/// New values; `None` for what is removed.
pub(in crate::store) type Changes = HashMap<Place, Option<Octets>>;

/// Whether a change may be let fall when too many wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Weight {
    /// It may.
    Light,
    /// It may not; there are never many of these.
    Heavy,
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Taken {
    /// It waits; so many do.
    Waits(usize),
    /// There was nothing to change.
    Nothing,
    /// It was let fall.
    Dropped,
}

#[derive(Debug, Default)]
pub(in crate::store) struct Overlay(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Changes that nobody has taken yet.
    fresh: Changes,
    /// Those that the keeper is writing.
    going: Arc<Changes>,
    /// Counts how often changes were written.
    written: u64,
}

impl State {
    fn look(&self, place: &Place) -> Option<&Option<Octets>> {
        self.fresh.get(place).or_else(|| self.going.get(place))
    }

    fn waiting(&self) -> usize {
        self.fresh.len() + self.going.len()
    }
}

impl Overlay {
    /// The value that waits to be written, if one does.
    pub(in crate::store) fn look(&self, place: &Place) -> Option<Option<Octets>> {
        self.state().look(place).cloned()
    }

    /// Changes.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.state().waiting()
    }

    /// Changes what is at `place`, as `change` says; when that gives `None`, nothing. `kept` reads the engine: that may
    /// take a while and is done without holding up others.
    pub(in crate::store) fn change(
        &self,
        place: Place,
        weight: Weight,
        kept: impl Fn() -> Option<Octets>,
        change: impl Fn(Option<&[u8]>) -> Option<Option<Octets>>,
    ) -> Taken {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let (waits, written) = {
                let state = self.state();
                (state.look(&place).is_some(), state.written)
            };
            let kept = if waits { None } else { kept() };
            let mut state = self.state();
            let current = match state.look(&place) {
                Some(value) => value.as_deref(),
                // What was read may be older than what was written since.
                None if state.written != written && attempt < ATTEMPTS => continue,
                None => kept.as_deref(),
            };
            let Some(value) = change(current) else {
                return Taken::Nothing;
            };
            let full = state.waiting() >= MOST && !state.fresh.contains_key(&place);
            if full && weight == Weight::Light {
                return Taken::Dropped;
            }
            state.fresh.insert(place, value);
            return Taken::Waits(state.waiting());
        }
    }

    /// What is to be written now. Until [`Overlay::written`] is said, it is looked up all the same.
    pub(in crate::store) fn take(&self) -> Arc<Changes> {
        let mut state = self.state();
        if state.going.is_empty() {
            state.going = Arc::new(std::mem::take(&mut state.fresh));
        }
        Arc::clone(&state.going)
    }

    /// What was taken is in the engine now.
    pub(in crate::store) fn written(&self) {
        let mut state = self.state();
        state.written += 1;
        let going = std::mem::take(&mut state.going);
        drop(state);
        // Thousands of values go here, without holding up anybody.
        drop(going);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
