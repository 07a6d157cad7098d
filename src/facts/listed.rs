//! An entry of the allow or deny list that an operator added to the running process, as far as it speaks of a session.
//!
//! Noted when the session meets it, so that a record can be judged again after the entry has gone.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// An entry that held when it was noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Whether it lets in or keeps out.
    pub allow: bool,
    /// Whom it speaks of.
    pub subject: Subject,
}

/// Whom an entry speaks of; names as they stand in the configuration, lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A client's network.
    Network(IpNet),
    /// A name in HELO; `.example.org` for every name below.
    Helo(Box<str>),
    /// An address in MAIL; `@example.org`, `@.example.org`.
    Sender(Box<str>),
}

impl Subject {
    /// Octets of its text.
    pub(in crate::facts) fn text(&self) -> usize {
        match self {
            Self::Network(_) => 0,
            Self::Helo(text) | Self::Sender(text) => text.len(),
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Helo(text) | Self::Sender(text) => f.write_str(text),
        }
    }
}
