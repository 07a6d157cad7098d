//! `[doctor]`: whose mail is looked at from time to time, and what must be known for it. The probes are in `doctor`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::place::key;
use crate::config::report::Report;
use crate::config::units::{self, Text};
use crate::smtp::domain::Domain;

/// The most domains, selectors or addresses: each is a label of a metric, or a question.
const MOST: usize = 100;

/// Looking after the mail of one's own domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Doctor {
    /// Whose mail is looked at.
    pub domains: Vec<String>,
    /// How often; zero: never.
    #[serde(with = "units::text")]
    pub every: Duration,
    /// The addresses that mail of these domains leaves from.
    #[serde(with = "units::list")]
    pub outgoing: Vec<IpAddr>,
    /// DKIM selectors of these domains (RFC 6376 §3.1).
    pub selectors: Vec<String>,
    /// Names of probes that are left out.
    pub without: Vec<String>,
    /// The longest wait for a connection, a greeting or a reply.
    #[serde(with = "units::text")]
    pub timeout: Duration,
    /// Connections that are made elsewhere.
    #[serde(with = "units::list")]
    pub reach: Vec<Detour>,
    /// PEM: who vouches for certificates; `None`: the system's roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// The command that tells Exim's settings.
    pub exim: Vec<String>,
}

impl Default for Doctor {
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            every: Duration::from_secs(6 * 60 * 60),
            outgoing: Vec::new(),
            selectors: Vec::new(),
            without: Vec::new(),
            timeout: Duration::from_secs(30),
            reach: Vec::new(),
            ca: None,
            exim: vec!["/usr/sbin/exim4".to_owned()],
        }
    }
}

/// A connection to one address and port that is made to another: from inside a network its public address may lead
/// nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detour {
    /// Where others connect to.
    pub to: SocketAddr,
    /// Where it is reached from here.
    pub by: SocketAddr,
}

impl FromStr for Detour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(text)
    }
}

impl Text for Detour {
    const EXPECTED: &'static str =
        "two addresses with ports, such as \"203.0.113.5:25=10.0.0.5:25\"";

    fn read(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=');
        let parsed = parts.and_then(|(to, by)| {
            let (to, by) = (to.trim().parse().ok()?, by.trim().parse().ok()?);
            Some(Self { to, by })
        });
        parsed.ok_or_else(|| {
            let found = crate::config::found::quoted(text);
            format!("{found} is no detour; write {}", Self::EXPECTED)
        })
    }

    fn text(&self) -> String {
        format!("{}={}", self.to, self.by)
    }
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[doctor]
# The domains whose mail is looked at while gatepost runs, with all probes of `gatepost doctor` (docs/doctor.md), such as
# ["example.com"]. What is found stands in `gatepost status`, on the status page and in the metrics; the log has a line when
# an outcome changes.
domains = []
# How often: from "5m" on; "0s" for never.
every = "6h"
# The addresses that mail of these domains leaves from: they should have a name and be in the SPF record and in no list.
outgoing = []
# The DKIM selectors of these domains, such as ["mail2026"].
selectors = []
# Probes that are left out, such as ["mta_sts", "tls_rpt"].
without = []
# The longest wait for a connection, a greeting or a reply.
timeout = "30s"
# Connections that are made elsewhere, for a machine that cannot reach its own public address:
# ["203.0.113.5:25=10.0.0.5:25"].
reach = []
# Who vouches for certificates, PEM. Default: the system's roots.
# ca = "/etc/ssl/certs/ca-certificates.crt"
# The command that tells Exim's settings ("-bP" and names are put behind it); [] where there is no Exim.
exim = ["/usr/sbin/exim4"]
"#;

/// Judges the section.
pub(in crate::config) fn check(doctor: &Doctor, report: &mut Report<'_>) {
    let at = |part: &str| key(&["doctor", part]);
    let lengths = [
        ("domains", doctor.domains.len()),
        ("outgoing", doctor.outgoing.len()),
        ("selectors", doctor.selectors.len()),
        ("reach", doctor.reach.len()),
    ];
    for (part, length) in lengths {
        if length > MOST {
            let found = format!("{length} are too many");
            report.complain(&at(part), found, format!("write at most {MOST}"));
        }
    }
    let lists = [
        (
            "domains",
            &doctor.domains,
            "write one in ASCII, such as \"example.com\"",
        ),
        (
            "selectors",
            &doctor.selectors,
            "write one such as \"mail2026\"",
        ),
    ];
    for (part, names, example) in lists {
        for (index, name) in names.iter().enumerate() {
            if Domain::parse(name, false).is_none() {
                let at = key(&["doctor", part, &index.to_string()]);
                let found = crate::config::found::quoted(name);
                report.complain(&at, format!("{found} is no name of the DNS"), example);
            }
        }
    }
    if !doctor.every.is_zero() {
        let every = Duration::from_secs(5 * 60)..=Duration::from_secs(30 * 86400);
        report.range(&at("every"), &doctor.every, &every, Text::text);
    }
    let timeout = Duration::from_secs(1)..=Duration::from_secs(300);
    report.range(&at("timeout"), &doctor.timeout, &timeout, Text::text);
    if let Some(ca) = &doctor.ca {
        crate::config::check_path(&at("ca"), ca, "/etc/ssl/certs/ca-certificates.crt", report);
    }
}
