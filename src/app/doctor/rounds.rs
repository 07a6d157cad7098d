//! When which domain is looked at: all of them in a round, one after the other, and each anew when its time has come.
//!
//! A reload does not begin a round anew: what has been made with the same settings counts. Where settings change again and
//! again, whoever has waited longest is next, so that a round comes to its last domain all the same.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::Doctor;

/// The visits of a round.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    wanted: Vec<Visit>,
    every: Duration,
    /// The last visit to each domain, and when it ended.
    made: BTreeMap<String, (Visit, Instant)>,
}

/// A domain to be looked at, and how: two that are equal find the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    pub(super) domain: String,
    /// The section, without the domains and how often they are looked at.
    pub(super) settings: Arc<Doctor>,
    /// Whether this machine is looked at as well: it is one, however many domains it serves, so with the first.
    pub(super) machine: bool,
}

impl Rounds {
    /// From now on as `doctor` says. What has been found about other domains is forgotten.
    pub(super) fn change(&mut self, doctor: &Doctor) {
        self.every = doctor.every;
        let settings = Arc::new(Doctor {
            domains: Vec::new(),
            every: Duration::ZERO,
            ..doctor.clone()
        });
        let domains = match doctor.every.is_zero() {
            true => &[],
            false => doctor.domains.as_slice(),
        };
        let mut named = HashSet::new();
        let once = domains.iter().filter(|domain| named.insert(*domain));
        let visits = once.enumerate().map(|(index, domain)| Visit {
            domain: domain.clone(),
            settings: Arc::clone(&settings),
            machine: index == 0,
        });
        self.wanted = visits.collect();
        self.made.retain(|domain, _| named.contains(domain));
    }

    /// Whether anybody is to be looked at.
    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether this domain is to be looked at, in whatever way.
    pub(super) fn has(&self, domain: &str) -> bool {
        self.wanted.iter().any(|visit| visit.domain == domain)
    }

    /// Whether this is still to be done, in just this way.
    pub(super) fn wants(&self, visit: &Visit) -> bool {
        self.wanted.contains(visit)
    }

    /// Who is next, and when; at once if that is `None`.
    pub(super) fn next(&self) -> Option<(Option<Instant>, &Visit)> {
        let turn = |visit: &&Visit| match self.made.get(&visit.domain) {
            None => (Turn::Never, None),
            Some((made, at)) if made != *visit => (Turn::Otherwise, Some(*at)),
            Some((_, at)) => (Turn::Made, Some(*at)),
        };
        let visit = self.wanted.iter().min_by_key(turn)?;
        let due = match turn(&visit) {
            (Turn::Made, at) => at.map(|at| at + self.every),
            _ => None,
        };
        Some((due, visit))
    }

    /// This has been done.
    pub(super) fn made(&mut self, visit: Visit, at: Instant) {
        self.made.insert(visit.domain.clone(), (visit, at));
    }
}

/// Whether a visit has been made: who had none goes first, then who had one with other settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Never,
    Otherwise,
    Made,
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(3600);
    const MINUTE: Duration = Duration::from_secs(60);

    fn doctor(domains: &[&str]) -> Doctor {
        Doctor {
            domains: domains.iter().map(|one| (*one).to_owned()).collect(),
            every: EVERY,
            ..Doctor::default()
        }
    }

    /// Makes the next visit; whose it is, whether with this machine, and when it was due.
    fn go(rounds: &mut Rounds, now: Instant) -> (String, bool, Option<Instant>) {
        let (due, visit) = rounds.next().unwrap();
        let (due, visit) = (due, visit.clone());
        rounds.made(visit.clone(), now);
        (visit.domain, visit.machine, due)
    }

    #[test]
    fn each_in_turn_and_each_again_in_its_time() {
        let begun = Instant::now();
        let mut rounds = Rounds::default();
        assert!(rounds.next().is_none() && rounds.is_empty());
        rounds.change(&doctor(&["a", "b", "a"]));
        assert_eq!(go(&mut rounds, begun), ("a".to_owned(), true, None));
        let later = begun + MINUTE;
        assert_eq!(go(&mut rounds, later), ("b".to_owned(), false, None));
        let (next, last) = (begun + EVERY, later + EVERY);
        assert_eq!(go(&mut rounds, next), ("a".to_owned(), true, Some(next)));
        assert_eq!(go(&mut rounds, last), ("b".to_owned(), false, Some(last)));
    }

    #[test]
    fn a_reload_does_not_begin_the_round_anew() {
        let now = Instant::now();
        let mut rounds = Rounds::default();
        rounds.change(&doctor(&["a", "b", "c"]));
        for domain in ["a", "b", "c"] {
            let under_way = rounds.next().unwrap().1.clone();
            rounds.change(&doctor(&["a", "b", "c"]));
            assert!(rounds.wants(&under_way));
            assert_eq!(go(&mut rounds, now).0, domain);
        }
        // How often is no way of looking.
        let mut sooner = doctor(&["a", "b", "c"]);
        sooner.every = MINUTE;
        rounds.change(&sooner);
        assert_eq!(rounds.next().unwrap().0, Some(now + MINUTE));
    }

    #[test]
    fn settings_that_change_without_end_keep_nobody_from_his_turn() {
        let mut now = Instant::now();
        let mut rounds = Rounds::default();
        let mut seen = Vec::new();
        for second in 1..=6 {
            let mut changed = doctor(&["a", "b", "c"]);
            changed.timeout = Duration::from_secs(second);
            rounds.change(&changed);
            now += MINUTE;
            seen.push(go(&mut rounds, now).0);
        }
        assert_eq!(seen, ["a", "b", "c", "a", "b", "c"]);
    }

    #[test]
    fn who_comes_and_who_goes() {
        let now = Instant::now();
        let mut rounds = Rounds::default();
        rounds.change(&doctor(&["a", "b"]));
        let first = rounds.next().unwrap().1.clone();
        go(&mut rounds, now);
        go(&mut rounds, now);
        // The machine is looked at with another; who comes is first.
        rounds.change(&doctor(&["b", "c"]));
        assert!(!rounds.has("a") && !rounds.wants(&first));
        assert_eq!(go(&mut rounds, now), ("c".to_owned(), false, None));
        assert_eq!(go(&mut rounds, now), ("b".to_owned(), true, None));
        assert_eq!(rounds.next().unwrap().0, Some(now + EVERY));
        // Who comes back has been forgotten.
        rounds.change(&doctor(&["b", "c", "a"]));
        assert_eq!(go(&mut rounds, now), ("a".to_owned(), false, None));
        let mut never = doctor(&["b"]);
        never.every = Duration::ZERO;
        rounds.change(&never);
        assert!(rounds.is_empty() && rounds.next().is_none());
    }
}
