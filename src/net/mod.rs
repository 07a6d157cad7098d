//! Floor 5: sockets. Listening, the client's stream with or without TLS, the PROXY header, the connection to the
//! backend.
//!
//! Octets go in and out here; nothing knows SMTP, policy or configuration files, nothing spawns a task or reads the
//! clock. Deadlines belong to the caller, except the one in [`backend::connect`], which is one of the ways to fail
//! there.
//!
//! Sections followed: RFC 9293 (TCP), RFC 8446 and RFC 5246 (TLS 1.3, 1.2), RFC 3207 (STARTTLS), RFC 8314 section 3
//! (implicit TLS), "The PROXY protocol, versions 1 & 2" (HAProxy).

pub mod admission;
pub mod backend;
pub mod handshakes;
pub mod inspect;
pub mod listen;
pub mod logins;
pub mod pace;
pub mod proxy_header;
pub mod rate_limit;
pub mod stream;
pub mod tls;

pub use stream::Stream;

use std::net::{IpAddr, SocketAddr};

/// `address` with an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2) written as the IPv4 address it stands for,
/// and without IPv6 flow label and zone, which mean nothing to another host.
///
/// Whoever judges, counts, logs or passes on a peer address does it with the unmapped form; a backend that trusts
/// 127.0.0.1 has been seen to trust `::ffff:127.0.0.1` as well.
#[must_use]
pub fn unmap(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether `address` can be that of a TCP peer at all: neither unspecified nor multicast nor broadcast.
fn is_host(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_unmapped_and_others_kept() {
        for (given, expected) in [
            ("[::ffff:192.0.2.7]:25", "192.0.2.7:25"),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1"),
            ("[2001:db8::1]:465", "[2001:db8::1]:465"),
            ("[::192.0.2.7]:25", "[::192.0.2.7]:25"),
            ("[fe80::1%3]:25", "[fe80::1]:25"),
            ("198.51.100.1:40000", "198.51.100.1:40000"),
        ] {
            let given: SocketAddr = given.parse().unwrap();
            assert_eq!(unmap(given), expected.parse().unwrap());
        }
    }

    #[test]
    fn what_no_peer_can_have_is_no_host() {
        for (address, host) in [
            ("192.0.2.1", true),
            ("127.0.0.1", true),
            ("::1", true),
            ("0.0.0.0", false),
            ("::", false),
            ("::ffff:0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_host(address.parse().unwrap()), host, "{address}");
        }
    }
}
