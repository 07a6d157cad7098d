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
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// The section as it stands in the reference file.
pub(in crate::config) const SAMPLE: &str = r#"[log]
# "text" (key=value) or "json".
format = "text"
# "off", "error", "warn", "info" (one line per session), "debug" or "trace"; parts apart: "info,gatepost::gather=debug".
level = "info"
"#;

/// Judges the section.
pub(in crate::config) fn check(log: &Log, report: &mut Report<'_>) {
    for directive in log.level.split(',') {
        let level = directive.rsplit('=').next().unwrap_or_default().trim();
        if !LEVELS.contains(&level.to_ascii_lowercase().as_str()) {
            report.wrong(
                &key(&["log", "level"]),
                Complaint::unknown("the level", level, LEVELS),
            );
        }
    }
}
