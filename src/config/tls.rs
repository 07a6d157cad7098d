//! `[tls]`: certificates toward clients. Only their names: the files are opened by `net::tls`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::place::{Place, Places, key, key_text};
use crate::config::report::Report;

/// TLS toward clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The first that fits the name asked for is shown. Empty: a self-signed one, made once.
    pub certificates: Vec<CertificateFiles>,
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
# Certificates, PEM, such as [{ chain = "/etc/gatepost/fullchain.pem", key = "/etc/gatepost/privkey.pem" }].
# Empty: a self-signed one is made once and kept in the directory of [store]. Other mail servers take it.
certificates = []
"#;

/// Judges the section.
pub(in crate::config) fn check(tls: &Tls, report: &mut Report<'_>) {
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
