//! The table of classes: shares and traits, whose they are, and how far they might be off.

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::measure::trace::{Label, Traits};

/// A class's share and traits, percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Of the connections to port 25; those of all classes but M1 make 100. M1 comes on top, to its own port.
    pub share: f64,
    /// Listed when first seen.
    pub listed: f64,
    /// Speaks while a greeting that begins with `220-` is not complete for 6 seconds.
    pub early: f64,
    /// Pipelines without leave.
    pub pipelines: f64,
    /// Its HELO fails a test of shape: our name, a bare address, no dot.
    pub bad_helo: f64,
    /// Its address has no name.
    pub no_ptr: f64,
    /// Its address has a name that looks dynamic.
    pub dynamic: f64,
    /// SPF says fail.
    pub spf_fail: f64,
    /// The sender's domain has neither MX nor address.
    pub bad_domain: f64,
    /// Does not come back 5 minutes to 24 hours after it was put off.
    pub no_retry: f64,
    /// Leaves without QUIT.
    pub no_quit: f64,
    /// How well this is known.
    pub evidence: Evidence,
}

/// How far a trait's share in a group might be off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensitivity {
    /// The trait.
    #[serde(rename = "trait")]
    pub of: Trait,
    /// Whose.
    pub among: Group,
    /// Percent of the group, at the least.
    pub low: f64,
    /// Percent, at the most.
    pub high: f64,
    /// How well these bounds are known.
    pub evidence: Evidence,
}

/// Whom a share is counted among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Spam and hostile.
    Unwanted,
    /// Spam.
    Spam,
    /// Legitimate.
    Legitimate,
}

impl Group {
    /// Whether what is counted as `label` belongs to it.
    #[must_use]
    pub const fn has(self, label: Label) -> bool {
        match self {
            Self::Unwanted => matches!(label, Label::Spam | Label::Hostile),
            Self::Spam => matches!(label, Label::Spam),
            Self::Legitimate => matches!(label, Label::Legitimate),
        }
    }
}

macro_rules! traits {
    ($($name:ident $field:ident $about:literal,)*) => {
        /// A column of the table of classes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Trait { $(#[doc = $about] $name,)* }

        impl Trait {
            /// Every column.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its word, as in scenario files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($field),)* }
            }

            /// What it is, for people.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }

            /// Whether it was drawn.
            #[must_use]
            pub const fn was_drawn(self, traits: &Traits) -> bool {
                match self { $(Self::$name => traits.$field,)* }
            }

            /// Percent of a class that have it.
            #[must_use]
            pub const fn percent(self, row: &Row) -> f64 {
                match self { $(Self::$name => row.$field,)* }
            }
        }
    };
}

traits! {
    Listed listed "listed when first seen",
    Early early "speaks before it is greeted",
    Pipelines pipelines "pipelines without leave",
    BadHelo bad_helo "HELO of bad shape",
    NoPtr no_ptr "no reverse name",
    Dynamic dynamic "dynamic reverse name",
    SpfFail spf_fail "SPF fail",
    BadDomain bad_domain "sender domain that takes no mail",
    NoRetry no_retry "does not come back",
    NoQuit no_quit "no QUIT",
}
