//! Probes of one's own domains while the process serves, and what they need from it: `[doctor] every`.
//!
//! When a domain is looked at is in `rounds`, who does it in `clinic`.

mod clinic;
mod errands;
mod rounds;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::app::clock;
use crate::checks::policy::Policy;
use crate::config::{Doctor, Problem, Snapshot};
use crate::doctor::{ALL, Parcel, Settings, World};
use crate::gather::direct::system_servers;
use crate::gather::{Gather, GatherProblem};
use crate::net::backend::TrustProblem;
use crate::net::inspect::Inspector;

pub(in crate::app) use clinic::Clinic;
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
