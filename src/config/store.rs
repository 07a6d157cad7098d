//! `[store]`: where gatepost keeps what it must know after a restart.

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
}

impl Default for Store {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("/var/lib/gatepost"),
        }
    }
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[store]
# Where gatepost keeps what it must know after a restart, such as the self-signed certificate.
directory = "/var/lib/gatepost"
"#;

/// Judges the section.
pub(in crate::config) fn check(store: &Store, report: &mut Report<'_>) {
    let at = key(&["store", "directory"]);
    crate::config::check_path(&at, &store.directory, "/var/lib/gatepost", report);
}
