//! Counting recipients: who is counted, against which rates, and whether there was room.
//!
//! Each recipient is a question of its own, for being asked is being counted. The answer is raw: the rate that left no room
//! stands in the question, what that is worth is for the check to say.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::facts::{Millis, Rate};

/// Is there room for one more recipient in all of these quotas? Where there is, it is counted in each, else in none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Counting {
    /// Which recipient of the session it is, from 1.
    pub recipient: u32,
    /// The quotas.
    pub quotas: Box<[Quota]>,
}

/// So many recipients in such a time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quota {
    /// Whose recipients are counted.
    pub of: Party,
    /// How many are allowed.
    pub rate: Rate,
}

/// Whose recipients are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// One client's.
    Address(IpNet),
    /// Those of all clients in a network.
    Network(IpNet),
    /// Those of one sender, from all clients in a network: from elsewhere somebody else may use its name.
    Sender {
        /// The clients' network.
        network: IpNet,
        /// The reverse-path, with all that changes from message to message folded away.
        mailbox: Box<str>,
    },
    /// One client's recipients that are exempt from filtering.
    ExemptFromAddress(IpNet),
    /// The same of all clients in a network.
    ExemptFromNetwork(IpNet),
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Room {
    /// There was, and the recipient is counted.
    Within,
    /// There was not.
    Over {
        /// The quota without room, by its place in the question; of several the one that takes longest.
        quota: u8,
        /// How long until it has room.
        wait: Millis,
    },
    /// Nobody counts.
    Unknown,
}

impl Counting {
    /// About how many octets it takes.
    pub(in crate::facts) fn octets(&self) -> usize {
        let text = |quota: &Quota| match &quota.of {
            Party::Sender { mailbox, .. } => mailbox.len(),
            _ => 0,
        };
        let texts: usize = self.quotas.iter().map(text).sum();
        size_of::<Self>() + size_of_val(&*self.quotas) + texts
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recipient {}", self.recipient)?;
        let mut between = ":";
        for quota in &self.quotas {
            write!(f, "{between} {} {}", quota.of, quota.rate)?;
            between = ",";
        }
        Ok(())
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(network) => write!(f, "address {network}"),
            Self::Network(network) => write!(f, "network {network}"),
            Self::Sender { network, mailbox } => write!(f, "sender {mailbox} in {network}"),
            Self::ExemptFromAddress(network) => write!(f, "exempt from address {network}"),
            Self::ExemptFromNetwork(network) => write!(f, "exempt from network {network}"),
        }
    }
}
