//! `[backend.NAME]`: the MTA that clean sessions are handed to.
//!
//! Timers: RFC 5321 §4.5.3.2, which are the least a client should wait.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::listen::{Listen, collide};
use crate::config::place::key;
use crate::config::report::Report;
use crate::config::units::{self, Text};

/// One backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Backend {
    /// Addresses with ports, one for each server; sessions go to the one with the fewest connections.
    #[serde(with = "units::list")]
    pub address: Vec<SocketAddr>,
    /// How the backend is told the client's address.
    #[serde(deserialize_with = "units::word")]
    pub client_address: ClientAddress,
    /// The address that connections are made from; `None`: the system's choice.
    #[serde(with = "units::optional", skip_serializing_if = "Option::is_none")]
    pub source_address: Option<IpAddr>,
    /// Whether clients on loopback addresses may be announced; the backend may take them for itself.
    pub loopback_clients: bool,
    /// TLS toward the backend.
    #[serde(deserialize_with = "units::word")]
    pub tls: BackendTls,
    /// Which certificate is taken.
    #[serde(deserialize_with = "units::word")]
    pub verify: Verify,
    /// The name that the backend's certificate must be for; nothing is guessed from its addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// PEM: whom to trust; `None`: the system's roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Connections at one time, to all servers together. A twentieth of them, at least two, is for clients that are let through only because they
    /// write to an exempt recipient.
    pub max_connections: usize,
    /// How long a silent client keeps a connection that it has no claim on: between transactions, or as one that is let
    /// through only because of whom it writes to.
    #[serde(with = "units::text")]
    pub idle_timeout: Duration,
    /// The longest wait for a connection; and, while there is another server, for what comes before a transaction.
    #[serde(with = "units::text")]
    pub connect_timeout: Duration,
    /// The longest wait for the greeting; at least 30 s, because Exim looks up the reverse name before it greets.
    #[serde(with = "units::text")]
    pub greeting_timeout: Duration,
    /// The longest wait for the reply to a command other than DATA.
    #[serde(with = "units::text")]
    pub command_timeout: Duration,
    /// The longest wait for the reply to DATA.
    #[serde(with = "units::text")]
    pub data_initiation_timeout: Duration,
    /// The longest wait until one block of mail data is taken.
    #[serde(with = "units::text")]
    pub data_block_timeout: Duration,
    /// The longest wait for the final reply. Shorter than the backend takes means mail that comes twice.
    #[serde(with = "units::text")]
    pub final_reply_timeout: Duration,
}

impl Default for Backend {
    fn default() -> Self {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        Self {
            address: Vec::new(),
            client_address: ClientAddress::default(),
            source_address: None,
            loopback_clients: false,
            tls: BackendTls::default(),
            verify: Verify::default(),
            server_name: None,
            ca: None,
            max_connections: 400,
            idle_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            greeting_timeout: minutes(1),
            command_timeout: minutes(5),
            data_initiation_timeout: minutes(2),
            data_block_timeout: minutes(3),
            final_reply_timeout: FINAL_REPLY,
        }
    }
}

/// How the backend is told the client's address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAddress {
    /// A PROXY header in text.
    #[serde(rename = "proxy-v1")]
    ProxyV1,
    /// A PROXY header in octets.
    #[default]
    #[serde(rename = "proxy-v2")]
    ProxyV2,
    /// XCLIENT, for Postfix.
    Xclient,
    /// Not at all: the backend takes every client for gatepost.
    None,
}

/// TLS toward the backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendTls {
    /// None.
    #[default]
    None,
    /// After STARTTLS (RFC 3207).
    Starttls,
    /// At once, behind a PROXY header.
    Implicit,
}

/// Which certificate of a backend is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// One for `server_name` that leads to a trusted root.
    #[default]
    Full,
    /// Any, of a backend on a loopback address; there may be no other address.
    LoopbackOnly,
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"# One table per backend, [backend.NAME].
[backend.exim]
# Addresses with ports, one for each server. Each session goes to the server with the fewest connections among those that
# are up; where one fails before it has answered for a recipient, to the next. No default.
address = ["127.0.0.1:10025"]
# How the backend is told the client's address: "proxy-v2", "proxy-v1" (PROXY headers), "xclient" (Postfix, with gatepost in
# smtpd_authorized_xclient_hosts) or "none" (every client then looks like gatepost itself).
client_address = "proxy-v2"
# The address that connections are made from. Take one that the backend relays for in no case: should the header ever be
# missing, it refuses instead of relaying. Not set: the system's choice.
source_address = "127.0.0.2"
# Whether clients on loopback addresses are handed on. A backend may let such clients relay, so only where every one of
# them may; otherwise they get 451.
loopback_clients = false
# TLS toward the backend: "none", "starttls" or "implicit" (behind the PROXY header where there is one). Where it is on,
# nothing is sent without it.
tls = "none"
# With TLS: "full" takes a certificate for server_name that leads to a trusted root; "loopback-only" takes any, and is for
# backends on loopback addresses alone.
verify = "full"
# The name, or the address, that the certificate must be for; no default.
# server_name = "mail.example.com"
# Whom to trust, PEM; not set: the system's roots.
# ca = "/etc/gatepost/backend-ca.pem"
# Connections at one time, to all servers together; fewer than one of them takes alone (smtp_accept_max in Exim), or it
# refuses some when the others are down. A twentieth of them, at least two, is for clients that are let through only because they write to an exempt recipient.
max_connections = 400
# How long a silent client keeps a connection between its transactions; and how long one may be silent at all that is let
# through only because of whom it writes to.
idle_timeout = "30s"
# The longest wait for a connection; while there is another server that is up, also for TLS, greeting and EHLO.
connect_timeout = "10s"
# ... for the greeting; at least 30s, because Exim looks up the reverse name before it greets.
greeting_timeout = "1m"
# ... for the reply to a command (RFC 5321 §4.5.3.2.2).
command_timeout = "5m"
# ... for the reply to DATA (RFC 5321 §4.5.3.2.4).
data_initiation_timeout = "2m"
# ... until a block of mail data is taken (RFC 5321 §4.5.3.2.5).
data_block_timeout = "3m"
# ... for the final reply (RFC 5321 §4.5.3.2.6). Shorter than the backend takes means mail that comes twice.
final_reply_timeout = "10m"
"#;

const LONGEST: Duration = Duration::from_secs(3600);
/// RFC 5321 §4.5.3.2.6.
const FINAL_REPLY: Duration = Duration::from_secs(600);

/// Judges all backends.
pub(in crate::config) fn check(
    backends: &BTreeMap<String, Backend>,
    listeners: &BTreeMap<String, Listen>,
    report: &mut Report<'_>,
) {
    for (name, backend) in backends {
        crate::config::check_name(&key(&["backend", name]), name, report);
        check_addresses(name, backend, listeners, report);
        check_source(name, backend, report);
        check_tls(name, backend, report);
        check_timeouts(name, backend, report);
        report.number(
            &key(&["backend", name, "max_connections"]),
            &backend.max_connections,
            &(1..=1_000_000),
        );
        if backend.client_address == ClientAddress::None {
            let found = "\"none\": the backend takes every client for gatepost itself";
            let advice =
                "make sure that it relays for nobody on that account, or write \"proxy-v2\"";
            report.note(&key(&["backend", name, "client_address"]), found, advice);
        }
    }
}

fn check_addresses(
    name: &str,
    backend: &Backend,
    listeners: &BTreeMap<String, Listen>,
    report: &mut Report<'_>,
) {
    if backend.address.is_empty() {
        let at = key(&["backend", name, "address"]);
        report.complain(
            &at,
            "no address",
            "write such as address = [\"127.0.0.1:10025\"]",
        );
    }
    for (index, address) in backend.address.iter().enumerate() {
        let at = key(&["backend", name, "address", &index.to_string()]);
        if address.port() == 0 || address.ip().is_unspecified() {
            let found = format!("\"{address}\" is nowhere to connect to");
            report.complain(&at, found, "write an address and a port of the backend");
            continue;
        }
        // A wildcard listener may share a port with a backend elsewhere, but not with one on this machine.
        let own = |listener: &SocketAddr| {
            collide(*listener, *address)
                && (listener.ip() == address.ip() || address.ip().is_loopback())
        };
        let listener = listeners
            .iter()
            .find(|(_, listen)| listen.address.iter().any(own));
        if let Some((listener, _)) = listener {
            let found = format!("\"{address}\" is gatepost's own listen.{listener}");
            report.complain(
                &at,
                found,
                "write the address of the backend, or mail goes round and round",
            );
        }
    }
}

fn check_source(name: &str, backend: &Backend, report: &mut Report<'_>) {
    let Some(source) = backend.source_address else {
        return;
    };
    let at = key(&["backend", name, "source_address"]);
    if source.is_unspecified() || source.is_multicast() {
        report.complain(
            &at,
            format!("\"{source}\" is no address to come from"),
            "write one of this machine, or leave it out",
        );
        return;
    }
    let other_family = backend
        .address
        .iter()
        .find(|address| address.is_ipv4() != source.is_ipv4());
    if let Some(address) = other_family {
        let families = if source.is_ipv4() {
            ("IPv4", "IPv6")
        } else {
            ("IPv6", "IPv4")
        };
        let found = format!(
            "\"{source}\" is {}, but the address \"{address}\" is {}",
            families.0, families.1
        );
        report.complain(
            &at,
            found,
            "write both in one family; a backend with both families is two backends",
        );
    }
    if !source.is_loopback()
        && backend
            .address
            .iter()
            .all(|address| address.ip().is_loopback())
    {
        let found = format!("\"{source}\" is not loopback, but the backend is");
        report.note(
            &at,
            found,
            "\"127.0.0.2\" is the usual one for a backend on this machine",
        );
    }
}

fn check_tls(name: &str, backend: &Backend, report: &mut Report<'_>) {
    let at = |part| key(&["backend", name, part]);
    if let Some(ca) = &backend.ca {
        crate::config::check_path(&at("ca"), ca, "/etc/gatepost/backend-ca.pem", report);
    }
    if backend.tls == BackendTls::None {
        return;
    }
    let elsewhere = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
    match (backend.verify, &backend.server_name) {
        (Verify::Full, None) => report.complain(
            &at("server_name"),
            "not set, so there is no telling whose certificate is the right one",
            "write the name that the backend's certificate is for; or verify = \"loopback-only\" where the backend is on \
             this machine",
        ),
        (Verify::LoopbackOnly, _) => {
            if let Some(address) = backend.address.iter().find(elsewhere) {
                report.complain(
                    &at("verify"),
                    format!("\"loopback-only\", but \"{address}\" is not on loopback"),
                    "write verify = \"full\" and server_name",
                );
            }
        }
        (Verify::Full, Some(_)) => {}
    }
}

fn check_timeouts(name: &str, backend: &Backend, report: &mut Report<'_>) {
    let second = Duration::from_secs(1);
    let timeouts = [
        ("idle_timeout", backend.idle_timeout, second),
        (
            "connect_timeout",
            backend.connect_timeout,
            Duration::from_millis(100),
        ),
        (
            "greeting_timeout",
            backend.greeting_timeout,
            Duration::from_secs(30),
        ),
        ("command_timeout", backend.command_timeout, second),
        (
            "data_initiation_timeout",
            backend.data_initiation_timeout,
            second,
        ),
        ("data_block_timeout", backend.data_block_timeout, second),
        ("final_reply_timeout", backend.final_reply_timeout, second),
    ];
    for (part, timeout, least) in timeouts {
        report.range(
            &key(&["backend", name, part]),
            &timeout,
            &(least..=LONGEST),
            Text::text,
        );
    }
    if backend.final_reply_timeout < FINAL_REPLY {
        let found = format!(
            "{} is less than RFC 5321 §4.5.3.2.6 wants",
            backend.final_reply_timeout.text()
        );
        let advice =
            "write \"10m\", unless you know that the backend is never slower: mail may come twice";
        report.note(
            &key(&["backend", name, "final_reply_timeout"]),
            found,
            advice,
        );
    }
}
