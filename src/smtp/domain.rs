//! Domains, address literals and the name a client gives in HELO or EHLO.
//!
//! Syntax only: whether a name exists or is the client's own is a question for others.
//! RFC 5321 §2.3.5, §4.1.2, §4.1.3; RFC 6531 §3.3 (U-labels). Wider than RFC 5321 in one thing:
//! `_` is taken like a letter, because working mail domains have it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::limits;
use super::text::serde_as_text;

/// A domain as it was written. Equal without regard to ASCII case.
#[derive(Clone, Debug)]
pub struct Domain(Box<str>);

impl Domain {
    /// Reads a whole domain: labels of letters, digits, `-`, `_` (and UTF-8 with `allow_utf8`) of
    /// 1 to 63, not beginning or ending with `-`, no final dot, at most 255 octets.
    pub fn parse(text: &str, allow_utf8: bool) -> Option<Self> {
        Self::is_one(text, allow_utf8).then(|| Self(text.into()))
    }

    /// Whether [`Domain::parse`] would read `text`.
    pub fn is_one(text: &str, allow_utf8: bool) -> bool {
        text.len() <= limits::DOMAIN
            && match text.is_ascii() {
                true => text.as_bytes().split(|c| *c == b'.').all(is_ascii_label),
                false => allow_utf8 && text.split('.').all(is_label),
            }
    }

    /// The domain as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// True for one label of ASCII.
fn is_ascii_label(label: &[u8]) -> bool {
    let is_inner = |c: &u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
    (1..=limits::LABEL).contains(&label.len())
        && label.first() != Some(&b'-')
        && label.last() != Some(&b'-')
        && label.iter().all(is_inner)
}

/// True for one label; U-labels are told by their characters only.
fn is_label(label: &str) -> bool {
    if label.is_ascii() {
        return is_ascii_label(label.as_bytes());
    }
    if label.starts_with('-') || label.ends_with('-') {
        return false;
    }
    label.chars().count() <= limits::LABEL
        && label
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || is_utf8(c))
}

/// UTF8-non-ascii of RFC 6531 §3.3 without what no mailbox has: C1 controls, exotic spaces and
/// line separators.
pub(super) fn is_utf8(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !c.is_whitespace()
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Domain {}

impl Hash for Domain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.0.bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Domain, "domain", |text| Domain::parse(text, true));

/// An address literal, RFC 5321 §4.1.3. `Display` writes it with its brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AddressLiteral {
    /// `[192.0.2.1]`, each number without leading zeros.
    V4(Ipv4Addr),
    /// `[IPv6:2001:db8::1]`, without a zone.
    V6(Ipv6Addr),
    /// `[tag:content]` with a tag other than `IPv6`.
    General {
        /// Letters, digits and hyphens, the last not a hyphen.
        tag: Box<str>,
        /// Printable ASCII without brackets and backslash.
        content: Box<str>,
    },
}

impl AddressLiteral {
    /// Reads a whole literal with its brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let inside = text.strip_prefix('[')?.strip_suffix(']')?;
        let Some((tag, content)) = inside.split_once(':') else {
            return inside.parse().ok().map(Self::V4);
        };
        if tag.eq_ignore_ascii_case("IPv6") {
            return content.parse().ok().map(Self::V6);
        }
        let fits = text.len() <= limits::DOMAIN && is_tag(tag) && is_content(content);
        fits.then(|| Self::General {
            tag: tag.into(),
            content: content.into(),
        })
    }

    /// The address, when it is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
            Self::General { .. } => None,
        }
    }
}

/// Standardized-tag = Ldh-str.
fn is_tag(tag: &str) -> bool {
    tag.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
        && tag.bytes().last().is_some_and(|c| c != b'-')
}

/// 1*dcontent.
fn is_content(content: &str) -> bool {
    !content.is_empty() && content.bytes().all(|c| matches!(c, 33..=90 | 94..=126))
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(address) => write!(f, "[{address}]"),
            Self::V6(address) => write!(f, "[IPv6:{address}]"),
            Self::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}

serde_as_text!(AddressLiteral, "address literal", AddressLiteral::parse);

/// What may stand behind the `@` of a mailbox and, by the standard, in HELO and EHLO.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain.
    Domain(Domain),
    /// An address literal.
    Literal(AddressLiteral),
}

impl Host {
    /// Reads a whole domain or literal.
    pub fn parse(text: &str, allow_utf8: bool) -> Option<Self> {
        if text.starts_with('[') {
            return AddressLiteral::parse(text).map(Self::Literal);
        }
        Domain::parse(text, allow_utf8).map(Self::Domain)
    }

    /// The address of a literal that is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Domain(_) => None,
            Self::Literal(literal) => literal.ip(),
        }
    }

    /// The domain, when it is one.
    pub const fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

serde_as_text!(Host, "domain or address literal", |text| Host::parse(
    text, true
));

/// The argument of HELO or EHLO: one word of printable ASCII, 1 to 255 octets. Lenient on purpose,
/// because a wrong name is something to judge, not to stumble over.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HeloName(Box<str>);

impl HeloName {
    /// Reads a whole name.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=limits::HELO_NAME).contains(&text.len());
        (fits && text.bytes().all(|c| c.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// An address as a name, for who has no other (RFC 5321 §4.1.3, §4.1.4).
    pub fn literal(ip: IpAddr) -> Self {
        let literal = match ip {
            IpAddr::V4(v4) => AddressLiteral::V4(v4),
            IpAddr::V6(v6) => AddressLiteral::V6(v6),
        };
        Self(literal.to_string().into())
    }

    /// The name as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name read as RFC 5321 wants it; `None` when it is neither a domain nor a literal.
    pub fn host(&self) -> Option<Host> {
        Host::parse(&self.0, false)
    }
}

impl fmt::Display for HeloName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(HeloName, "HELO name", HeloName::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        let long_label = "a".repeat(63);
        let long = [long_label.as_str(); 4].join(".");
        assert_eq!(long.len(), 255);
        for good in [
            "a",
            "example.com",
            "1.2.3.4",
            "a-b.c_d",
            "_x.y",
            long_label.as_str(),
            &long,
        ] {
            assert_eq!(Domain::parse(good, false).unwrap().as_str(), good);
        }
        let longer_label = "a".repeat(64);
        let longer = format!("{long}.b");
        let bad = [
            "", ".", "a.", ".a", "a..b", "-a", "a-", "b.-a", "a-.b", "a b", "a/b", "a!b",
        ];
        for bad in bad
            .into_iter()
            .chain(["a\0", "a\x7f", "ä.de", &longer_label, &longer])
        {
            assert!(Domain::parse(bad, false).is_none(), "{bad:?}");
        }
        assert!(Domain::parse("ä.de", true).is_some());
        assert!(Domain::parse("a\u{2028}.de", true).is_none());
        assert!(Domain::parse("a\u{85}.de", true).is_none());
    }

    #[test]
    fn domains_are_equal_in_any_case() {
        let hash = |text| {
            let mut state = std::collections::hash_map::DefaultHasher::new();
            Domain::parse(text, false).unwrap().hash(&mut state);
            state.finish()
        };
        assert_eq!(Domain::parse("A.b", false), Domain::parse("a.B", false));
        assert_ne!(Domain::parse("a.b", false), Domain::parse("a.c", false));
        assert_eq!(hash("A.b"), hash("a.B"));
    }

    #[test]
    fn literals() {
        for good in ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[x400:a>b]"] {
            assert_eq!(AddressLiteral::parse(good).unwrap().to_string(), good);
        }
        assert_eq!(
            AddressLiteral::parse("[ipv6:::FFFF:192.0.2.1]")
                .unwrap()
                .ip(),
            Some("::ffff:192.0.2.1".parse().unwrap())
        );
        let bad = [
            "[]",
            "[999.0.2.1]",
            "[192.0.2.1",
            "192.0.2.1]",
            "[192.0.2.01]",
            "[192.0.2]",
        ];
        for bad in bad
            .into_iter()
            .chain(["[2001:db8::1]x", "[IPv6:]", "[IPv6:fe80::1%eth0]"])
        {
            assert!(AddressLiteral::parse(bad).is_none(), "{bad:?}");
        }
        for bad in [
            "[:x]", "[a-:x]", "[a:]", "[a:b c]", "[a:b[c]", "[a:b\\c]", "[a:ä]", "[ 1]",
        ] {
            assert!(AddressLiteral::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn helo_names_are_lenient_and_host_is_not() {
        for name in [
            "a..b",
            "-a",
            "[999.0.2.1]",
            "[192.0.2.1",
            "a.",
            "<x>",
            "a@b",
        ] {
            assert_eq!(HeloName::parse(name).unwrap().host(), None, "{name:?}");
        }
        assert!(
            HeloName::parse("mx_1.example.com")
                .unwrap()
                .host()
                .is_some()
        );
        assert!(
            HeloName::parse("[192.0.2.1]")
                .unwrap()
                .host()
                .unwrap()
                .ip()
                .is_some()
        );
        let long = "a".repeat(256);
        for bad in ["", "a b", "a\0", "ä", "a\x7f", "a\r", long.as_str()] {
            assert!(HeloName::parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn serde_goes_through_the_parser() {
        let host: Host = serde_json::from_str("\"[192.0.2.1]\"").unwrap();
        assert_eq!(serde_json::to_string(&host).unwrap(), "\"[192.0.2.1]\"");
        assert!(serde_json::from_str::<Domain>("\"a..b\"").is_err());
        assert!(serde_json::from_str::<HeloName>("\"a\\r\\nQUIT\"").is_err());
    }
}
