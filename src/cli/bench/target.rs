//! The servers that a trace is played at: what has to stand around each, and what each has cost in the end.

mod alone;
mod before;
mod there;

use std::collections::{HashMap, HashSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::clock::Clock;
use super::play::Performance;
use super::player::{Doors, Stage, Visits};
use super::world::{Asked, Names, Server};
use super::{BackendKind, Proxy, Setting, gate};
use crate::app::tasks::Tasks;
use crate::measure::trace::{Door, Played, Trace, Try};
use crate::net;
use alone::at_peer;
use before::at_gatepost;
use there::there;

/// A server under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// gatepost before a backend.
    Gatepost,
    /// Exim by itself, with DNSBLs in its own ACL.
    Exim,
    /// Postfix, with postscreen before its smtpd.
    Postscreen,
    /// A server that stands already.
    There(SocketAddr),
}

impl Target {
    /// What it is called in results.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Gatepost => "gatepost".to_owned(),
            Self::Exim => "exim".to_owned(),
            Self::Postscreen => "postscreen".to_owned(),
            Self::There(address) => address.to_string(),
        }
    }

    /// Whether users can log in there.
    pub(super) fn knows_logins(&self, backend: BackendKind) -> bool {
        match self {
            Self::Gatepost => backend == BackendKind::Exim,
            Self::Exim => true,
            Self::Postscreen | Self::There(_) => false,
        }
    }
}

/// Takes those out who log in, where a server knows no logins, so that all servers get the same.
pub(super) fn without_users(trace: &mut Trace) {
    let is_user = |planned: &Try| planned.door == Door::Submission;
    trace
        .errands
        .retain(|errand| !errand.tries.iter().any(is_user));
    for (id, errand) in (0..).zip(&mut trace.errands) {
        errand.id = id;
    }
}

/// What came of a run at one target.
pub(super) struct Outcome {
    pub(super) played: Played,
    /// Who came from where.
    pub(super) visits: Visits,
    /// Connections that were made.
    pub(super) sessions: u64,
    /// How late tries were in fact: the median, and what 99 of 100 kept.
    pub(super) late: [Duration; 2],
    /// Errands that had something left to try at the end.
    pub(super) cut_short: usize,
    /// Where the gate's records are.
    pub(super) records: Option<PathBuf>,
    /// What has to be known to read the figures, one a line.
    pub(super) notes: Vec<String>,
}

impl Outcome {
    fn new(
        played: Played,
        performance: Performance,
        records: Option<PathBuf>,
        notes: Vec<String>,
    ) -> Self {
        let Performance {
            visits,
            sessions,
            late,
            cut_short,
            ..
        } = performance;
        Self {
            played,
            visits,
            sessions,
            late,
            cut_short,
            records,
            notes,
        }
    }
}

/// Servers of one world.
struct World {
    names: Arc<Names>,
    clock: Clock,
    /// Names that gates ask for by themselves.
    tests: Arc<HashSet<String>>,
    tasks: Tasks,
}

impl World {
    /// Serves it at `address`; the count of questions.
    async fn serve(&self, address: SocketAddr) -> anyhow::Result<(SocketAddr, Arc<Asked>)> {
        let (names, tests) = (Arc::clone(&self.names), Arc::clone(&self.tests));
        let server = Server::bind(names, self.clock.clone(), tests, address)
            .await
            .with_context(|| format!("the DNS server of the run can not listen on {address}"))?;
        let (address, asked) = (server.address()?, server.asked());
        self.tasks.spawn(server.serve());
        Ok((address, asked))
    }

    /// Serves it for a program that asks the system's resolver: on port 53 of an address of its own, if that may be.
    async fn serve_system(&self) -> anyhow::Result<(SocketAddr, Arc<Asked>)> {
        let process = std::process::id();
        for number in 1..=8 {
            let [.., high, low] = (process.wrapping_add(number)).to_be_bytes();
            let address = Ipv4Addr::new(
                127,
                100 + u8::try_from(number).unwrap_or(0),
                high,
                low.max(1),
            );
            if let Ok(served) = self.serve((address, 53).into()).await {
                return Ok(served);
            }
        }
        self.serve((Ipv4Addr::LOCALHOST, 0).into()).await
    }
}

/// Plays `trace` at `target`, with everything it needs started before and ended behind it.
pub(super) async fn perform(
    target: &Target,
    setting: &Setting,
    trace: &Arc<Trace>,
    directory: &Path,
) -> anyhow::Result<Outcome> {
    let directory = directory.join(target.name().replace(':', "-"));
    std::fs::create_dir_all(&directory)?;
    open_to_all(&directory)?;
    let clock = Clock::new(setting.clock, setting.session_clock);
    let tasks = Tasks::default();
    let world = World {
        names: Arc::new(Names::new(&trace.world, trace.seed)?),
        clock: clock.clone(),
        tests: Arc::new(gate::list_tests(setting.config.as_deref())?),
        tasks: tasks.clone(),
    };
    let mut outcome = match target {
        Target::Gatepost => at_gatepost(setting, trace, &directory, &world).await,
        Target::Exim | Target::Postscreen => {
            at_peer(target, setting, trace, &directory, &world).await
        }
        Target::There(address) => there(*address, setting, trace, &world).await,
    };
    if let (Proxy::None, Ok(outcome)) = (setting.proxy, &mut outcome) {
        let note = "without PROXY headers the server sees other addresses than the scenario has: what depends on lists, \
                    reverse names and SPF says nothing";
        outcome.notes.push(note.to_owned());
    }
    drop(world);
    tasks.finish(Duration::ZERO).await;
    outcome
}

/// Notes of each try whether the backend had to do with its client.
fn reach(performance: &mut Performance, clients: &HashSet<SocketAddr>) {
    let visits = performance.visits.by_client.iter();
    let reached: HashMap<(u32, u32), bool> = visits
        .map(|(client, who)| (*who, clients.contains(client)))
        .collect();
    for ran in &mut performance.ran {
        for (attempt, tried) in (0..).zip(&mut ran.tries) {
            tried.reached = reached.get(&(ran.errand, attempt)).copied();
        }
    }
}

/// The players' side.
fn stage(doors: Doors, setting: &Setting, world: &World) -> anyhow::Result<Stage> {
    let entry = setting.proxy.entry(doors.primary);
    let tls = net::backend::tls_with_anyone()?;
    Ok(Stage::new(doors, entry, world.clock.clone(), tls))
}

fn open_to_all(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}
