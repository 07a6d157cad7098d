//! `[store]`: what gatepost must know after a restart, and how much of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::place::key;
use crate::config::report::Report;

/// State on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// The directory.
    pub directory: PathBuf,
    /// Whether what is remembered of clients is kept there.
    pub enabled: bool,
    /// The most that is remembered of clients.
    pub max_entries: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/lib/gatepost"),
            enabled: true,
            max_entries: 1_000_000,
        }
    }
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[store]
# Where gatepost keeps what it must know after a restart: the self-signed certificate and what it remembers of clients.
directory = "/var/lib/gatepost"
# Whether it remembers clients (who has passed, who was told to wait, who was refused) beyond a restart; if not, in memory
# until then.
enabled = true
# The most it remembers, clients and triplets together; on disk, at most 250 octets each. What ends first goes first.
max_entries = 1000000
"#;

/// Judges the section.
pub(in crate::config) fn check(store: &Store, report: &mut Report<'_>) {
    let at = |part: &str| key(&["store", part]);
    crate::config::check_path(
        &at("directory"),
        &store.directory,
        "/var/lib/gatepost",
        report,
    );
    report.number(
        &at("max_entries"),
        &store.max_entries,
        &(1000..=100_000_000),
    );
}
