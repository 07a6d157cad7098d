//! What a probe says: how it stands with one thing, what was seen, why that matters and what to do about it.

use std::borrow::Cow;
use std::fmt::Display;

use serde::{Deserialize, Serialize};

/// How it stands with what was looked at, from good to bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Good,
    /// It could not be looked at from here, or now.
    CouldNotTell,
    /// It works, and could be better.
    Notice,
    /// It costs mail at times, or will.
    Warning,
    /// It costs mail, or lets others misuse the server.
    Fault,
}

impl Outcome {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Good,
        Self::CouldNotTell,
        Self::Notice,
        Self::Warning,
        Self::Fault,
    ];

    /// The outcome as words.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::CouldNotTell => "could not tell",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }

    /// Its number in metrics: the graver, the greater.
    #[must_use]
    pub const fn weight(self) -> u64 {
        match self {
            Self::Good => 0,
            Self::CouldNotTell => 1,
            Self::Notice => 2,
            Self::Warning => 3,
            Self::Fault => 4,
        }
    }
}

/// One thing that a probe has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How it stands.
    pub outcome: Outcome,
    /// What it is about: a domain, a host, an address.
    pub about: String,
    /// What was seen: printable, and of bounded length.
    pub seen: String,
    /// Why it matters, with the standard and its section; empty where all is well.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub why: Cow<'static, str>,
    /// What to do about it; empty where there is nothing to do.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub advice: Cow<'static, str>,
}

impl Finding {
    /// As it should be.
    pub(in crate::doctor) fn good(about: impl Display, seen: impl Into<String>) -> Self {
        Self::new(Outcome::Good, about, seen, "", "")
    }

    /// It could not be looked at.
    pub(in crate::doctor) fn could_not_tell(
        about: impl Display,
        seen: impl Into<String>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(Outcome::CouldNotTell, about, seen, "", advice)
    }

    /// Anything.
    pub(in crate::doctor) fn new(
        outcome: Outcome,
        about: impl Display,
        seen: impl Into<String>,
        why: &'static str,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            outcome,
            about: about.to_string(),
            seen: seen.into(),
            why: why.into(),
            advice: advice.into(),
        }
    }
}
