//! gatepost before a mail server: both started, played at, ended.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;

use super::{Outcome, Target, World, reach, stage};
use crate::app::tasks::Tasks;
use crate::cli::bench::arrivals;
use crate::cli::bench::exim::{Exim, Part};
use crate::cli::bench::gate::{Gate, Plan};
use crate::cli::bench::play::play;
use crate::cli::bench::world::Asked;
use crate::cli::bench::{BackendKind, Proxy, Setting};
use crate::cli::demo::backend::MailStore;
use crate::measure::trace::{Arrival, Played, Trace};

/// What stands behind the gate.
enum Behind {
    Exim(Box<Exim>),
    Store(Arc<MailStore>, PathBuf),
}

impl Behind {
    fn cpu(&self) -> Option<f64> {
        match self {
            Self::Exim(exim) => Some(exim.group.cpu()),
            Self::Store(..) => None,
        }
    }

    fn sessions(&self) -> u64 {
        match self {
            Self::Exim(exim) => exim.sessions(),
            Self::Store(store, _) => u64::try_from(store.clients().len()).unwrap_or(u64::MAX),
        }
    }

    /// All that has arrived.
    async fn arrived(&self, notes: &mut Vec<String>) -> anyhow::Result<Vec<Arrival>> {
        match self {
            Self::Exim(exim) => {
                if !exim.deliver_all().await {
                    notes.push("Exim has not delivered everything in time".to_owned());
                }
                exim.arrived()
            }
            Self::Store(_, maildir) => arrivals::read(&maildir.join("new"), "x-recipient:"),
        }
    }

    async fn end(self) {
        if let Self::Exim(exim) = self {
            exim.group.end().await;
        }
    }

    fn clients(&self) -> HashSet<SocketAddr> {
        match self {
            Self::Exim(exim) => exim.clients(),
            Self::Store(store, _) => store.clients(),
        }
    }
}

/// At a gatepost of the run.
pub(super) async fn at_gatepost(
    setting: &Setting,
    trace: &Arc<Trace>,
    directory: &Path,
    world: &World,
) -> anyhow::Result<Outcome> {
    let mut notes = Vec::new();
    let (dns, asked) = world.serve((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let (behind, mail, users) = start_behind(setting, trace, directory, world, &mut notes).await?;
    let gate = Gate::start(&Plan {
        policies: setting.config.as_deref(),
        policy: &setting.policy,
        hostname: &trace.host,
        directory,
        dns,
        backend: mail,
        users,
        clock: setting.clock,
        session_clock: setting.session_clock,
        proxied: setting.proxy != Proxy::None,
    })
    .await?;
    notes.extend(gate.scaled.iter().map(|line| format!("scaled: {line}")));
    notes.push(format!(
        "what the gate remembers, its rates, kept answers and tests of lists pass {} times as fast; sessions {} times",
        setting.clock, setting.session_clock
    ));
    let before = Spent::by(&gate, &behind, &asked);
    let stage = stage(gate.doors, setting, world)?;
    world.clock.start();
    let mut performance = play(trace, stage, setting.after, "gatepost").await?;
    let took = world.clock.elapsed();
    let after = Spent::by(&gate, &behind, &asked);
    notes.push(format!(
        "{} questions with which gatepost tested its lists are not among the DNS questions: they come {} times as often as else",
        asked.tests(),
        setting.clock
    ));
    gate.group.end().await;
    let arrived = behind.arrived(&mut notes).await?;
    // What is delivered late is its work, too.
    let (cpu, sessions) = (behind.cpu(), behind.sessions());
    reach(&mut performance, &behind.clients());
    behind.end().await;
    let played = Played {
        target: Target::Gatepost.name(),
        ran: std::mem::take(&mut performance.ran),
        arrived: Some(arrived),
        server_cpu: Some(after.server_cpu - before.server_cpu),
        backend_cpu: cpu
            .zip(before.backend_cpu)
            .map(|(after, before)| after - before),
        backend_sessions: Some(sessions.saturating_sub(before.sessions)),
        dns_questions: Some(after.questions.saturating_sub(before.questions)),
        took,
        clock: setting.clock.into(),
        ..Played::default()
    };
    let records = Some(directory.join("journal"));
    Ok(Outcome::new(played, performance, records, notes))
}

/// What was spent up to some time.
struct Spent {
    server_cpu: f64,
    backend_cpu: Option<f64>,
    sessions: u64,
    questions: u64,
}

impl Spent {
    fn by(gate: &Gate, behind: &Behind, asked: &Asked) -> Self {
        Self {
            server_cpu: gate.group.cpu(),
            backend_cpu: behind.cpu(),
            sessions: behind.sessions(),
            questions: asked.questions(),
        }
    }
}

/// The mail server behind the gate, where it takes mail, and where it takes users.
async fn start_behind(
    setting: &Setting,
    trace: &Trace,
    directory: &Path,
    world: &World,
    notes: &mut Vec<String>,
) -> anyhow::Result<(Behind, SocketAddr, Option<SocketAddr>)> {
    if setting.backend == BackendKind::Store {
        notes.push("the mail store knows no logins: users are left out".to_owned());
        let (store, mail) = start_store(trace, directory, &world.tasks).await?;
        return Ok((store, mail, None));
    }
    let (system, _) = world.serve_system().await?;
    let exim = Exim::start(Part::Backend, trace, &[], directory, system).await?;
    if !exim.asks_us {
        let note = "Exim behind the gate asks this system's resolver: port 53 of no loopback address was free";
        notes.push(note.to_owned());
    }
    let (mail, users) = (exim.mail, exim.users);
    Ok((Behind::Exim(Box::new(exim)), mail, Some(users)))
}

async fn start_store(
    trace: &Trace,
    directory: &Path,
    tasks: &Tasks,
) -> anyhow::Result<(Behind, SocketAddr)> {
    let maildir = directory.join("Maildir");
    let own = ["postmaster", "abuse"].map(str::to_owned);
    let users: HashSet<String> = trace
        .users
        .iter()
        .map(|user| user.to_lowercase())
        .chain(own)
        .collect();
    let store = MailStore::for_users(&trace.domain, &maildir, users)?;
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = socket.local_addr()?;
    tasks.spawn(Arc::clone(&store).serve(socket, tasks.clone()));
    Ok((Behind::Store(store, maildir), address))
}
