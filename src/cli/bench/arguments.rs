//! What `gatepost bench` is told: its arguments, the servers they name, and how a trace is played at them.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use super::player::Entry;
use super::result::Limits;
use super::target::Target;
use super::{exim, postscreen};
use crate::cli::output::Usage;
use crate::net::proxy_header::Version;

/// Clients of a run where none are named: some three minutes on two processors.
const ERRANDS: u32 = 5000;

/// Clock and session clock where none are named: of servers that are started here and count milliseconds,
const CLOCKS: [u32; 2] = [600, 20];
/// where one of them counts whole seconds,
const WITH_POSTSCREEN: [u32; 2] = [240, postscreen::FASTEST];
/// and where one stands already, whose waits are as long as they are.
const WITH_OTHERS: [u32; 2] = [60, 1];

/// Arguments of `gatepost bench`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Start a gatepost, a mail server behind it and a DNS server, and play at these; what is done if no target is named
    #[arg(long = "self", conflicts_with_all = ["target", "compare"])]
    pub(super) own: bool,
    /// Play at a server that stands already
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "compare")]
    pub(super) target: Option<String>,
    /// Play the same traffic at several servers, one after the other: gatepost, exim, postscreen, HOST:PORT
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(super) compare: Vec<String>,
    /// What traffic: 2008, 2016, 2026, or a scenario file
    #[arg(long, value_name = "SCENARIO", default_value = "2026")]
    pub(super) scenario: String,
    /// How many clients come to port 25; users and special cases come on top
    #[arg(long, value_name = "N", default_value_t = ERRANDS, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) errands: u32,
    /// The same seed makes the same traffic
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Write the traffic as it was made, with its labels, as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) trace_out: Option<PathBuf>,
    /// Play traffic that --trace-out has written, instead of making some
    #[arg(long, value_name = "FILE", conflicts_with_all = ["scenario", "errands", "seed", "trace_out"])]
    pub(super) trace: Option<PathBuf>,
    /// How many virtual seconds pass in a second; default: 600, with postscreen 240, with a server that stands already 60
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(super) clock: Option<u32>,
    /// How many times as fast clients and servers wait within a session; default: 20, with postscreen 3, which is its most,
    /// with a server that stands already, whose waits stay as they are, 1
    #[arg(long, value_name = "TIMES", value_parser = clap::value_parser!(u32).range(1..=30))]
    pub(super) session_clock: Option<u32>,
    /// Make no more tries when so much virtual time has passed since the last client came for the first time
    #[arg(long, value_name = "TIME", default_value = "4h", value_parser = humantime::parse_duration)]
    pub(super) after: Duration,
    /// The configuration whose policies, limits and mail data settings are tested; default: the defaults
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The policy of that configuration that is tested
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(super) policy: String,
    /// What stands behind gatepost: a real Exim, as root where there is one, or an embedded mail store, to which users can
    /// not log in
    #[arg(
        long,
        value_enum,
        value_name = "exim|store",
        hide_possible_values = true
    )]
    pub(super) backend: Option<BackendKind>,
    /// How the server is told the clients' addresses; "none": each is another address of 127.0.0.0/8
    #[arg(long, value_enum, value_name = "v1|v2|none", hide_possible_values = true, default_value_t = Proxy::V2)]
    pub(super) proxy: Proxy,
    /// With --target: where to serve the scenario's DNS, for the server to ask
    #[arg(long, value_name = "ADDRESS:PORT", requires = "target")]
    pub(super) dns: Option<SocketAddr>,
    /// With --compare postscreen: the folder into which Debian's package of Postfix was unpacked, where it is not installed
    #[arg(long, value_name = "FOLDER", requires = "compare")]
    pub(super) postfix: Option<PathBuf>,
    #[command(flatten)]
    pub(super) limits: Limits,
    /// Write JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Write a page with plots into this file, too
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Keep configurations, logs, records and mail of the run in this new folder
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
}

/// What stands behind the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum BackendKind {
    /// A real Exim.
    Exim,
    /// An embedded mail store.
    Store,
}

/// How the server is told who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Proxy {
    /// PROXY protocol version 1.
    V1,
    /// PROXY protocol version 2.
    V2,
    /// By the source address alone.
    None,
}

impl Proxy {
    /// How it is with a server at `door`.
    pub(super) const fn entry(self, door: SocketAddr) -> Entry {
        match self {
            Self::V1 => Entry::Proxy(Version::V1),
            Self::V2 => Entry::Proxy(Version::V2),
            Self::None if door.is_ipv4() && door.ip().is_loopback() => Entry::Loopback,
            Self::None => Entry::Same,
        }
    }
}

/// How a trace is played, the same at every target.
pub(super) struct Setting {
    pub(super) clock: u32,
    pub(super) session_clock: u32,
    pub(super) after: Duration,
    pub(super) config: Option<PathBuf>,
    pub(super) policy: String,
    pub(super) backend: BackendKind,
    pub(super) proxy: Proxy,
    pub(super) dns: Option<SocketAddr>,
    pub(super) postfix: Option<PathBuf>,
}

/// The servers that are named.
pub(super) fn targets(arguments: &Arguments) -> anyhow::Result<Vec<Target>> {
    if let Some(target) = &arguments.target {
        return Ok(vec![there(target)?]);
    }
    let named = arguments.compare.iter().map(|name| match name.trim() {
        "gatepost" => Ok(Target::Gatepost),
        "exim" => Ok(Target::Exim),
        "postscreen" => Ok(Target::Postscreen),
        other => there(other),
    });
    let named = named.collect::<anyhow::Result<Vec<_>>>()?;
    let mut rest = named.as_slice();
    while let [one, others @ ..] = rest {
        if others.contains(one) {
            let twice = format!("--compare names {} twice", one.name());
            return Err(Usage(twice).into());
        }
        rest = others;
    }
    Ok(match named.is_empty() {
        true => vec![Target::Gatepost],
        false => named,
    })
}

fn there(name: &str) -> anyhow::Result<Target> {
    let wrong = || {
        Usage(format!(
            "no server {name:?}; write gatepost, exim, postscreen, or an address with its port, such as 127.0.0.1:25"
        ))
    };
    let mut addresses = name.to_socket_addrs().map_err(|_| wrong())?;
    Ok(Target::There(addresses.next().ok_or_else(wrong)?))
}

/// How everything is played at these servers.
pub(super) fn setting(arguments: &Arguments, targets: &[Target]) -> anyhow::Result<Setting> {
    let [clock, session_clock] = clocks(arguments, targets)?;
    // Exim lets nobody but root start it as a server.
    let is_root = nix::unistd::Uid::effective().is_root();
    let present = match exim::program().filter(|_| is_root) {
        Some(_) => BackendKind::Exim,
        None => BackendKind::Store,
    };
    Ok(Setting {
        clock,
        session_clock,
        after: arguments.after,
        config: arguments.config.clone(),
        policy: arguments.policy.clone(),
        backend: arguments.backend.unwrap_or(present),
        proxy: arguments.proxy,
        dns: arguments.dns,
        postfix: arguments.postfix.clone(),
    })
}

/// Clock and session clock: what is named, else what the servers can keep.
fn clocks(arguments: &Arguments, targets: &[Target]) -> anyhow::Result<[u32; 2]> {
    let has_postscreen = targets.contains(&Target::Postscreen);
    let has_other = targets
        .iter()
        .any(|target| matches!(target, Target::There(_)));
    let [clock, session_clock] = match (has_other, has_postscreen) {
        (true, _) => WITH_OTHERS,
        (false, true) => WITH_POSTSCREEN,
        (false, false) => CLOCKS,
    };
    let session_clock = arguments.session_clock.unwrap_or(session_clock);
    if has_postscreen && session_clock > postscreen::FASTEST {
        let most = postscreen::FASTEST;
        let wrong = format!(
            "--session-clock {session_clock} is too fast for postscreen, which counts whole seconds; write {most} or less"
        );
        return Err(Usage(wrong).into());
    }
    Ok([arguments.clock.unwrap_or(clock), session_clock])
}
