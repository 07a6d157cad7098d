//! The filter that says which answers of a DNSBL count: `127.0.0.[2;4..11]`.
//!
//! The grammar is Postfix's: four octets with dots between them, each a number or a list in
//! brackets, of numbers and ranges `from..to` with `;` between them. What an answer means is
//! RFC 5782 §2.1 and the list's own documentation.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use serde::Deserialize;

/// A set of IPv4 addresses, given octet by octet.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::checks) struct AnswerFilter {
    octets: [Vec<RangeInclusive<u8>>; 4],
    written: String,
}

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::checks) enum BadFilter {
    /// Not four parts.
    #[error("{0:?} has {1} part(s), write four octets such as \"127.0.0.[2..11]\"")]
    Parts(String, usize),
    /// A bracket without its partner.
    #[error("{0:?}: a bracket is not closed or not opened, write \"127.0.0.[2;4..11]\"")]
    Bracket(String),
    /// Not a number from 0 to 255.
    #[error("{0:?} in {1:?} is not a number from 0 to 255")]
    Number(String, String),
    /// A range that ends before it begins.
    #[error("{0:?} in {1:?} ends before it begins, write the smaller number first")]
    Backwards(String, String),
    /// A range outside brackets.
    #[error("{0:?}: a range must stand in brackets, write \"127.0.0.[2..11]\"")]
    Unbracketed(String),
    /// Nothing where a number belongs.
    #[error("{0:?} has an empty place where a number from 0 to 255 belongs")]
    Empty(String),
    /// Answers outside 127.0.0.0/8 are never a listing.
    #[error("{0:?} must begin with 127: a list never lists with an answer outside 127.0.0.0/8")]
    NotLoopback(String),
}

impl AnswerFilter {
    /// As it was written.
    pub(in crate::checks) fn written(&self) -> &str {
        &self.written
    }

    /// Reads a filter.
    pub(in crate::checks) fn parse(written: &str) -> Result<Self, BadFilter> {
        let parts = split_octets(written)?;
        let [a, b, c, d] = <[&str; 4]>::try_from(parts).map_err(|parts| {
            // The dots of a range outside brackets split it, with nothing in the middle.
            if parts.len() > 4 && parts.contains(&"") {
                return BadFilter::Unbracketed(written.to_owned());
            }
            BadFilter::Parts(written.to_owned(), parts.len())
        })?;
        let octets = [
            octet(a, written)?,
            octet(b, written)?,
            octet(c, written)?,
            octet(d, written)?,
        ];
        let [first, ..] = &octets;
        if first.iter().any(|range| *range != (127..=127)) {
            return Err(BadFilter::NotLoopback(written.to_owned()));
        }
        Ok(Self {
            octets,
            written: written.to_owned(),
        })
    }

    /// Whether `answer` is in the set.
    pub(in crate::checks) fn contains(&self, answer: Ipv4Addr) -> bool {
        let pairs = self.octets.iter().zip(answer.octets());
        pairs
            .into_iter()
            .all(|(ranges, octet)| ranges.iter().any(|range| range.contains(&octet)))
    }
}

impl Default for AnswerFilter {
    /// `127.0.0.[2..254]`: what RFC 5782 §2.1 leaves to lists, without the test entry 127.0.0.1.
    fn default() -> Self {
        let octets = [vec![127..=127], vec![0..=0], vec![0..=0], vec![2..=254]];
        Self {
            octets,
            written: "127.0.0.[2..254]".to_owned(),
        }
    }
}

impl fmt::Debug for AnswerFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.written)
    }
}

impl TryFrom<String> for AnswerFilter {
    type Error = BadFilter;

    fn try_from(written: String) -> Result<Self, BadFilter> {
        Self::parse(&written)
    }
}

/// Splits at the dots outside brackets.
fn split_octets(written: &str) -> Result<Vec<&str>, BadFilter> {
    let mut in_brackets = false;
    let mut broken = false;
    let parts = written.split(|c| {
        match c {
            '[' => broken |= std::mem::replace(&mut in_brackets, true),
            ']' => broken |= !std::mem::replace(&mut in_brackets, false),
            _ => {}
        }
        c == '.' && !in_brackets
    });
    let parts: Vec<_> = parts.collect();
    if broken || in_brackets {
        return Err(BadFilter::Bracket(written.to_owned()));
    }
    Ok(parts)
}

fn octet(part: &str, written: &str) -> Result<Vec<RangeInclusive<u8>>, BadFilter> {
    if !part.contains(['[', ']']) {
        let number = number(part, written)?;
        return Ok(vec![number..=number]);
    }
    let inside = part
        .strip_prefix('[')
        .and_then(|part| part.strip_suffix(']'))
        .filter(|inside| !inside.contains(['[', ']']))
        .ok_or_else(|| BadFilter::Bracket(written.to_owned()))?;
    inside.split(';').map(|item| range(item, written)).collect()
}

/// A number, or two with `..` between them.
fn range(item: &str, written: &str) -> Result<RangeInclusive<u8>, BadFilter> {
    let (from, to) = item.split_once("..").unwrap_or((item, item));
    let (from, to) = (number(from, written)?, number(to, written)?);
    if from > to {
        return Err(BadFilter::Backwards(item.to_owned(), written.to_owned()));
    }
    Ok(from..=to)
}

fn number(text: &str, written: &str) -> Result<u8, BadFilter> {
    if text.is_empty() {
        return Err(BadFilter::Empty(written.to_owned()));
    }
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| BadFilter::Number(text.to_owned(), written.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(filter: &str, answer: &str) -> bool {
        AnswerFilter::parse(filter)
            .unwrap()
            .contains(answer.parse().unwrap())
    }

    #[test]
    fn a_filter_is_a_set_for_each_octet() {
        assert!(counts("127.0.0.2", "127.0.0.2"));
        assert!(!counts("127.0.0.2", "127.0.0.3"));
        for (answer, listed) in [
            (1, false),
            (2, true),
            (3, false),
            (4, true),
            (11, true),
            (12, false),
        ] {
            assert_eq!(
                counts("127.0.0.[2;4..11]", &format!("127.0.0.{answer}")),
                listed,
                "{answer}"
            );
        }
        assert!(counts("127.0.[0..255].[1..3]", "127.0.15.3"));
        assert!(!counts("127.0.[0..255].[1..3]", "127.0.15.0"));
        assert!(!counts("127.0.[0..255].[1..3]", "127.1.15.1"));
        assert!(counts("127.0.[4..4;7].[2]", "127.0.7.2"));
    }

    #[test]
    fn the_default_takes_every_ordinary_answer() {
        let filter = AnswerFilter::default();
        assert_eq!(AnswerFilter::parse("127.0.0.[2..254]").unwrap(), filter);
    }

    #[test]
    fn a_bad_filter_says_what_to_write() {
        for (filter, message) in [
            ("127.0.0", "has 3 part"),
            ("127.0.0.2.3", "has 5 part"),
            ("", "has 1 part"),
            ("127.0.0.[2;4..11", "bracket"),
            ("127.0.0.2]", "bracket"),
            ("127.0.0.[[2]]", "bracket"),
            ("127.0.0.2[3]", "bracket"),
            ("127.0.0.[2][3]", "bracket"),
            (
                "127.0.0.256",
                "\"256\" in \"127.0.0.256\" is not a number from 0 to 255",
            ),
            ("127.0.0.[+2]", "not a number"),
            ("127.0.0.[a..b]", "not a number"),
            ("127.0.0.[2;]", "empty place"),
            ("127.0.0.[]", "empty place"),
            ("127.0.0.[..4]", "empty place"),
            ("127.0.0.", "empty place"),
            ("127.0.0.[11..4]", "ends before it begins"),
            ("127.0.0.2..11", "must stand in brackets"),
            ("192.0.2.1", "must begin with 127"),
            ("[126..127].0.0.2", "must begin with 127"),
        ] {
            let error = AnswerFilter::parse(filter).unwrap_err().to_string();
            assert!(error.contains(message), "{filter:?}: {error}");
        }
    }
}
