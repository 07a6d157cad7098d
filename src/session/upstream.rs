//! What all sessions know together about one backend: its settings, what it offered last, whether it is down, and how
//! many connections to it are open.
//!
//! Connections are not shared: behind a PROXY header a connection belongs to one client (PROXY protocol §2), so there
//! is no pool. Shared are the EHLO keywords of the last session that got so far, for they decide what is offered to
//! clients before their own backend connection exists; whether it failed, so that its clients get their 4xx at once and
//! only one at a time finds out whether it is back; and the places, so that no client takes all of what the backend has.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use crate::config;
use crate::net::backend::Connector;
use crate::session::Trouble;
use crate::smtp::extension::Extensions;

/// A backend as its sessions see it.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration (`exim` for `[backend.exim]`).
    pub name: Box<str>,
    /// Its settings.
    pub backend: config::Backend,
    /// What makes its connections secure, where `tls` is on.
    pub connector: Option<Connector>,
    places: Arc<Semaphore>,
    /// Of the places those for clients that would be denied if they did not write to an exempt recipient.
    on_sufferance: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    offered: Option<Extensions>,
    down: Option<Down>,
}

#[derive(Debug)]
struct Down {
    until: Instant,
    pause: Duration,
    /// Whether a session is finding out.
    probed: bool,
}

impl Down {
    /// Another failure: twice as long as before.
    fn still(&mut self) {
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.until = Instant::now() + self.pause;
        self.probed = false;
    }
}

/// A place at the backend; given back when dropped.
#[derive(Debug)]
pub(in crate::session) struct Place {
    _place: OwnedSemaphorePermit,
    sufferance: Option<OwnedSemaphorePermit>,
}

impl Place {
    /// Whether it is one of the few for clients that are let through only because of whom they write to.
    pub(in crate::session) const fn is_on_sufferance(&self) -> bool {
        self.sufferance.is_some()
    }
}

/// After a failure to reach a backend nobody tries for this long; then the next session is the probe. Twice as long after
/// each failed one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a client waits for a place.
const PLACE_WAIT: Duration = Duration::from_secs(5);

impl Upstream {
    /// A backend about which nothing is known yet.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, backend: config::Backend) -> Self {
        let places = backend.max_connections;
        Self {
            name: name.into(),
            backend,
            connector: None,
            places: Arc::new(Semaphore::new(places)),
            on_sufferance: Arc::new(Semaphore::new((places / 20).max(2))),
            state: Mutex::default(),
        }
    }

    /// The same with TLS.
    #[must_use]
    pub fn with_tls(self, connector: Option<Connector>) -> Self {
        Self { connector, ..self }
    }

    /// What the backend offered when last asked; nothing but the basics before that.
    #[must_use]
    pub fn offered(&self) -> Extensions {
        self.state().offered.clone().unwrap_or_default()
    }

    /// Notes what the backend offers; it is evidently up.
    pub fn is_up(&self, offered: Extensions) {
        let mut state = self.state();
        state.offered = Some(offered);
        if state.down.take().is_some() {
            tracing::info!(backend = %self.name, "backend answers again");
        }
    }

    /// Notes that the backend could not be reached.
    pub fn is_down(&self) {
        let mut state = self.state();
        match &mut state.down {
            None => {
                state.down = Some(Down {
                    until: Instant::now() + FIRST_PAUSE,
                    pause: FIRST_PAUSE,
                    probed: false,
                });
            }
            // Who was on the way already when it failed learns nothing new.
            Some(down) if !down.probed && Instant::now() < down.until => {}
            Some(down) => down.still(),
        }
    }

    /// Notes that a connection was tried in vain: who was to find out has found out that it is still down; or nothing, for
    /// the trouble was another, and then the next may.
    pub(in crate::session) fn was_tried_in_vain(&self, is_down: bool) {
        let mut state = self.state();
        let Some(down) = state.down.as_mut().filter(|down| down.probed) else {
            return;
        };
        if is_down {
            down.still();
        } else {
            down.until = Instant::now();
        }
    }

    /// Whether this session may try, and is the one that does: for a while after a failure none may, then one.
    #[must_use]
    pub fn may_try(&self) -> bool {
        let now = Instant::now();
        match &mut self.state().down {
            None => true,
            Some(down) if now < down.until => false,
            Some(down) => {
                // While this one finds out, however long it takes, the others are told at once.
                down.until = now + self.backend.greeting_timeout.max(LONGEST_PAUSE);
                down.probed = true;
                true
            }
        }
    }

    /// A place, if one becomes free soon.
    pub(in crate::session) async fn place(&self, on_sufferance: bool) -> Result<Place, Trouble> {
        let one = async |places: &Arc<Semaphore>| {
            let place = timeout(PLACE_WAIT, Arc::clone(places).acquire_owned()).await;
            place.ok().and_then(Result::ok).ok_or(Trouble::Busy)
        };
        let sufferance = match on_sufferance {
            true => Some(one(&self.on_sufferance).await?),
            false => None,
        };
        Ok(Place {
            _place: one(&self.places).await?,
            sufferance,
        })
    }

    /// Connections open now.
    #[must_use]
    pub fn in_use(&self) -> usize {
        let most = self.backend.max_connections;
        most.saturating_sub(self.places.available_permits())
    }

    /// Whether it answered when last asked; `None` before that.
    #[must_use]
    pub fn answers(&self) -> Option<bool> {
        let state = self.state();
        match (&state.down, &state.offered) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is two plain values: a panic elsewhere can not have left it half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(max_connections: usize) -> Upstream {
        let backend = config::Backend {
            max_connections,
            ..config::Backend::default()
        };
        Upstream::new("exim", backend)
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_one_at_a_time_finds_out() {
        let upstream = upstream(9);
        assert!(upstream.may_try() && upstream.may_try());
        upstream.is_down();
        upstream.is_down();
        assert!(!upstream.may_try());
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(upstream.may_try(), "the probe");
        assert!(!upstream.may_try(), "the others are told at once");
        upstream.is_down();
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(!upstream.may_try(), "twice as long");
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(upstream.may_try());
        upstream.is_up(Extensions::default());
        assert!(upstream.may_try() && upstream.may_try());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_never_heard_of_again_makes_room_for_the_next() {
        let upstream = upstream(9);
        upstream.is_down();
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(upstream.may_try());
        tokio::time::advance(upstream.backend.greeting_timeout).await;
        assert!(upstream.may_try());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_found_nothing_out_makes_room_at_once() {
        let upstream = upstream(9);
        upstream.was_tried_in_vain(false);
        assert!(upstream.may_try() && upstream.may_try());
        upstream.is_down();
        upstream.was_tried_in_vain(false);
        assert!(!upstream.may_try(), "that was no probe");
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(upstream.may_try());
        upstream.was_tried_in_vain(false);
        assert!(upstream.may_try(), "the next probe");
        assert!(!upstream.may_try(), "and only that");
        upstream.was_tried_in_vain(true);
        // Told twice, by who tried and by who was waiting for it.
        upstream.is_down();
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(!upstream.may_try(), "twice as long");
        tokio::time::advance(FIRST_PAUSE).await;
        assert!(upstream.may_try());
    }

    /// A twentieth, at least two.
    #[tokio::test(start_paused = true)]
    async fn how_many_places_are_on_sufferance() {
        for (all, few) in [(9, 2), (40, 2), (60, 3), (400, 20)] {
            let upstream = upstream(all);
            let mut held = Vec::new();
            while let Ok(place) = upstream.place(true).await {
                assert!(place.is_on_sufferance());
                held.push(place);
            }
            assert_eq!(held.len(), few, "of {all}");
            held.pop();
            assert!(upstream.place(true).await.is_ok(), "given back");
            assert!(!upstream.place(false).await.unwrap().is_on_sufferance());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sufferance_does_not_take_the_places_of_others() {
        let upstream = upstream(9);
        let _held = [
            upstream.place(true).await.unwrap(),
            upstream.place(true).await.unwrap(),
        ];
        assert!(matches!(upstream.place(true).await, Err(Trouble::Busy)));
        let mut others = Vec::new();
        for _ in 0..7 {
            others.push(upstream.place(false).await.unwrap());
        }
        assert!(matches!(upstream.place(false).await, Err(Trouble::Busy)));
        others.pop();
        assert!(upstream.place(false).await.is_ok());
    }
}
