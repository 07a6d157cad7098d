//! One server of a backend: what it offered last, whether it is down and why, how many sessions it has.
//!
//! Down is a server that could not be reached or did not get as far as a session: nobody is sent to it while another is
//! up. Whether it is back is found out by whoever watches it; and where all are down by sessions as well, one at a time.
//! A server that refused or lost a session is not down, since that may have been about one client, but for some seconds
//! others are asked first. One that was found to relay for strangers is not used at all, unless the configuration says so;
//! nor is one that was not tested yet. One that has been away is used as it was before until its new test is over: what
//! opens a server is a change of its configuration, which needs no outage, and to wait for the test would make every
//! outage longer.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::session::{Relaying, Tested, Trouble};
use crate::smtp::extension::Extensions;

/// One server.
#[derive(Debug)]
pub struct Server {
    /// Where it is.
    pub address: SocketAddr,
    state: Mutex<State>,
    connections: AtomicUsize,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    offered: Option<Extensions>,
    down: Option<Down>,
    shunned: Option<Instant>,
    tested: Option<(Instant, Tested)>,
    /// Whether what was tested may not hold any more.
    changed: bool,
    /// Whether it is not used, because it would relay for strangers, or nobody knows yet.
    barred: bool,
}

#[derive(Debug)]
struct Down {
    since: Instant,
    why: String,
    until: Instant,
    pause: Duration,
    /// Whether a session is finding out.
    probed: bool,
}

impl Down {
    fn new(why: String) -> Self {
        let now = Instant::now();
        Self {
            since: now,
            why,
            until: now + FIRST_PAUSE,
            pause: FIRST_PAUSE,
            probed: false,
        }
    }

    /// Another failure: twice as long as before.
    fn still(&mut self, why: String) {
        self.why = why;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        self.until = Instant::now() + self.pause;
        self.probed = false;
    }
}

/// How a server is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it answered when last asked; `None` before that.
    pub up: Option<bool>,
    /// For how long it has been down, and why.
    pub down: Option<(Duration, String)>,
    /// Sessions that have a connection to it, or are making one.
    pub connections: usize,
    /// What its last self-test has shown, and how long ago.
    pub tested: Option<(Duration, Tested)>,
}

/// After a failure to reach a server nobody tries for this long; then the next session is the probe. Twice as long after
/// each failed one, up to [`LONGEST_PAUSE`].
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// For how long others are asked first.
const SHUNNED: Duration = Duration::from_secs(5);

impl Server {
    /// A server about which nothing is known yet; `barred` until it was tested, or not.
    pub(super) fn new(address: SocketAddr, barred: bool) -> Self {
        Self {
            address,
            state: Mutex::new(State {
                barred,
                ..State::default()
            }),
            connections: AtomicUsize::new(0),
            news: Notify::new(),
        }
    }

    /// Notes what it offers; it is evidently up. Whether that is news: it had not been asked before, or it was down.
    pub(in crate::session) fn answered(&self, offered: Extensions) -> bool {
        let mut state = self.state();
        let first = state.offered.replace(offered).is_none();
        state.shunned = None;
        let news = state.down.take().is_some() || first;
        if news {
            state.changed = true;
            self.news.notify_one();
        }
        news
    }

    /// Notes what a self-test has shown, and whether the server is not to be used for it. Whether that is news.
    pub(super) fn tested(&self, tested: Tested, barred: bool) -> bool {
        let mut state = self.state();
        state.changed = false;
        match (tested.relaying, state.tested) {
            (Relaying::Refused | Relaying::Open, _) => state.barred = barred,
            // A backend that puts every stranger off would never get any mail.
            (Relaying::Unknown, None) => state.barred = false,
            // What was found once holds until it is found otherwise.
            (Relaying::Unknown, Some(_)) => {}
        }
        let before = state.tested.replace((Instant::now(), tested));
        before.is_none_or(|(_, before)| before != tested)
    }

    /// Whether it answers and what was tested, if anything, may not hold any more.
    #[must_use]
    pub fn wants_test(&self) -> bool {
        let state = self.state();
        state.changed && state.down.is_none()
    }

    /// Notes a failure. Whether it had been up until then, and is down now.
    pub(in crate::session) fn failed(&self, trouble: &Trouble) -> bool {
        let mut state = self.state();
        let goes_down = match (&mut state.down, trouble.marks_down()) {
            (None, true) => {
                state.down = Some(Down::new(trouble.to_string()));
                true
            }
            (None, false) if !trouble.shuns() => return false,
            (None, false) => {
                state.shunned = Some(Instant::now() + SHUNNED);
                false
            }
            // Who was to find out found another trouble: then the next may.
            (Some(down), false) => {
                if down.probed {
                    down.until = Instant::now();
                }
                return false;
            }
            // Who was on the way already when it failed learns nothing new.
            (Some(down), true) if !down.probed && Instant::now() < down.until => return false,
            (Some(down), true) => {
                down.still(trouble.to_string());
                return false;
            }
        };
        self.news.notify_one();
        goes_down
    }

    /// Waits until it goes down, fails a session, or answers again.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether it would relay for strangers and may not, or was not tested yet.
    pub(in crate::session) fn is_barred(&self) -> bool {
        self.state().barred
    }

    /// Whether it gets no mail only because it was not tested yet.
    pub(super) fn awaits_test(&self) -> bool {
        let state = self.state();
        state.barred && state.tested.is_none()
    }

    /// For as long as somebody finds out whether it is down, others are asked first.
    pub fn ask_last(&self, until: Instant) {
        let mut state = self.state();
        if state.shunned.is_some() {
            state.shunned = Some(until);
        }
    }

    /// Whether it is down, or has failed a session a moment ago.
    #[must_use]
    pub fn is_in_trouble(&self) -> bool {
        !self.is_up() || self.is_shunned()
    }

    /// Whether it is down.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.state().down.is_some()
    }

    /// Whether it may be used like any other: nobody knows better.
    pub(super) fn is_up(&self) -> bool {
        self.state().down.is_none()
    }

    /// Whether others are to be asked first.
    pub(super) fn is_shunned(&self) -> bool {
        self.state()
            .shunned
            .is_some_and(|until| Instant::now() < until)
    }

    /// Whether this session may try, and is the one that does: for a while after a failure none may, then one, for as
    /// long as a greeting may take.
    pub(super) fn may_try(&self, slowest: Duration) -> bool {
        let now = Instant::now();
        match &mut self.state().down {
            None => true,
            Some(down) if now < down.until => false,
            Some(down) => {
                // While this one finds out, however long it takes, the others are told at once.
                down.until = now + slowest.max(LONGEST_PAUSE);
                down.probed = true;
                true
            }
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Whether it is up, and what it offered when last asked; `None` before that.
    pub(super) fn offered(&self) -> Option<(bool, Extensions)> {
        let state = self.state();
        let offered = state.offered.clone()?;
        Some((state.down.is_none(), offered))
    }

    /// How it is doing.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let state = self.state();
        let down = state.down.as_ref();
        Standing {
            up: match (down, &state.offered) {
                (Some(_), _) => Some(false),
                (None, Some(_)) => Some(true),
                (None, None) => None,
            },
            down: down.map(|down| (down.since.elapsed(), down.why.clone())),
            connections: self.connections(),
            tested: state.tested.map(|(at, tested)| (at.elapsed(), tested)),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // The state is plain values: a panic elsewhere can not have left it half written.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's claim on a server, by which its connections are counted; given back when dropped.
#[derive(Debug)]
pub(in crate::session) struct Seat(Arc<Server>);

impl Seat {
    pub(in crate::session) fn new(server: &Arc<Server>) -> Self {
        server.connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(server))
    }

    /// The server.
    pub(in crate::session) fn server(&self) -> &Arc<Server> {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
