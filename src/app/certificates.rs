//! Certificates toward clients, opened by the same code for `run` and for `check-config`: each fault is told with its
//! key in the configuration. What becomes of them while the process runs is in [`keeper`].

mod dates;
pub mod keeper;

use std::io::ErrorKind;
use std::path::Path;

use crate::app::{StartProblem, clock};
use crate::config::{CertificateFiles, Problem, Snapshot, TlsVersion};
use crate::net::tls::pair::Pair;
use crate::net::tls::{self, Acceptor, PairFiles, TlsProblem};

/// Names of a certificate that are told; some have a hundred.
const TOLD: usize = 5;

/// Opens every configured certificate and key, and says what is wrong with each pair. Nothing is kept or made.
#[must_use]
pub fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    pairs(snapshot)
        .iter()
        .filter_map(|files| tls::check(files).err())
        .map(|fault| told(snapshot, &fault))
        .collect()
}

/// What is worth knowing about the configured certificates that can be used: one that does not hold today or soon will
/// not, and that none is for our own name. Most senders do not look; those with MTA-STS (RFC 8461) or DANE (RFC 7672)
/// deliver nothing.
pub(in crate::app) fn notes(snapshot: &Snapshot) -> Vec<Problem> {
    let now = clock::now();
    let pairs: Vec<(String, Pair)> = pairs(snapshot)
        .iter()
        .enumerate()
        .filter_map(|(index, files)| {
            let key = format!("tls.certificates[{index}].chain");
            Some((key, tls::check(files).ok()?))
        })
        .collect();
    let mut notes: Vec<Problem> = pairs
        .iter()
        .filter_map(|(key, pair)| {
            let (found, advice) = dates::amiss(&pair.term(), now)?;
            Some(snapshot.problem(key, &found, advice))
        })
        .collect();
    let hostname = &snapshot.config.hostname;
    if let Some((key, first)) = pairs.first()
        && !pairs.iter().any(|(_, pair)| pair.is_for(hostname))
    {
        notes.push(snapshot.problem(
            key,
            &format!(
                "no certificate is for the name clients see, {hostname:?}; this one is for {}",
                names(first)
            ),
            "add one that is, or set hostname to the name the MX record and the certificate have",
        ));
    }
    notes
}

/// The names of a certificate, for people.
fn names(pair: &Pair) -> String {
    let names = pair.names();
    let mut told: Vec<String> = names
        .iter()
        .take(TOLD)
        .map(|name| format!("{name:?}"))
        .collect();
    match names.len().saturating_sub(TOLD) {
        0 if told.is_empty() => return "no host name".to_owned(),
        0 => {}
        more => told.push(format!("{more} more")),
    }
    told.join(", ")
}

/// The configured certificates, ready to serve; `None` when there are none.
pub(in crate::app) fn configured(snapshot: &Snapshot) -> Result<Option<Acceptor>, StartProblem> {
    if snapshot.config.tls.certificates.is_empty() {
        return Ok(None);
    }
    load(snapshot, pairs(snapshot))
        .map(Some)
        .map_err(|fault| StartProblem::Certificate(Box::new(told(snapshot, &fault))))
}

/// The self-signed certificate; it is made, and the state directory with it, when it is not there.
pub(in crate::app) fn self_signed(snapshot: &Snapshot) -> Result<Acceptor, StartProblem> {
    Ok(load(snapshot, Vec::new())?)
}

fn load(snapshot: &Snapshot, files: Vec<PairFiles>) -> Result<Acceptor, TlsProblem> {
    let config = &snapshot.config;
    let settings = tls::Settings {
        files,
        hostname: config.hostname.clone(),
        state_directory: config.store.directory.clone(),
        only_tls13: config.tls.min_version == TlsVersion::Tls13,
    };
    tls::load(settings, clock::now())
}

fn pairs(snapshot: &Snapshot) -> Vec<PairFiles> {
    let pair = |files: &CertificateFiles| PairFiles {
        chain: files.chain.clone(),
        key: files.key.clone(),
    };
    snapshot.config.tls.certificates.iter().map(pair).collect()
}

/// The fault as a problem of the configuration: at the key that names the file, with what to do about it.
fn told(snapshot: &Snapshot, fault: &TlsProblem) -> Problem {
    let key = key_of(snapshot, fault);
    snapshot.problem(&key, &fault.to_string(), advice(fault))
}

fn key_of(snapshot: &Snapshot, fault: &TlsProblem) -> String {
    let names = |files: &CertificateFiles| -> Option<&'static str> {
        let part = |file: &Path| match file {
            file if file == files.chain => Some("chain"),
            file if file == files.key => Some("key"),
            _ => None,
        };
        match fault {
            TlsProblem::Unreadable { file, .. } | TlsProblem::Certificate { file, .. } => {
                part(file)
            }
            TlsProblem::Key { file, .. } => (*file == files.key).then_some("key"),
            TlsProblem::Mismatch { chain, key } => {
                (*chain == files.chain && *key == files.key).then_some("key")
            }
            _ => None,
        }
    };
    let certificates = &snapshot.config.tls.certificates;
    let mut found = certificates
        .iter()
        .enumerate()
        .filter_map(|(index, files)| Some((index, names(files)?)));
    found.next().map_or_else(
        || "tls.certificates".to_owned(),
        |(index, part)| format!("tls.certificates[{index}].{part}"),
    )
}

fn advice(fault: &TlsProblem) -> &'static str {
    match fault {
        TlsProblem::Unreadable { source, .. } => match source.kind() {
            ErrorKind::NotFound => "name a file that is there",
            ErrorKind::PermissionDenied => {
                "make it and its folders readable for the user that gatepost runs as"
            }
            _ => "name a file that can be read",
        },
        TlsProblem::Certificate { .. } => {
            "write the certificate and those that vouch for it into it, PEM, in this order"
        }
        TlsProblem::Key { .. } => "write the certificate's private key into it, PEM, not encrypted",
        TlsProblem::Mismatch { .. } => "name the key that the certificate was made for",
        _ => "see the certificates in [tls]",
    }
}
