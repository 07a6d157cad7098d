//! The data the demo DNS server answers from: records by name and type, and one SOA record for every negative answer
//! (RFC 2308).

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use crate::facts::RecordData;

/// Most CNAME records put into one answer.
const MOST_CNAMES: usize = 8;

/// Records by name. The server answers for every name: one without records is told not to exist.
#[derive(Clone, Debug)]
pub struct Zone {
    records: BTreeMap<String, Vec<(u32, RData)>>,
    negative_ttl: u32,
    authentic: Vec<String>,
}

impl Default for Zone {
    fn default() -> Self {
        Self::new()
    }
}

impl Zone {
    /// No records; negative answers may be kept for ten minutes.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            records: BTreeMap::new(),
            negative_ttl: 600,
            authentic: Vec::new(),
        }
    }

    /// Adds a record. Names are without the final dot; a text longer than 255 octets is split.
    ///
    /// # Errors
    ///
    /// When the target of a CNAME, MX or PTR record is no DNS name.
    pub fn add(&mut self, name: &str, ttl: u32, data: &RecordData) -> Result<(), BadName> {
        let data = match data {
            RecordData::A(address) => RData::A(A(*address)),
            RecordData::Aaaa(address) => RData::AAAA(AAAA(*address)),
            RecordData::Cname(canonical) => RData::CNAME(CNAME(target(canonical)?)),
            RecordData::Mx(preference, exchange) => {
                RData::MX(MX::new(*preference, target(exchange)?))
            }
            RecordData::Ptr(host) => RData::PTR(PTR(target(host)?)),
            RecordData::Txt(text) => {
                RData::TXT(TXT::from_bytes(text.as_bytes().chunks(255).collect()))
            }
        };
        self.push(name, ttl, data);
        Ok(())
    }

    /// Adds a TXT record of any octets, at most 255.
    pub fn add_octets(&mut self, name: &str, ttl: u32, octets: &[u8]) {
        self.push(name, ttl, RData::TXT(TXT::from_bytes(vec![octets])));
    }

    /// Adds an A or AAAA record with a time to live of five minutes.
    pub fn add_address(&mut self, name: &str, address: IpAddr) {
        let data = match address {
            IpAddr::V4(address) => RData::A(A(address)),
            IpAddr::V6(address) => RData::AAAA(AAAA(address)),
        };
        self.push(name, 300, data);
    }

    /// Makes `name` another name for `canonical`.
    ///
    /// # Errors
    ///
    /// When `canonical` is no DNS name.
    pub fn add_alias(&mut self, name: &str, ttl: u32, canonical: &str) -> Result<(), BadName> {
        let data = RData::CNAME(CNAME(target(canonical)?));
        self.push(name, ttl, data);
        Ok(())
    }

    /// Adds a record of any type.
    pub fn add_data(&mut self, name: &str, ttl: u32, data: RData) {
        self.push(name, ttl, data);
    }

    /// Has answers about `name` and everything below it say that they were validated (AD, RFC 4035 §3.2.3), as a
    /// validating resolver does.
    pub fn set_authentic(&mut self, name: &str) {
        self.authentic.push(folded(name));
    }

    /// Takes every record of `name` away.
    pub fn remove(&mut self, name: &str) {
        self.records.remove(&folded(name));
    }

    /// Sets how long negative answers may be kept, seconds.
    pub const fn set_negative_ttl(&mut self, seconds: u32) {
        self.negative_ttl = seconds;
    }

    fn push(&mut self, name: &str, ttl: u32, data: RData) {
        self.records
            .entry(folded(name))
            .or_default()
            .push((ttl, data));
    }

    /// Answers the question of `answer` in it.
    pub(super) fn fill(&self, answer: &mut Message) {
        let Some(query) = answer.queries.first() else {
            return;
        };
        let kind = query.query_type();
        let mut name = query.name().clone();
        answer.metadata.authoritative = true;
        let asked = folded(&name.to_ascii());
        let is_in = |zone: &String| asked.strip_suffix(zone.as_str()).is_some_and(is_above);
        answer.metadata.authentic_data = self.authentic.iter().any(is_in);
        for _ in 0..=MOST_CNAMES {
            let found = self
                .records
                .get(&folded(&name.to_ascii()))
                .map_or(&[][..], Vec::as_slice);
            let of = |kind: RecordType| {
                found
                    .iter()
                    .filter(move |(_, data)| data.record_type() == kind)
            };
            answer.add_answers(
                of(kind).map(|(ttl, data)| Record::from_rdata(name.clone(), *ttl, data.clone())),
            );
            let alias = of(RecordType::CNAME).next();
            let Some((ttl, RData::CNAME(target))) = alias.filter(|_| kind != RecordType::CNAME)
            else {
                break;
            };
            answer.add_answer(Record::from_rdata(name, *ttl, RData::CNAME(target.clone())));
            name = target.0.clone();
        }
        if answer
            .answers
            .iter()
            .any(|record| record.record_type() == kind)
        {
            return;
        }
        if !self.exists(&folded(&name.to_ascii())) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        answer.add_authority(self.soa());
    }

    /// Whether a name has records, or one below it has (RFC 8020).
    fn exists(&self, name: &str) -> bool {
        let below = format!(".{name}");
        self.records
            .keys()
            .any(|known| known == name || known.ends_with(&below))
    }

    fn soa(&self) -> Record {
        let data = SOA::new(
            Name::root(),
            Name::root(),
            1,
            3600,
            600,
            86_400,
            self.negative_ttl,
        );
        Record::from_rdata(Name::root(), self.negative_ttl, RData::SOA(data))
    }
}

/// A text that is no DNS name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no DNS name")]
pub struct BadName(Box<str>);

fn target(name: &str) -> Result<Name, BadName> {
    let mut target = Name::from_ascii(name).map_err(|_| BadName(name.into()))?;
    target.set_fqdn(true);
    Ok(target)
}

/// Whether what stands before a zone's name leaves it whole: nothing, or whole labels.
fn is_above(rest: &str) -> bool {
    rest.is_empty() || rest.ends_with('.')
}

/// A name as the zone's key: lower case, without the final dot.
pub(super) fn folded(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}
