//! gatepost before a mail server: both started, played at, ended.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::net::TcpListener;

use super::{Outcome, Target, World, reach, stage};
use crate::app::tasks::Tasks;
use crate::cli::bench::arrivals;
use crate::cli::bench::exim::{Exim, Part};
use crate::cli::bench::gate::{Gate, Plan};
use crate::cli::bench::play::play;
use crate::cli::bench::{BackendKind, Proxy, Setting};
use crate::cli::demo::backend::MailStore;
use crate::measure::trace::{Played, Trace};

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

    fn clients(&self) -> HashSet<SocketAddr> {
        match self {
            Self::Exim(exim) => exim.clients(),
            Self::Store(store, _) => store.clients(),
        }
    }
}

pub(super) async fn at_gatepost(
    setting: &Setting,
    trace: &Arc<Trace>,
    directory: &Path,
    world: &World,
) -> anyhow::Result<Outcome> {
    let mut notes = Vec::new();
    let (dns, asked) = world.serve((Ipv4Addr::LOCALHOST, 0).into()).await?;
    let (behind, mail, users) = match setting.backend {
        BackendKind::Exim => {
            let (system, _) = world.serve_system().await?;
            let exim = Exim::start(Part::Backend, trace, directory, system).await?;
            if !exim.asks_us {
                notes.push("Exim behind the gate asks this system's resolver: only root can give it another".to_owned());
            }
            let (mail, users) = (exim.mail, exim.users);
            (Behind::Exim(Box::new(exim)), mail, Some(users))
        }
        BackendKind::Store => {
            let (store, mail) = start_store(trace, directory, &world.tasks).await?;
            (store, mail, None)
        }
    };
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
    let before = (
        gate.group.cpu(),
        behind.cpu(),
        behind.sessions(),
        asked.load(Ordering::Relaxed),
    );
    let stage = stage(gate.doors, setting, world)?;
    let mut performance = play(trace, stage, setting.after, "gatepost").await?;
    let (took, questions) = (
        world.clock.elapsed(),
        asked.load(Ordering::Relaxed) - before.3,
    );
    let server_cpu = gate.group.cpu() - before.0;
    gate.group.end().await;
    let arrived = match &behind {
        Behind::Exim(exim) => {
            if !exim.deliver_all().await {
                notes.push("Exim has not delivered everything in time".to_owned());
            }
            exim.arrived()?
        }
        Behind::Store(_, maildir) => arrivals::read(&maildir.join("new"), "x-recipient:")?,
    };
    let backend_cpu = behind
        .cpu()
        .zip(before.1)
        .map(|(after, before)| after - before);
    let sessions = behind.sessions().saturating_sub(before.2);
    reach(&mut performance, &behind.clients());
    if let Behind::Exim(exim) = behind {
        exim.group.end().await;
    }
    let played = Played {
        target: Target::Gatepost.name(),
        ran: std::mem::take(&mut performance.ran),
        arrived: Some(arrived),
        server_cpu: Some(server_cpu),
        backend_cpu,
        backend_sessions: Some(sessions),
        dns_questions: questions,
        took,
        clock: setting.clock.into(),
    };
    Ok(Outcome::new(
        played,
        performance,
        Some(directory.join("journal")),
        notes,
    ))
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
