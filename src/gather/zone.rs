//! Breakers: who failed so often that nobody waits for it, the resolver as a whole and each DNSBL zone by itself
//! (RFC 5782 zones come and go).
//!
//! A breaker counts failures in a row; it does not know what a failure is and keeps no answers. Time is tokio's. Every
//! lookup has one breaker: that of its zone, or, outside of all watched zones, the resolver's. So a zone that is silent
//! says nothing about the resolver or about another zone; a resolver that is silent shows as every zone being so.
//! Opening, closing and zone trouble are told in the log, once each.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row that open a breaker.
const PATIENCE: u32 = 5;
/// First back-off; it doubles with each failed probe.
const BACK_OFF_LEAST: Duration = Duration::from_secs(1);
/// Longest back-off.
const BACK_OFF_MOST: Duration = Duration::from_secs(30);

/// A zone whose health is watched: DNSBLs and the like, as the policies name them.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    suffix: Box<str>,
    shown: Box<str>,
}

impl Zone {
    /// The zone whose names end in `asked` (which may hold a secret key) and that is called `shown` toward people.
    #[must_use]
    pub fn new(asked: &str, shown: &str) -> Self {
        let asked = asked.trim_matches('.').to_ascii_lowercase();
        Self {
            suffix: format!(".{asked}").into(),
            shown: shown.into(),
        }
    }
}

impl std::fmt::Debug for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.shown)
    }
}

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
}

#[derive(Debug, Default)]
struct State {
    answered: u64,
    failed: u64,
    in_a_row: u32,
    open: Option<Open>,
    trouble: u64,
    /// Whether the trouble has been told and no proper listing has come since.
    troubled: bool,
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
            Some(open) if open.probing || open.until > Instant::now() => return None,
            Some(open) => {
                open.probing = true;
                true
            }
        };
        drop(state);
        Some(Leave {
            breaker: Arc::clone(self),
            probe,
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
            suspended: state.open.is_some(),
            trouble: state.trouble,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leave {
    /// An answer came, in time or late.
    pub(in crate::gather) fn answered(&mut self) {
        let mut state = self.breaker.lock();
        state.answered = state.answered.saturating_add(1);
        state.in_a_row = 0;
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
        let wrong = answers.into_iter().find(|answer| {
            let [first, second, third, _] = answer.octets();
            first != 127 || (second, third) == (255, 255)
        });
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
        let hint = match wrong.octets() {
            [127, 255, 255, _] => {
                "it refuses this resolver: use one of your own, or the zone's name is wrong"
            }
            _ => "it is no list any more: take it out of the configuration",
        };
        tracing::warn!(zone = %self.breaker.name, answer = %wrong, "zone trouble, its answers do not count: {hint}");
    }

    /// It failed. Lookups that were let through before it opened do not lengthen the back-off.
    pub(in crate::gather) fn failed(&mut self) {
        let mut state = self.breaker.lock();
        state.failed = state.failed.saturating_add(1);
        state.in_a_row = state.in_a_row.saturating_add(1);
        let back_off = match &state.open {
            None if state.in_a_row < PATIENCE => return,
            None => BACK_OFF_LEAST,
            Some(open) if self.probe => (open.back_off * 2).min(BACK_OFF_MOST),
            Some(_) => return,
        };
        let news = state.open.is_none();
        state.open = Some(Open {
            until: Instant::now() + back_off,
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
        if !self.probe {
            return;
        }
        if let Some(open) = &mut self.breaker.lock().open {
            open.probing = false;
        }
    }
}

/// The zones that are watched, each with its breaker.
#[derive(Debug, Default)]
pub(in crate::gather) struct Zones {
    watched: Mutex<Arc<[Watched]>>,
}

type Watched = (Zone, Arc<Breaker>);

impl Zones {
    /// Watches `zones` from now on; those that were watched before keep their standing.
    pub(in crate::gather) fn watch(&self, zones: Vec<Zone>) {
        let before = self.all();
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

    fn all(&self) -> Arc<[Watched]> {
        Arc::clone(&self.watched.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fail(breaker: &Arc<Breaker>, times: u32) {
        for _ in 0..times {
            breaker.leave().unwrap().failed();
        }
    }

    async fn after(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn five_failures_in_a_row_open_it_and_an_answer_closes_it() {
        let breaker = Breaker::new("x");
        fail(&breaker, 4);
        breaker.leave().unwrap().answered();
        fail(&breaker, 5);
        assert!(breaker.leave().is_none());
        after(1).await;
        let mut probe = breaker.leave().unwrap();
        assert!(breaker.leave().is_none(), "one probe at a time");
        probe.answered();
        assert!(breaker.leave().is_some());
        let standing = breaker.standing();
        assert_eq!(
            (standing.answered, standing.failed, standing.suspended),
            (2, 9, false)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn back_off_doubles_up_to_half_a_minute() {
        let breaker = Breaker::new("x");
        fail(&breaker, 5);
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            after(seconds - 1).await;
            assert!(breaker.leave().is_none(), "{seconds}");
            after(1).await;
            fail(&breaker, 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_given_up_makes_room_for_the_next() {
        let breaker = Breaker::new("x");
        fail(&breaker, 5);
        after(1).await;
        drop(breaker.leave().unwrap());
        assert!(breaker.leave().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn lookups_from_before_neither_lengthen_the_back_off_nor_are_probes() {
        let breaker = Breaker::new("x");
        let mut old = breaker.leave().unwrap();
        fail(&breaker, 5);
        old.failed();
        after(1).await;
        assert!(breaker.leave().is_some());
        let mut late = old;
        late.answered();
        assert!(!breaker.standing().suspended, "a late answer closes it");
    }

    #[test]
    fn names_belong_to_the_longest_zone_and_standing_survives_a_new_list() {
        let zones = Zones::default();
        let key = Zone::new("SECRET.dq.example.", "dq.example");
        zones.watch(vec![Zone::new("example", "all"), key.clone()]);
        fail(&zones.of("2.0.0.127.secret.dq.example").unwrap(), 2);
        assert!(zones.of("notexample").is_none());
        assert!(zones.of("example").is_none());
        zones.watch(vec![key.clone(), Zone::new("other", "other")]);
        let standings = zones.standings();
        assert_eq!(
            standings.iter().map(|zone| zone.failed).collect::<Vec<_>>(),
            [2, 0]
        );
        assert!(
            !format!("{key:?}{standings:?}")
                .to_lowercase()
                .contains("secret")
        );
    }
}
