//! `[log]`: what is written for people and log readers.

use serde::{Deserialize, Serialize};

use crate::config::place::key;
use crate::config::problem::Complaint;
use crate::config::report::Report;
use crate::config::units;

/// The log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// How lines are written.
    #[serde(deserialize_with = "units::word")]
    pub format: LogFormat,
    /// A level, or levels for parts, such as `info,gatepost::gather=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            level: "info".to_owned(),
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// key=value.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
    /// To systemd's journal in its own protocol, with a field for each word.
    Journald,
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[log]
# "text" (key=value) or "json", on standard error; "journald": to systemd's journal, each value in a field of its own.
format = "text"
# "off", "error", "warn", "info" (one line per session), "debug" or "trace"; parts apart: "info,gatepost::gather=debug".
level = "info"
"#;

impl Log {
    /// The first word of `level` that is no level.
    #[must_use]
    pub fn no_level(level: &str) -> Option<&str> {
        no_levels(level).next()
    }
}

fn no_levels(level: &str) -> impl Iterator<Item = &str> {
    let words = level
        .split(',')
        .map(|directive| directive.rsplit('=').next().unwrap_or_default().trim());
    words.filter(|word| !LEVELS.contains(&word.to_ascii_lowercase().as_str()))
}

/// Judges the section.
pub(in crate::config) fn check(log: &Log, report: &mut Report<'_>) {
    for word in no_levels(&log.level) {
        report.wrong(
            &key(&["log", "level"]),
            Complaint::unknown("the level", word, LEVELS),
        );
    }
}
