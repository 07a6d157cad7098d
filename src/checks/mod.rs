//! Floor 2: pure policy. Facts in, questions or findings out; one file per check; the judge.
//!
//! A new check is one new file, its line in [`ALL`], and its cases in `tests/verdicts/`. Configuration, sample file,
//! documentation, metric labels and the columns of `explain` derive from [`ALL`].

pub mod access;
pub mod address;
mod answer_filter;
pub mod client_name;
mod conduct;
mod dnsbl;
pub mod examination;
pub mod finding;
pub mod greylist;
mod harvest;
mod helo;
pub mod identity;
pub mod judge;
mod list;
pub mod login;
mod names;
pub mod points;
pub mod policy;
mod pregreet;
mod rate;
mod rdns;
pub mod replay;
mod rhsbl;
mod secondary_mx;
mod sender_domain;
pub mod shield;
pub mod spf;
pub mod survey;
pub mod trace;
pub mod verdict;

use crate::checks::examination::Examination;
use crate::checks::points::Points;
use crate::facts::DnsName;

pub use judge::{Judgement, judge};

/// A check with its settings: a pure function that may be called again and again.
pub trait Check: std::fmt::Debug + Send + Sync {
    /// Its name in the configuration, in records and in metrics.
    fn name(&self) -> &'static str;

    /// Asks for answers or concludes.
    fn examine(&self, examination: &mut Examination<'_>);

    /// Whether it judges users too, who log in. What only a mail server should be or do says nothing about them.
    fn judges_users(&self) -> bool {
        false
    }

    /// The listeners of which it must be remembered who was there.
    fn listeners(&self) -> &[Box<str>] {
        &[]
    }

    /// The DNS zones it depends on and what they list, so that the health of each can be watched.
    fn zones(&self) -> Vec<(DnsName, Lists)> {
        Vec::new()
    }

    /// The lists of addresses that it asks, and what being listed brings: another server is told the same.
    fn listings(&self) -> Vec<Listing> {
        Vec::new()
    }

    /// What in its settings works and is worth knowing, at `now` in seconds since 1970 UTC.
    fn remarks(&self, _now: Option<u64>) -> Vec<Remark> {
        Vec::new()
    }
}

/// A list of addresses as a policy asks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Its zone.
    pub zone: DnsName,
    /// The answers that count, in Postfix's grammar (`127.0.0.[2;4..11]`).
    pub answers: String,
    /// What being listed brings.
    pub points: Points,
}

/// What a zone lists (RFC 5782 §2, §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// Addresses.
    Addresses,
    /// Names.
    Names,
}

/// Something worth knowing about a setting of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The setting, a list.
    pub setting: &'static str,
    /// Its element.
    pub index: usize,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: &'static str,
}

/// A kind of check: what the configuration, the documentation and the command line know about it.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name: `[policy.NAME.checks.<name>]`.
    pub name: &'static str,
    /// One sentence for people: what it looks at.
    pub summary: &'static str,
    /// Its settings with their defaults and comments, as TOML lines without a table header.
    pub sample: &'static str,
    /// Makes the check from its table; missing keys take their defaults. `Ok(None)`: switched off.
    pub build: Build,
}

/// Makes a check from its settings.
pub type Build = fn(serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError>;

/// Settings that do not make sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingsError {
    /// Where in the check's table, such as `zones[1].answers`; empty for the table itself.
    pub path: String,
    /// What was found and what is allowed.
    pub message: String,
}

/// Reads a check's settings, saying where they are wrong.
pub(in crate::checks) fn settings<T: serde::de::DeserializeOwned>(
    table: serde_json::Value,
) -> Result<T, SettingsError> {
    serde_path_to_error::deserialize(table).map_err(|error| SettingsError {
        path: match error.path().to_string() {
            path if path == "." => String::new(),
            path => path,
        },
        message: error.into_inner().to_string(),
    })
}

/// Every check, in the order in which findings are listed.
pub const ALL: &[Kind] = &[
    access::KIND,
    pregreet::KIND,
    dnsbl::KIND,
    rhsbl::KIND,
    rdns::KIND,
    helo::KIND,
    sender_domain::KIND,
    spf::KIND,
    conduct::KIND,
    harvest::KIND,
    secondary_mx::KIND,
    // Last: they look at what the others have found, and the second at what the first has.
    greylist::KIND,
    rate::KIND,
];
