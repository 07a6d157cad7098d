//! What the tests of a zone have shown, and what it means: which answers no list may give (RFC 5782 §2.1, §5), and what to do
//! about them. Not the testing: that is `test_entries.rs`.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// What the last test of a zone has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fitness {
    /// Nothing yet.
    #[default]
    Untested,
    /// It lists what it must and not what it must not.
    Fit,
    /// It does not list what it must; nothing else is known against it.
    NoTestEntry,
    /// It lists what no list may.
    ListsEverything,
    /// It answers what no list may answer: an error code, or an address outside 127.0.0.0/8.
    Wrong(Ipv4Addr),
}

impl Fitness {
    /// Whether answers of the zone must not count.
    #[must_use]
    pub const fn is_unfit(self) -> bool {
        matches!(self, Self::ListsEverything | Self::Wrong(_))
    }

    /// A word for logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Untested => "untested",
            Self::Fit => "tested",
            Self::NoTestEntry => "no_test_entry",
            Self::ListsEverything => "lists_everything",
            Self::Wrong(answer) if is_error_code(answer) => "error_code",
            Self::Wrong(_) => "no_list",
        }
    }

    /// Tells that the zone called `zone` has become so.
    pub(in crate::gather) fn tell(self, zone: &str, before: Self) {
        match self {
            Self::ListsEverything => tracing::error!(
                %zone,
                "suspended, and mail passes without it: it lists everything, also its test entry that must never be \
                 listed. It is asked again when a test is clean (every 30 s); if that does not come, ask it through a \
                 resolver of your own, or take it out of the configuration",
            ),
            Self::Wrong(answer) => tracing::error!(
                %zone,
                %answer,
                "suspended until a test is clean (every 30 s), and mail passes without it: {}",
                advice(answer)
            ),
            Self::Fit | Self::NoTestEntry if before.is_unfit() => {
                tracing::info!(%zone, "its test is clean: it is asked again");
            }
            Self::NoTestEntry => tracing::info!(
                %zone,
                "it does not list its test entry (RFC 5782 §5): if its name is right, it has none, and nobody can tell \
                 whether it works",
            ),
            Self::Fit | Self::Untested => {}
        }
    }
}

/// Whether no list may answer so (RFC 5782 §2.1): 127.255.255.0/24 are the operators' error codes, others come from zones
/// given up and sold.
pub(in crate::gather) const fn is_wrong(answer: Ipv4Addr) -> bool {
    !answer.is_loopback() || is_error_code(answer)
}

const fn is_error_code(answer: Ipv4Addr) -> bool {
    matches!(answer.octets(), [127, 255, 255, _])
}

/// What to do about such an answer.
pub(in crate::gather) const fn advice(answer: Ipv4Addr) -> &'static str {
    if is_error_code(answer) {
        "it refuses this resolver: use one of your own, or the zone's name is wrong"
    } else {
        "it is no list any more: take it out of the configuration"
    }
}
