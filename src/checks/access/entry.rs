//! One entry of an allow or deny list, as it is written in the configuration.
//!
//! Networks in CIDR notation (RFC 4632 §3.1, RFC 4291 §2.3), dates as RFC 3339 §5.6.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use crate::facts;
use crate::smtp::domain::{Domain, Host};
use crate::smtp::path::Mailbox;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// An entry.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Entry {
    /// Whom it speaks of.
    pub(super) subject: Subject,
    /// The first second since 1970 UTC at which it holds no longer.
    expires: Option<u64>,
}

/// Whom an entry speaks of.
#[derive(Debug)]
pub(super) enum Subject {
    /// The client's address.
    Network(IpNet),
    /// The name in HELO or EHLO.
    Helo(Names),
    /// The reverse-path.
    Sender(Senders),
}

/// A host name, or all names below one.
#[derive(Debug)]
pub(super) enum Names {
    /// This one, or an address literal.
    One(Box<str>),
    /// Every name that ends with this one, its leading dot included.
    Below(Box<str>),
}

/// A mailbox or the mailboxes of domains.
#[derive(Debug)]
pub(super) enum Senders {
    /// This one.
    One(Mailbox),
    /// All of a domain or of the domains below one.
    At(Names),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    network: Option<String>,
    helo: Option<String>,
    sender: Option<String>,
    #[serde(default, rename = "comment")]
    _comment: Option<String>,
    #[serde(default, deserialize_with = "expiry")]
    expires: Option<u64>,
}

impl Entry {
    /// Whether it holds for a session that began at `started`. When that is not known, an entry
    /// that expires does not: neither trust nor refusal may outlive its date.
    pub(super) fn holds(&self, started: Option<u64>) -> bool {
        match (self.expires, started) {
            (None, _) => true,
            (Some(expires), Some(started)) => started < expires,
            (Some(_), None) => false,
        }
    }
}

impl Subject {
    /// The kind of entry, as its key and as a reason.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Network(_) => "network",
            Self::Helo(_) => "helo",
            Self::Sender(_) => "sender",
        }
    }
}

impl Subject {
    /// What an operator means who writes `text` in a command: whatever has an `@` is a sender, what looks like an address a
    /// network, anything else a name.
    pub(super) fn guess(text: &str) -> Result<Self, String> {
        let is_numeric = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'/');
        let subject = match text {
            _ if text.contains('@') => Senders::parse(text).map(Self::Sender),
            _ if text.contains(['/', ':']) && !text.contains('[') => {
                Some(Self::Network(network_of(text)?))
            }
            _ if text.bytes().all(is_numeric) => Some(Self::Network(network_of(text)?)),
            _ => Names::parse(text).map(Self::Helo),
        };
        subject.ok_or_else(|| match text.contains('@') {
            true => bad_sender(text),
            false => format!("{text:?} is neither a network nor a host name nor a sender"),
        })
    }

    /// As facts have it; `None` for what no command can have added.
    pub(super) fn noted(subject: &facts::Subject) -> Option<Self> {
        match subject {
            facts::Subject::Network(network) => Some(Self::Network(*network)),
            facts::Subject::Helo(text) => Names::parse(text).map(Self::Helo),
            facts::Subject::Sender(text) => Senders::parse(text).map(Self::Sender),
        }
    }

    /// As facts want it.
    pub(super) fn to_note(&self) -> facts::Subject {
        let text = || self.to_string().to_ascii_lowercase().into();
        match self {
            Self::Network(network) => facts::Subject::Network(*network),
            Self::Helo(_) => facts::Subject::Helo(text()),
            Self::Sender(_) => facts::Subject::Sender(text()),
        }
    }
}

impl Names {
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        match text.strip_prefix('.') {
            Some(domain) => Domain::parse(domain, true).map(|_| Self::Below(text.into())),
            None => Host::parse(&text, true).map(|_| Self::One(text.into())),
        }
    }

    /// Whether `name` is among them.
    pub(super) fn contain(&self, name: &str) -> bool {
        match self {
            Self::One(one) => name.eq_ignore_ascii_case(one),
            Self::Below(domain) => name
                .len()
                .checked_sub(domain.len())
                .filter(|at| *at > 0)
                .and_then(|at| name.get(at..))
                .is_some_and(|end| end.eq_ignore_ascii_case(domain)),
        }
    }
}

impl Senders {
    fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('@') {
            Some(domain) => Names::parse(domain).map(Self::At),
            None => Mailbox::parse(text).map(Self::One),
        }
    }

    /// Whether `mailbox` is among them.
    pub(super) fn contain(&self, mailbox: &Mailbox) -> bool {
        match self {
            Self::One(one) => {
                let local_part = mailbox.local_part.unquoted();
                one.domain == mailbox.domain
                    && one.local_part.unquoted().eq_ignore_ascii_case(&local_part)
            }
            Self::At(names) => match &mailbox.domain {
                Host::Domain(domain) => names.contain(domain.as_str()),
                Host::Literal(literal) => names.contain(&literal.to_string()),
            },
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Helo(names) => names.fmt(f),
            Self::Sender(Senders::One(mailbox)) => mailbox.fmt(f),
            Self::Sender(Senders::At(names)) => write!(f, "@{names}"),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(name) | Self::Below(name) => f.write_str(name),
        }
    }
}

impl TryFrom<Written> for Entry {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written {
            network,
            helo,
            sender,
            expires,
            ..
        } = written;
        let subject = match (network, helo, sender) {
            (Some(text), None, None) => Subject::Network(network_of(&text)?),
            (None, Some(text), None) => {
                Subject::Helo(Names::parse(&text).ok_or_else(|| bad_helo(&text))?)
            }
            (None, None, Some(text)) => {
                Subject::Sender(Senders::parse(&text).ok_or_else(|| bad_sender(&text))?)
            }
            _ => {
                let message = "an entry names exactly one of `network`, `helo` and `sender`";
                return Err(message.to_owned());
            }
        };
        Ok(Self { subject, expires })
    }
}

fn bad_helo(text: &str) -> String {
    format!("helo {text:?} is no host name: write \"mx.example.org\" or \".example.org\"")
}

fn bad_sender(text: &str) -> String {
    format!(
        "sender {text:?} is neither an address nor a domain: write \"a@example.org\", \
         \"@example.org\" or \"@.example.org\""
    )
}

/// A network, or an address as the network of itself alone.
fn network_of(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network: IpNet = text.parse().map_err(|_| {
        format!(
            "network {text:?} is none: write \"192.0.2.0/24\", \"192.0.2.1\" or \"2001:db8::/32\""
        )
    })?;
    if network.trunc() != network {
        let right = network.trunc();
        return Err(format!(
            "network {text:?} has bits set behind its length: write \"{right}\""
        ));
    }
    Ok(network)
}

/// Reads `expires`: text, or a date of TOML without quotes.
fn expiry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a date such as \"2026-12-31\"")]
    enum Date {
        Text(String),
        Toml {
            #[serde(rename = "$__toml_private_datetime")]
            text: String,
        },
    }
    let (Date::Text(text) | Date::Toml { text }) = Date::deserialize(deserializer)?;
    end_of(&text).map(Some).ok_or_else(|| {
        de::Error::custom(format!(
            "expires {text:?} is no date: write \"2026-12-31\" or \"2026-12-31T12:00:00Z\" (UTC)"
        ))
    })
}

/// The first second behind a day or time of RFC 3339, in UTC.
fn end_of(text: &str) -> Option<u64> {
    let end = humantime::parse_rfc3339(text).ok().or_else(|| {
        let midnight = humantime::parse_rfc3339(&format!("{text}T00:00:00Z")).ok()?;
        midnight.checked_add(Duration::from_secs(DAY))
    })?;
    Some(end.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Entry, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_date_holds_to_its_end_and_a_time_to_its_second() {
        for (expires, last) in [
            ("\"2026-12-31\"", 1_798_761_599),
            ("\"2026-12-31T12:00:00Z\"", 1_798_718_399),
            (
                "{\"$__toml_private_datetime\": \"2026-12-31\"}",
                1_798_761_599,
            ),
        ] {
            let entry = read(&format!(
                "{{\"network\": \"::/0\", \"expires\": {expires}}}"
            ))
            .unwrap();
            assert!(entry.holds(Some(last)), "{expires}");
            assert!(!entry.holds(Some(last + 1)), "{expires}");
            assert!(!entry.holds(None), "{expires}");
        }
    }

    #[test]
    fn names_and_senders_in_any_case() {
        let names = |text| Names::parse(text).unwrap();
        assert!(names("mx.Example.org").contain("MX.example.ORG"));
        assert!(!names("example.org").contain("mx.example.org"));
        assert!(names(".example.org").contain("mx.EXAMPLE.org"));
        for other in [
            "example.org",
            ".example.org",
            "notexample.org",
            "org",
            "ümx.example.orgx",
        ] {
            assert!(!names(".example.org").contain(other), "{other}");
        }
        let sender = |text, address| {
            Senders::parse(text)
                .unwrap()
                .contain(&Mailbox::parse(address).unwrap())
        };
        assert!(sender("News@example.org", "\"news\"@EXAMPLE.org"));
        assert!(!sender("news@example.org", "news@mail.example.org"));
        assert!(sender("@example.org", "anyone@example.org"));
        assert!(!sender("@example.org", "anyone@mail.example.org"));
        assert!(sender("@.example.org", "anyone@mail.example.org"));
        assert!(sender("@[192.0.2.1]", "anyone@[192.0.2.1]"));
    }

    #[test]
    fn what_a_command_means() {
        for (text, meant) in [
            ("192.0.2.1", "network 192.0.2.1/32"),
            ("::ffff:192.0.2.1", "network 192.0.2.1/32"),
            ("192.0.2.0/24", "network 192.0.2.0/24"),
            ("2001:db8::/32", "network 2001:db8::/32"),
            ("MX.example.org", "helo mx.example.org"),
            (".example.org", "helo .example.org"),
            ("[192.0.2.1]", "helo [192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "helo [ipv6:2001:db8::1]"),
            ("Ada@example.org", "sender Ada@example.org"),
            ("@.example.org", "sender @.example.org"),
            ("a@[IPv6:2001:db8::1]", "sender a@[IPv6:2001:db8::1]"),
        ] {
            let subject = Subject::guess(text).unwrap();
            assert_eq!(format!("{} {subject}", subject.reason()), meant, "{text}");
            let noted = Subject::noted(&subject.to_note()).unwrap();
            assert_eq!(noted.to_note(), subject.to_note(), "{text}");
        }
        for text in [
            "",
            "192.0.2.1/24",
            "192.0.2",
            "a b",
            "a@",
            "1/2/3",
            "spf:x",
            "<>",
        ] {
            assert!(Subject::guess(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_entry_says_what_to_write() {
        for (entry, message) in [
            (r#"{}"#, "exactly one of"),
            (
                r#"{"network": "192.0.2.0/24", "helo": "a.example"}"#,
                "exactly one of",
            ),
            (r#"{"network": "192.0.2.1/24"}"#, "write \"192.0.2.0/24\""),
            (
                r#"{"network": "192.0.2"}"#,
                "write \"192.0.2.0/24\", \"192.0.2.1\"",
            ),
            (r#"{"helo": "mx example"}"#, "no host name"),
            (
                r#"{"sender": "example.org"}"#,
                "write \"a@example.org\", \"@example.org\"",
            ),
            (r#"{"sender": "<>"}"#, "neither an address nor a domain"),
            (
                r#"{"network": "::1", "expires": "31.12.2026"}"#,
                "write \"2026-12-31\"",
            ),
            (
                r#"{"network": "::1", "expires": 20261231}"#,
                "a date such as",
            ),
            (
                r#"{"network": "::1", "expire": "2026-12-31"}"#,
                "unknown field `expire`",
            ),
        ] {
            let error = read(entry).unwrap_err();
            assert!(error.contains(message), "{entry}: {error}");
        }
    }
}
