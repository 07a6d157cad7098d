//! What a check concludes: outcome, points, reason, evidence.

use serde::{Deserialize, Serialize};

use crate::checks::points::Points;

/// One conclusion of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The check's name in the configuration.
    pub check: std::borrow::Cow<'static, str>,
    /// What it means.
    pub outcome: Outcome,
    /// What it adds to the total.
    pub points: Points,
    /// A word from the check's closed list, fit for a metric label.
    pub reason: std::borrow::Cow<'static, str>,
    /// What was seen, for people and for the reply: printable, without secrets; empty when the reason says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub evidence: String,
}

/// What a finding means for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Lets the client through, whatever the points.
    Allow,
    /// Refuses the client, whatever the points.
    Deny,
    /// Speaks against the client.
    Fail,
    /// Looked, and found nothing against the client.
    Pass,
    /// Speaks for the client.
    Trust,
    /// Could not tell: the answer failed.
    Unknown,
    /// Puts the recipient off: it has not waited yet, or is one too many.
    PutOff,
}

impl Outcome {
    /// The outcome as one word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Fail => "fail",
            Self::Pass => "pass",
            Self::Trust => "trust",
            Self::Unknown => "unknown",
            Self::PutOff => "put_off",
        }
    }
}
