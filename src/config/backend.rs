//! `[backend.NAME]`: the MTA that clean sessions are handed to.
//!
//! Timers: RFC 5321 §4.5.3.2, which are the least a client should wait.

mod check;

pub(in crate::config) use check::check;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::units;

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
    /// Whether a backend is used that takes strangers' mail for foreign domains.
    pub allow_open_backend: bool,
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
    /// Connections at one time, to all servers together. A twentieth of them, at least two, is for clients that are let
    /// through only because they write to an exempt recipient.
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
            allow_open_backend: false,
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
# gatepost tests at its start and every hour whether the backend would relay for strangers, without sending mail. One that
# would is not used, and found so at the start gatepost does not start. true: it is used all the same; for a backend that takes
# every recipient and refuses later.
allow_open_backend = false
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
# refuses some when the others are down. A twentieth of them, at least two, is for clients that are let through only because
# they write to an exempt recipient.
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

/// RFC 5321 §4.5.3.2.6.
const FINAL_REPLY: Duration = Duration::from_secs(600);
