//! What a configuration is made into: doors, backends, certificates, and what sessions share. A reload makes the next one;
//! sessions keep the one they began with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::accept::Post;
use crate::app::certificates::keeper::Keeper;
use crate::app::doctor::Clinic;
use crate::app::tasks::Tasks;
use crate::app::{primary, probe, zones};
use crate::config::{Config, Snapshot, TlsMode};
use crate::gather::Gather;
use crate::net::tls::Acceptor;
use crate::session::context::{Door, Shared};
use crate::session::upstream::Upstream;

/// One configuration at work.
pub(in crate::app) struct Generation {
    pub(in crate::app) config: Config,
    pub(in crate::app) upstreams: BTreeMap<String, Arc<Upstream>>,
    pub(in crate::app) doors: BTreeMap<String, Arc<Door>>,
    pub(in crate::app) secure: Option<Secure>,
    pub(in crate::app) shared: Arc<Shared>,
    /// Cancelled when the next takes its place: what watches backends, zones and primaries for this one ends.
    pub(in crate::app) over: CancellationToken,
}

/// TLS toward clients, and who keeps its certificates fresh until it is over.
#[derive(Clone)]
pub(in crate::app) struct Secure {
    pub(in crate::app) acceptor: Acceptor,
    pub(in crate::app) keeper: Arc<Keeper>,
    pub(in crate::app) over: CancellationToken,
}

impl Secure {
    /// Begins to look at its files.
    pub(in crate::app) fn new(
        acceptor: Acceptor,
        config: &Config,
        tasks: &Tasks,
        draining: &CancellationToken,
    ) -> Self {
        let keeper = Keeper::new(acceptor.clone());
        let over = draining.child_token();
        keeper.begin(tasks, config.tls.watch_interval, &over);
        Self {
            acceptor,
            keeper,
            over,
        }
    }
}

impl Generation {
    /// Everything made; nothing watched yet.
    pub(in crate::app) fn new(
        snapshot: &Snapshot,
        upstreams: BTreeMap<String, Arc<Upstream>>,
        secure: Option<Secure>,
        shared: Arc<Shared>,
    ) -> Self {
        let acceptor = secure.as_ref().map(|secure| &secure.acceptor);
        Self {
            config: snapshot.config.clone(),
            doors: doors(snapshot, &upstreams, acceptor),
            upstreams,
            secure,
            over: shared.draining.child_token(),
            shared,
        }
    }

    /// Begins to watch what it depends on.
    pub(in crate::app) async fn watch(
        &self,
        snapshot: &Snapshot,
        tasks: &Tasks,
        gather: &Arc<Gather>,
        clinic: &Arc<Clinic>,
    ) {
        primary::begin(tasks, snapshot, gather, &self.over);
        zones::begin(tasks, snapshot, gather, &self.over).await;
        probe::begin(tasks, &self.doors, &self.over);
        let draining = &self.shared.draining;
        clinic.look_after(tasks, snapshot, gather, &self.upstreams, draining);
    }

    /// What the clients of `listener` are served with.
    pub(in crate::app) fn post(&self, listener: &str) -> Option<Post> {
        let door = self.doors.get(listener)?;
        Some(Post {
            door: Arc::clone(door),
            shared: Arc::clone(&self.shared),
        })
    }
}

/// Whether any listener has TLS.
pub(in crate::app) fn wants_tls(config: &Config) -> bool {
    let mut listeners = config.listen.values();
    listeners.any(|listen| listen.tls != TlsMode::None)
}

fn doors(
    snapshot: &Snapshot,
    upstreams: &BTreeMap<String, Arc<Upstream>>,
    acceptor: Option<&Acceptor>,
) -> BTreeMap<String, Arc<Door>> {
    let config = &snapshot.config;
    let checks = snapshot.policies.values().flat_map(|policy| &policy.checks);
    let primaries: Vec<&str> = checks
        .flat_map(|check| check.listeners())
        .map(|listener| &**listener)
        .collect();
    let door = |(name, listen): (&String, &crate::config::Listen)| {
        let policy = snapshot.policies.get(&listen.policy)?;
        let upstream = upstreams.get(&listen.backend)?;
        let door = Door {
            name: name.as_str().into(),
            listen: listen.clone(),
            policy: Arc::clone(policy),
            is_primary: primaries.contains(&name.as_str()),
            upstream: Arc::clone(upstream),
            acceptor: acceptor.filter(|_| listen.tls != TlsMode::None).cloned(),
        };
        Some((name.clone(), Arc::new(door)))
    };
    config.listen.iter().filter_map(door).collect()
}
