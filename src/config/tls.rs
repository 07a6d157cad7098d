//! `[tls]`: certificates toward clients. Only their names: the files are opened by `net::tls`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::place::{Place, Places, key, key_text};
use crate::config::report::Report;
use crate::config::units::{self, Text};

/// TLS toward clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// One that is for the name asked for is shown, else the first. Empty: a self-signed one, made once.
    pub certificates: Vec<CertificateFiles>,
    /// How often their files are looked at.
    #[serde(with = "units::text")]
    pub watch_interval: Duration,
    /// The oldest version that is spoken.
    #[serde(deserialize_with = "units::word")]
    pub min_version: TlsVersion,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            certificates: Vec::new(),
            watch_interval: Duration::from_secs(60),
            min_version: TlsVersion::default(),
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}

/// One certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table { chain = \"...\", key = \"...\" }"
)]
pub struct CertificateFiles {
    /// PEM: the certificate and those that vouch for it, in this order.
    pub chain: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[tls]
# Certificates, PEM, such as [{ chain = "/etc/gatepost/fullchain.pem", key = "/etc/gatepost/privkey.pem" }]. Of several, one
# that is for the name the client asks for is shown, else the first; of ECDSA and RSA for one name, what the client can.
# Empty: a self-signed one is made once and kept in the directory of [store]. Other mail servers take it.
certificates = []
# How often their files are looked at. A changed one is taken up if it is good; SIGHUP has them looked at as well.
watch_interval = "1m"
# The oldest TLS that is spoken: "1.2" or "1.3". A mail server that has only older ones sends in plain text instead, or
# not at all.
min_version = "1.2"
"#;

/// Judges the section.
pub(in crate::config) fn check(tls: &Tls, report: &mut Report<'_>) {
    report.range(
        &key(&["tls", "watch_interval"]),
        &tls.watch_interval,
        &(Duration::from_secs(1)..=Duration::from_secs(86400)),
        Text::text,
    );
    for (index, files) in tls.certificates.iter().enumerate() {
        for (part, path, other) in [("chain", &files.chain, "key"), ("key", &files.key, "chain")] {
            let at = key(&["tls", "certificates", &index.to_string(), part]);
            match path.as_os_str().is_empty() {
                true => report.complain(
                    &at,
                    format!("no {part} beside the {other}"),
                    "write both: { chain = \"...\", key = \"...\" }",
                ),
                false => crate::config::check_path(
                    &at,
                    path,
                    &format!("/etc/gatepost/{part}.pem"),
                    report,
                ),
            }
        }
    }
}

/// Where each file of each certificate is named.
pub(in crate::config) fn places(tls: &Tls, places: &Places<'_>) -> BTreeMap<String, Place> {
    let keys = (0..tls.certificates.len()).flat_map(|index| {
        ["chain", "key"].map(|part| key(&["tls", "certificates", &index.to_string(), part]))
    });
    keys.map(|key| (key_text(&key), places.place(&key)))
        .collect()
}
