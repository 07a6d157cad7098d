//! What may be asked of the world: everything that takes time or touches something outside the session.
//!
//! A question is plain data and is asked at most once per session. Who answers it is not known here.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::facts::{Counting, Millis, Recall};

/// One thing to be found out.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Does the client keep silent for `wait` before the greeting? Answered by the session, which watches the socket.
    Silence {
        /// How long to watch.
        wait: Millis,
        /// Whether the first line of a multi-line greeting is sent before the wait.
        teaser: bool,
    },
    /// What does the DNS say?
    Dns {
        /// The name asked for, fully qualified without the final dot.
        name: DnsName,
        /// The record type asked for.
        kind: RecordType,
    },
    /// What is remembered of earlier sessions?
    Memory(Recall),
    /// Does the primary mail server, at these addresses as they are written, take mail?
    Primary(Box<str>),
    /// Is there room for one more recipient? Being asked is being counted.
    Count(Box<Counting>),
}

/// DNS record types that checks ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordType {
    /// IPv4 address (RFC 1035).
    A,
    /// IPv6 address (RFC 3596).
    Aaaa,
    /// Mail exchanger (RFC 1035).
    Mx,
    /// Name of an address (RFC 1035).
    Ptr,
    /// Text (RFC 1035).
    Txt,
}

impl RecordType {
    /// The type as it is written in zone files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Mx => "MX",
            Self::Ptr => "PTR",
            Self::Txt => "TXT",
        }
    }
}

/// A name to ask the DNS for. A zone whose name holds a secret key (RFC 5782 zones of paying users) is *shown* under
/// another name: only that one is compared, printed, logged and recorded.
#[derive(Clone)]
pub struct DnsName {
    asked: Box<str>,
    shown: Option<Box<str>>,
}

impl DnsName {
    /// A name that may be shown as it is.
    #[must_use]
    pub fn new(asked: impl Into<Box<str>>) -> Self {
        Self {
            asked: asked.into(),
            shown: None,
        }
    }

    /// A name that holds a secret and is shown as `shown`.
    #[must_use]
    pub fn secret(asked: impl Into<Box<str>>, shown: impl Into<Box<str>>) -> Self {
        Self {
            asked: asked.into(),
            shown: Some(shown.into()),
        }
    }

    /// The name to put on the wire. Never print it.
    #[must_use]
    pub fn asked(&self) -> &str {
        &self.asked
    }

    /// Whether `text` tells what this name hides: the secret zone, or its first label, which is the key.
    #[must_use]
    pub fn is_told_in(&self, text: &str) -> bool {
        let Some(shown) = &self.shown else {
            return false;
        };
        let same = self.asked.bytes().zip(shown.bytes());
        let same = same.take_while(|(asked, shown)| asked == shown).count();
        let common = self.asked.get(..same).unwrap_or_default();
        let start = common.rfind('.').map_or(0, |dot| dot + 1);
        let zone = self.asked.get(start..).unwrap_or_default();
        let key = zone.split('.').next().unwrap_or_default().to_lowercase();
        !key.is_empty() && text.to_lowercase().contains(&key)
    }

    /// The name for people.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.shown.as_deref().unwrap_or(&self.asked)
    }
}

impl PartialEq for DnsName {
    fn eq(&self, other: &Self) -> bool {
        self.shown() == other.shown()
    }
}

impl Eq for DnsName {}

impl Hash for DnsName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.shown().hash(state);
    }
}

impl std::fmt::Debug for DnsName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

impl Serialize for DnsName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl<'de> Deserialize<'de> for DnsName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer).map(Self::new)
    }
}

impl std::fmt::Display for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silence { wait, .. } => write!(f, "silence {wait}"),
            Self::Dns { name, kind } => write!(f, "{} {}", kind.as_str(), name.shown()),
            Self::Memory(recall) => recall.fmt(f),
            Self::Primary(addresses) => write!(f, "primary {addresses}"),
            Self::Count(counting) => counting.fmt(f),
        }
    }
}
