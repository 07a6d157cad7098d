//! `gatepost demo`: the whole gate on this machine, with everything it needs brought along.
//!
//! An embedded DNS server with a small block list, an embedded mail store (or a real Exim with `--exim`), gatepost
//! itself on 127.0.0.1:2525 (STARTTLS) and 127.0.0.1:4465 (TLS), and six short sessions over real sockets, each shown
//! with its verdict and points. Afterwards it keeps serving, unless `--once`. Everything it writes is in one temporary
//! folder that goes when it ends.

pub mod backend;
pub mod dns;
mod exim;
mod play;
mod present;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::tasks::Tasks;
use crate::app::{self, Running, StartProblem};
use crate::cli::output;
use crate::facts::RecordData;
use backend::MailStore;
use exim::Exim;
use present::Doors;

/// The name of the demo's gate, in its greeting and certificate.
const HOSTNAME: &str = "mx.demo.example";
/// The domain its mail store takes.
const DOMAIN: &str = "demo.example";
/// The zone of its block list.
const ZONE: &str = "bl.demo.example";

/// Arguments of `gatepost demo`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// End after the sessions instead of serving on
    #[arg(long)]
    once: bool,
    /// Put a real Exim, found on this machine, in the mail store's place
    #[arg(long)]
    exim: bool,
    /// The port with STARTTLS; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = 2525)]
    port: u16,
    /// The port with TLS from the start; 0 for any free one
    #[arg(long, value_name = "PORT", default_value_t = 4465)]
    tls_port: u16,
}

/// Shows the gate.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.port == arguments.tls_port && arguments.port != 0 {
        bail!(
            "--port and --tls-port are both {}; choose two",
            arguments.port
        );
    }
    let folder = tempfile::Builder::new()
        .prefix("gatepost-demo-")
        .tempdir()
        .context("no temporary folder")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(show(arguments, folder.path()))?;
    Ok(ExitCode::SUCCESS)
}

/// However it ends, it gets to its end, so that the folder goes.
async fn show(arguments: &Arguments, folder: &Path) -> anyhow::Result<()> {
    let mut signals = EndSignals::listen()?;
    let props = Tasks::default();
    let (gate, exim) = tokio::select! {
        stands = set_up(arguments, folder, &props) => stands?,
        () = signals.received() => bail!("ended before it began"),
    };
    let outcome = tokio::select! {
        outcome = present(arguments, folder, &gate, exim.as_ref()) => outcome,
        () = signals.received() => Err(anyhow!("ended before all sessions were played")),
    };
    let outcome = match outcome {
        Ok(()) if !arguments.once => tokio::select! {
            outcome = present::visitors(folder, &gate) => outcome,
            () = signals.received() => Ok(()),
        },
        outcome => outcome,
    };
    gate.stop(Duration::from_secs(1)).await;
    props.finish(Duration::ZERO).await;
    outcome
}

/// The gate and everything it needs, serving.
async fn set_up(
    arguments: &Arguments,
    folder: &Path,
    props: &Tasks,
) -> anyhow::Result<(Running, Option<Exim>)> {
    let dns = start_dns(props)
        .await
        .context("the embedded DNS server does not start")?;
    let (backend, exim) = start_backend(arguments, folder, props).await?;
    let text = configuration(arguments, folder, dns, backend);
    let file = folder.join("gatepost.toml");
    std::fs::write(&file, text)?;
    let Ok(snapshot) = output::load(&file) else {
        bail!("the demo's own configuration is wrong");
    };
    let gate = app::start(&snapshot).await.map_err(in_demo_words)?;
    Ok((gate, exim))
}

/// A port that can not be had is chosen with an option here, and not in a configuration.
fn in_demo_words(problem: StartProblem) -> anyhow::Error {
    match problem {
        StartProblem::Bind { problem, told } => {
            let option = match told.key.as_str() {
                "listen.tls.address" => "--tls-port",
                _ => "--port",
            };
            anyhow!("{problem}; choose another port with {option}, or {option} 0 for any free one")
        }
        other => other.into(),
    }
}

async fn present(
    arguments: &Arguments,
    folder: &Path,
    gate: &Running,
    exim: Option<&Exim>,
) -> anyhow::Result<()> {
    let address = |listener: &str| {
        gate.addresses_of(listener)
            .next()
            .with_context(|| format!("no listener {listener}"))
    };
    let doors = Doors {
        starttls: address("starttls")?,
        tls: address("tls")?,
        players: address("players")?,
    };
    present::plays(folder, &doors, exim).await?;
    if !arguments.once {
        present::hints(folder, &doors, exim)?;
    }
    Ok(())
}

/// The signals that end it: Ctrl-C, a terminal that is closed, and SIGTERM.
pub(in crate::cli) struct EndSignals([Signal; 3]);

impl EndSignals {
    pub(in crate::cli) fn listen() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::terminate())?,
        ]))
    }

    pub(in crate::cli) async fn received(&mut self) {
        let [interrupt, hangup, terminate] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Who comes to the demo: the address, its name, and the domain of its senders.
const NAMES: [([u8; 4], &str, &str); 4] = [
    ([192, 0, 2, 10], "mail.sender.example", "sender.example"),
    ([198, 51, 100, 7], "one.bot.example", "bot.example"),
    ([198, 51, 100, 8], "bot.example", "bot.example"),
    ([203, 0, 113, 66], "mail.bulk.example", "bulk.example"),
];

/// The embedded DNS server with the demo's block list: the test entry of RFC 5782 §5 and one bad client. The players have
/// proper names, so that each is judged for what it does.
async fn start_dns(props: &Tasks) -> anyhow::Result<SocketAddr> {
    let mut zone = dns::Zone::new();
    for (name, text) in [
        ("2.0.0.127", "test entry"),
        ("66.113.0.203", "sends bulk mail nobody asked for"),
    ] {
        let name = format!("{name}.{ZONE}");
        zone.add(&name, 300, &RecordData::A(Ipv4Addr::new(127, 0, 0, 2)))?;
        zone.add(&name, 300, &RecordData::Txt(text.into()))?;
    }
    for ([a, b, c, d], name, domain) in NAMES {
        let reversed = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
        zone.add(&reversed, 300, &RecordData::Ptr(name.into()))?;
        zone.add(name, 300, &RecordData::A(Ipv4Addr::new(a, b, c, d)))?;
        zone.add(domain, 300, &RecordData::Mx(10, name.into()))?;
    }
    let server = dns::Server::bind_loopback(zone).await?;
    let address = server.control().address();
    props.spawn(server.serve());
    Ok(address)
}

/// A real Exim or the mail store, listening.
async fn start_backend(
    arguments: &Arguments,
    folder: &Path,
    props: &Tasks,
) -> anyhow::Result<(SocketAddr, Option<Exim>)> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = socket.local_addr()?;
    if arguments.exim {
        drop(socket);
        // Exim gives up root and then must still reach its folders.
        open_to_all(folder)?;
        return Ok((address, Some(Exim::start(address, DOMAIN, folder).await?)));
    }
    let store = MailStore::new(DOMAIN, &folder.join("Maildir"))?;
    props.spawn(store.serve(socket, props.clone()));
    Ok((address, None))
}

fn open_to_all(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

/// The demo's configuration: what an administrator would write, and one more door for the players.
fn configuration(
    arguments: &Arguments,
    folder: &Path,
    dns: SocketAddr,
    backend: SocketAddr,
) -> String {
    let Arguments { port, tls_port, .. } = arguments;
    let folder = folder.display();
    format!(
        r#"hostname = "{HOSTNAME}"

[listen.starttls]
address = ["127.0.0.1:{port}"]
tls = "starttls"
backend = "store"

[listen.tls]
address = ["127.0.0.1:{tls_port}"]
tls = "implicit"
backend = "store"

[listen.players]
address = ["127.0.0.1:0"]
tls = "starttls"
backend = "store"
proxy_protocol_from = ["127.0.0.1"]

[backend.store]
address = ["{backend}"]
client_address = "proxy-v2"
source_address = "127.0.0.2"
loopback_clients = true

[resolver]
servers = ["{dns}"]

[policy.default]
greet_wait = "1s"

[policy.default.checks.dnsbl]
zones = [{{ zone = "{ZONE}", answers = "127.0.0.[2..11]", points = 5 }}]

[store]
directory = "{folder}/state"

[journal]
directory = "{folder}/journal"
"#
    )
}
