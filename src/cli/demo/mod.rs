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

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpListener;

use crate::app::tasks::Tasks;
use crate::app::{self, Running};
use crate::cli::output::{self, Paint};
use crate::facts::RecordData;
use crate::journal::{self, SessionRecord};
use backend::MailStore;
use exim::Exim;
use play::{PLAYS, Play, Spoken};

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
    let folder = tempfile::Builder::new()
        .prefix("gatepost-demo-")
        .tempdir()
        .context("no temporary folder")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(show(arguments, folder.path()))
}

async fn show(arguments: &Arguments, folder: &Path) -> anyhow::Result<ExitCode> {
    let props = Tasks::default();
    let dns = start_dns(&props)
        .await
        .context("the embedded DNS server does not start")?;
    let (backend, exim) = start_backend(arguments, folder, &props).await?;
    let text = configuration(arguments, folder, dns, backend);
    let file = folder.join("gatepost.toml");
    std::fs::write(&file, text)?;
    let snapshot = match output::load(&file) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let gate = app::start(&snapshot).await?;
    let outcome = present(arguments, folder, &gate, exim.as_ref()).await;
    gate.stop(Duration::from_secs(1)).await;
    props.finish(Duration::ZERO).await;
    outcome
}

/// The embedded DNS server with the demo's block list: the test entry of RFC 5782 §5 and one bad client.
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

async fn present(
    arguments: &Arguments,
    folder: &Path,
    gate: &Running,
    exim: Option<&Exim>,
) -> anyhow::Result<ExitCode> {
    let paint = Paint::stdout();
    let address = |listener: &str| {
        gate.addresses_of(listener)
            .next()
            .with_context(|| format!("no listener {listener}"))
    };
    let (starttls, tls, players) = (address("starttls")?, address("tls")?, address("players")?);
    let behind = if exim.is_some() {
        "a real Exim"
    } else {
        "an embedded mail store"
    };
    say(&format!(
        "gatepost stands on {starttls} (STARTTLS) and {tls} (TLS), before {behind}."
    ))?;
    say(&format!(
        "Its DNS server has a block list, {ZONE}, that lists 203.0.113.66. Six clients come:\n"
    ))?;
    let connector = play::connector(&folder.join("state/self-signed.pem"))?;
    let mut as_expected = true;
    for (number, scene) in PLAYS.iter().enumerate() {
        let title = format!("{}  {}, from {}", number + 1, scene.title, scene.client);
        say(&paint.bold(&title))?;
        let seen = journal_ids(folder);
        let spoken = play::play(scene, players, &connector, HOSTNAME).await?;
        for line in &spoken {
            say(&dialogue_line(line, paint))?;
        }
        let record = wait_for_record(folder, &seen).await?;
        as_expected &= judged(scene, &record, exim, paint)?;
    }
    if !as_expected {
        bail!("a session did not go as it should");
    }
    say(&format!(
        "{} as they should: 3 messages arrived, 3 attempts were refused.\n",
        paint.good("All six went")
    ))?;
    if arguments.once {
        return Ok(ExitCode::SUCCESS);
    }
    say("It keeps serving until Ctrl-C. Talk to it, for example:\n")?;
    say(&format!(
        "  swaks --server {starttls} --tls --from you@sender.example --to alice@{DOMAIN}"
    ))?;
    say(&format!(
        "  openssl s_client -quiet -starttls smtp -connect {starttls}"
    ))?;
    say(&format!("  openssl s_client -quiet -crlf -connect {tls}"))?;
    say(&format!(
        "  gatepost explain 203.0.113.66 --config {}/gatepost.toml",
        folder.display()
    ))?;
    let kept = if exim.is_some() {
        "exim/mail/new"
    } else {
        "Maildir/new"
    };
    say(&format!(
        "\nMail is in {0}/{kept}, records are in {0}/journal.",
        folder.display()
    ))?;
    tokio::signal::ctrl_c().await?;
    Ok(ExitCode::SUCCESS)
}

/// Prints what the gate made of a session and says whether it was what was expected.
fn judged(
    scene: &Play,
    record: &SessionRecord,
    exim: Option<&Exim>,
    paint: Paint,
) -> anyhow::Result<bool> {
    let verdict = record
        .decisions
        .iter()
        .map(|decision| &decision.verdict)
        .max_by_key(|verdict| verdict.action);
    let Some(verdict) = verdict else {
        bail!("session {} has no verdict in its record", record.id)
    };
    let delivered = record
        .messages
        .iter()
        .filter(|message| message.accepted())
        .count() as u64;
    let word = match verdict.action.label() {
        label @ "clear" => paint.good(label),
        label => paint.bad(label),
    };
    let exempt = if verdict.exempt {
        " (exempt recipient)"
    } else {
        ""
    };
    say(&format!(
        "  {} {word}{exempt}, {} points, {delivered} delivered",
        paint.bold("verdict"),
        verdict.points
    ))?;
    for finding in &verdict.findings {
        let line = format!(
            "    {:>5}  {:<9} {} {}",
            finding.points, finding.check, finding.reason, finding.evidence
        );
        say(&paint.dim(line.trim_end()))?;
    }
    if let (Some(exim), true) = (exim, delivered > 0) {
        let line = exim
            .arrival(scene.client.into())
            .context("Exim's log does not show the client's address")?;
        say(&format!("    Exim: {line}"))?;
    }
    say("")?;
    let expected = verdict.action.label() == scene.verdict && delivered == scene.delivered;
    if !expected {
        say(&paint.bad(&format!(
            "  expected: {}, {} delivered\n",
            scene.verdict, scene.delivered
        )))?;
    }
    Ok(expected)
}

fn dialogue_line(spoken: &Spoken, paint: Paint) -> String {
    let at = paint.dim(&format!("{:>5.2}s", spoken.at.as_secs_f64()));
    match spoken.by_client {
        true => format!("  {at}  C: {}", spoken.line),
        false => format!("  {at}  {}", paint.dim(&format!("S: {}", spoken.line))),
    }
}

fn journal_ids(folder: &Path) -> Vec<String> {
    records(folder)
        .into_iter()
        .map(|record| record.id)
        .collect()
}

fn records(folder: &Path) -> Vec<SessionRecord> {
    journal::read(&folder.join("journal"))
        .map(Iterator::collect)
        .unwrap_or_default()
}

/// The record of the session that has just been played.
async fn wait_for_record(folder: &Path, seen: &[String]) -> anyhow::Result<SessionRecord> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while tokio::time::Instant::now() < deadline {
        if let Some(record) = records(folder)
            .into_iter()
            .find(|record| !seen.contains(&record.id))
        {
            return Ok(record);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("the session's record was not written")
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}
