//! `gatepost doctor`: is the mail of these domains in good health? Seen from here, as any sender sees it.

mod show;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use indicatif::{ProgressBar, ProgressStyle};

use crate::app::doctor::{Errands, Site};
use crate::app::tasks::Tasks;
use crate::app::{self, upstreams, zones};
use crate::cli::output::{self, Paint, Usage};
use crate::config::{self, Detour, Doctor, Snapshot};
use crate::doctor::{ALL, Chosen, Outcome, Parcel, Report, examine};
use crate::gather::Gather;
use crate::smtp::domain::Domain;

/// The configuration that is read if none is named.
const CONFIG: &str = "/etc/gatepost/gatepost.toml";
/// What stands in the place of a configuration where there is none.
const NO_CONFIG: [(&str, &str); 3] = [
    ("listen.none.address", "127.0.0.1:25"),
    ("listen.none.backend", "none"),
    ("backend.none.address", "127.0.0.1:9"),
];

/// Arguments of `gatepost doctor`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = probes())]
pub(in crate::cli) struct Arguments {
    /// The domains; by default those of [doctor] in the configuration
    #[arg(value_name = "DOMAIN")]
    domains: Vec<String>,
    /// An address that mail of the domains leaves from; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    outgoing: Vec<IpAddr>,
    /// A DKIM selector of the domains; may be given several times
    #[arg(long, value_name = "NAME")]
    selector: Vec<String>,
    /// A probe to leave out; may be given several times
    #[arg(long, value_name = "PROBE", value_parser = known)]
    without: Vec<String>,
    /// Send a message through each backup MX and wait for its arrival; to postmaster@ the domain, or to RECIPIENT. Without
    /// this nothing is sent
    #[arg(long, value_name = "RECIPIENT", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    send: Option<String>,
    /// The Maildir in which the message is looked for; else it is looked for in the records of this gatepost
    #[arg(long, value_name = "DIRECTORY", requires = "send")]
    maildir: Option<PathBuf>,
    /// How long its arrival is waited for, at most 5m
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = arrival, requires = "send")]
    wait: Duration,
    /// The longest wait for a connection, a greeting or a reply; by default that of [doctor], 30s
    #[arg(long, value_name = "TIME", value_parser = patience)]
    timeout: Option<Duration>,
    /// Connect to the second address where the first is meant, such as 203.0.113.5:25=10.0.0.5:25; may be given several times
    #[arg(long, value_name = "ADDRESS=ADDRESS")]
    reach: Vec<Detour>,
    /// PEM file with the certificates of those who vouch for others; by default the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Show everything that is good as well, not only a line for each probe
    #[arg(long)]
    all: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// The configuration file; by default /etc/gatepost/gatepost.toml, if it is there
    #[arg(long, value_name = "FILE", env = "GATEPOST_CONFIG")]
    config: Option<PathBuf>,
}

/// The probes, as they stand in the manual.
fn probes() -> String {
    let one = |kind: &crate::doctor::Kind| {
        let text = format!("{} ({}).", kind.summary, kind.standard);
        format!(
            "  {}\n      {}",
            kind.name,
            show::wrapped(&text, 78).join("\n      ")
        )
    };
    let all: Vec<String> = ALL.iter().map(one).collect();
    format!("Probes:\n{}", all.join("\n"))
}

/// As `[doctor] timeout` takes it.
fn patience(text: &str) -> Result<Duration, String> {
    let patience = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let range = Duration::from_secs(1)..=Duration::from_secs(300);
    match range.contains(&patience) {
        true => Ok(patience),
        false => Err("write 1s to 5m".to_owned()),
    }
}

/// A probe has to end in time: [`crate::doctor::PROBE`].
fn arrival(text: &str) -> Result<Duration, String> {
    let wait = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match wait <= Duration::from_secs(300) {
        true => Ok(wait),
        false => Err("write at most 5m".to_owned()),
    }
}

fn known(name: &str) -> Result<String, String> {
    match ALL.iter().any(|kind| kind.name == name) {
        true => Ok(name.to_owned()),
        false => {
            let names: Vec<&str> = ALL.iter().map(|kind| kind.name).collect();
            Err(format!("there are {}", names.join(", ")))
        }
    }
}

/// Probes; exit code 1 with a fault, 0 without.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (snapshot, is_ours) = match load(arguments.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let plan = Plan::new(arguments, &snapshot, is_ours)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let reports = runtime.block_on(plan.carry_out())?;
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => show::json(&mut out, &reports)?,
        false => show::reports(&mut out, &reports, arguments.all, Paint::stdout())?,
    }
    let is_faulty = reports
        .iter()
        .any(|report| report.outcome == Outcome::Fault);
    Ok(ExitCode::from(u8::from(is_faulty)))
}

/// The configuration, and whether there is one.
fn load(file: Option<&Path>) -> Result<(Snapshot, bool), ExitCode> {
    let file = file.or_else(|| Some(Path::new(CONFIG)).filter(|file| file.exists()));
    if let Some(file) = file {
        return Ok((output::load(file)?, true));
    }
    let arguments = NO_CONFIG.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let snapshot = config::load(None, &arguments).map_err(|problems| {
        for problem in &problems {
            output::complain(&problem.to_string());
        }
        ExitCode::from(1)
    });
    Ok((snapshot?, false))
}

/// What is to be done.
struct Plan<'p> {
    snapshot: &'p Snapshot,
    /// Each domain, and whether it is our own.
    domains: Vec<(String, bool)>,
    arguments: &'p Arguments,
    parcel: Option<Parcel>,
}

impl<'p> Plan<'p> {
    fn new(
        arguments: &'p Arguments,
        snapshot: &'p Snapshot,
        is_ours: bool,
    ) -> anyhow::Result<Self> {
        let own = &snapshot.config.doctor.domains;
        let named: Vec<String> = match arguments.domains.is_empty() {
            true => own.clone(),
            false => arguments
                .domains
                .iter()
                .map(|name| ascii(name))
                .collect::<Result<_, _>>()?,
        };
        if named.is_empty() {
            let usage = "no domain: name one, or write domains = [\"...\"] under [doctor] in the configuration";
            return Err(Usage(usage.to_owned()).into());
        }
        let is_own =
            |name: &String| is_ours && own.iter().any(|own| own.eq_ignore_ascii_case(name));
        let domains = named.into_iter().map(|name| {
            let own = is_own(&name);
            (name, own)
        });
        Ok(Self {
            snapshot,
            domains: domains.collect(),
            arguments,
            parcel: parcel(arguments, is_ours && snapshot.config.journal.enabled)?,
        })
    }

    async fn carry_out(&self) -> anyhow::Result<Vec<Report>> {
        let gather = Gather::new(
            &app::gather_settings(&self.snapshot.config.resolver),
            Tasks::default().spawner(),
        )?;
        gather.watch_zones(zones::watched(self.snapshot)).await;
        gather.test_zones().await;
        let site = Site::new(self.snapshot);
        // This machine is one, however many of the domains are our own: it is looked at with the first of them.
        let first = self.domains.iter().position(|(_, own)| *own);
        let domains = self.domains.iter().enumerate();
        let chosen: Vec<(&String, Doctor, Chosen)> = domains
            .map(|(index, (domain, own))| {
                let (doctor, without) = self.section(*own);
                let machine = first == Some(index);
                (domain, doctor, Chosen { without, machine })
            })
            .collect();
        let probes = chosen
            .iter()
            .map(|(_, _, chosen)| chosen.probes().count())
            .sum::<usize>();
        let progress = progress(probes);
        let mut reports = Vec::new();
        for (domain, doctor, chosen) in chosen {
            let errands = self.errands(&doctor, chosen.machine)?;
            let world = site.world(&gather, &doctor, self.parcel.clone(), errands)?;
            progress.set_prefix(domain.clone());
            let done = |probe: &'static str| {
                progress.set_message(probe);
                progress.inc(1);
            };
            reports.push(examine(&world, domain, &chosen, &done).await);
        }
        progress.finish_and_clear();
        Ok(reports)
    }

    /// The section, and which probes are left out. What it says holds for our own domains, what the arguments say for all.
    fn section(&self, own: bool) -> (Doctor, Vec<String>) {
        let Arguments {
            outgoing,
            selector,
            without,
            timeout,
            reach,
            ca,
            ..
        } = self.arguments;
        let mut doctor = self.snapshot.config.doctor.clone();
        if !own {
            doctor.outgoing.clear();
            doctor.selectors.clear();
            doctor.without.clear();
        }
        doctor.outgoing.extend(outgoing);
        doctor.selectors.extend(selector.iter().cloned());
        doctor.without.extend(without.iter().cloned());
        doctor.timeout = timeout.unwrap_or(doctor.timeout);
        doctor.reach.extend(reach);
        doctor.ca = ca.clone().or(doctor.ca);
        let without = doctor.without.clone();
        (doctor, without)
    }

    /// Backends are asked where this machine is looked at.
    fn errands(&self, doctor: &Doctor, machine: bool) -> anyhow::Result<Errands> {
        let upstreams = match machine {
            true => upstreams::all(self.snapshot, &BTreeMap::new()),
            false => Ok(BTreeMap::new()),
        };
        let upstreams = upstreams.map_err(|problem| anyhow!("{problem}"))?;
        let errands = Errands::new(upstreams.into_values().collect(), doctor.exim.clone());
        let journal = &self.snapshot.config.journal;
        let journal = journal.enabled.then(|| journal.directory.clone());
        Ok(errands.looking_in(self.arguments.maildir.clone(), journal))
    }
}

/// The domain in A-labels.
fn ascii(name: &str) -> anyhow::Result<String> {
    let ascii = idna::domain_to_ascii(name.trim_end_matches('.')).ok();
    let ascii = ascii.filter(|name| Domain::is_one(name, false));
    ascii.ok_or_else(|| {
        Usage(format!(
            "{name:?} is no domain; write one such as example.com"
        ))
        .into()
    })
}

/// What `--send` sends; `recorded`: whether there are records of who has come to this gatepost.
fn parcel(arguments: &Arguments, recorded: bool) -> anyhow::Result<Option<Parcel>> {
    let Some(recipient) = &arguments.send else {
        return Ok(None);
    };
    if arguments.maildir.is_none() && !recorded {
        let usage = "--send: nobody could see the message arrive; name a Maildir with --maildir, or the \
                     configuration of the gatepost that it comes to";
        return Err(Usage(usage.to_owned()).into());
    }
    let mut octets = [0; 8];
    aws_lc_rs::rand::fill(&mut octets)
        .ok()
        .context("no randomness")?;
    Ok(Some(Parcel {
        recipient: Some(recipient.clone()).filter(|recipient| !recipient.is_empty()),
        token: format!("{:016x}x", u64::from_be_bytes(octets)),
        wait: arguments.wait,
    }))
}

/// A line on a terminal; nothing elsewhere.
fn progress(probes: usize) -> ProgressBar {
    let progress = ProgressBar::new(probes as u64);
    let style =
        ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} probes, {elapsed} {msg}");
    if let Ok(style) = style {
        progress.set_style(style);
    }
    progress.enable_steady_tick(Duration::from_millis(200));
    progress
}
