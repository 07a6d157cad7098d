//! Sender domain: could an answer to this message be delivered? (RFC 5321 §5.1)
//!
//! MX, A and AAAA of the domain are asked for at once, then A and AAAA of every exchange. A domain with a null MX says
//! itself that it takes no mail (RFC 7505 §4.2). One exchange that could be reached is enough, and what failed to be
//! looked up speaks against nobody. The null reverse-path has no domain and is never judged. Judged is the sender of the
//! open mail transaction.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::checks::examination::{Examination, InZone};
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, address, names, settings};
use crate::facts::{DnsAnswer, Failure, Record, RecordData, RecordType};
use crate::smtp::domain::{AddressLiteral, Host};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "sender_domain",
    summary: "could an answer to the sender be delivered?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# Points for a sender whose domain does not exist, or has neither a mail exchanger nor an address.
no_address = 4
# Points for a domain that says that it takes no mail (null MX, RFC 7505).
null_mx = 5
# Points for a domain all of whose mail exchangers are addresses where names belong.
numeric_mx = 4
# Points for a domain that leads only to addresses of no use in the internet: loopback, private, unspecified.
private = 4
# Points for an address literal as domain.
literal = 1
# Points for a mail exchanger that is another name for a host (CNAME, which RFC 2181 §10.3 forbids).
mx_alias = 0.5
"#;

/// Most mail exchangers that are looked at.
const MOST_EXCHANGES: usize = 10;

const ADDRESSES: [RecordType; 2] = [RecordType::A, RecordType::Aaaa];

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SenderDomain {
    no_address: Points,
    null_mx: Points,
    numeric_mx: Points,
    private: Points,
    literal: Points,
    mx_alias: Points,
}

impl Default for SenderDomain {
    fn default() -> Self {
        Self {
            no_address: Points::new(4),
            null_mx: Points::new(5),
            numeric_mx: Points::new(4),
            private: Points::new(4),
            literal: Points::new(1),
            mx_alias: Points::hundredths(50),
        }
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: SenderDomain = settings(table)?;
    Ok(Some(Box::new(check)))
}

/// What is known about the hosts that take a domain's mail.
#[derive(Default)]
struct Reach {
    /// One has an address that could be reached.
    public: bool,
    /// One has an address, but of no use.
    private: bool,
    /// One is an alias.
    alias: bool,
    pending: bool,
    failed: Option<Failure>,
}

impl Check for SenderDomain {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let facts = examination.facts();
        if names::public_client(facts).is_none() {
            return;
        }
        match facts.mail().and_then(|mail| mail.path.mailbox()) {
            None => {}
            Some(mailbox) => match &mailbox.domain {
                Host::Literal(literal) => self.examine_literal(literal, examination),
                Host::Domain(domain) => {
                    self.examine_domain(&names::lower(domain.as_str()), examination);
                }
            },
        }
    }
}

impl SenderDomain {
    fn examine_literal(&self, literal: &AddressLiteral, examination: &mut Examination<'_>) {
        let written = literal.to_string();
        let shown = names::shown(&written);
        let (points, reason, words) = match literal.ip() {
            Some(ip) if !address::is_public(ip) => (self.private, "private", "a private address"),
            _ => (self.literal, "literal", "an address, not a domain"),
        };
        let evidence = format!("its sender is at {words} ({shown})");
        examination.found(Outcome::Fail, points, reason, evidence);
    }

    fn examine_domain(&self, domain: &str, examination: &mut Examination<'_>) {
        let mx = examination.known(InZone::plain(domain), RecordType::Mx);
        let Some((mx, _)) = mx else {
            let all = [
                self.no_address,
                self.null_mx,
                self.numeric_mx,
                self.private,
                self.mx_alias,
            ];
            let kinds = [RecordType::Mx, RecordType::A, RecordType::Aaaa];
            let questions = kinds.map(|kind| (InZone::plain(domain), kind));
            return examination.ask(questions, one_of(&all));
        };
        match mx {
            DnsAnswer::Failed(failure) => unknown(domain, *failure, examination),
            DnsAnswer::Found(_) => self.examine_exchanges(domain, &exchanges(mx), examination),
            DnsAnswer::NoName | DnsAnswer::NoData => self.examine_address(domain, examination),
        }
    }

    /// A domain without MX is its own exchange (RFC 5321 §5.1).
    fn examine_address(&self, domain: &str, examination: &mut Examination<'_>) {
        let reach = Reach::of(std::iter::once(domain), examination);
        if reach.pending && !reach.public {
            let questions = ADDRESSES.map(|kind| (InZone::plain(domain), kind));
            return examination.ask(questions, one_of(&[self.no_address, self.private]));
        }
        self.conclude(domain, &reach, examination);
    }

    fn examine_exchanges(
        &self,
        domain: &str,
        exchanges: &[Cow<'_, str>],
        examination: &mut Examination<'_>,
    ) {
        if exchanges.is_empty() {
            let evidence = format!(
                "its sender's domain {} takes no mail (null MX)",
                names::shown(domain)
            );
            return examination.found(Outcome::Fail, self.null_mx, "null_mx", evidence);
        }
        let hosts = || {
            exchanges
                .iter()
                .map(AsRef::as_ref)
                .filter(|name| !is_numeric(name))
        };
        if hosts().next().is_none() {
            let evidence = format!(
                "the MX of its sender's domain {} is an address, not a name",
                names::shown(domain)
            );
            return examination.found(Outcome::Fail, self.numeric_mx, "numeric_mx", evidence);
        }
        let reach = Reach::of(hosts(), examination);
        if reach.pending {
            let outcomes = [self.no_address, self.private];
            let undecided = !reach.public && reach.failed.is_none();
            let outcomes = one_of(if undecided { &outcomes } else { &[] });
            let alias = if reach.alias {
                Points::ZERO
            } else {
                self.mx_alias
            };
            let could_bring =
                *outcomes.start() + alias.below_zero()..=*outcomes.end() + alias.above_zero();
            let both = |name| ADDRESSES.map(|kind| (InZone::plain(name), kind));
            examination.ask(hosts().flat_map(both), could_bring);
        }
        if reach.alias {
            let evidence = format!(
                "an MX of its sender's domain {} is an alias",
                names::shown(domain)
            );
            examination.found(Outcome::Fail, self.mx_alias, "mx_alias", evidence);
        }
        if !reach.pending || reach.public {
            self.conclude(domain, &reach, examination);
        }
    }

    fn conclude(&self, domain: &str, reach: &Reach, examination: &mut Examination<'_>) {
        let shown = names::shown(domain);
        if reach.public {
            let evidence = ["its sender's domain ", &shown, " can be answered"].concat();
            return examination.found(Outcome::Pass, Points::ZERO, "reachable", evidence);
        }
        if let Some(failure) = reach.failed {
            return unknown(domain, failure, examination);
        }
        if reach.private {
            let evidence = format!("its sender's domain {shown} leads to private addresses only");
            return examination.found(Outcome::Fail, self.private, "private", evidence);
        }
        let evidence = format!("its sender's domain {shown} has no mail exchanger and no address");
        examination.found(Outcome::Fail, self.no_address, "no_address", evidence);
    }
}

fn unknown(domain: &str, failure: Failure, examination: &mut Examination<'_>) {
    let (domain, failure) = (names::shown(domain), failure.label());
    let evidence = format!("no answer about its sender's domain {domain}: {failure}");
    examination.found(Outcome::Unknown, Points::ZERO, "failed", evidence);
}

/// What one of these findings, or none, could bring.
fn one_of(points: &[Points]) -> RangeInclusive<Points> {
    let least = points.iter().min().copied().unwrap_or_default();
    let most = points.iter().max().copied().unwrap_or_default();
    least.below_zero()..=most.above_zero()
}

/// The exchanges in order of preference, bounded; none for a null MX. A null MX beside others is a mistake and no MX.
fn exchanges(answer: &DnsAnswer) -> Vec<Cow<'_, str>> {
    let records = answer.records().iter();
    let mut exchanges: Vec<_> = records.filter_map(exchange).collect();
    // Servers rotate records; what is said about a domain should not.
    exchanges.sort_unstable();
    exchanges.dedup();
    exchanges.truncate(MOST_EXCHANGES);
    exchanges.into_iter().map(|(_, name)| name).collect()
}

/// Preference and name of an exchange.
fn exchange(record: &Record) -> Option<(u16, Cow<'_, str>)> {
    let RecordData::Mx(preference, name) = &record.data else {
        return None;
    };
    let name = names::lower(name.trim_end_matches('.'));
    (!name.is_empty()).then_some((*preference, name))
}

/// Whether an exchange is an address, bare or in brackets.
fn is_numeric(name: &str) -> bool {
    let inside = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inside.unwrap_or(name).parse::<IpAddr>().is_ok()
}

impl Reach {
    fn of<'n>(hosts: impl Iterator<Item = &'n str>, examination: &Examination<'_>) -> Self {
        let mut reach = Self::default();
        for (host, kind) in hosts.flat_map(|host| ADDRESSES.map(|kind| (host, kind))) {
            let Some((answer, _)) = examination.known(InZone::plain(host), kind) else {
                reach.pending = true;
                continue;
            };
            if let DnsAnswer::Failed(failure) = answer {
                reach.failed = reach.failed.or(Some(*failure));
            }
            reach.alias |= answer.is_alias();
            for found in answer.addresses() {
                let is_public = address::is_public(found);
                reach.public |= is_public;
                reach.private |= !is_public;
            }
        }
        reach
    }
}
