//! What the command line says about the client, read as in a session; what can not be read is wrong usage.

use std::net::IpAddr;

use crate::smtp::domain::HeloName;
use crate::smtp::path::{ForwardPath, ReversePath};

/// Octets of a session id at least; none of an address has as many letters and digits on end.
const ID: usize = 8;

/// What is to be explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// A client.
    Address(IpAddr),
    /// A recorded session.
    Session(String),
}

/// An address, or a session id.
pub(super) fn who(text: &str) -> Result<Who, String> {
    let is_id = text.len() >= ID && text.bytes().all(|octet| octet.is_ascii_alphanumeric());
    match address(text) {
        Ok(address) => Ok(Who::Address(address)),
        Err(_) if is_id => Ok(Who::Session(text.to_owned())),
        Err(wanted) => Err(format!("{wanted}, or a session id")),
    }
}

/// An address; IPv6 also in brackets, as logs and replies show it.
fn address(text: &str) -> Result<IpAddr, String> {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let plain = inner.map_or(text, |inner| inner.strip_prefix("IPv6:").unwrap_or(inner));
    let parsed = plain.parse();
    parsed.map_err(|_| "write an address such as 192.0.2.1 or 2001:db8::1".to_owned())
}

pub(super) fn helo(text: &str) -> Result<HeloName, String> {
    HeloName::parse(text).ok_or_else(|| "no client can say this with EHLO".to_owned())
}

/// The reverse-path; empty for the null one.
pub(super) fn from(text: &str) -> Result<ReversePath, String> {
    ReversePath::parse(&bracketed(text))
        .ok_or_else(|| "write an address such as someone@example.org, or \"\"".to_owned())
}

pub(super) fn rcpt(text: &str) -> Result<ForwardPath, String> {
    ForwardPath::parse(&bracketed(text))
        .ok_or_else(|| "write an address such as someone@example.org".to_owned())
}

fn bracketed(text: &str) -> String {
    match text.starts_with('<') {
        true => text.to_owned(),
        false => format!("<{text}>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_logs_show_them() {
        for text in ["2001:db8::1", "[2001:db8::1]", "[IPv6:2001:db8::1]"] {
            assert_eq!(address(text).unwrap().to_string(), "2001:db8::1");
        }
        assert_eq!(address("[192.0.2.1]").unwrap().to_string(), "192.0.2.1");
        for text in ["[2001:db8::1", "2001:db8::1]", "192.0.2", "[]", ""] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn senders_and_recipients_need_no_angle_brackets() {
        assert_eq!(from("").unwrap(), ReversePath::Null);
        assert_eq!(from("<>").unwrap(), ReversePath::Null);
        assert_eq!(from("a@b.example").unwrap(), from("<a@b.example>").unwrap());
        assert_eq!(rcpt("a@b.example").unwrap(), rcpt("<a@b.example>").unwrap());
        assert!(rcpt("").is_err() && rcpt("foo").is_err() && from("foo").is_err());
    }
}
