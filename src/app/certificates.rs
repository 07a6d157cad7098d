//! Certificates toward clients, opened by the same code for `run` and for `check-config`: each fault is told with its
//! key in the configuration.

use std::io::ErrorKind;
use std::path::Path;

use crate::app::{StartProblem, clock};
use crate::config::{CertificateFiles, Problem, Snapshot};
use crate::net::tls::certificates::{Pair, Validity};
use crate::net::tls::{self, Acceptor, PairFiles, TlsProblem};

/// Opens every configured certificate and key, and says what is wrong with each pair. Nothing is kept or made.
#[must_use]
pub fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    pairs(snapshot)
        .iter()
        .filter_map(|files| tls::check(files).err())
        .map(|fault| told(snapshot, &fault))
        .collect()
}

/// What is worth knowing about the configured certificates that can be used: one that does not hold today, and that none
/// is for our own name. Most senders do not look; those with MTA-STS (RFC 8461) or DANE (RFC 7672) deliver nothing.
pub(in crate::app) fn notes(snapshot: &Snapshot) -> Vec<Problem> {
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
        .filter_map(|(key, pair)| note_on_time(snapshot, key, pair))
        .collect();
    let hostname = &snapshot.config.hostname;
    if let Some((key, _)) = pairs.first()
        && !pairs.iter().any(|(_, pair)| pair.is_for(hostname))
    {
        notes.push(snapshot.problem(
            key,
            &format!("no certificate is for the name clients see, {hostname:?}"),
            "add one that is, or set hostname to the name the MX record and the certificate have",
        ));
    }
    notes
}

fn note_on_time(snapshot: &Snapshot, key: &str, pair: &Pair) -> Option<Problem> {
    let day = humantime::format_rfc3339_seconds;
    let (found, allowed) = match pair.validity(clock::now()) {
        Validity::Holds => return None,
        Validity::Ended(time) => (
            format!("the certificate expired on {}", day(time)),
            "renew it, and restart gatepost",
        ),
        Validity::Begins(time) => (
            format!("the certificate holds only from {} on", day(time)),
            "see whether the clock is right",
        ),
    };
    Some(snapshot.problem(key, &found, allowed))
}

/// The configured certificates, ready to serve; `None` when there are none.
pub(in crate::app) fn configured(snapshot: &Snapshot) -> Result<Option<Acceptor>, StartProblem> {
    if snapshot.config.tls.certificates.is_empty() {
        return Ok(None);
    }
    load(snapshot, &pairs(snapshot))
        .map(Some)
        .map_err(|fault| StartProblem::Certificate(Box::new(told(snapshot, &fault))))
}

/// The self-signed certificate; it is made, and the state directory with it, when it is not there.
pub(in crate::app) fn self_signed(snapshot: &Snapshot) -> Result<Acceptor, StartProblem> {
    Ok(load(snapshot, &[])?)
}

fn load(snapshot: &Snapshot, files: &[PairFiles]) -> Result<Acceptor, TlsProblem> {
    let config = &snapshot.config;
    tls::load(
        files,
        &config.hostname,
        &config.store.directory,
        clock::now(),
    )
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
