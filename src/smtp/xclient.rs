//! XCLIENT: tells a server whose connection this really is (Postfix, XCLIENT_README).
//!
//! Only written, never read: from a client it is an unknown command. Attributes are named in the server's reply to EHLO,
//! and only those are sent; values are xtext (RFC 3461 §4). A command is one line of at most 512 octets. It is answered by
//! a greeting, and EHLO is due again.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::{domain::HeloName, reply::Reply};

/// The longest command (RFC 5321 §4.5.3.1.4), CRLF included.
const LINE: usize = 512;

/// The attributes that a server takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// NAME, the host's name.
    pub name: bool,
    /// ADDR, its address.
    pub address: bool,
    /// PORT.
    pub port: bool,
    /// PROTO, SMTP or ESMTP.
    pub protocol: bool,
    /// HELO.
    pub helo: bool,
}

impl Attributes {
    /// What a positive reply to EHLO says of XCLIENT, in any case; `None` without the keyword.
    pub fn from_ehlo_reply(reply: &Reply) -> Option<Self> {
        let mut lines = reply.lines.iter().skip(1);
        lines.find_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let is_it = words.next()?.eq_ignore_ascii_case("XCLIENT");
            is_it.then(|| Self::named(words))
        })
    }

    fn named<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        words.fold(Self::default(), |mut all, word| {
            match word.to_ascii_uppercase().as_str() {
                "NAME" => all.name = true,
                "ADDR" => all.address = true,
                "PORT" => all.port = true,
                "PROTO" => all.protocol = true,
                "HELO" => all.helo = true,
                _ => {}
            }
            all
        })
    }
}

/// A client's host name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HostName {
    /// One that leads back to its address.
    Known(Box<str>),
    /// It has none, or nobody has looked.
    #[default]
    Unavailable,
    /// Whether it has one could not be found out.
    TemporarilyUnavailable,
}

/// A client.
#[derive(Clone, Debug)]
pub struct Xclient<'a> {
    /// Its name.
    pub name: &'a HostName,
    /// Its address and port.
    pub address: SocketAddr,
    /// Whether it said EHLO.
    pub extended: bool,
    /// What it said.
    pub helo: &'a HeloName,
}

impl Xclient<'_> {
    /// Appends the command with those of its attributes that the server takes.
    pub fn write(&self, takes: Attributes, out: &mut Vec<u8>) {
        let mut line = "XCLIENT".to_owned();
        let mut say = |taken: bool, attribute: &str, value: &str| {
            let longest = LINE - "\r\n".len();
            let fits = line.len() + attribute.len() + value.len() + 2 <= longest;
            if taken && fits {
                // Writing to a String does not fail.
                let _ = write!(line, " {attribute}={value}");
            }
        };
        // The address first: should names be too long for one line, they are left out. EHLO says one of them again.
        say(takes.address, "ADDR", &address(self.address.ip()));
        say(takes.port, "PORT", &self.address.port().to_string());
        let protocol = if self.extended { "ESMTP" } else { "SMTP" };
        say(takes.protocol, "PROTO", protocol);
        say(takes.name, "NAME", &name(self.name));
        say(takes.helo, "HELO", &xtext(self.helo.as_str()));
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

fn address(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("IPV6:{v6}"),
    }
}

fn name(name: &HostName) -> String {
    match name {
        HostName::Known(name) => xtext(name),
        HostName::Unavailable => "[UNAVAILABLE]".to_owned(),
        HostName::TemporarilyUnavailable => "[TEMPUNAVAIL]".to_owned(),
    }
}

/// RFC 3461 §4.
fn xtext(text: &str) -> String {
    let mut coded = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'!'..=b'~' if octet != b'+' && octet != b'=' => coded.push(char::from(octet)),
            _ => {
                let _ = write!(coded, "+{octet:02X}");
            }
        }
    }
    coded
}

#[cfg(test)]
mod tests;
