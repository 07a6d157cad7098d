//! An SPF record: its syntax. RFC 7208 §4.5, §4.6.1, §5, §6, §12.
//!
//! A record is read as a whole before anything is made of it: one wrong term, wherever it stands,
//! and there is no record (§4.6). What is read borrows from the text; nothing is asked or compared.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

use crate::checks::spf::SpfResult;
use crate::checks::spf::macros::{DomainSpec, Place, is_macro_string};

/// A record.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record<'r> {
    /// Its mechanisms, in order.
    pub(super) directives: Vec<Directive<'r>>,
    /// `redirect=`.
    pub(super) redirect: Option<DomainSpec<'r>>,
    /// `exp=`.
    pub(super) explanation: Option<DomainSpec<'r>>,
}

/// A mechanism and what it means when it matches.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Directive<'r> {
    /// What its qualifier says (§4.6.2).
    pub(super) result: SpfResult,
    /// What is to be matched.
    pub(super) mechanism: Mechanism<'r>,
    /// As it is written.
    pub(super) written: &'r str,
}

/// What a client is compared with (§5).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mechanism<'r> {
    All,
    Include(DomainSpec<'r>),
    A(Option<DomainSpec<'r>>, Lengths),
    Mx(Option<DomainSpec<'r>>, Lengths),
    Ptr(Option<DomainSpec<'r>>),
    Ip4(Ipv4Net),
    Ip6(Ipv6Net),
    Exists(DomainSpec<'r>),
}

/// How many leading bits of an address count (dual-cidr-length).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

impl Lengths {
    /// All bits.
    pub(super) const WHOLE: Self = Self { v4: 32, v6: 128 };
}

/// Whether `text` is an SPF record, right or wrong: `v=spf1` alone or with a space behind (§4.5).
pub(super) fn is_record(text: &str) -> bool {
    let version = text.split(' ').next();
    version.is_some_and(|version| version.eq_ignore_ascii_case("v=spf1"))
}

impl<'r> Record<'r> {
    /// Reads the terms behind the version; the first wrong term is the error.
    pub(super) fn read(text: &'r str) -> Result<Self, &'r str> {
        let mut record = Self {
            directives: Vec::with_capacity(text.bytes().filter(|octet| *octet == b' ').count()),
            ..Self::default()
        };
        let terms = text.split(' ').skip(1).filter(|term| !term.is_empty());
        for term in terms {
            record.add(term).ok_or(term)?;
        }
        Ok(record)
    }

    fn add(&mut self, term: &'r str) -> Option<()> {
        let Some((name, value)) = modifier(term) else {
            self.directives.push(Directive::read(term)?);
            return Some(());
        };
        let known = match () {
            () if name.eq_ignore_ascii_case("redirect") => &mut self.redirect,
            () if name.eq_ignore_ascii_case("exp") => &mut self.explanation,
            // Not known, and ignored if its syntax is right (§6).
            () => return is_macro_string(value, Place::Record).then_some(()),
        };
        let first = known.replace(DomainSpec::read(value)?).is_none();
        first.then_some(())
    }
}

/// Name and value of a modifier; `None` for a directive.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'));
    is_name.then_some((name, value))
}

impl<'r> Directive<'r> {
    fn read(written: &'r str) -> Option<Self> {
        let qualifiers = [
            ('+', SpfResult::Pass),
            ('-', SpfResult::Fail),
            ('~', SpfResult::Softfail),
            ('?', SpfResult::Neutral),
        ];
        let qualified = qualifiers
            .into_iter()
            .find_map(|(qualifier, result)| Some((result, written.strip_prefix(qualifier)?)));
        let (result, term) = qualified.unwrap_or((SpfResult::Pass, written));
        Some(Self {
            result,
            mechanism: Mechanism::read(term)?,
            written,
        })
    }
}

impl<'r> Mechanism<'r> {
    fn read(term: &'r str) -> Option<Self> {
        let end = term.find([':', '/']).unwrap_or(term.len());
        let (name, argument) = term.split_at_checked(end)?;
        // Compared in place: a record may have hundreds of these.
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        Some(match () {
            () if is("ip4") => {
                let (address, length) = network(argument, 32)?;
                Self::Ip4(Ipv4Net::new(address.parse::<Ipv4Addr>().ok()?, length).ok()?)
            }
            () if is("ip6") => {
                let (address, length) = network(argument, 128)?;
                Self::Ip6(Ipv6Net::new(address.parse::<Ipv6Addr>().ok()?, length).ok()?)
            }
            () if is("include") => Self::Include(DomainSpec::read(argument.strip_prefix(':')?)?),
            () if is("all") && argument.is_empty() => Self::All,
            () if is("a") => {
                let (domain, lengths) = lengths(argument)?;
                Self::A(optional(domain)?, lengths)
            }
            () if is("mx") => {
                let (domain, lengths) = lengths(argument)?;
                Self::Mx(optional(domain)?, lengths)
            }
            () if is("ptr") => Self::Ptr(optional(argument)?),
            () if is("exists") => Self::Exists(DomainSpec::read(argument.strip_prefix(':')?)?),
            () => return None,
        })
    }
}

/// `[ ":" domain-spec ]`.
fn optional(argument: &str) -> Option<Option<DomainSpec<'_>>> {
    if argument.is_empty() {
        return Some(None);
    }
    DomainSpec::read(argument.strip_prefix(':')?).map(Some)
}

/// Address and length of `":" address [ "/" length ]`.
fn network(argument: &str, most: u8) -> Option<(&str, u8)> {
    let written = argument.strip_prefix(':')?;
    match written.split_once('/') {
        Some((address, digits)) => Some((address, length(digits, most)?)),
        None => Some((written, most)),
    }
}

/// Cuts the lengths, `["/" digits] ["//" digits]`, off the end of an argument.
fn lengths(argument: &str) -> Option<(&str, Lengths)> {
    let mut lengths = Lengths::WHOLE;
    let mut rest = argument;
    if let Some((before, digits)) = cut_digits(rest)
        && let Some(before) = before.strip_suffix('/')
    {
        (rest, lengths.v6) = (before, length(digits, 128)?);
    }
    if let Some((before, digits)) = cut_digits(rest) {
        (rest, lengths.v4) = (before, length(digits, 32)?);
    }
    Some((rest, lengths))
}

/// What stands before and behind the last slash, if digits stand behind it.
fn cut_digits(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('/').filter(|(_, digits)| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// A length without leading zeros, at most `most`.
fn length(digits: &str, most: u8) -> Option<u8> {
    let is_number = digits == "0" || digits.starts_with(|first| matches!(first, '1'..='9'));
    let length: u8 = is_number.then(|| digits.parse().ok())??;
    (length <= most).then_some(length)
}

#[cfg(test)]
mod tests;
