//! Backends as sessions see them, made from the configuration; and what is wrong with the files they want.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::StartProblem;
use crate::config::{Backend, BackendTls, Problem, Snapshot, Verify};
use crate::net::backend::{Connector, Trust, TrustProblem};
use crate::session::upstream::Upstream;

/// Opens what each backend's TLS wants, and says what can not be used.
#[must_use]
pub fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    let one = |(name, backend): (&String, &Backend)| {
        let problem = connector(backend).err()?;
        Some(told(snapshot, name, &problem))
    };
    snapshot.config.backend.iter().filter_map(one).collect()
}

/// All backends by name. One that was there `before` with the same settings is the same still: its health, its places.
///
/// # Errors
///
/// What can not be used for TLS.
pub fn all(
    snapshot: &Snapshot,
    before: &BTreeMap<String, Arc<Upstream>>,
) -> Result<BTreeMap<String, Arc<Upstream>>, StartProblem> {
    let one = |(name, backend): (&String, &Backend)| {
        let known = before.get(name).filter(|known| known.backend == *backend);
        let upstream = match known {
            Some(known) if backend.tls == BackendTls::None => return Ok(Arc::clone(known)),
            Some(known) => connector(backend).map(|connector| known.renewed(connector)),
            None => upstream(name, backend),
        };
        upstream.map(Arc::new).map_err(|problem| {
            let told = told(snapshot, name, &problem);
            StartProblem::Certificate(Box::new(told))
        })
    };
    let all = snapshot.config.backend.iter();
    all.map(|it| Ok((it.0.clone(), one(it)?))).collect()
}

/// One backend.
pub(in crate::app) fn upstream(name: &str, backend: &Backend) -> Result<Upstream, TrustProblem> {
    let connector = connector(backend)?;
    Ok(Upstream::new(name, backend.clone()).with_tls(connector))
}

fn connector(backend: &Backend) -> Result<Option<Connector>, TrustProblem> {
    if backend.tls == BackendTls::None {
        return Ok(None);
    }
    let trust = match (backend.verify, &backend.server_name) {
        (Verify::LoopbackOnly, _) => Trust::LoopbackOnly,
        (Verify::Full, name) => Trust::Full {
            // Without a name the configuration was refused.
            name: name.as_deref().unwrap_or_default(),
            roots: backend.ca.as_deref(),
        },
    };
    Connector::new(trust).map(Some)
}

fn told(snapshot: &Snapshot, name: &str, problem: &TrustProblem) -> Problem {
    let (part, advice) = match problem {
        TrustProblem::Roots { .. } => (
            "ca",
            "name a PEM file with the certificates that vouch for the backend's, readable for the user that gatepost \
             runs as",
        ),
        TrustProblem::NoSystemRoots(_) => (
            "ca",
            "install them (Debian: ca-certificates), or name a PEM file with the certificates that vouch for the backend's",
        ),
        TrustProblem::Name(_) => (
            "server_name",
            "write the host name or the address that the backend's certificate is for",
        ),
        TrustProblem::Library(_) => ("tls", "see the certificates"),
    };
    let key = format!("backend.{name}.{part}");
    snapshot.problem(&key, &problem.to_string(), advice)
}
