//! Floor 8: the process. Starts everything in order, stops it in order; the only floor that spawns and reads the clock.
//!
//! Start: listeners → (root becomes the user) → resolver → certificates → backends tested → memory → journal → accepting →
//! control socket → ready. Nothing accepts before all of it stands; a problem on the way is one [`StartProblem`] and leaves
//! nothing running and nothing written. Reload: all of a new configuration or nothing of it. Stop: no more accepting → sessions
//! end at their next command boundary outside a transaction, or at the deadline → journal flushed.

mod accept;
mod admin;
pub mod certificates;
mod clock;
pub mod control;
mod descriptors;
pub mod directories;
pub mod doctor;
mod generation;
mod ident;
mod log_limit;
mod memory;
pub mod notify;
mod primary;
pub mod probe;
pub mod reload;
pub mod remarks;
mod session_id;
pub mod sockets;
pub mod tasks;
pub mod upstreams;
pub mod user;
pub mod zones;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::{Problem, Snapshot};
use crate::facts::Client;
use crate::gather::{Gather, GatherProblem};
use crate::journal;
use crate::net::admission::{Admission, Limits};
use crate::net::handshakes::Handshakes;
use crate::net::listen::BindProblem;
use crate::net::tls::TlsProblem;
use crate::session::context::{Shared, Tally, failed_logins};
use crate::session::live::Live;
use crate::telemetry::metrics::Metrics;
use accept::Listening;
use control::desk::Scene;
use generation::{Generation, Secure};
use notify::Heart;
use sockets::{Open, Passed, Sockets};
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
    /// What the configuration that holds was made into.
    now: Generation,
    listening: Vec<Listening>,
    passed: Passed,
    ident: ident::Responder,
    gather: Arc<Gather>,
    clinic: Arc<doctor::Clinic>,
    heart: Arc<Heart>,
    desk: Arc<control::Desk>,
    tasks: Tasks,
    journal: Option<std::thread::JoinHandle<()>>,
    keeper: std::thread::JoinHandle<()>,
    /// The addresses that are listened on, by listener.
    pub addresses: Vec<(String, SocketAddr)>,
    /// Where metrics and state can be read.
    pub admin_addresses: Vec<SocketAddr>,
}

/// Starts serving as `snapshot` says, on sockets of its own.
///
/// # Errors
///
/// [`StartProblem`]; nothing is left running then.
pub async fn start(snapshot: &Snapshot) -> Result<Running, StartProblem> {
    let sockets = Sockets::open(snapshot, Passed::default())?;
    start_on(snapshot, sockets).await
}

/// Starts serving as `snapshot` says, on `sockets`, which are open.
///
/// # Errors
///
/// [`StartProblem`]; nothing is left running then.
pub async fn start_on(snapshot: &Snapshot, sockets: Sockets) -> Result<Running, StartProblem> {
    let config = &snapshot.config;
    let listeners = sockets.listeners.into_iter().map(Open::register);
    let listeners = listeners.collect::<Result<Vec<_>, _>>()?;
    let admin_sockets = registered(sockets.admin)?;
    let ident_sockets = registered(sockets.ident)?;
    let tasks = Tasks::default();
    let gather = Gather::new(&gather_settings(&config.resolver), tasks.spawner())?;
    let configured = certificates::configured(snapshot)?;
    let upstreams = upstreams::all(snapshot, &BTreeMap::new())?;
    probe::first(snapshot, &upstreams)
        .await
        .map_err(|problem| StartProblem::OpenBackend(Box::new(problem)))?;
    // The addresses are ours, so no other gatepost runs on them: from here on files are written and tasks are started.
    for problem in directories::problems(snapshot)
        .iter()
        .chain(&doctor::problems(snapshot))
    {
        tracing::error!("{problem}");
    }
    // Where the directory can not be made, that has been said now.
    let _ = std::fs::create_dir_all(&config.store.directory);
    let acceptor = match configured {
        None if generation::wants_tls(config) => Some(certificates::self_signed(snapshot)?),
        configured => configured,
    };
    let draining = CancellationToken::new();
    let secure = acceptor.map(|acceptor| Secure::new(acceptor, config, &tasks, &draining));
    let (memory, keeper) = memory::open(&config.store, &tasks, &draining)?;
    gather.remember_with(memory.clone());
    let connections = descriptors::make_room(config.limits.connections);
    let (writer, journal) = start_journal(&config.journal)?;
    let shared = Arc::new(Shared {
        hostname: config.hostname.as_str().into(),
        limits: config.limits.clone(),
        mail_data: config.mail_data,
        answerer: Arc::clone(&gather) as _,
        memory: Some(memory),
        admission: Admission::new(admission_limits(&config.limits, connections)),
        logins: failed_logins(&config.limits),
        journal: writer,
        draining: draining.clone(),
        cut: CancellationToken::new(),
        tarpit: Arc::new(Semaphore::new(config.limits.tarpit)),
        metrics: Metrics::default(),
        handshakes: Handshakes::new(handshakes(config.limits.tls_handshakes)),
        live: Arc::new(Live::default()),
        recent: Arc::new(journal::Recent::default()),
        tally: Tally::default(),
    });
    let now = Generation::new(snapshot, upstreams, secure, shared);
    let clinic = Arc::new(doctor::Clinic::default());
    now.watch(snapshot, &tasks, &gather, &clinic).await;
    let heart = Heart::from_environment();
    let mut listening = Vec::new();
    for open in listeners {
        if let Some(post) = now.post(&open.wanted.listener) {
            listening.push(Listening::begin(open, post, &tasks, &heart));
        }
    }
    let addresses = addresses(&listening);
    heart.depends_on(listening.iter().map(Listening::beat).collect());
    heart.begin(&tasks, &draining);
    complain_of_unused(&sockets.passed, config);
    let scene = Scene::new(&now, &addresses);
    let desk = Arc::new(control::Desk::new(Arc::clone(&gather), &clinic, scene));
    control::begin(&tasks, &control::path(&config.store), Arc::clone(&desk)).await;
    notify::begin(&tasks, &desk);
    let gate = admin::Gate {
        hostname: config.hostname.as_str().into(),
        token: config.admin.token.as_str().into(),
    };
    let admin_addresses = admin_sockets.iter().map(|(address, _)| *address).collect();
    admin::begin(&tasks, admin_sockets, gate, &desk);
    let mut ident = ident::Responder::new(&tasks, &draining);
    ident.change(&config.ident.address, ident_sockets);
    Ok(Running {
        now,
        listening,
        passed: sockets.passed,
        ident,
        gather,
        clinic,
        heart,
        desk,
        tasks,
        journal,
        keeper,
        addresses,
        admin_addresses,
    })
}

impl Running {
    /// Counts of sessions so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.now.shared.tally
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
            now,
            listening,
            passed,
            ident,
            gather,
            clinic,
            heart,
            desk,
            tasks,
            journal,
            keeper,
            addresses: _,
            admin_addresses: _,
        } = self;
        let shared = Arc::clone(&now.shared);
        // Whoever still had the memory or the journal would keep their threads from ending.
        drop((now, gather, clinic, desk, heart));
        let sessions = shared.tally.open();
        let within = humantime::format_duration(deadline);
        tracing::info!(sessions, %within, "stopping: no more is accepted, messages under way are finished");
        notify::stopping(sessions);
        shared.draining.cancel();
        drop((listening, passed, ident));
        let cut = match tasks.wait(deadline).await {
            true => 0,
            false => shared.tally.open(),
        };
        shared.cut.cancel();
        tasks.finish(CUT_GRACE).await;
        let left = shared.tally.were_cut();
        if left.sessions > 0 {
            let named = left.named.iter();
            let named: Vec<String> = named.map(|(id, client)| format!("{id} {client}")).collect();
            let (named, more) = (named.join(", "), left.sessions - left.named.len() as u64);
            tracing::warn!(sessions = left.sessions, left = %named, more, "cut: they had not finished in time; their senders try again");
        }
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

/// Sockets of the standard library as tokio's.
fn registered(
    sockets: Vec<(SocketAddr, std::net::TcpListener)>,
) -> Result<Vec<(SocketAddr, tokio::net::TcpListener)>, StartProblem> {
    let one = |(address, socket)| {
        let socket = tokio::net::TcpListener::from_std(socket).map_err(StartProblem::Socket)?;
        Ok((address, socket))
    };
    sockets.into_iter().map(one).collect()
}

fn addresses(listening: &[Listening]) -> Vec<(String, SocketAddr)> {
    let one = |it: &Listening| (it.wanted.listener.clone(), it.address);
    listening.iter().map(one).collect()
}

/// Says which sockets were passed that no listener has.
fn complain_of_unused(passed: &Passed, config: &crate::config::Config) {
    for trouble in &passed.troubles {
        tracing::error!(%trouble, "a socket was passed that can not be used");
    }
    for address in passed.unused(config) {
        tracing::error!(
            %address,
            "a socket was passed that no listener has: clients wait there in vain; take it out of gatepost.socket, \
             or write its address into [listen.NAME]"
        );
    }
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

/// A client as it would stand in the facts of a session that begins now: what depends on the day, such as entries of
/// allow and deny lists that expire, is then judged as in that session.
#[must_use]
pub fn client_now(address: SocketAddr, local: SocketAddr, listener: &str) -> Client {
    let mut client = Client::new(address, local, listener);
    client.started = clock::seconds();
    client
}

/// The time of day so long ago.
#[must_use]
pub fn ago(long: Duration) -> std::time::SystemTime {
    clock::now()
        .checked_sub(long)
        .unwrap_or(std::time::SystemTime::UNIX_EPOCH)
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
