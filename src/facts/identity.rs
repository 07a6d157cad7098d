//! Who a client is remembered as: its network, or a name that vouches for it and is the same for its next host.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One way to know a client again.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// By its address, or the network that it shares with its like.
    Network(IpNet),
    /// By the domain whose SPF record authorises it (RFC 7208).
    Spf(Box<str>),
    /// By the domain of its confirmed reverse name (RFC 8601 §2.7.3).
    Name(Box<str>),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Spf(domain) => write!(f, "spf:{domain}"),
            Self::Name(domain) => write!(f, "name:{domain}"),
        }
    }
}

/// A text that names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identity: a network, spf:DOMAIN or name:DOMAIN")]
pub struct BadIdentity;

impl FromStr for Identity {
    type Err = BadIdentity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = |domain: &str| (!domain.is_empty()).then(|| domain.into());
        let identity = match (text.strip_prefix("spf:"), text.strip_prefix("name:")) {
            (Some(domain), _) => named(domain).map(Self::Spf),
            (_, Some(domain)) => named(domain).map(Self::Name),
            _ => text.parse().ok().map(Self::Network),
        };
        identity.ok_or(BadIdentity)
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
