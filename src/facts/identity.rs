//! Who a client is remembered as: its network, or a name that vouches for it and is the same for its next host.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::smtp::text::serde_through_text;

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

impl Identity {
    /// The network that is one client: an IPv4 address, or the /64 of an IPv6 address, which one customer holds whole.
    #[must_use]
    pub fn client(address: IpAddr) -> Self {
        Self::Network(one_client(address))
    }

    /// A domain that SPF has passed. Case and a final dot do not count.
    #[must_use]
    pub fn spf(domain: &str) -> Self {
        Self::Spf(plain(domain))
    }

    /// The domain of a confirmed reverse name. Case and a final dot do not count.
    #[must_use]
    pub fn name(domain: &str) -> Self {
        Self::Name(plain(domain))
    }
}

/// The network that is one client: an IPv4 address, or the /64 of an IPv6 address.
#[must_use]
pub fn one_client(address: IpAddr) -> IpNet {
    network_of(address, 32, 64)
}

/// The network that is often one customer's: the /24 of an IPv4 address, the /56 of an IPv6 address.
#[must_use]
pub fn one_site(address: IpAddr) -> IpNet {
    network_of(address, 24, 56)
}

/// The network of an address that is so long, for IPv4 and for IPv6. An IPv4 address in IPv6 form is the former.
#[must_use]
pub fn network_of(address: IpAddr, four: u8, six: u8) -> IpNet {
    let address = address.to_canonical();
    let length = if address.is_ipv4() { four } else { six };
    IpNet::new(address, length).map_or(IpNet::from(address), |network| network.trunc())
}

fn plain(domain: &str) -> Box<str> {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    domain.to_ascii_lowercase().into()
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
        let named = |domain: &str| Some(plain(domain)).filter(|domain| !domain.is_empty());
        let identity = match (text.strip_prefix("spf:"), text.strip_prefix("name:")) {
            (Some(domain), _) => named(domain).map(Self::Spf),
            (_, Some(domain)) => named(domain).map(Self::Name),
            _ => text.parse().ok().map(Self::Network),
        };
        identity.ok_or(BadIdentity)
    }
}

serde_through_text!(Identity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_is_one_identity_however_it_is_written() {
        for (identity, text) in [
            (Identity::spf("Example.ORG."), "spf:example.org"),
            (Identity::name("Example.ORG"), "name:example.org"),
            (Identity::client([192, 0, 2, 1].into()), "192.0.2.1/32"),
            (
                Identity::client("2001:db8:1:2:3::9".parse().unwrap()),
                "2001:db8:1:2::/64",
            ),
            (
                Identity::client("::ffff:192.0.2.1".parse().unwrap()),
                "192.0.2.1/32",
            ),
        ] {
            assert_eq!(identity.to_string(), text);
            assert_eq!(text.parse(), Ok(identity));
        }
        assert_eq!("spf:EXAMPLE.org.".parse(), Ok(Identity::spf("example.org")));
        for nobody in ["", "spf:", "name:.", "192.0.2.1", "example.org"] {
            assert_eq!(nobody.parse::<Identity>(), Err(BadIdentity), "{nobody}");
        }
    }
}
