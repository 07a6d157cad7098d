//! Probes of one's own domains while the process serves, and what they need from it: `[doctor] every`.
//!
//! One domain after the other, and never two rounds at a time. What was found last stays until it is found anew; a reload
//! begins a new round only if the section has changed. The log has a line for each outcome that changes, and for what is
//! not good at the first look.

mod errands;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::app::clock;
use crate::app::control::message::Examined;
use crate::app::tasks::Tasks;
use crate::checks::policy::Policy;
use crate::config::{Doctor, Problem, Snapshot};
use crate::doctor::{ALL, Chosen, Outcome, Parcel, Report, Settings, World, examine};
use crate::gather::direct::system_servers;
use crate::gather::{Gather, GatherProblem};
use crate::net::backend::TrustProblem;
use crate::net::inspect::Inspector;
use crate::session::upstream::Upstream;

pub use errands::Errands;

/// Why there can be no probes.
#[derive(Debug, thiserror::Error)]
pub enum DoctorProblem {
    /// Nobody can be asked for names.
    #[error("[resolver]: {0}")]
    Resolver(#[from] GatherProblem),
    /// Certificates can not be judged.
    #[error("[doctor] ca: {0}")]
    Trust(#[from] TrustProblem),
}

/// What probes know of the configuration beside its section.
#[derive(Clone, Debug)]
pub struct Site {
    hostname: String,
    resolvers: Vec<SocketAddr>,
    policies: Vec<Arc<Policy>>,
}

impl Site {
    /// That of `snapshot`.
    #[must_use]
    pub fn new(snapshot: &Snapshot) -> Self {
        Self {
            hostname: snapshot.config.hostname.clone(),
            resolvers: snapshot.config.resolver.servers.clone(),
            policies: snapshot.policies.values().cloned().collect(),
        }
    }

    /// What probes look with, at this time of day; `doctor` is the section as it holds, perhaps changed by arguments.
    ///
    /// # Errors
    ///
    /// [`DoctorProblem`].
    pub fn world(
        &self,
        gather: &Arc<Gather>,
        doctor: &Doctor,
        parcel: Option<Parcel>,
        errands: Errands,
    ) -> Result<Arc<World>, DoctorProblem> {
        let resolvers = match self.resolvers.as_slice() {
            [] => system_servers()?,
            servers => servers.to_vec(),
        };
        let reach = doctor.reach.iter().map(|detour| (detour.to, detour.by));
        let settings = Settings {
            hostname: self.hostname.clone(),
            outgoing: doctor.outgoing.clone(),
            selectors: doctor.selectors.clone(),
            reach: reach.collect(),
            patience: doctor.timeout,
            parcel,
            now: clock::now(),
        };
        Ok(Arc::new(World {
            settings,
            gather: Arc::clone(gather),
            resolvers,
            inspector: Inspector::new(doctor.ca.as_deref())?,
            policies: self.policies.clone(),
            hands: Arc::new(errands),
        }))
    }
}

/// What is wrong with the section, once the probes and the files are known.
#[must_use]
pub fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    let doctor = &snapshot.config.doctor;
    let is_known = |name: &&String| ALL.iter().any(|kind| kind.name == **name);
    let unknown = doctor.without.iter().filter(|name| !is_known(name));
    let unknown = unknown.map(|name| {
        let names: Vec<&str> = ALL.iter().map(|kind| kind.name).collect();
        let found = format!("{name:?} is no probe");
        snapshot.problem(
            "doctor.without",
            &found,
            &format!("there are {}", names.join(", ")),
        )
    });
    let mut problems: Vec<Problem> = unknown.collect();
    if let Some(ca) = &doctor.ca
        && let Err(problem) = Inspector::new(Some(ca))
    {
        let advice =
            "name a PEM file with certificates, readable for the user that gatepost runs as";
        problems.push(snapshot.problem("doctor.ca", &problem.to_string(), advice));
    }
    problems
}

/// What was found about each domain, and when.
#[derive(Debug, Default)]
pub(in crate::app) struct Clinic {
    found: Mutex<BTreeMap<String, Examined>>,
    /// The section that the last round was made for, and when that ended.
    last: Mutex<Option<(Doctor, Instant)>>,
}

impl Clinic {
    /// What was found last, by domain.
    pub(in crate::app) fn examined(&self) -> Vec<Examined> {
        self.found().values().cloned().collect()
    }

    /// Begins to look after the domains of `snapshot`, until `over`.
    pub(in crate::app) fn begin(
        self: &Arc<Self>,
        tasks: &Tasks,
        snapshot: &Snapshot,
        gather: &Arc<Gather>,
        upstreams: &BTreeMap<String, Arc<Upstream>>,
        over: &CancellationToken,
    ) {
        let doctor = &snapshot.config.doctor;
        let is_on = !doctor.every.is_zero();
        let is_looked_at = |domain: &String| is_on && doctor.domains.contains(domain);
        self.found().retain(|domain, _| is_looked_at(domain));
        if !is_on || doctor.domains.is_empty() {
            return;
        }
        let round = Round {
            clinic: Arc::clone(self),
            site: Site::new(snapshot),
            doctor: doctor.clone(),
            gather: Arc::clone(gather),
            upstreams: upstreams.values().cloned().collect(),
        };
        let over = over.clone();
        tasks.spawn(async move {
            let _ = over.run_until_cancelled(round.again_and_again()).await;
        });
    }

    /// When the next round is due.
    fn next(&self, doctor: &Doctor) -> Instant {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, ended)) if known == doctor => *ended + doctor.every,
            _ => Instant::now(),
        }
    }

    fn ended(&self, doctor: &Doctor) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((doctor.clone(), Instant::now()));
    }

    /// Keeps a report, and says what has changed.
    fn keep(&self, report: Report) {
        let at = clock::seconds().unwrap_or_default();
        let before = self.found().get(&report.domain).cloned();
        for (probe, was, now, seen) in changes(before.as_ref().map(|it| &it.report), &report) {
            let (domain, was, outcome) = (&report.domain, was.label(), now.label());
            // A line's level is part of what is compiled, and can not be a value.
            macro_rules! tell {
                ($level:ident) => {
                    tracing::$level!(
                        domain,
                        probe,
                        outcome,
                        was,
                        seen,
                        "doctor: an outcome has changed"
                    )
                };
            }
            match now {
                Outcome::Fault => tell!(error),
                Outcome::Warning => tell!(warn),
                _ => tell!(info),
            }
        }
        let domain = report.domain.clone();
        self.found().insert(domain, Examined { at, report });
    }

    fn found(&self) -> MutexGuard<'_, BTreeMap<String, Examined>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What a round is made with.
struct Round {
    clinic: Arc<Clinic>,
    site: Site,
    doctor: Doctor,
    gather: Arc<Gather>,
    upstreams: Vec<Arc<Upstream>>,
}

impl Round {
    async fn again_and_again(self) {
        loop {
            sleep_until(self.clinic.next(&self.doctor)).await;
            self.once().await;
            self.clinic.ended(&self.doctor);
        }
    }

    async fn once(&self) {
        let doctor = &self.doctor;
        for (index, domain) in doctor.domains.iter().enumerate() {
            // This machine is one, however many domains it serves: it is looked at with the first.
            let chosen = Chosen {
                without: doctor.without.clone(),
                machine: index == 0,
            };
            let errands = Errands::new(self.upstreams.clone(), doctor.exim.clone());
            match self.site.world(&self.gather, doctor, None, errands) {
                Ok(world) => {
                    let report = examine(&world, domain, &chosen, &|_| ()).await;
                    self.clinic.keep(report);
                }
                Err(problem) => tracing::error!("doctor: {problem}"),
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
}

/// Between two domains.
const BETWEEN: Duration = Duration::from_secs(1);

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
