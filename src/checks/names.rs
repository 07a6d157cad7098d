//! Names as the DNS is asked for them: reversed addresses, host names, and how a name is shown.
//!
//! RFC 1035 §3.5 (in-addr.arpa), RFC 3596 §2.5 (ip6.arpa), RFC 1123 §2.1 (host names). Whether a name exists is not
//! known here.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::checks::address;
use crate::checks::examination::InZone;
use crate::facts::{DnsAnswer, Facts, RecordData};
use crate::smtp::domain::Domain;

/// Octets of a name of the DNS as text (RFC 1035 §2.3.4: 255 on the wire).
pub(in crate::checks) const DNS_NAME_MAX: usize = 253;

/// Most names of an address that are looked at (RFC 7208 §4.6.4 has the same bound).
const MOST_REVERSE_NAMES: usize = 10;

/// Octets of a name that are shown.
const SHOWN_MAX: usize = 100;

/// The client's address, unless it is private: names say nothing about those.
pub(in crate::checks) fn public_client(facts: &Facts) -> Option<IpAddr> {
    let client = facts.client()?.ip().to_canonical();
    address::is_public(client).then_some(client)
}

/// The address as the DNS wants it: octets (RFC 5782 §2.1) or nibbles (§2.4) from the last to the first, with dots
/// between them. Written digit by digit: every judgement of a session needs it.
pub(in crate::checks) fn reversed(address: IpAddr) -> String {
    let mut name = String::with_capacity(64);
    match address.to_canonical() {
        IpAddr::V4(address) => {
            for octet in address.octets().into_iter().rev() {
                push_octet(octet, &mut name);
                name.push('.');
            }
        }
        IpAddr::V6(address) => {
            for octet in address.octets().into_iter().rev() {
                for nibble in [octet & 15, octet >> 4] {
                    name.push(digit(nibble));
                    name.push('.');
                }
            }
        }
    }
    name.pop();
    name
}

fn push_octet(octet: u8, name: &mut String) {
    if octet >= 100 {
        name.push(digit(octet / 100));
    }
    if octet >= 10 {
        name.push(digit(octet / 10 % 10));
    }
    name.push(digit(octet % 10));
}

/// A hexadecimal digit.
const fn digit(number: u8) -> char {
    match number {
        0..=9 => (b'0' + number) as char,
        _ => (b'a' + (number & 15) - 10) as char,
    }
}

/// The name under which the reverse names of an address stand; `reversed` is the address as [`reversed`] writes it.
pub(in crate::checks) const fn reverse_name(address: IpAddr, reversed: &str) -> InZone<'_> {
    InZone {
        prefix: reversed,
        zone: match address.to_canonical() {
            IpAddr::V4(_) => "in-addr.arpa",
            IpAddr::V6(_) => "ip6.arpa",
        },
        shown: None,
    }
}

/// The names that an answer gives an address: in lower case, in order, bounded.
pub(in crate::checks) fn reverse_names(answer: &DnsAnswer) -> Vec<Cow<'_, str>> {
    let names = answer.records().iter().filter_map(|record| {
        let RecordData::Ptr(name) = &record.data else {
            return None;
        };
        Some(lower(name.trim_end_matches('.')))
    });
    let mut names: Vec<Cow<'_, str>> = names.filter(|name| !name.is_empty()).collect();
    // Servers rotate records; what is said about a client should not.
    names.sort_unstable();
    names.dedup();
    names.truncate(MOST_REVERSE_NAMES);
    names
}

/// A name in lower case, so that a question is not asked twice.
pub(in crate::checks) fn lower(name: &str) -> Cow<'_, str> {
    match name.bytes().any(|octet| octet.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

/// Whether a host could have this name: a domain in ASCII of two labels or more, the last of which is no number. Names
/// with an underscore are some, though RFC 1123 knows none.
pub(in crate::checks) fn is_host_name(name: &str) -> bool {
    name.len() <= DNS_NAME_MAX
        && Domain::is_one(name, false)
        && name
            .rsplit_once('.')
            .is_some_and(|(_, last)| !last.bytes().all(|octet| octet.is_ascii_digit()))
}

/// A name fit to be shown: printable ASCII, not too long.
pub(in crate::checks) fn shown(name: &str) -> Cow<'_, str> {
    if name.len() <= SHOWN_MAX && name.bytes().all(|octet| octet.is_ascii_graphic()) {
        return Cow::Borrowed(name);
    }
    let printable = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    let mut shown: String = name.chars().take(SHOWN_MAX).map(printable).collect();
    if shown.len() < name.chars().count() {
        shown.push_str("...");
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_asked_for_from_the_last_part_to_the_first() {
        assert_eq!(reversed("192.0.2.99".parse().unwrap()), "99.2.0.192");
        assert_eq!(reversed("::ffff:192.0.2.99".parse().unwrap()), "99.2.0.192");
        // The example of RFC 5782 §2.4.
        assert_eq!(
            reversed("2001:db8:1:2:3:4:567:89ab".parse().unwrap()),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2"
        );
    }

    #[test]
    fn host_names_are_told_from_what_no_host_is_called() {
        for name in ["a.example", "mail_1.example.org", "4.a.example", "1-2.x.y"] {
            assert!(is_host_name(name), "{name}");
        }
        let long = "a123456789.".repeat(23) + "b";
        for name in [
            "",
            "localhost",
            "192.0.2.1",
            "a..b",
            "a.",
            "-a.b",
            "bücher.example",
            "a.1",
            &long,
        ] {
            assert!(!is_host_name(name), "{name}");
        }
    }

    #[test]
    fn names_are_shown_without_what_a_terminal_would_obey() {
        assert_eq!(shown("a\u{1b}[2J.exämple"), "a?[2J.ex?mple");
        assert_eq!(shown(&"a".repeat(101)).len(), 103);
    }
}
