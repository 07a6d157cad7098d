//! `[resolver]`: whom to ask for names.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::place::key;
use crate::config::report::Report;
use crate::config::units::{self, Text};

/// DNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resolver {
    /// Servers; empty: those of /etc/resolv.conf.
    #[serde(with = "units::dns_servers")]
    pub servers: Vec<SocketAddr>,
    /// The longest wait for an answer; after it the answer is "failed".
    #[serde(with = "units::text")]
    pub timeout: Duration,
    /// How many answers are kept.
    pub cache_size: usize,
}

impl Default for Resolver {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(3),
            cache_size: 100_000,
        }
    }
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[resolver]
# DNS servers, such as ["127.0.0.1", "127.0.0.1:5353"]. Empty: those of /etc/resolv.conf. Public resolvers get no answers
# from most DNSBLs: run one of your own.
servers = []
# The longest wait for an answer. After it the answer counts as failed, and what it could have told is not held against
# the client.
timeout = "3s"
# How many answers are kept in memory.
cache_size = 100000
"#;

/// Judges the section.
pub(in crate::config) fn check(resolver: &Resolver, report: &mut Report<'_>) {
    let at = |part: &str| key(&["resolver", part]);
    for (index, server) in resolver.servers.iter().enumerate() {
        if server.port() == 0 || server.ip().is_unspecified() {
            let at = key(&["resolver", "servers", &index.to_string()]);
            report.complain(
                &at,
                format!("\"{server}\" is nowhere to ask"),
                "write the address of a DNS server",
            );
        }
    }
    let timeout = Duration::from_millis(100)..=Duration::from_secs(30);
    report.range(&at("timeout"), &resolver.timeout, &timeout, Text::text);
    report.number(
        &at("cache_size"),
        &resolver.cache_size,
        &(100..=100_000_000),
    );
}
