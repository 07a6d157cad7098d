//! Answers: a value or the way it failed, raw, with how long it took and where it came from.
//!
//! Interpretations (listed or not, early or not) belong to checks; they change with the policy, answers do not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::facts::{Millis, Question, Recalled, Room};

/// A question together with what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answered {
    /// What was asked.
    pub question: Question,
    /// What came.
    pub answer: Answer,
    /// From the asking to the answer.
    pub took: Millis,
    /// Who answered.
    pub source: Source,
}

/// Where an answer came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The cache that all sessions share.
    Cache,
    /// A lookup made now, or one already under way for another session.
    Live,
    /// The session itself.
    Session,
    /// From what is remembered of earlier sessions.
    Memory,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Question::Silence`].
    Silence(Silence),
    /// To [`Question::Dns`].
    Dns(DnsAnswer),
    /// What is remembered.
    Memory(Recalled),
    /// How the primary mail server is.
    Primary(Primary),
    /// Whether there was room for one more recipient.
    Count(Room),
}

/// How the primary mail server is, as the last look at it found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Primary {
    /// It greets.
    Up,
    /// It does not, more than once in a row.
    Down,
    /// Nobody has looked yet.
    Unknown,
}

/// What the client did before the greeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// Nothing, for as long as it was watched.
    Silent {
        /// How long it was watched.
        watched: Millis,
    },
    /// It spoke.
    Spoke {
        /// From connect (or the end of an implicit TLS handshake) to the first octet.
        after: Millis,
        /// The first octets, at most 512, escaped as in a Rust byte string.
        bytes: Box<str>,
    },
    /// It went away.
    Left {
        /// From connect to its leaving.
        after: Millis,
    },
}

/// What the DNS said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsAnswer {
    /// Records of the type asked for, at most 64; in front of them the CNAME records that led to them, at most 8.
    Found(Vec<Record>),
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// The name exists without records of this type.
    NoData,
    /// Nothing usable came.
    Failed(Failure),
}

/// How a lookup failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The name could not be asked for, or the answer could not be read.
    Malformed,
    /// Too many lookups were under way.
    Overload,
    /// The server answered REFUSED.
    Refused,
    /// The server answered SERVFAIL or another error code.
    ServFail,
    /// The zone failed so often that it is not asked for a while.
    Suspended,
    /// No answer in time.
    Timeout,
}

impl Failure {
    /// The failure as words for people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed answer",
            Self::Overload => "too many lookups",
            Self::Refused => "refused",
            Self::ServFail => "server failure",
            Self::Suspended => "suspended",
            Self::Timeout => "timeout",
        }
    }
}

/// Characters kept of a text. One that has so many may have had more.
pub const TXT_MAX: usize = 4096;

/// One DNS record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Time to live when it was answered, seconds.
    pub ttl: u32,
    /// Its data.
    pub data: RecordData,
}

/// The data of a DNS record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordData {
    /// IPv4 address.
    A(Ipv4Addr),
    /// IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name is another name for this one. Stands in front of the records of another type.
    Cname(Box<str>),
    /// Preference and exchange.
    Mx(u16, Box<str>),
    /// Name.
    Ptr(Box<str>),
    /// Text: printable ASCII, at most [`TXT_MAX`] characters; anything else is replaced by U+FFFD, so that it is
    /// known to have been there.
    Txt(Box<str>),
}

impl DnsAnswer {
    /// The IPv4 addresses of the answer; none unless found.
    pub fn a(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.records()
            .iter()
            .filter_map(|record| match record.data {
                RecordData::A(address) => Some(address),
                _ => None,
            })
    }

    /// The addresses of the answer, of either family; none unless found.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.records()
            .iter()
            .filter_map(|record| match record.data {
                RecordData::A(address) => Some(IpAddr::V4(address)),
                RecordData::Aaaa(address) => Some(IpAddr::V6(address)),
                _ => None,
            })
    }

    /// Whether the name asked for is an alias (CNAME).
    #[must_use]
    pub fn is_alias(&self) -> bool {
        let first = self.records().first();
        first.is_some_and(|record| matches!(record.data, RecordData::Cname(_)))
    }

    /// The texts of the answer; none unless found.
    pub fn txt(&self) -> impl Iterator<Item = &str> {
        self.records()
            .iter()
            .filter_map(|record| match &record.data {
                RecordData::Txt(text) => Some(text.as_ref()),
                _ => None,
            })
    }

    /// The records; empty unless found.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        match self {
            Self::Found(records) => records,
            Self::NoName | Self::NoData | Self::Failed(_) => &[],
        }
    }
}
