//! `[limits]`: sizes, counts and timers toward clients.
//!
//! Sizes: RFC 5321 §4.5.3.1; timers: §4.5.3.2. Every wait has a deadline and every count an end, so that what one client
//! can cost is bounded.

use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::config::place::key;
use crate::config::report::Report;
use crate::config::units::{self, Text};
use crate::facts::{Per, Rate};

/// Sizes, counts and timers toward clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address (IPv4) or /64 (IPv6).
    pub connections_per_address: usize,
    /// Connections of one /24 (IPv4) or /56 (IPv6).
    pub connections_per_network: usize,
    /// New connections of one address (IPv4) or /64 (IPv6); `None`: without limit.
    #[serde(with = "units::text")]
    pub connection_rate_per_address: Option<Rate>,
    /// Failed logins of one address (IPv4) or /64 (IPv6) before logins are refused; `None`: without limit.
    #[serde(with = "units::text")]
    pub failed_logins_per_address: Option<Rate>,
    /// Failed logins of one /24 (IPv4) or /56 (IPv6) before logins are refused; `None`: without limit.
    #[serde(with = "units::text")]
    pub failed_logins_per_network: Option<Rate>,
    /// How long logins are refused then.
    #[serde(with = "units::text")]
    pub failed_logins_pause: Duration,
    /// The largest message.
    #[serde(with = "units::text")]
    pub message_size: ByteSize,
    /// Recipients of one message.
    pub recipients: u32,
    /// Messages of one session.
    pub messages: u32,
    /// Commands refused for their syntax or order before the session ends.
    pub errors: u32,
    /// NOOP, RSET, VRFY, HELP and the like of one session.
    pub commands_without_mail: u32,
    /// Clients held up at one time by a policy's `tarpit`.
    pub tarpit: usize,
    /// The longest session.
    #[serde(with = "units::text")]
    pub session: Duration,
    /// The longest wait for a command.
    #[serde(with = "units::text")]
    pub command_timeout: Duration,
    /// The longest wait for one block of mail data.
    #[serde(with = "units::text")]
    pub data_timeout: Duration,
    /// The least rate of mail data, octets per second; 0: no least rate, `data_timeout` and `session` still hold.
    pub data_min_rate: u32,
    /// TLS handshakes that are computed at one time; 0: half as many as there are processors.
    pub tls_handshakes: usize,
    /// The longest TLS handshake.
    #[serde(with = "units::text")]
    pub tls_handshake_timeout: Duration,
    /// The longest wait until a client takes a reply.
    #[serde(with = "units::text")]
    pub reply_timeout: Duration,
    /// The longest wait for the PROXY header of a front proxy.
    #[serde(with = "units::text")]
    pub proxy_header_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 50,
            connections_per_network: 200,
            connection_rate_per_address: Rate::new(60, Per::Minute),
            failed_logins_per_address: Rate::new(30, Per::Hour),
            failed_logins_per_network: Rate::new(300, Per::Hour),
            failed_logins_pause: Duration::from_secs(600),
            message_size: ByteSize::mib(50),
            recipients: 1000,
            messages: 1000,
            errors: 20,
            commands_without_mail: 100,
            tarpit: 500,
            session: Duration::from_secs(2 * 3600),
            command_timeout: Duration::from_secs(5 * 60),
            data_timeout: Duration::from_secs(3 * 60),
            data_min_rate: 500,
            tls_handshakes: 0,
            tls_handshake_timeout: Duration::from_secs(15),
            reply_timeout: Duration::from_secs(60),
            proxy_header_timeout: Duration::from_secs(3),
        }
    }
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[limits]
# Connections in all; memory is bounded by this.
connections = 20000
# Connections of one address, IPv6: of one /64.
connections_per_address = 50
# Connections of one /24, IPv6: of one /56.
connections_per_network = 200
# New connections of one address, IPv6: of one /64; "60/min", "5/s", "1000/h" or "off". The burst is the number.
connection_rate_per_address = "60/min"
# Failed logins of one address, IPv6: of one /64, and of one /24, IPv6: of one /56. The burst is the number. Behind an
# address with more, nobody may log in for the pause; a telephone with an old password tries some ten times an hour. Who
# is let in by an entry of the check `access`, such as a webmail server, is not counted.
failed_logins_per_address = "30/h"
failed_logins_per_network = "300/h"
failed_logins_pause = "10m"
# The largest message; at least 64KiB (RFC 5321 §4.5.3.1.7). The backend's own limit holds if it is lower.
message_size = "50MiB"
# Recipients of one message; at least 100 (RFC 5321 §4.5.3.1.8).
recipients = 1000
# Messages of one session.
messages = 1000
# Commands wrong in syntax or order before the session ends (RFC 5321 §4.5.3.1.10 asks for patience).
errors = 20
# Commands of one session that bring no mail forward: NOOP, RSET, VRFY, HELP.
commands_without_mail = 100
# Clients held up at one time by a policy's tarpit; more are answered at once.
tarpit = 500
# The longest session.
session = "2h"
# The longest wait for a command (RFC 5321 §4.5.3.2.7: at least 5m).
command_timeout = "5m"
# The longest wait for a block of mail data (RFC 5321 §4.5.3.2.5).
data_timeout = "3m"
# The least rate of mail data, octets per second; 0: no least rate, then only data_timeout and session bound a message.
data_min_rate = 500
# TLS handshakes that are computed at one time, so that a flood of them leaves processors for others; more wait for their
# turn. 0: half as many as there are processors, at least one.
tls_handshakes = 0
# The longest TLS handshake, with the wait for a turn.
tls_handshake_timeout = "15s"
# The longest wait until a client takes a reply.
reply_timeout = "1m"
# The longest wait for the PROXY header of a front proxy.
proxy_header_timeout = "3s"
"#;

/// Judges the section.
pub(in crate::config) fn check(limits: &Limits, report: &mut Report<'_>) {
    let at = |part: &str| key(&["limits", part]);
    report.number(&at("connections"), &limits.connections, &(1..=1_000_000));
    report.number(
        &at("connections_per_address"),
        &limits.connections_per_address,
        &(1..=1_000_000),
    );
    report.number(
        &at("connections_per_network"),
        &limits.connections_per_network,
        &(1..=1_000_000),
    );
    if limits.connections_per_network < limits.connections_per_address {
        let found = format!(
            "{} is less than connections_per_address, {}",
            limits.connections_per_network, limits.connections_per_address
        );
        report.complain(
            &at("connections_per_network"),
            found,
            "write at least as many: an address is part of its network",
        );
    }
    report.range(
        &at("message_size"),
        &limits.message_size,
        &(ByteSize::kib(64)..=ByteSize::gib(2)),
        Text::text,
    );
    report.number(&at("recipients"), &limits.recipients, &(100..=100_000));
    report.number(&at("messages"), &limits.messages, &(1..=1_000_000));
    report.number(&at("errors"), &limits.errors, &(1..=1000));
    report.number(
        &at("commands_without_mail"),
        &limits.commands_without_mail,
        &(1..=1_000_000),
    );
    report.number(&at("tarpit"), &limits.tarpit, &(0..=1_000_000));
    report.number(&at("tls_handshakes"), &limits.tls_handshakes, &(0..=10_000));
    report.number(
        &at("data_min_rate"),
        &limits.data_min_rate,
        &(0..=1_000_000),
    );
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
    let timers = [
        (
            "session",
            limits.session,
            Duration::from_secs(60),
            24 * hour,
        ),
        (
            "failed_logins_pause",
            limits.failed_logins_pause,
            second,
            24 * hour,
        ),
        ("command_timeout", limits.command_timeout, second, hour),
        ("data_timeout", limits.data_timeout, second, hour),
        (
            "tls_handshake_timeout",
            limits.tls_handshake_timeout,
            second,
            hour,
        ),
        ("reply_timeout", limits.reply_timeout, second, hour),
        (
            "proxy_header_timeout",
            limits.proxy_header_timeout,
            Duration::from_millis(100),
            hour,
        ),
    ];
    for (part, timer, least, most) in timers {
        report.range(&at(part), &timer, &(least..=most), Text::text);
    }
}
