//! What stands for the macros, and the client's names, which `ptr` and `%{p}` are about. RFC 7208
//! §5.5, §7.2, §7.3; RFC 8616 §4 (local-parts that are not ASCII).

use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;

use crate::checks::spf::evaluate::{Evaluator, Halt, MOST_NAMES};
use crate::checks::spf::macros::Value;
use crate::checks::spf::name::{is_within, name};
use crate::checks::spf::record::Lengths;
use crate::facts::{RecordData, RecordType};

/// What `p` and `r` stand for when they are not known.
const UNKNOWN: &str = "unknown";

impl<'e> Evaluator<'e, '_, '_> {
    /// The value of a macro, by its letter, in a record of `domain`.
    pub(super) fn value(&mut self, letter: char, domain: &str) -> Result<Value<'e>, Halt> {
        let query = self.query;
        let local_part = match query.local_part {
            "" => "postmaster",
            local_part => local_part,
        };
        let value: Cow<'e, str> = match letter {
            // Terms with these match nothing then.
            's' | 'l' if !local_part.is_ascii() => return Ok(None),
            's' => format!("{local_part}@{}", query.domain).into(),
            'l' => local_part.into(),
            'o' => query.domain.into(),
            'd' => domain.to_owned().into(),
            'i' => dotted(self.ip).into(),
            'p' => self.client_name(domain)?.into(),
            'v' => self.family().into(),
            'h' => query.helo.into(),
            'c' => self.ip.to_string().into(),
            'r' => UNKNOWN.into(),
            't' => query.started.unwrap_or(0).to_string().into(),
            _ => return Ok(None),
        };
        Ok(Some(value))
    }

    const fn family(&self) -> &'static str {
        match self.ip {
            IpAddr::V4(_) => "in-addr",
            IpAddr::V6(_) => "ip6",
        }
    }

    /// Whether a validated name of the client is `parent` or below it.
    pub(super) fn has_name_within(&mut self, parent: &str) -> Result<bool, Halt> {
        let mut waits = false;
        for name in self.names()? {
            if !is_within(&name, parent) {
                continue;
            }
            match self.is_validated(&name) {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(_) => waits = true,
            }
        }
        if waits { Err(Halt::Waits) } else { Ok(false) }
    }

    /// A validated name of the client: `domain` itself if it is one, else one below it, else any.
    fn client_name(&mut self, domain: &str) -> Result<String, Halt> {
        let mut names = self.names()?;
        names.sort_by_key(|name| (name != domain, !is_within(name, domain)));
        let mut waits = false;
        for name in names {
            match self.is_validated(&name) {
                Ok(true) if !waits => return Ok(name),
                Ok(_) => {}
                Err(_) => waits = true,
            }
        }
        if waits {
            Err(Halt::Waits)
        } else {
            Ok(UNKNOWN.to_owned())
        }
    }

    /// The names that the client's address claims; a lookup that fails brings none.
    pub(super) fn names(&mut self) -> Result<Vec<String>, Halt> {
        let reversed = reversed(self.ip, self.family());
        let answer = match self.ask(&reversed, RecordType::Ptr) {
            Ok(answer) => answer,
            Err(Halt::Waits) => return Err(Halt::Waits),
            Err(_) => return Ok(Vec::new()),
        };
        let claimed = answer
            .records()
            .iter()
            .filter_map(|record| match &record.data {
                RecordData::Ptr(claimed) => Some(claimed),
                _ => None,
            });
        let names = claimed.take(MOST_NAMES).filter_map(|claimed| name(claimed));
        Ok(names.map(Cow::into_owned).collect())
    }

    /// Whether the name leads back to the client. One that can not be looked up does not.
    fn is_validated(&mut self, name: &str) -> Result<bool, Halt> {
        match self.ask(name, self.address_type()) {
            Ok(answer) => Ok(self.is_client(answer, Lengths::WHOLE)),
            Err(Halt::Waits) => Err(Halt::Waits),
            Err(_) => Ok(false),
        }
    }
}

/// An address as macro `i` has it: octets, or nibbles in upper case, with dots.
fn dotted(ip: IpAddr) -> String {
    let octets = match ip {
        IpAddr::V4(ip) => return ip.to_string(),
        IpAddr::V6(ip) => ip.octets(),
    };
    let mut dotted = String::with_capacity(64);
    for octet in octets {
        let dot = if dotted.is_empty() { "" } else { "." };
        // Writing to a String does not fail.
        let _ = write!(dotted, "{dot}{:X}.{:X}", octet >> 4, octet & 15);
    }
    dotted
}

/// The name under which an address has its names.
fn reversed(ip: IpAddr, family: &str) -> String {
    let dotted = dotted(ip).to_ascii_lowercase();
    let mut reversed = String::with_capacity(80);
    for part in dotted.rsplit('.') {
        reversed.push_str(part);
        reversed.push('.');
    }
    reversed.push_str(family);
    reversed.push_str(".arpa");
    reversed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_with_dots() {
        let v6: IpAddr = "2001:db8::cb01".parse().unwrap();
        assert_eq!(
            dotted(v6),
            "2.0.0.1.0.D.B.8.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.C.B.0.1"
        );
        assert_eq!(
            reversed(v6, "ip6"),
            "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
        );
        let v4: IpAddr = "192.0.2.3".parse().unwrap();
        assert_eq!(dotted(v4), "192.0.2.3");
        assert_eq!(reversed(v4, "in-addr"), "3.2.0.192.in-addr.arpa");
    }
}
