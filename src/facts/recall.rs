//! What the memory is asked, and what it answers: raw, as ages and counts.
//!
//! A question here is about the past of other sessions. Ages are seconds before this session began, so that a record can be
//! judged again at any time. What an age is worth (long enough, too long ago) is for the checks to say.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::facts::Identity;

/// A question to the memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recall {
    /// Has this client earned a pass?
    Pass(Identity),
    /// Has this triplet been here before (RFC 6647 §2.3)? Being asked is being here.
    Triplet {
        /// Who sends.
        identity: Identity,
        /// The reverse-path, with all that changes from message to message folded away.
        sender: Box<str>,
        /// The forward-path, lower case.
        recipient: Box<str>,
    },
    /// How many of this network's recipients were refused and taken by the backend lately?
    Harvest(IpNet),
    /// Has this network lately been at the listeners of the primary?
    Tried(IpNet),
}

/// An answer of the memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recalled {
    /// Nothing is remembered.
    Nothing,
    /// There is no memory to ask.
    Unavailable,
    /// A pass.
    Pass {
        /// Seconds since it was earned first.
        since: u32,
        /// Sessions that earned it.
        visits: u32,
    },
    /// A triplet.
    Triplet {
        /// Seconds since it was here first.
        since: u32,
        /// Whether it was let through then.
        passed: bool,
    },
    /// Recipients of a network.
    Harvest {
        /// Refused by the backend.
        refused: u32,
        /// Taken by it.
        accepted: u32,
    },
    /// A visit.
    Tried {
        /// Seconds since the last.
        since: u32,
    },
}

impl fmt::Display for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass(identity) => write!(f, "pass {identity}"),
            Self::Triplet {
                identity,
                sender,
                recipient,
            } => write!(f, "triplet {identity} {sender} {recipient}"),
            Self::Harvest(network) => write!(f, "harvest {network}"),
            Self::Tried(network) => write!(f, "tried {network}"),
        }
    }
}
