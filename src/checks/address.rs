//! Which addresses the public internet knows.
//!
//! Lists, reverse names and other public records say nothing about an address that many networks
//! use at once, and asking for it tells strangers about ours. RFC 1918, RFC 4193 (ULA), RFC 6598
//! (shared address space), RFC 6890. Documentation addresses (RFC 5737, RFC 3849) count as public:
//! examples and tests live on them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// False for loopback, private, shared, link-local, site-local, unique local, unspecified, broadcast,
/// multicast, benchmarking and reserved addresses. An IPv4 address in IPv6 form is judged as the former.
#[must_use]
pub const fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

const fn is_public_v4(address: Ipv4Addr) -> bool {
    // 0.0.0.0/8 is "this network" (RFC 791 §3.2), 100.64.0.0/10 the shared space of RFC 6598.
    // 198.18.0.0/15 is for benchmarks (RFC 2544), 240.0.0.0/4 reserved (RFC 1112 §4).
    !(matches!(
        address.octets(),
        [0, ..] | [100, 64..=127, ..] | [198, 18..=19, ..] | [240..=255, ..]
    ) || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast())
}

const fn is_public_v6(address: Ipv6Addr) -> bool {
    // fec0::/10 was site-local (RFC 3879).
    let [first, ..] = address.segments();
    !(first & 0xffc0 == 0xfec0
        || address.is_unspecified()
        || address.is_loopback()
        || address.is_unique_local()
        || address.is_unicast_link_local()
        || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "feff::1",
            "198.18.0.1",
            "198.19.255.255",
            "240.0.0.1",
            "febf::1",
            "fc00::1",
            "fdff::1",
            "ff02::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "2001:db8::1",
            "2606:4700::1",
            "::ffff:192.0.2.1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
