//! `[journal]`: the records of sessions.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

use crate::config::place::key;
use crate::config::report::Report;
use crate::config::units::{self, Text};

/// Session records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Journal {
    /// Whether sessions are recorded.
    pub enabled: bool,
    /// The directory.
    pub directory: PathBuf,
    /// The most that all files take together; the oldest go first.
    #[serde(with = "units::text")]
    pub max_size: ByteSize,
    /// Records older than this go.
    #[serde(with = "units::text")]
    pub max_age: Duration,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            enabled: true,
            directory: PathBuf::from("/var/log/gatepost"),
            max_size: ByteSize::gib(1),
            max_age: Duration::from_secs(30 * 86400),
        }
    }
}

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[journal]
# Whether each session leaves a record: what was seen, what was decided and why; one JSON object a line.
enabled = true
directory = "/var/log/gatepost"
# The most that all files take together; the oldest go first.
max_size = "1GiB"
# Records older than this go.
max_age = "30d"
"#;

/// Judges the section.
pub(in crate::config) fn check(journal: &Journal, report: &mut Report<'_>) {
    let at = |part: &str| key(&["journal", part]);
    crate::config::check_path(
        &at("directory"),
        &journal.directory,
        "/var/log/gatepost",
        report,
    );
    report.range(
        &at("max_size"),
        &journal.max_size,
        &(ByteSize::mib(1)..=ByteSize::tib(1)),
        Text::text,
    );
    let age = Duration::from_secs(3600)..=Duration::from_secs(3650 * 86400);
    report.range(&at("max_age"), &journal.max_age, &age, Text::text);
}
