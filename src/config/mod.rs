//! Floor 3: the configuration. Layers of text in, one consistent [`Snapshot`] or a list of [`Problem`]s out.
//!
//! Defaults < file < environment (`GATEPOST_LISTEN__MX__ADDRESS`) < arguments. One file per section: its structure, its
//! text in the reference file, and what is judged about it. Unknown keys are errors; nothing is guessed at. Only
//! [`load()`] touches the file, the environment and the system's name; certificates, directories and names are opened by
//! those who use them, and what is wrong with them then is told like the rest ([`Snapshot::problem`]).
//!
//! Key names are promises. Durations, sizes, rates, addresses and networks are text (`units`).

mod admin;
mod backend;
mod defaults;
mod doctor;
mod document;
mod effective;
mod found;
mod ident;
mod journal;
mod limits;
mod listen;
mod load;
mod log;
mod mail_data;
mod place;
mod policy;
mod problem;
mod raw;
pub mod reference;
mod report;
mod resolver;
mod store;
mod tls;
mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

pub use admin::Admin;
pub use backend::{Backend, BackendTls, ClientAddress, Verify};
pub use doctor::{Detour, Doctor};
pub use document::{Fault, document, read_document};
pub use effective::Setting;
pub use ident::Ident;
pub use journal::Journal;
pub use limits::Limits;
pub use listen::{Listen, Role, TlsMode};
pub use load::{Layers, from_layers, load};
pub use log::{Log, LogFormat};
pub use mail_data::MailData;
pub use place::Place;
pub use problem::Problem;
pub use resolver::Resolver;
pub use store::Store;
pub use tls::{CertificateFiles, Tls, TlsVersion};

use crate::checks::policy::Policy;
use crate::config::place::Key;
use crate::config::report::Report;

/// A configuration that was read and judged as a whole, ready to be swapped in.
#[derive(Debug)]
pub struct Snapshot {
    /// Everything but the policies.
    pub config: Config,
    /// The policies by name; `default` is always among them.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// The file, if there was one.
    pub source: Option<PathBuf>,
    /// What works and is worth knowing.
    pub notes: Vec<Problem>,
    effective: Vec<Setting>,
    /// Where each file of each certificate is named.
    certificates: BTreeMap<String, Place>,
}

impl Snapshot {
    /// Every value that holds, with its origin, in the order of the reference file.
    #[must_use]
    pub fn effective(&self) -> &[Setting] {
        &self.effective
    }

    /// Something about the value at `key` that shows only when it is used, such as a file that is not there.
    #[must_use]
    pub fn problem(&self, key: &str, found: &str, allowed: &str) -> Problem {
        let setting = || self.effective.iter().find(|setting| setting.key == key);
        let source = self.certificates.get(key).cloned();
        Problem {
            source: source
                .or_else(|| setting().map(|setting| setting.origin.clone()))
                .unwrap_or(Place::Default),
            key: key.to_owned(),
            found: found::one_line(found),
            allowed: allowed.to_owned(),
            nearest: None,
        }
    }
}

/// The configuration without the policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Config {
    /// The name clients see: a domain in ASCII.
    pub hostname: String,
    /// Who it is to be when root has started it.
    pub user: String,
    /// Listeners by name; at least one.
    pub listen: BTreeMap<String, Listen>,
    /// Backends by name.
    pub backend: BTreeMap<String, Backend>,
    /// TLS toward clients.
    pub tls: Tls,
    /// DNS.
    pub resolver: Resolver,
    /// Mail data.
    pub mail_data: MailData,
    /// Sizes, counts and timers toward clients.
    pub limits: Limits,
    /// State on disk.
    pub store: Store,
    /// Session records.
    pub journal: Journal,
    /// Metrics and state over HTTP.
    pub admin: Admin,
    /// Looking after the mail of one's own domains.
    pub doctor: Doctor,
    /// The ident responder.
    pub ident: Ident,
    /// The log.
    pub log: Log,
}

/// Names of listeners, backends and policies stand in logs and metrics: letters, digits, `-` and `_`, at most 64.
fn check_name(at: &Key, name: &str, report: &mut Report<'_>) {
    let fits = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if name.is_empty() || name.len() > 64 || !fits {
        report.complain(
            at,
            "does not do as a name",
            "write letters, digits, - and _, at most 64",
        );
    }
}

/// Paths must be whole: the working directory of a service is nobody's choice.
fn check_path(at: &Key, path: &Path, example: &str, report: &mut Report<'_>) {
    if !path.is_absolute() {
        let found = found::quoted(&path.display().to_string());
        report.complain(
            at,
            format!("{found} is not a whole path"),
            format!("write it from / on, such as {example:?}"),
        );
    }
}
