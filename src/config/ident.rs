//! `[ident]`: whether questions of other mail servers about who is behind a connection are answered at once (RFC 1413).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::config::units;

/// The ident responder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ident {
    /// Where to listen; nowhere if it is empty.
    #[serde(with = "units::list")]
    pub address: Vec<SocketAddr>,
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[ident]
# Where questions of other mail servers about who is behind a connection (RFC 1413) are answered at once, with
# HIDDEN-USER: ["0.0.0.0:113", "[::]:113"]. A firewall that drops them makes those servers wait; one that refuses them
# does not, and is as good. [] for nowhere.
address = []
"#;
