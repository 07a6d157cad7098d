//! The PROXY header: written to the backend, and read from a configured front proxy.
//!
//! Follows "The PROXY protocol, versions 1 & 2" (HAProxy), sections 2.1 and 2.2. Parsed by the crate `proxy-header`,
//! behind checks of ours that are stricter than the crate: only TCP over IPv4 or IPv6, only the command PROXY, ports
//! without sign or leading zero, at most [`MAX`] octets. LOCAL and UNKNOWN name no client, and a receiver must not
//! guess, so they are refused. TLVs are passed over.
//!
//! What is written has no TLVs: 28 or 52 octets in version 2, at most 107 in version 1. Exim 4.96 takes no header over
//! 232 octets and wants the first 14 in one segment.
//!
//! Mixed families: a header has one family, and that of the client decides. A local IPv4 address beside an IPv6 client
//! is written IPv4-mapped; a local IPv6 address beside an IPv4 client as 0.0.0.0. Exim 4.96 was seen to take both, in
//! both versions, and to report the client's address and port unchanged. The client is never written IPv4-mapped: Exim
//! gives `::ffff:127.0.0.1` the rights of 127.0.0.1.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::BytesMut;
use proxy_header::{ParseConfig, Protocol, ProxiedAddress, ProxyHeader};

use crate::net::{Stream, is_host, unmap};

/// The longest header that is read, in octets, TLVs included.
pub const MAX: usize = 536;
/// The longest version 1 header, CR LF included (section 2.1).
pub const MAX_V1: usize = 107;

const V1_PREFIXES: [&[u8]; 2] = [b"PROXY TCP4 ", b"PROXY TCP6 "];
const V1_UNKNOWN: &[u8] = b"PROXY UNKNOWN";
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family and protocol, length.
const V2_FIXED: usize = 16;

/// Version of the header to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One line of text.
    V1,
    /// Binary.
    V2,
}

/// What the octets read so far are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    /// The beginning of a header.
    NeedMore {
        /// So many octets, at least one, still belong to the header for certain; more may follow.
        at_least: usize,
    },
    /// A header.
    Header {
        /// Its length in octets.
        consumed: usize,
        /// The client, unmapped.
        client: SocketAddr,
        /// The address the client connected to, unmapped.
        local: SocketAddr,
    },
    /// Not a header we accept; the connection must be closed without an answer.
    Bad(BadHeader),
}

/// Why a header is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// The first octets are not those of a PROXY header.
    #[error("no PROXY header")]
    Missing,
    /// UNKNOWN, LOCAL or AF_UNSPEC: names no client.
    #[error("PROXY header names no client (UNKNOWN or LOCAL)")]
    NoClient,
    /// UDP or UNIX sockets, or a value the specification does not know.
    #[error("PROXY header is not for TCP over IPv4 or IPv6")]
    Protocol,
    /// Longer than [`MAX`], or than [`MAX_V1`] in version 1.
    #[error("PROXY header is too long")]
    TooLong,
    /// A port with a sign, a leading zero or other characters.
    #[error("PROXY header has a malformed port")]
    Port,
    /// The client's address is one no TCP peer has: unspecified, multicast or broadcast.
    #[error("PROXY header names an impossible client address")]
    Client,
    /// Anything else.
    #[error("PROXY header is malformed")]
    Syntax,
}

/// Why no header was read.
#[derive(Debug, thiserror::Error)]
pub enum HeaderProblem {
    /// What came is refused.
    #[error(transparent)]
    Bad(#[from] BadHeader),
    /// The peer closed within the header, or before it.
    #[error("connection closed before the PROXY header was complete")]
    Closed,
    /// The connection failed.
    #[error("connection failed before the PROXY header was complete: {0}")]
    Io(#[from] std::io::Error),
}

/// The header for `client`, who connected to `local`: one write, before anything else.
///
/// Both addresses are unmapped first; for mixed families see the head of this file.
#[must_use]
pub fn write(version: Version, client: SocketAddr, local: SocketAddr) -> Vec<u8> {
    let source = unmap(client);
    let destination = of_same_family(source, unmap(local));
    let header = ProxyHeader::with_address(ProxiedAddress {
        protocol: Protocol::Stream,
        source,
        destination,
    });
    let mut out = Vec::with_capacity(64);
    let written = match version {
        Version::V1 => header.encode_v1(&mut out),
        Version::V2 => header.encode_v2(&mut out),
    };
    debug_assert_eq!(
        written,
        Ok(()),
        "families agree, no TLVs, a Vec takes any length"
    );
    out
}

fn of_same_family(client: SocketAddr, local: SocketAddr) -> SocketAddr {
    let ip = match (client.ip(), local.ip()) {
        (IpAddr::V6(_), IpAddr::V4(v4)) => IpAddr::V6(v4.to_ipv6_mapped()),
        (IpAddr::V4(_), IpAddr::V6(_)) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        (_, same) => same,
    };
    SocketAddr::new(ip, local.port())
}

/// Reads one header and not one octet behind it, so that a TLS handshake or the dialogue can begin on the stream
/// itself. The deadline is the caller's.
///
/// # Errors
/// [`HeaderProblem`]; the connection is to be closed without an answer.
pub async fn read(stream: &mut Stream) -> Result<(SocketAddr, SocketAddr), HeaderProblem> {
    let mut input = BytesMut::new();
    loop {
        match parse(&input) {
            Parse::Header { client, local, .. } => return Ok((client, local)),
            Parse::Bad(reason) => return Err(reason.into()),
            Parse::NeedMore { at_least } => {
                if stream.read_into(&mut input, at_least).await? == 0 {
                    return Err(HeaderProblem::Closed);
                }
            }
        }
    }
}

/// Looks for a header at the beginning of `input`, of either version.
#[must_use]
pub fn parse(input: &[u8]) -> Parse {
    if input.starts_with(V2_SIGNATURE) {
        return parse_v2(input);
    }
    if V1_PREFIXES.iter().any(|prefix| input.starts_with(prefix)) {
        return parse_v1(input);
    }
    if input.starts_with(V1_UNKNOWN) {
        return Parse::Bad(BadHeader::NoClient);
    }
    let begins = |known: &[u8]| known.starts_with(input);
    if begins(V2_SIGNATURE) || V1_PREFIXES.iter().any(|prefix| begins(prefix)) || begins(V1_UNKNOWN)
    {
        return Parse::NeedMore {
            at_least: V2_FIXED - input.len(),
        };
    }
    Parse::Bad(BadHeader::Missing)
}

fn parse_v1(input: &[u8]) -> Parse {
    let head = input.get(..MAX_V1).unwrap_or(input);
    let Some(end) = memchr::memchr(b'\n', head) else {
        if head.len() == MAX_V1 {
            return Parse::Bad(BadHeader::TooLong);
        }
        return Parse::NeedMore {
            at_least: missing_v1(head),
        };
    };
    let line = head.get(..=end).unwrap_or(head);
    let Some(text) = line.strip_suffix(b"\r\n") else {
        return Parse::Bad(BadHeader::Syntax);
    };
    // PROXY, family, two addresses, then ports; the crate sees to it that there are two.
    if !text.split(|&octet| octet == b' ').skip(4).all(is_port) {
        return Parse::Bad(BadHeader::Port);
    }
    decode(line)
}

/// Octets certainly missing from an unfinished version 1 line: a space and one more octet for each missing field, and
/// the line ending.
fn missing_v1(line: &[u8]) -> usize {
    const SPACES: usize = 5;
    if line.ends_with(b"\r") {
        return 1;
    }
    let spaces = memchr::memchr_iter(b' ', line).count();
    let field_open = usize::from(line.ends_with(b" "));
    let missing = 2 * SPACES.saturating_sub(spaces) + field_open + 2;
    missing.min(MAX_V1 - line.len().min(MAX_V1 - 1))
}

fn is_port(field: &[u8]) -> bool {
    match field {
        [b'0'] => true,
        [b'0', ..] | [] => false,
        _ => field.len() <= 5 && field.iter().all(u8::is_ascii_digit),
    }
}

fn parse_v2(input: &[u8]) -> Parse {
    let Some(&[command, family, high, low]) = input.get(V2_SIGNATURE.len()..V2_FIXED) else {
        return Parse::NeedMore {
            at_least: V2_FIXED - input.len(),
        };
    };
    match (command, family) {
        (0x21, 0x11 | 0x21) => {}
        (0x20, _) | (0x21, 0x00) => return Parse::Bad(BadHeader::NoClient),
        (0x21, _) => return Parse::Bad(BadHeader::Protocol),
        _ => return Parse::Bad(BadHeader::Syntax),
    }
    let length = V2_FIXED + usize::from(u16::from_be_bytes([high, low]));
    if length > MAX {
        return Parse::Bad(BadHeader::TooLong);
    }
    match input.get(..length) {
        Some(header) => decode(header),
        None => Parse::NeedMore {
            at_least: length - input.len(),
        },
    }
}

/// `header` is whole: there is no "too short" any more.
fn decode(header: &[u8]) -> Parse {
    let config = ParseConfig {
        include_tlvs: false,
        allow_v1: true,
        allow_v2: true,
    };
    let Ok((decoded, consumed)) = ProxyHeader::parse(header, config) else {
        return Parse::Bad(BadHeader::Syntax);
    };
    let Some(addresses) = decoded.proxied_address() else {
        return Parse::Bad(BadHeader::NoClient);
    };
    if addresses.protocol != Protocol::Stream {
        return Parse::Bad(BadHeader::Protocol);
    }
    if !is_host(addresses.source.ip()) {
        return Parse::Bad(BadHeader::Client);
    }
    Parse::Header {
        consumed,
        client: unmap(addresses.source),
        local: unmap(addresses.destination),
    }
}

#[cfg(test)]
mod tests;
