//! A breaker: who failed so often that nobody waits for it, the resolver as a whole or one zone.
//!
//! It counts failures in a row and keeps what the zone's last test has shown
//! ([`test_entries`](crate::gather::test_entries)); it does not ask and keeps no answers. Time is tokio's. Opening,
//! closing and zone trouble are told in the log, once each.
//!
//! A name outside of the zones is one that a client has chosen, and silence about it is first of all silence of that client's
//! name servers: a session brings more than five such names. So such silence opens the resolver's breaker, or keeps it open,
//! only when the resolver is silent too about a name that no client can choose
//! ([`Leave::unanswered`], asked by [`look_up`](crate::gather::look_up)). Neither answers of the zones nor names under
//! different domains would do: the zones are asked before the names and then not again, and domains are cheap.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::gather::fitness::{Fitness, advice, is_wrong};
use crate::gather::zone_memory::Health;
use crate::net::pace;

/// Failures in a row that open a breaker.
const PATIENCE: u32 = 5;
/// First back-off; it doubles with each failed probe.
const BACK_OFF_LEAST: Duration = Duration::from_secs(1);
/// Longest back-off.
const BACK_OFF_MOST: Duration = Duration::from_secs(30);

/// How a zone, or the resolver as a whole, is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The zone's name for people; `resolver` for the resolver as a whole.
    pub name: Box<str>,
    /// Lookups that were answered.
    pub answered: u64,
    /// Lookups that failed.
    pub failed: u64,
    /// Failures since the last answer.
    pub failed_in_a_row: u32,
    /// Whether it is not asked for a while.
    pub suspended: bool,
    /// Answers that no list may give: error codes, or addresses outside 127.0.0.0/8.
    pub trouble: u64,
    /// What the zone's last test has shown.
    pub fitness: Fitness,
    /// How long ago that test was.
    pub tested: Option<Duration>,
}

impl Standing {
    /// How it is doing, in one word.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match (self.suspended, self.failed_in_a_row) {
            (true, _) => "suspended",
            (false, 1..) => "failing",
            (false, 0) => "up",
        }
    }

    /// Why it is so, in one word.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        if self.failed_in_a_row > 0 && !self.fitness.is_unfit() {
            return "no_answer";
        }
        self.fitness.label()
    }
}

#[derive(Debug, Default)]
struct State {
    answered: u64,
    failed: u64,
    in_a_row: u32,
    open: Option<Open>,
    /// Whether somebody is finding out if it is to blame.
    in_doubt: bool,
    trouble: u64,
    /// Whether the trouble has been told and no proper listing has come since.
    troubled: bool,
    fitness: Fitness,
    tested: Option<Instant>,
    test_due: Option<Instant>,
}

#[derive(Debug)]
struct Open {
    until: Instant,
    back_off: Duration,
    probing: bool,
}

/// Counts failures in a row; after five it lets one lookup through per back-off, until one is answered.
#[derive(Debug)]
pub(in crate::gather) struct Breaker {
    /// The name for people.
    name: Box<str>,
    state: Mutex<State>,
}

/// Leave to look up. Whoever holds one says how it went; one dropped without a word counts for nothing.
#[derive(Debug)]
pub(in crate::gather) struct Leave {
    breaker: Arc<Breaker>,
    probe: bool,
    /// Whether its holder is finding out if the breaker is to blame.
    doubts: bool,
}

impl Breaker {
    /// A closed one; `name` is shown to people.
    pub(in crate::gather) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            state: Mutex::default(),
        })
    }

    /// Leave to look up, unless it is open.
    pub(in crate::gather) fn leave(self: &Arc<Self>) -> Option<Leave> {
        let mut state = self.lock();
        let probe = match &mut state.open {
            None => false,
            Some(open) if open.probing || open.until > pace::now() => return None,
            Some(open) => {
                open.probing = true;
                true
            }
        };
        drop(state);
        Some(Leave {
            breaker: Arc::clone(self),
            probe,
            doubts: false,
        })
    }

    /// How it is doing.
    pub(in crate::gather) fn standing(&self) -> Standing {
        let state = self.lock();
        Standing {
            name: self.name.clone(),
            answered: state.answered,
            failed: state.failed,
            failed_in_a_row: state.in_a_row,
            suspended: state.open.is_some() || state.fitness.is_unfit(),
            trouble: state.trouble,
            fitness: state.fitness,
            tested: state.tested.map(|tested| pace::now() - tested),
        }
    }

    /// Whether the last test has shown that its answers must not count.
    pub(in crate::gather) fn is_unfit(&self) -> bool {
        self.lock().fitness.is_unfit()
    }

    /// Whether it is time for a test.
    pub(in crate::gather) fn is_test_due(&self) -> bool {
        self.lock().test_due.is_none_or(|due| due <= pace::now())
    }

    /// Whether the next test should come soon: it is suspended, or there is nothing to go by yet.
    pub(in crate::gather) fn is_doubtful(&self) -> bool {
        let state = self.lock();
        let silent = state.open.is_some() || state.in_a_row > 0;
        silent || state.fitness.is_unfit() || state.fitness == Fitness::Untested
    }

    /// The next test is due in `pause`.
    pub(in crate::gather) fn test_in(&self, pause: Duration) {
        self.lock().test_due = Some(pace::now() + pause);
    }

    /// Notes what a test has shown. What is news is told.
    pub(in crate::gather) fn tested(&self, found: Fitness) {
        let mut state = self.lock();
        let before = std::mem::replace(&mut state.fitness, found);
        state.tested = Some(pace::now());
        match (before.is_unfit(), found) {
            (_, Fitness::Wrong(_)) => {
                state.trouble = state.trouble.saturating_add(1);
                // Told below.
                state.troubled = true;
            }
            (true, _) => state.troubled = false,
            (false, _) => {}
        }
        drop(state);
        if before != found {
            found.tell(&self.name, before);
        }
    }

    /// What of it outlives the process.
    pub(in crate::gather) fn health(&self) -> Health {
        let state = self.lock();
        Health {
            fitness: state.fitness,
            silent: state.open.is_some(),
        }
    }

    /// It was so when the process before this one ended. What is known by now counts more. One that was silent is asked
    /// once, while nobody else waits for it.
    pub(in crate::gather) fn restore(&self, health: Health) {
        let mut state = self.lock();
        if state.fitness == Fitness::Untested {
            state.fitness = health.fitness;
        }
        let is_new = state.answered + state.failed == 0;
        if is_new && health.silent {
            state.in_a_row = PATIENCE;
            state.open = Some(Open {
                until: pace::now(),
                back_off: BACK_OFF_LEAST,
                probing: false,
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave {
    /// An answer came, in time or late.
    pub(in crate::gather) fn answered(&mut self) {
        self.acquit(|state| state.answered = state.answered.saturating_add(1));
    }

    /// There was no answer, for which another may be to blame. True if that would open the breaker or keep it open: then the
    /// holder asks something else of it, and says [`Leave::failed`] or [`Leave::excused`].
    #[must_use]
    pub(in crate::gather) fn unanswered(&mut self) -> bool {
        let mut state = self.breaker.lock();
        let decides = match state.open {
            None => state.in_a_row.saturating_add(1) >= PATIENCE,
            Some(_) => self.probe,
        };
        if !decides {
            drop(state);
            self.failed();
            return false;
        }
        // One is enough to find out.
        self.doubts = !std::mem::replace(&mut state.in_doubt, true);
        if !self.doubts {
            state.failed = state.failed.saturating_add(1);
        }
        self.doubts
    }

    /// There was no answer, but the breaker is not to blame.
    pub(in crate::gather) fn excused(&mut self) {
        self.acquit(|state| state.failed = state.failed.saturating_add(1));
    }

    fn acquit(&mut self, count: impl FnOnce(&mut State)) {
        let mut state = self.breaker.lock();
        count(&mut state);
        state.in_a_row = 0;
        if std::mem::take(&mut self.doubts) {
            state.in_doubt = false;
        }
        let suspended = state.open.take().is_some();
        drop(state);
        self.probe = false;
        if suspended {
            tracing::info!(name = %self.breaker.name, "answers again");
        }
    }

    /// A positive answer came from a list; `answers` are its A records. What no list may answer is zone trouble
    /// (RFC 5782 §2.1): 127.255.255.0/24 are the operators' error codes, others come from zones given up and sold.
    pub(in crate::gather) fn listed(&mut self, answers: impl Iterator<Item = Ipv4Addr>) {
        let wrong = answers.into_iter().find(|answer| is_wrong(*answer));
        let mut state = self.breaker.lock();
        let Some(wrong) = wrong else {
            state.troubled = false;
            return;
        };
        state.trouble = state.trouble.saturating_add(1);
        if std::mem::replace(&mut state.troubled, true) {
            return;
        }
        drop(state);
        let hint = advice(wrong);
        tracing::warn!(zone = %self.breaker.name, answer = %wrong, "zone trouble, its answers do not count: {hint}");
    }

    /// Whether a test has shown meanwhile that the answers must not count.
    pub(in crate::gather) fn is_unfit(&self) -> bool {
        self.breaker.is_unfit()
    }

    /// It failed. Lookups that were let through before it opened do not lengthen the back-off.
    pub(in crate::gather) fn failed(&mut self) {
        let mut state = self.breaker.lock();
        state.failed = state.failed.saturating_add(1);
        state.in_a_row = state.in_a_row.saturating_add(1);
        if std::mem::take(&mut self.doubts) {
            state.in_doubt = false;
        }
        let back_off = match &state.open {
            None if state.in_a_row < PATIENCE => return,
            None => BACK_OFF_LEAST,
            Some(open) if self.probe => (open.back_off * 2).min(BACK_OFF_MOST),
            Some(_) => return,
        };
        let news = state.open.is_none();
        state.open = Some(Open {
            until: pace::now() + back_off,
            back_off,
            probing: false,
        });
        drop(state);
        self.probe = false;
        if news {
            tracing::warn!(name = %self.breaker.name, "does not answer: it is left out until it does, and mail passes");
        }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        if !self.probe && !self.doubts {
            return;
        }
        let mut state = self.breaker.lock();
        if self.doubts {
            state.in_doubt = false;
        }
        if let Some(open) = state.open.as_mut().filter(|_| self.probe) {
            open.probing = false;
        }
    }
}

#[cfg(test)]
mod tests;
