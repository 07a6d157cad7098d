//! Addresses: made-up public ones, each network given out once.
//!
//! IPv4 in /24 networks from the whole public space, scattered; IPv6 under 2001:db8::/32 (RFC 3849), /64 for a host and /48
//! for a provider. Nothing is ever sent to any of them: they stand in PROXY headers and in the made DNS.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checks::address::is_public;

/// Hosts of a /24 that are given out.
pub(super) const HOSTS: u32 = 250;
/// From here on 2001:db8:X:: are /64 networks of hosts; below, /48 networks of providers.
const SITES: u32 = 0x1000;

/// A network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// A /24.
    V4([u8; 3]),
    /// A /64: the third and fourth group.
    V6(u16, u16),
}

impl Network {
    /// Its host of this number, modulo what it has room for.
    pub(super) fn host(self, number: u32) -> IpAddr {
        match self {
            Self::V4([a, b, c]) => {
                let last = u8::try_from(1 + number % HOSTS).unwrap_or(1);
                IpAddr::V4(Ipv4Addr::new(a, b, c, last))
            }
            Self::V6(site, subnet) => {
                let host = u16::try_from(1 + number % 0xfff0).unwrap_or(1);
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, site, subnet, 0, 0, 0, host))
            }
        }
    }

    /// As an SPF mechanism.
    pub(super) fn mechanism(self) -> String {
        match self {
            Self::V4([a, b, c]) => format!("ip4:{a}.{b}.{c}.0/24"),
            Self::V6(site, subnet) => format!("ip6:2001:db8:{site:x}:{subnet:x}::/64"),
        }
    }
}

/// Gives networks out.
#[derive(Debug, Default)]
pub(super) struct Networks {
    v4: u32,
    v6: u32,
    sites: u32,
}

impl Networks {
    /// A /24.
    pub(super) fn v4(&mut self) -> Network {
        loop {
            // An odd factor makes this a permutation of all /24 networks.
            let scattered = self.v4.wrapping_mul(0x9e_3779).wrapping_add(0x2f_0d35) & 0xff_ffff;
            self.v4 = self.v4.wrapping_add(1);
            let [_, a, b, c] = scattered.to_be_bytes();
            if is_usable([a, b, c]) {
                return Network::V4([a, b, c]);
            }
        }
    }

    /// A /64.
    pub(super) fn v6(&mut self) -> Network {
        let site = SITES + (self.v6 >> 16) % (0x1_0000 - SITES);
        let scattered = self.v6.wrapping_mul(0x9e37) & 0xffff;
        self.v6 = self.v6.wrapping_add(1);
        let site = u16::try_from(site).unwrap_or(u16::MAX);
        let subnet = u16::try_from(scattered).unwrap_or_default();
        Network::V6(site, subnet)
    }

    /// The number of a /48.
    pub(super) fn site(&mut self) -> u16 {
        self.sites = self.sites % (SITES - 1) + 1;
        u16::try_from(self.sites).unwrap_or(1)
    }
}

/// Public, and none of the networks for benchmarks and protocols (RFC 2544, RFC 6890), from which nobody sends mail.
fn is_usable([a, b, c]: [u8; 3]) -> bool {
    let reserved = matches!([a, b, c], [198, 18 | 19, _] | [192, 0, 0] | [192, 88, 99]);
    !reserved && a < 240 && is_public(IpAddr::V4(Ipv4Addr::new(a, b, c, 1)))
}
