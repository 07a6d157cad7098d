//! Makes the visits while the process serves, and keeps what was found until it is found anew.
//!
//! One at a time. A reload leaves the one under way alone unless its domain is no longer to be looked at, or otherwise. The
//! log has a line for each outcome that changes, and for what is not good at the first look.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::app::clock;
use crate::app::control::message::Examined;
use crate::app::doctor::rounds::{Rounds, Visit};
use crate::app::doctor::{Errands, Site};
use crate::app::tasks::Tasks;
use crate::config::Snapshot;
use crate::doctor::{Chosen, Outcome, Report, examine};
use crate::gather::Gather;
use crate::session::upstream::Upstream;

/// Between two visits.
const BETWEEN: Duration = Duration::from_secs(1);

/// What was found about each domain, and who is next.
#[derive(Debug, Default)]
pub(in crate::app) struct Clinic {
    state: Mutex<State>,
    /// The state has been changed by a reload.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    rounds: Rounds,
    /// `None` where nobody is to be looked at.
    tools: Option<Arc<Tools>>,
    found: BTreeMap<String, Examined>,
    /// Whether somebody makes the visits.
    is_staffed: bool,
}

/// What visits are made with.
#[derive(Debug)]
struct Tools {
    site: Site,
    gather: Arc<Gather>,
    upstreams: Vec<Arc<Upstream>>,
}

impl Clinic {
    /// What was found last, by domain.
    pub(in crate::app) fn examined(&self) -> Vec<Examined> {
        self.state().found.values().cloned().collect()
    }

    /// From now on looks after the domains of `snapshot`, until the process drains.
    pub(in crate::app) fn look_after(
        self: &Arc<Self>,
        tasks: &Tasks,
        snapshot: &Snapshot,
        gather: &Arc<Gather>,
        upstreams: &BTreeMap<String, Arc<Upstream>>,
        draining: &CancellationToken,
    ) {
        if self.change(snapshot, gather, upstreams) {
            let (clinic, draining) = (Arc::clone(self), draining.clone());
            tasks.spawn(async move {
                let _ = draining.run_until_cancelled(clinic.again_and_again()).await;
            });
        }
    }

    /// Says whether somebody has to begin.
    fn change(
        &self,
        snapshot: &Snapshot,
        gather: &Arc<Gather>,
        upstreams: &BTreeMap<String, Arc<Upstream>>,
    ) -> bool {
        let mut state = self.state();
        let State {
            rounds,
            tools,
            found,
            is_staffed,
        } = &mut *state;
        rounds.change(&snapshot.config.doctor);
        found.retain(|domain, _| rounds.has(domain));
        *tools = (!rounds.is_empty()).then(|| {
            Arc::new(Tools {
                site: Site::new(snapshot),
                gather: Arc::clone(gather),
                upstreams: upstreams.values().cloned().collect(),
            })
        });
        let begins = !*is_staffed && tools.is_some();
        *is_staffed |= begins;
        self.changed.notify_one();
        begins
    }

    async fn again_and_again(self: Arc<Self>) {
        loop {
            let Some((due, visit, tools)) = self.next() else {
                self.changed.notified().await;
                continue;
            };
            if let Some(due) = due {
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.changed.notified() => continue,
                }
            }
            self.make(visit, &tools).await;
            sleep(BETWEEN).await;
        }
    }

    fn next(&self) -> Option<(Option<Instant>, Visit, Arc<Tools>)> {
        let state = self.state();
        let (due, visit) = state.rounds.next()?;
        Some((due, visit.clone(), Arc::clone(state.tools.as_ref()?)))
    }

    /// Makes a visit, to its end or until it is no longer wanted.
    async fn make(&self, visit: Visit, tools: &Tools) {
        let made = AssertUnwindSafe(tools.make(&visit)).catch_unwind();
        tokio::pin!(made);
        let report = loop {
            tokio::select! {
                report = &mut made => break report,
                () = self.changed.notified() => {
                    if !self.state().rounds.wants(&visit) {
                        return;
                    }
                }
            }
        };
        let report = report.unwrap_or_else(|_| {
            tracing::error!(domain = visit.domain, "defect: a probe panicked");
            None
        });
        self.keep(&visit, report);
    }

    /// Keeps a report, and says what has changed.
    fn keep(&self, visit: &Visit, report: Option<Report>) {
        let mut state = self.state();
        // It may have been taken out of the configuration just now.
        if !state.rounds.wants(visit) {
            return;
        }
        state.rounds.made(visit.clone(), Instant::now());
        let Some(report) = report else { return };
        let at = clock::seconds().unwrap_or_default();
        let now = Examined {
            at,
            report: report.clone(),
        };
        let before = state.found.insert(visit.domain.clone(), now);
        drop(state);
        tell_changes(before.map(|before| before.report).as_ref(), &report);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tools {
    async fn make(&self, visit: &Visit) -> Option<Report> {
        let chosen = Chosen {
            without: visit.settings.without.clone(),
            machine: visit.machine,
        };
        let errands = Errands::new(self.upstreams.clone(), visit.settings.exim.clone());
        match self
            .site
            .world(&self.gather, &visit.settings, None, errands)
        {
            Ok(world) => Some(examine(&world, &visit.domain, &chosen, &|_| ()).await),
            Err(problem) => {
                tracing::error!("doctor: {problem}");
                None
            }
        }
    }
}

fn tell_changes(before: Option<&Report>, now: &Report) {
    for (probe, was, outcome, seen) in changes(before, now) {
        let (domain, was, label) = (&now.domain, was.label(), outcome.label());
        // A line's level is part of what is compiled, and can not be a value.
        macro_rules! tell {
            ($level:ident) => {
                tracing::$level!(
                    domain,
                    probe,
                    outcome = label,
                    was,
                    seen,
                    "doctor: an outcome has changed"
                )
            };
        }
        match outcome {
            Outcome::Fault => tell!(error),
            Outcome::Warning => tell!(warn),
            _ => tell!(info),
        }
    }
}

/// Probes whose outcome is another than before: name, what it was, what it is, what was seen. Before the first look all was
/// good.
fn changes<'r>(
    before: Option<&Report>,
    now: &'r Report,
) -> Vec<(&'r str, Outcome, Outcome, String)> {
    let was = |name: &str| {
        let known = before.into_iter().flat_map(|report| &report.probes);
        let mut known = known.filter(|probed| probed.probe == name);
        known.next().map_or(Outcome::Good, |probed| probed.outcome)
    };
    let change = |probed: &'r crate::doctor::Probed| {
        let before = was(&probed.probe);
        let first = probed.findings.first()?;
        let seen = format!("{}: {}", first.about, first.seen);
        (before != probed.outcome).then_some((probed.probe.as_str(), before, probed.outcome, seen))
    };
    now.probes.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Finding, Probed};

    fn report(outcomes: &[(&str, Outcome)]) -> Report {
        let probed = |(name, outcome): &(&str, Outcome)| Probed {
            probe: (*name).to_owned(),
            outcome: *outcome,
            findings: vec![Finding {
                outcome: *outcome,
                about: "d.example".to_owned(),
                seen: "seen".to_owned(),
                why: "".into(),
                advice: "".into(),
            }],
        };
        Report {
            domain: "d.example".to_owned(),
            outcome: Outcome::Good,
            probes: outcomes.iter().map(probed).collect(),
        }
    }

    #[test]
    fn only_what_has_changed_is_told() {
        use Outcome::{Fault, Good, Warning};
        let (first, second) = (
            report(&[("mx", Good), ("spf", Warning)]),
            report(&[("mx", Fault), ("spf", Warning), ("dane", Good)]),
        );
        let told = |before: Option<&Report>, now: &Report| -> Vec<(String, Outcome, Outcome)> {
            let all = changes(before, now).into_iter();
            all.map(|(probe, was, now, _)| (probe.to_owned(), was, now))
                .collect()
        };
        assert_eq!(told(None, &first), [("spf".to_owned(), Good, Warning)]);
        assert_eq!(
            told(Some(&first), &second),
            [("mx".to_owned(), Good, Fault)]
        );
        assert_eq!(told(Some(&second), &second), []);
    }
}
