//! Floor 8: the process. Starts everything in order, stops it in order; the only floor that spawns and reads the clock.
//!
//! Start: resolver → certificates → listeners → backends tested → journal → accepting → control socket. Nothing accepts before all of it
//! stands; a problem on the way is one [`StartProblem`] and leaves nothing running and nothing written. Stop: no more accepting → sessions end at
//! their next command boundary outside a transaction, or at the deadline → journal flushed.

mod accept;
mod admin;
pub mod certificates;
mod clock;
pub mod control;
mod descriptors;
pub mod directories;
mod log_limit;
mod memory;
mod primary;
pub mod probe;
pub mod remarks;
mod session_id;
pub mod tasks;
pub mod upstreams;
pub mod zones;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::{Problem, Snapshot, TlsMode};
use crate::facts::Client;
use crate::gather::{Gather, GatherProblem};
use crate::journal;
use crate::net::admission::{Admission, Limits};
use crate::net::handshakes::Handshakes;
use crate::net::listen::{self, BindProblem};
use crate::net::tls::{self, TlsProblem};
use crate::session::context::{Door, Shared, Tally, failed_logins};
use crate::session::live::Live;
use crate::session::upstream::Upstream;
use crate::telemetry::metrics::Metrics;
use certificates::keeper::Keeper;
use tasks::Tasks;

/// Sessions under way at shutdown get this long to finish their message.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(30);

/// Sessions that are cut at the deadline get this long for their last words.
const CUT_GRACE: Duration = Duration::from_secs(5);

/// Why the process does not start; each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    /// A listener's address can not be had.
    #[error("{told}")]
    Bind {
        /// What is wrong.
        problem: BindProblem,
        /// The same with the place in the configuration.
        told: Box<Problem>,
    },
    /// No DNS server can be used.
    #[error("[resolver]: {0}")]
    Resolver(#[from] GatherProblem),
    /// A configured certificate or key can not be used.
    #[error("{0}")]
    Certificate(Box<Problem>),
    /// A backend would relay for strangers.
    #[error("{0}")]
    OpenBackend(Box<Problem>),
    /// There can be no TLS at all.
    #[error("[tls]: {0}")]
    Tls(#[from] TlsProblem),
    /// A listening socket can not be used.
    #[error("a listening socket can not be used: {0}")]
    Socket(std::io::Error),
    /// A thread could not be started.
    #[error("the {0}'s thread could not be started: {1}")]
    Thread(&'static str, std::io::Error),
}

/// A process that serves.
pub struct Running {
    shared: Arc<Shared>,
    tasks: Tasks,
    journal: Option<std::thread::JoinHandle<()>>,
    keeper: std::thread::JoinHandle<()>,
    certificates: Option<Arc<Keeper>>,
    /// The addresses that are listened on, by listener.
    pub addresses: Vec<(String, SocketAddr)>,
    /// Where metrics and state can be read.
    pub admin_addresses: Vec<SocketAddr>,
}

/// Starts serving as `snapshot` says.
///
/// # Errors
///
/// [`StartProblem`]; nothing is left running then.
pub async fn start(snapshot: &Snapshot) -> Result<Running, StartProblem> {
    let config = &snapshot.config;
    let tasks = Tasks::default();
    let answerer = Gather::new(&gather_settings(&config.resolver), tasks.spawner())?;
    let configured = certificates::configured(snapshot)?;
    let upstreams = upstreams::all(snapshot)?;
    let sockets = bind_all(snapshot)?;
    let admin_sockets = bind_admin(snapshot)?;
    probe::first(snapshot, &upstreams)
        .await
        .map_err(|problem| StartProblem::OpenBackend(Box::new(problem)))?;
    // The addresses are ours, so no other gatepost runs on them: from here on files are written and tasks are started.
    for problem in directories::problems(snapshot) {
        tracing::error!("{problem}");
    }
    // Where the directory can not be made, that has been said now.
    let _ = std::fs::create_dir_all(&config.store.directory);
    let wants_tls = config
        .listen
        .values()
        .any(|listen| listen.tls != TlsMode::None);
    let acceptor = match configured {
        None if wants_tls => Some(certificates::self_signed(snapshot)?),
        configured => configured,
    };
    let draining = CancellationToken::new();
    let certificates = acceptor.clone().map(Keeper::new);
    if let Some(certificates) = &certificates {
        certificates.begin(&tasks, config.tls.watch_interval, &draining);
    }
    let (memory, keeper) = memory::open(&config.store, &tasks, &draining)?;
    answerer.remember_with(memory.clone());
    primary::begin(&tasks, snapshot, &answerer, &draining);
    zones::begin(&tasks, snapshot, &answerer, &draining).await;
    let connections = descriptors::make_room(config.limits.connections);
    let (writer, journal) = start_journal(&config.journal)?;
    let gather = Arc::clone(&answerer);
    let shared = Arc::new(Shared {
        hostname: config.hostname.as_str().into(),
        limits: config.limits.clone(),
        mail_data: config.mail_data,
        answerer,
        memory: Some(memory),
        admission: Admission::new(admission_limits(&config.limits, connections)),
        logins: failed_logins(&config.limits),
        journal: writer,
        draining,
        cut: CancellationToken::new(),
        tarpit: Arc::new(Semaphore::new(config.limits.tarpit)),
        metrics: Metrics::default(),
        handshakes: Handshakes::new(handshakes(config.limits.tls_handshakes)),
        live: Live::default(),
        recent: journal::Recent::default(),
        tally: Tally::default(),
    });
    let doors = doors(snapshot, &upstreams, acceptor.as_ref());
    probe::begin(&tasks, &doors, &shared.draining);
    let mut addresses = Vec::new();
    for (name, socket) in sockets {
        let Some(door) = doors.get(&name) else {
            continue;
        };
        let address = socket.local_addr().map_err(StartProblem::Socket)?;
        tracing::info!(listener = name, %address, tls = door.listen.tls.label(), "listening");
        addresses.push((name, address));
        tasks.spawn(accept::serve(
            socket,
            Arc::clone(door),
            Arc::clone(&shared),
            tasks.clone(),
        ));
    }
    let desk = Arc::new(control::Desk::new(
        gather,
        &shared,
        &doors,
        &addresses,
        certificates.clone(),
    ));
    control::begin(&tasks, &control::path(&config.store), Arc::clone(&desk)).await;
    let gate = admin::Gate {
        hostname: config.hostname.as_str().into(),
        token: config.admin.token.as_str().into(),
    };
    let admin_addresses = admin_sockets.iter().map(|(address, _)| *address).collect();
    admin::begin(&tasks, admin_sockets, gate, &desk);
    Ok(Running {
        shared,
        tasks,
        journal,
        keeper,
        certificates,
        addresses,
        admin_addresses,
    })
}

impl Running {
    /// Counts of sessions so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.shared.tally
    }

    /// Has the files of the certificates looked at now.
    pub fn look_at_certificates(&self) {
        if let Some(certificates) = &self.certificates {
            certificates.look();
        }
    }

    /// The addresses of one listener.
    pub fn addresses_of<'a>(&'a self, listener: &'a str) -> impl Iterator<Item = SocketAddr> + 'a {
        self.addresses
            .iter()
            .filter(move |(name, _)| name == listener)
            .map(|(_, address)| *address)
    }

    /// Stops: accepts no more, lets sessions finish within `deadline`, flushes the journal. Returns how many sessions
    /// were still open at the deadline and were cut.
    pub async fn stop(self, deadline: Duration) -> u64 {
        let Self {
            shared,
            tasks,
            journal,
            keeper,
            ..
        } = self;
        let sessions = shared.tally.open();
        let within = humantime::format_duration(deadline);
        tracing::info!(sessions, %within, "stopping: no more is accepted, messages under way are finished");
        shared.draining.cancel();
        let cut = match tasks.wait(deadline).await {
            true => 0,
            false => shared.tally.open(),
        };
        shared.cut.cancel();
        tasks.finish(CUT_GRACE).await;
        let (sessions, delivered, refused) = shared.tally.totals();
        tracing::info!(sessions, delivered, refused, cut, "stopped");
        // What is written to goes with the last reference; then the threads have written everything and end.
        drop(shared);
        drop(tasks);
        tasks::join(keeper).await;
        if let Some(thread) = journal {
            tasks::join(thread).await;
        }
        cut
    }
}

fn bind_admin(
    snapshot: &Snapshot,
) -> Result<Vec<(SocketAddr, tokio::net::TcpListener)>, StartProblem> {
    let bound = snapshot.config.admin.address.iter().map(|address| {
        let socket = bind(snapshot, "admin.address", *address)?;
        let address = socket.local_addr().map_err(StartProblem::Socket)?;
        Ok((address, socket))
    });
    bound.collect()
}

fn bind_all(snapshot: &Snapshot) -> Result<Vec<(String, tokio::net::TcpListener)>, StartProblem> {
    let mut sockets = Vec::new();
    for (name, listen) in &snapshot.config.listen {
        for address in &listen.address {
            let socket = bind(snapshot, &format!("listen.{name}.address"), *address)?;
            sockets.push((name.clone(), socket));
        }
    }
    Ok(sockets)
}

/// Takes an address; `key` is where it stands in the configuration.
fn bind(
    snapshot: &Snapshot,
    key: &str,
    address: SocketAddr,
) -> Result<tokio::net::TcpListener, StartProblem> {
    let socket = listen::bind(address).map_err(|problem| {
        let told = snapshot.problem(key, &problem.to_string(), problem.advice());
        StartProblem::Bind {
            problem,
            told: Box::new(told),
        }
    })?;
    tokio::net::TcpListener::from_std(socket).map_err(StartProblem::Socket)
}

/// Starts the journal's thread. A directory that can not be written costs records, not mail: it is said and counted.
fn start_journal(
    config: &crate::config::Journal,
) -> Result<(Option<journal::Writer>, Option<std::thread::JoinHandle<()>>), StartProblem> {
    if !config.enabled {
        return Ok((None, None));
    }
    let (writer, keeper) =
        journal::open(&config.directory, config.max_size.as_u64(), config.max_age);
    let thread = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || keeper.run())
        .map_err(|error| StartProblem::Thread("journal", error))?;
    Ok((Some(writer), Some(thread)))
}

fn doors(
    snapshot: &Snapshot,
    upstreams: &BTreeMap<String, Arc<Upstream>>,
    acceptor: Option<&tls::Acceptor>,
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

/// A client as it would stand in the facts of a session that begins now: what depends on the day, such as entries of
/// allow and deny lists that expire, is then judged as in that session.
#[must_use]
pub fn client_now(address: SocketAddr, local: SocketAddr, listener: &str) -> Client {
    let mut client = Client::new(address, local, listener);
    client.started = clock::seconds();
    client
}

/// The resolver's settings as `gather` takes them.
#[must_use]
pub fn gather_settings(resolver: &crate::config::Resolver) -> crate::gather::Settings {
    crate::gather::Settings {
        servers: resolver.servers.clone(),
        timeout: resolver.timeout,
        cache_size: resolver.cache_size,
    }
}

/// How many handshakes are computed at one time: sessions without one keep half of the processors.
fn handshakes(configured: usize) -> usize {
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    match configured {
        0 => processors().div_ceil(2),
        configured => configured,
    }
}

fn admission_limits(limits: &crate::config::Limits, connections: usize) -> Limits {
    Limits {
        connections,
        per_address: limits.connections_per_address,
        per_network: limits.connections_per_network,
        rate: limits.connection_rate_per_address,
    }
}
