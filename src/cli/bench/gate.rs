//! The gate under test: its configuration, made from the user's policies, and its process.
//!
//! Policies, mail data and limits are the user's. Listeners, backends, the resolver and all directories are the run's. What
//! one session waits for is divided by the session clock; what is remembered needs no change, because the process takes
//! each second for many (`gatepost run --pace`).

mod scale;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use toml_edit::DocumentMut;

use super::group::Group;
use super::player::Doors;
use crate::checks::points::Points;
use crate::checks::{Listing, Lists};
use crate::config;
use crate::facts::DnsName;
use crate::measure::trace::World;
use scale::{scale_limits, scale_policies, shown};

/// How long it may take until it listens.
const START: Duration = Duration::from_secs(60);
/// The shortest wait for an answer of the DNS that can be set (`resolver.timeout`).
const LEAST_TIMEOUT: Duration = Duration::from_millis(100);
/// The policy of the secondary.
pub(super) const SECONDARY: &str = "bench-secondary";

/// What a gate is to be.
pub(super) struct Plan<'a> {
    /// The user's configuration.
    pub(super) policies: Option<&'a Path>,
    /// The policy of the primary; that of the secondary inherits it.
    pub(super) policy: &'a str,
    pub(super) hostname: &'a str,
    /// Where its files go.
    pub(super) directory: &'a Path,
    pub(super) dns: SocketAddr,
    /// The backend's port for mail, and that for users.
    pub(super) backend: SocketAddr,
    pub(super) users: Option<SocketAddr>,
    pub(super) clock: u32,
    pub(super) session_clock: u32,
    /// Whether players are named by PROXY headers.
    pub(super) proxied: bool,
}

/// A running gate.
pub(super) struct Gate {
    pub(super) group: Group,
    pub(super) doors: Doors,
    /// What was changed of the user's settings, one a line.
    pub(super) scaled: Vec<String>,
}

impl Gate {
    /// Starts it and waits until it serves.
    pub(super) async fn start(plan: &Plan<'_>) -> anyhow::Result<Self> {
        let doors = Doors {
            primary: free_port()?,
            secondary: Some(free_port()?),
            submission: plan.users.map(|_| free_port()).transpose()?,
        };
        let mut scaled = Vec::new();
        let text = configuration(plan, &doors, free_port()?, &mut scaled)?;
        let file = plan.directory.join("gatepost.toml");
        std::fs::write(&file, text)?;
        config::load(Some(&file), &[]).map_err(|problems| told(&problems))?;
        let log = plan.directory.join("gatepost.log");
        let mut command = Command::new(std::env::current_exe().context("where is gatepost?")?);
        command.args(["run", "--pace", &plan.clock.to_string(), "--config"]);
        command.arg(&file).env_remove("GATEPOST_CONFIG");
        let mut group = Group::start("gatepost", &mut command, &log)?;
        let all = [Some(doors.primary), doors.secondary, doors.submission];
        let has_users = plan.users.is_some();
        // It is not connected to: that would be a session, and stand in its records.
        let stands = async || {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let is_said = |parts: [&str; 2]| {
                said.lines()
                    .any(|line| parts.iter().all(|part| line.contains(part)))
            };
            let listens = |door: &SocketAddr| is_said([" listening ", &format!("address={door} ")]);
            // Before the backend of the users has answered nobody can log in.
            let answers = !has_users || is_said(["backend answers", "backend=users"]);
            answers && all.iter().flatten().all(listens)
        };
        group.wait(START, &log, stands).await?;
        Ok(Self {
            group,
            doors,
            scaled,
        })
    }
}

/// What a policy asks lists of addresses for: another server is compared with the same.
pub(super) struct Asks {
    /// The lists.
    pub(super) listings: Vec<Listing>,
    /// From which total on a client is denied.
    pub(super) deny_points: Points,
}

impl Asks {
    /// Those of the policy.
    pub(super) fn of(policies: Option<&Path>, policy: &str) -> anyhow::Result<Self> {
        let snapshot = snapshot(policies)?;
        let policy = snapshot
            .policies
            .get(policy)
            .with_context(|| format!("no policy {policy:?}"))?;
        let listings = policy.checks.iter().flat_map(|check| check.listings());
        Ok(Self {
            listings: listings.collect(),
            deny_points: policy.deny_points,
        })
    }

    /// As far as the traffic's world has the lists.
    pub(super) fn within(mut self, world: &World) -> Self {
        let is_there = |listing: &Listing| {
            let mut lists = world.lists.iter();
            lists.any(|list| list.zone == listing.zone.asked())
        };
        self.listings.retain(is_there);
        self
    }
}

/// The names with which a gate of these policies tests its lists (RFC 5782 §5): they are no questions about a client.
pub(super) fn list_tests(policies: Option<&Path>) -> anyhow::Result<HashSet<String>> {
    let snapshot = snapshot(policies)?;
    let checks = snapshot.policies.values().flat_map(|policy| &policy.checks);
    let entries = |(zone, lists): (DnsName, Lists)| {
        let entries = match lists {
            Lists::Addresses => ["1.0.0.127", "2.0.0.127"],
            Lists::Names => ["invalid", "test"],
        };
        let zone = zone.asked().trim_end_matches('.').to_ascii_lowercase();
        entries.map(|entry| format!("{entry}.{zone}"))
    };
    Ok(checks
        .flat_map(|check| check.zones())
        .flat_map(entries)
        .collect())
}

/// The policies that are tested, with no server around them.
fn snapshot(policies: Option<&Path>) -> anyhow::Result<config::Snapshot> {
    let mut document = users_own(policies)?;
    scale_policies(&mut document, 1, &mut Vec::new());
    let any = "hostname = \"mx.bench.example\"\n[listen.any]\naddress = [\"127.0.0.1:25\"]\nbackend = \"any\"\n\
               [backend.any]\naddress = [\"127.0.0.1:26\"]\n";
    let text = any.to_owned() + &document.to_string();
    let layers = config::Layers {
        file: Some((policies.unwrap_or(Path::new("gatepost.toml")), &text)),
        ..config::Layers::default()
    };
    config::from_layers(&layers).map_err(|problems| told(&problems))
}

fn told(problems: &[config::Problem]) -> anyhow::Error {
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("the gate can not be configured so: {}", problems.join("; "))
}

/// A port of 127.0.0.1 that nobody uses at this moment.
pub(super) fn free_port() -> std::io::Result<SocketAddr> {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn configuration(
    plan: &Plan<'_>,
    doors: &Doors,
    watch: SocketAddr,
    scaled: &mut Vec<String>,
) -> anyhow::Result<String> {
    let mut document = users_own(plan.policies)?;
    scale_limits(
        &mut document,
        plan.clock / plan.session_clock.max(1),
        scaled,
    );
    scale_policies(&mut document, plan.session_clock, scaled);
    let timeout = Duration::from_secs(3) / plan.session_clock.max(1);
    let timeout = timeout.max(LEAST_TIMEOUT);
    scaled.push(format!("resolver.timeout = 3s is {}", shown(timeout)));
    let Plan {
        hostname,
        directory,
        dns,
        backend,
        ..
    } = plan;
    let (directory, timeout) = (directory.display(), shown(timeout));
    let users = plan.users.map(|users| format!(
        "\n[backend.users]\naddress = [\"{users}\"]\nsource_address = \"127.0.0.2\"\nloopback_clients = true\nmax_connections = 100\n"
    ));
    let listener = |name: &str, door: Option<SocketAddr>, more: &str| {
        door.map_or_else(String::new, |door| {
            format!("\n[listen.{name}]\naddress = [\"{door}\"]\n{more}")
        })
    };
    let proxied = match plan.proxied {
        true => "proxy_protocol_from = [\"127.0.0.0/8\"]\n",
        false => "",
    };
    let mail = |policy: &str| {
        format!("tls = \"starttls\"\npolicy = \"{policy}\"\nbackend = \"mail\"\n{proxied}")
    };
    let own = [
        format!("hostname = \"{hostname}\"\nuser = \"root\"\n"),
        listener("primary", Some(doors.primary), &mail(plan.policy)),
        listener("secondary", doors.secondary, &mail(SECONDARY)),
        listener(
            "submission",
            doors.submission,
            &format!(
                "tls = \"implicit\"\nrole = \"submission\"\npolicy = \"{}\"\nbackend = \"users\"\n{proxied}",
                plan.policy
            ),
        ),
        // Who looks whether the primary is up sends no PROXY header.
        listener("watch", Some(watch), "tls = \"none\"\nbackend = \"mail\"\n"),
        format!(
            "\n[backend.mail]\naddress = [\"{backend}\"]\nsource_address = \"127.0.0.2\"\nloopback_clients = true\n"
        ),
        users.unwrap_or_default(),
        format!(
            "\n[policy.{SECONDARY}]\ninherit = \"{}\"\nshield = \"when-primary-down\"\nprimary = [\"{watch}\"]\n",
            plan.policy
        ),
        format!("\n[resolver]\nservers = [\"{dns}\"]\ntimeout = \"{timeout}\"\n"),
        format!("\n[store]\ndirectory = \"{directory}/state\"\n"),
        format!(
            "\n[journal]\ndirectory = \"{directory}/journal\"\nmax_size = \"100GiB\"\nmax_age = \"3650d\"\n"
        ),
        "\n[log]\nlevel = \"info\"\n\n".to_owned(),
    ];
    Ok(own.concat() + &document.to_string())
}

/// The sections of the user's file that are tested.
fn users_own(file: Option<&Path>) -> anyhow::Result<DocumentMut> {
    let mut document = DocumentMut::new();
    let Some(file) = file else {
        return Ok(document);
    };
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut theirs: DocumentMut = text.parse().with_context(|| file.display().to_string())?;
    for section in ["policy", "mail_data", "limits"] {
        if let Some(item) = theirs.remove(section) {
            document.insert(section, item);
        }
    }
    Ok(document)
}

#[cfg(test)]
mod tests;
