//! Other protocols that come to an SMTP port, recognised by their first octets or lines.
//!
//! Not a parser of them: a client that speaks one is answered once and cut (cross-protocol attacks
//! such as ALPACA end here). RFC 9112 (HTTP), RFC 8446 (TLS), RFC 1928 (SOCKS), RFC 4253 (SSH).

use serde::{Deserialize, Serialize};

use super::verb::Verb;

/// A protocol that is not SMTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// A request line of HTTP.
    Http,
    /// A TLS record that carries a ClientHello, sent where plain text was expected.
    Tls,
    /// A TPKT header, as the Remote Desktop Protocol begins.
    Rdp,
    /// SOCKS 4 or 5.
    Socks,
    /// The identification line of SSH.
    Ssh,
    /// A header line `Name: value`, of a message or of HTTP.
    HeaderLine,
}

/// Request methods that begin an HTTP request; PRI begins HTTP/2 (RFC 9113 §3.4).
const HTTP_METHODS: [&str; 10] = [
    "GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "DELETE", "TRACE", "PATCH", "PRI",
];

/// Words before a colon that are SMTP badly typed.
const SLIPS: [&str; 2] = ["MAILFROM", "RCPTTO"];

/// What the first two octets of a line say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Nothing foreign.
    Ordinary,
    /// One octet that could begin a foreign protocol: the next one decides.
    Undecided,
    /// Surely foreign.
    Foreign(Protocol),
}

impl Protocol {
    /// A short name for metrics and logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tls => "tls",
            Self::Rdp => "rdp",
            Self::Socks => "socks",
            Self::Ssh => "ssh",
            Self::HeaderLine => "header_line",
        }
    }

    /// Recognises binary protocols, which never send a line end to wait for.
    pub(super) const fn of_start(input: &[u8]) -> Start {
        match input {
            [0x16, 0x03, ..] => Start::Foreign(Self::Tls),
            [0x03, 0x00, ..] => Start::Foreign(Self::Rdp),
            [0x04, 0x01 | 0x02, ..] | [0x05, 0x01..=0x10, ..] => Start::Foreign(Self::Socks),
            [0x03 | 0x04 | 0x05 | 0x16] => Start::Undecided,
            _ => Start::Ordinary,
        }
    }

    /// Recognises text protocols by one line without its line end. A slip of somebody who types
    /// SMTP by hand (`EHLO: x`, `MAILFROM:<a@b>`) is none.
    pub(super) fn of_line(line: &[u8]) -> Option<Self> {
        if line.starts_with(b"SSH-") {
            return Some(Self::Ssh);
        }
        let word = line
            .split(|&octet| octet == b' ')
            .next()
            .unwrap_or_default();
        if HTTP_METHODS
            .iter()
            .any(|method| word.eq_ignore_ascii_case(method.as_bytes()))
        {
            return Some(Self::Http);
        }
        let colon = line.iter().position(|&octet| octet == b':')?;
        let (name, _) = line.split_at_checked(colon)?;
        let is_name = !name.is_empty()
            && name
                .iter()
                .all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-');
        let is_slip = Verb::from_keyword(name).is_some()
            || SLIPS
                .iter()
                .any(|slip| name.eq_ignore_ascii_case(slip.as_bytes()));
        (is_name && !is_slip).then_some(Self::HeaderLine)
    }
}
