//! The exchange of AUTH (RFC 4954 §4): what its lines may hold, whose name they show, and which mechanisms can be handed
//! through.
//!
//! Not here: the AUTH command itself (`command.rs`), when it is legal (`server.rs`), and whether a password is right,
//! which only the backend knows. No `Debug` shows what was said.

#[cfg(test)]
mod tests;

use std::fmt;

use data_encoding::BASE64;

use super::{
    command::{InitialResponse, is_base64},
    line::Line,
    reply::Reply,
};

/// The SASL mechanisms that are handed through: those that are nothing but lines of base64 in either direction. Not those
/// that lay a security layer over the connection (GSSAPI, DIGEST-MD5), speak of the client's TLS (EXTERNAL, all `-PLUS`),
/// have challenges that do not fit in a reply (NTLM), or prove nothing (ANONYMOUS).
const HANDED_THROUGH: &[&str] = &[
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "SCRAM-SHA-512",
    "OAUTHBEARER",
    "XOAUTH2",
];

/// Characters of a challenge, so that `334 ` and CRLF fit in a reply line with it (RFC 5321 §4.5.3.1.5).
const CHALLENGE: usize = 506;

/// Octets of a user's name that are kept.
const NAME: usize = 255;

/// The mechanisms of `offered`, as a backend names them, that are handed through; None where there is none.
pub fn handed_through(offered: &str) -> Option<Box<str>> {
    let known: Vec<&str> = offered
        .split(' ')
        .filter(|name| HANDED_THROUGH.contains(name))
        .collect();
    (!known.is_empty()).then(|| known.join(" ").into())
}

/// What a client answers to a challenge.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// A response.
    Response(Response),
    /// `*`: it gives the exchange up.
    Cancel,
    /// Not base64.
    Garbage,
}

impl Answer {
    /// Reads a line.
    pub fn read(line: Line<'_>) -> Self {
        match std::str::from_utf8(line.as_bytes()) {
            Ok("*") => Self::Cancel,
            Ok(text) if text.is_empty() || is_base64(text) => Self::Response(Response(text.into())),
            _ => Self::Garbage,
        }
    }
}

/// A response: base64, or nothing. `Debug` hides it.
#[derive(PartialEq, Eq)]
pub struct Response(Box<str>);

impl Response {
    /// Appends it with its CRLF.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Response(..)")
    }
}

/// A challenge: base64, or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(Box<str>);

impl Challenge {
    /// The challenge in a 334 reply, if it is one that can be handed on.
    pub fn read(reply: &Reply) -> Option<Self> {
        match reply.lines.as_slice() {
            [text] if reply.code == 334 && reply.enhanced.is_none() => {
                let fits = text.len() <= CHALLENGE && (text.is_empty() || is_base64(text));
                fits.then(|| Self(text.as_ref().into()))
            }
            _ => None,
        }
    }

    /// The reply that hands it on.
    pub fn reply(&self) -> Reply {
        Reply::new(334, None, self.0.to_string())
    }

    /// Whether it asks for a user's name, as those of LOGIN do ("Username:", "User Name").
    fn asks_for_name(&self) -> bool {
        let asked = BASE64.decode(self.0.as_bytes()).unwrap_or_default();
        asked
            .get(..4)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"user"))
    }
}

/// Finds the user's name in an exchange whose mechanism shows it beyond doubt: PLAIN (RFC 4616 §2) and LOGIN. It may be
/// used only when the backend has accepted it, for people type passwords in its place.
#[derive(Default)]
pub struct Named(Option<Box<str>>);

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Named(..)")
    }
}

impl Named {
    /// The client has begun.
    pub fn begun(mechanism: &str, initial: Option<&InitialResponse>) -> Self {
        let said = initial.map(InitialResponse::as_str);
        Self(match mechanism {
            "PLAIN" => said.and_then(plain),
            "LOGIN" => said.and_then(login),
            _ => None,
        })
    }

    /// The client has answered `challenge`.
    pub fn answered(&mut self, mechanism: &str, challenge: &Challenge, response: &Response) {
        match mechanism {
            "PLAIN" => self.0 = plain(&response.0),
            "LOGIN" if self.0.is_none() && challenge.asks_for_name() => self.0 = login(&response.0),
            _ => {}
        }
    }

    /// The name, once the backend has accepted it.
    pub fn accepted(self) -> Option<Box<str>> {
        self.0
    }
}

/// `authzid NUL authcid NUL password`: who it is that has the password.
fn plain(said: &str) -> Option<Box<str>> {
    let decoded = BASE64.decode(said.as_bytes()).ok()?;
    let mut parts = decoded.split(|octet| *octet == 0);
    let (_, name, _) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then(|| text(name))?
}

fn login(said: &str) -> Option<Box<str>> {
    text(&BASE64.decode(said.as_bytes()).ok()?)
}

/// A name that can be shown.
fn text(octets: &[u8]) -> Option<Box<str>> {
    let name = std::str::from_utf8(octets).ok()?;
    let is_name = (1..=NAME).contains(&name.len()) && !name.chars().any(char::is_control);
    is_name.then(|| name.into())
}
