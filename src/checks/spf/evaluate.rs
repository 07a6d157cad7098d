//! The check_host() function: what a domain's record says about a client. RFC 7208 §4, §5, §6.
//!
//! A pure function of the query and the answers that have come. When an answer is missing, its
//! question has been noted and the evaluation concludes nothing; it is made again from the start
//! when more is known. It concludes from the same answers whatever their order, for it never looks
//! behind one that is missing, but to ask (`ahead`).

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::{Ipv4Net, Ipv6Net};

use crate::checks::spf::macros::{DomainSpec, Place, expand};
use crate::checks::spf::name::{is_multi_label, name};
use crate::checks::spf::record::{Lengths, Mechanism, Record, is_record};
use crate::checks::spf::{Answers, Evaluation, Query, SpfResult};
use crate::facts::{DnsAnswer, RecordData, RecordType, TXT_MAX};

/// Terms that ask the DNS, in all records together (§4.6.4).
const MOST_LOOKUPS: u8 = 10;
/// Terms whose name does not exist or has no such records (§4.6.4).
const MOST_VOID: u8 = 2;
/// Names that one term compares with (§4.6.4).
pub(super) const MOST_NAMES: usize = 10;

/// Why an evaluation does not go on.
pub(super) enum Halt {
    /// An answer is missing; its question was noted.
    Waits,
    /// temperror, of this name, because of this.
    Temporary(String, String),
    /// permerror, of this domain's record, because of this.
    Permanent(String, String),
}

/// One evaluation, with what is counted across records.
pub(super) struct Evaluator<'e, 'f, 'a> {
    pub(super) query: &'e Query<'e>,
    /// IPv4 in IPv6 form is IPv4 (§5).
    pub(super) ip: IpAddr,
    pub(super) answers: &'e mut Answers<'f, 'a>,
    lookups: u8,
    voids: u8,
}

impl<'e, 'f, 'a> Evaluator<'e, 'f, 'a> {
    pub(super) fn new(query: &'e Query<'e>, answers: &'e mut Answers<'f, 'a>) -> Self {
        Self {
            query,
            ip: query.ip.to_canonical(),
            answers,
            lookups: 0,
            voids: 0,
        }
    }

    /// Evaluates the record of `domain`, a name. Errors are in [`Halt`].
    pub(super) fn check_host(&mut self, domain: &str) -> Result<Evaluation<'a>, Halt> {
        let conclude = |result, because: &'a str| Evaluation {
            result,
            domain: domain.to_owned(),
            because: Cow::Borrowed(because),
            explanation: None,
        };
        let Some(text) = self.record_of(domain)? else {
            return Ok(conclude(SpfResult::None, "no record"));
        };
        let broken = |term: &str| Halt::Permanent(domain.to_owned(), format!("wrong term {term}"));
        let record = Record::read(text).map_err(broken)?;
        let mut directives = record.directives.iter();
        while let Some(directive) = directives.next() {
            match self.matches(&directive.mechanism, domain) {
                Ok(false) => {}
                Ok(true) => {
                    let explanation = record.explanation;
                    return Ok(Evaluation {
                        explanation: explanation.filter(|_| directive.result == SpfResult::Fail),
                        ..conclude(directive.result, directive.written)
                    });
                }
                Err(Halt::Waits) => {
                    self.ask_ahead(directives.as_slice(), record.redirect, domain);
                    return Err(Halt::Waits);
                }
                Err(halt) => return Err(halt),
            }
        }
        match record.redirect {
            Some(target) => self.other(target, domain),
            None => Ok(conclude(SpfResult::Neutral, "nothing matches")),
        }
    }

    /// The one SPF record of `domain` (§4.4, §4.5).
    fn record_of(&mut self, domain: &str) -> Result<Option<&'a str>, Halt> {
        if !is_multi_label(domain) {
            return Ok(None);
        }
        let answer = self.ask(domain, RecordType::Txt)?;
        let mut records = answer.txt().filter(|text| is_record(text));
        let broken = |because: &str| Halt::Permanent(domain.to_owned(), because.to_owned());
        match (records.next(), records.next()) {
            (Some(_), Some(_)) => Err(broken("more than one record")),
            // As long as a text can be: its end may be missing.
            (Some(record), None) if is_as_long_as_can_be(record) => Err(broken("too long")),
            (record, _) => Ok(record),
        }
    }

    fn matches(&mut self, mechanism: &Mechanism<'a>, domain: &str) -> Result<bool, Halt> {
        if let Some(sure) = self.is_sure(mechanism) {
            return Ok(sure);
        }
        match mechanism {
            Mechanism::Include(target) => {
                let evaluation = self.other(*target, domain)?;
                Ok(evaluation.result == SpfResult::Pass)
            }
            Mechanism::A(target, lengths) => {
                let kind = self.address_type();
                let answer = self.ask_of_term(*target, kind, domain)?;
                Ok(answer.is_some_and(|answer| self.is_client(answer, *lengths)))
            }
            Mechanism::Mx(target, lengths) => self.mx(*target, *lengths, domain),
            Mechanism::Ptr(target) => {
                self.count_lookup(domain)?;
                match self.target(*target, domain)? {
                    Some(target) => self.has_name_within(&target),
                    None => Ok(false),
                }
            }
            Mechanism::Exists(target) => {
                let answer = self.ask_of_term(Some(*target), RecordType::A, domain)?;
                Ok(answer.is_some_and(|answer| answer.a().next().is_some()))
            }
            Mechanism::All | Mechanism::Ip4(_) | Mechanism::Ip6(_) => Ok(false),
        }
    }

    /// Whether a mechanism that asks for nothing matches; `None` for the others.
    pub(super) fn is_sure(&self, mechanism: &Mechanism<'_>) -> Option<bool> {
        match (mechanism, self.ip) {
            (Mechanism::All, _) => Some(true),
            (Mechanism::Ip4(network), IpAddr::V4(ip)) => Some(network.contains(&ip)),
            (Mechanism::Ip6(network), IpAddr::V6(ip)) => Some(network.contains(&ip)),
            (Mechanism::Ip4(_) | Mechanism::Ip6(_), _) => Some(false),
            _ => None,
        }
    }

    /// Evaluates the record that `domain`'s record names, by `include` (§5.2) or `redirect` (§6.1);
    /// that there is none is an error.
    fn other(&mut self, target: DomainSpec<'a>, domain: &str) -> Result<Evaluation<'a>, Halt> {
        self.count_lookup(domain)?;
        let missing = || {
            let because = format!("no record at {}", target.as_str());
            Halt::Permanent(domain.to_owned(), because)
        };
        let other = self.target(Some(target), domain)?.ok_or_else(missing)?;
        let evaluation = self.check_host(&other)?;
        match evaluation.result {
            SpfResult::None => Err(missing()),
            _ => Ok(evaluation),
        }
    }

    /// `mx` (§5.4). A host that matches is enough, whatever becomes of the others.
    fn mx(
        &mut self,
        target: Option<DomainSpec<'a>>,
        lengths: Lengths,
        domain: &str,
    ) -> Result<bool, Halt> {
        let Some(answer) = self.ask_of_term(target, RecordType::Mx, domain)? else {
            return Ok(false);
        };
        let data = answer.records().iter().map(|record| &record.data);
        let exchanges = data.filter(|data| matches!(data, RecordData::Mx(..)));
        if exchanges.count() > MOST_NAMES {
            let because = format!("more than {MOST_NAMES} MX records");
            return Err(Halt::Permanent(domain.to_owned(), because));
        }
        let exchanges = answer
            .records()
            .iter()
            .filter_map(|record| match &record.data {
                // The null MX (RFC 7505) is no name.
                RecordData::Mx(_, exchange) => name(exchange),
                _ => None,
            });
        let mut halt = None;
        for exchange in exchanges {
            match self.ask(&exchange, self.address_type()) {
                Ok(answer) if self.is_client(answer, lengths) => return Ok(true),
                Ok(_) => {}
                Err(Halt::Waits) => halt = Some(Halt::Waits),
                Err(error) => halt = halt.or(Some(error)),
            }
        }
        halt.map_or(Ok(false), Err)
    }

    /// Whether one of the addresses is the client's, as far as their leading bits go.
    pub(super) fn is_client(&self, answer: &DnsAnswer, lengths: Lengths) -> bool {
        let is_it = |data: &RecordData| match (data, self.ip) {
            (RecordData::A(address), IpAddr::V4(ip)) => {
                Ipv4Net::new(*address, lengths.v4).is_ok_and(|network| network.contains(&ip))
            }
            (RecordData::Aaaa(address), IpAddr::V6(ip)) => {
                Ipv6Net::new(*address, lengths.v6).is_ok_and(|network| network.contains(&ip))
            }
            _ => false,
        };
        answer.records().iter().any(|record| is_it(&record.data))
    }

    /// The records of a host to compare the client with (§5).
    pub(super) const fn address_type(&self) -> RecordType {
        match self.ip {
            IpAddr::V4(_) => RecordType::A,
            IpAddr::V6(_) => RecordType::Aaaa,
        }
    }

    /// The name that a term means; the record's own domain if it says none. `None` when it comes to
    /// nothing that could be asked for: such a name does not exist (§4.8).
    pub(super) fn target<'t>(
        &mut self,
        target: Option<DomainSpec<'t>>,
        domain: &'t str,
    ) -> Result<Option<Cow<'t, str>>, Halt> {
        let Some(target) = target else {
            return Ok(Some(Cow::Borrowed(domain)));
        };
        let text = target.as_str();
        if !text.contains('%') {
            return Ok(name(text));
        }
        let expanded = expand(text, Place::Record, |letter| self.value(letter, domain))?;
        let name = expanded.as_deref().and_then(name);
        Ok(name.map(|name| Cow::Owned(name.into_owned())))
    }

    /// Asks for what a term compares with, and counts names that have nothing. Not counted are those
    /// that follow from an answer, of exchanges and of the client's names: terms are limited. `None`
    /// for a name that can not be asked for.
    fn ask_of_term(
        &mut self,
        target: Option<DomainSpec<'a>>,
        kind: RecordType,
        domain: &str,
    ) -> Result<Option<&'a DnsAnswer>, Halt> {
        self.count_lookup(domain)?;
        let Some(name) = self.target(target, domain)? else {
            return Ok(None);
        };
        let answer = self.ask(&name, kind)?;
        if answer.records().is_empty() {
            self.voids += 1;
        }
        if self.voids > MOST_VOID {
            let because = format!("more than {MOST_VOID} names without records");
            return Err(Halt::Permanent(domain.to_owned(), because));
        }
        Ok(Some(answer))
    }

    pub(super) fn ask(&mut self, name: &str, kind: RecordType) -> Result<&'a DnsAnswer, Halt> {
        match (self.answers)(name, kind) {
            None => Err(Halt::Waits),
            Some(DnsAnswer::Failed(failure)) => {
                Err(Halt::Temporary(name.to_owned(), failure.label().to_owned()))
            }
            Some(answer) => Ok(answer),
        }
    }

    pub(super) fn count_lookup(&mut self, domain: &str) -> Result<(), Halt> {
        self.lookups = self.lookups.saturating_add(1);
        if self.lookups > MOST_LOOKUPS {
            let because = format!("more than {MOST_LOOKUPS} terms that ask the DNS");
            return Err(Halt::Permanent(domain.to_owned(), because));
        }
        Ok(())
    }
}

/// As long as a text can be, in characters.
fn is_as_long_as_can_be(text: &str) -> bool {
    text.len() >= TXT_MAX && text.chars().nth(TXT_MAX - 1).is_some()
}

#[cfg(test)]
mod tests;
