//! `[admin]`: the address of the status page, where metrics and the state of the process can be read over HTTP.
//!
//! Nothing can be changed there. On loopback everybody on the machine may read; elsewhere a token is asked for.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::config::place::key;
use crate::config::report::Report;
use crate::config::units;

/// Fewer characters can be guessed.
const TOKEN_LEAST: usize = 16;

/// The admin address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Where to listen; nowhere if it is empty.
    #[serde(with = "units::list")]
    pub address: Vec<SocketAddr>,
    /// What a reader must show, as `Authorization: Bearer TOKEN` or as the password of any user; nothing if it is empty.
    #[serde(serialize_with = "hidden")]
    pub token: String,
}

/// A token is not shown by `check-config --print`.
fn hidden<S: serde::Serializer>(token: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if token.is_empty() { "" } else { "(hidden)" })
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[admin]
# Where a status page (/), metrics (/metrics, for Prometheus) and health (/healthz, /readyz) can be read over HTTP, such as
# ["127.0.0.1:8025"]; [] for nowhere. Nothing can be changed there. It shows who writes to whom.
address = []
# What a reader must show ("Authorization: Bearer TOKEN", or as the password of any user), at least 16 characters; it must be
# set where the address is not on loopback.
token = ""
"#;

/// Judges the section.
pub(in crate::config) fn check(admin: &Admin, report: &mut Report<'_>) {
    if !admin.token.is_empty() && admin.token.len() < TOKEN_LEAST {
        report.complain(
            &key(&["admin", "token"]),
            format!("a token of {} characters can be guessed", admin.token.len()),
            "write at least 16, such as what \"openssl rand -hex 16\" prints",
        );
    }
    for (index, address) in admin.address.iter().enumerate() {
        if address.ip().to_canonical().is_loopback() || !admin.token.is_empty() {
            continue;
        }
        report.complain(
            &key(&["admin", "address", &index.to_string()]),
            format!("\"{address}\" can be reached from elsewhere, and anybody may read there"),
            "write one on loopback, such as \"127.0.0.1:8025\", or set token",
        );
    }
}
