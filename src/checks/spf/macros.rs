//! Macros in records and explanations: `%{ir}.%{v}._spf.%{d2}`. RFC 7208 §7.
//!
//! Syntax is checked when a record is read, wherever the macro stands (§4.6); values are put in when
//! a term is evaluated, and it is not for this file to know them.

use std::borrow::Cow;
use std::fmt::Write;

/// Octets of an expansion; a longer one is nothing that anybody means.
const LONGEST: usize = 4096;

/// What parts of a value may be separated by.
const DELIMITERS: [char; 7] = ['.', '-', '+', ',', '/', '_', '='];

/// Where a text stands, which decides what may be in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a record.
    Record,
    /// In an explanation: spaces, and the macros `c`, `r` and `t` (§7.2, §6.2).
    Explanation,
}

/// A domain-spec: a text of literals and macros that ends like a domain, or with a macro.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DomainSpec<'r>(&'r str);

impl<'r> DomainSpec<'r> {
    /// Reads one; `None` if it is none.
    pub(super) fn read(text: &'r str) -> Option<Self> {
        let mut last = None;
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, behind) = take(rest, Place::Record)?;
            (last, rest) = (Some(piece), behind);
        }
        let ends_well = match last? {
            Piece::Macro(_) | Piece::Escaped(_) => true,
            Piece::Literal(literal) => literal
                .strip_suffix('.')
                .unwrap_or(literal)
                .rsplit_once('.')
                .is_some_and(|(_, label)| is_top_label(label)),
        };
        ends_well.then_some(Self(text))
    }

    /// It as it stands in the record.
    pub(super) const fn as_str(self) -> &'r str {
        self.0
    }
}

/// toplabel of §7.1: not all digits, no hyphen at either end.
fn is_top_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    let is_end = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
    is_end(bytes.first())
        && is_end(bytes.last())
        && bytes
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
        && !bytes.iter().all(u8::is_ascii_digit)
}

/// Whether `text` is right for its place, as far as macros and characters go.
pub(super) fn is_macro_string(text: &str, place: Place) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        match take(rest, place) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

/// A part of a text.
enum Piece<'r> {
    Literal(&'r str),
    Escaped(&'static str),
    Macro(Macro<'r>),
}

/// A macro and what is to be done with its value.
struct Macro<'r> {
    /// Lower case.
    letter: char,
    /// Whether the value is escaped as in a URL: the letter is in upper case (§7.3).
    escape: bool,
    /// How many of the last parts are kept.
    keep: usize,
    reverse: bool,
    delimiters: &'r str,
}

/// The first piece of `text`, which is not empty, and what stands behind it.
fn take(text: &str, place: Place) -> Option<(Piece<'_>, &str)> {
    let Some(special) = text.strip_prefix('%') else {
        let (literal, rest) = text.split_at_checked(text.find('%').unwrap_or(text.len()))?;
        let fits =
            |octet: u8| octet.is_ascii_graphic() || (octet == b' ' && place == Place::Explanation);
        return literal
            .bytes()
            .all(fits)
            .then_some((Piece::Literal(literal), rest));
    };
    for (escape, meaning) in [("%", "%"), ("_", " "), ("-", "%20")] {
        if let Some(rest) = special.strip_prefix(escape) {
            return Some((Piece::Escaped(meaning), rest));
        }
    }
    let (inside, rest) = special.strip_prefix('{')?.split_once('}')?;
    Some((Piece::Macro(Macro::read(inside, place)?), rest))
}

impl<'r> Macro<'r> {
    /// Reads what stands between the braces.
    fn read(inside: &'r str, place: Place) -> Option<Self> {
        let mut characters = inside.chars();
        let written = characters.next()?;
        let letter = written.to_ascii_lowercase();
        let known = match place {
            Place::Record => "slodiphv",
            Place::Explanation => "slodiphvcrt",
        };
        if !known.contains(letter) {
            return None;
        }
        let behind = characters.as_str();
        let transformed = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = behind.strip_suffix(transformed)?;
        let keep = match digits {
            "" => usize::MAX,
            _ if digits.bytes().all(|digit| digit == b'0') => return None,
            _ => digits.parse().unwrap_or(usize::MAX),
        };
        let reversed = transformed.strip_prefix(['r', 'R']);
        let delimiters = reversed.unwrap_or(transformed);
        delimiters.chars().all(is_delimiter).then_some(Self {
            letter,
            escape: written.is_ascii_uppercase(),
            keep,
            reverse: reversed.is_some(),
            delimiters,
        })
    }

    /// Writes `value` as this macro wants it.
    fn write(&self, value: &str, out: &mut String) {
        let separates = |c: char| match self.delimiters {
            "" => c == '.',
            delimiters => delimiters.contains(c),
        };
        let mut parts: Vec<&str> = value.split(separates).collect();
        if self.reverse {
            parts.reverse();
        }
        let kept = parts.len().saturating_sub(self.keep);
        for (at, part) in parts.iter().skip(kept).enumerate() {
            if at > 0 {
                out.push('.');
            }
            match self.escape {
                true => escape(part, out),
                false => out.push_str(part),
            }
        }
    }
}

fn is_delimiter(c: char) -> bool {
    DELIMITERS.contains(&c)
}

/// Writes `text` so that only unreserved characters are left as they are (RFC 3986 §2.3).
fn escape(text: &str, out: &mut String) {
    for octet in text.bytes() {
        match octet {
            b'-' | b'.' | b'_' | b'~' => out.push(octet.into()),
            _ if octet.is_ascii_alphanumeric() => out.push(octet.into()),
            _ => {
                // Writing to a String does not fail.
                let _ = write!(out, "%{octet:02X}");
            }
        }
    }
}

/// What stands for a macro: its value, or nothing if there is none that could be used.
pub(super) type Value<'v> = Option<Cow<'v, str>>;

/// `text` with the `values` of its macros, by their letter. `Ok(None)`: it is not right for its
/// place, has a macro without a value, or grows beyond all measure.
pub(super) fn expand<'v, E>(
    text: &str,
    place: Place,
    mut values: impl FnMut(char) -> Result<Value<'v>, E>,
) -> Result<Option<String>, E> {
    let mut expanded = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while !rest.is_empty() {
        let Some((piece, behind)) = take(rest, place) else {
            return Ok(None);
        };
        rest = behind;
        match piece {
            Piece::Literal(literal) => expanded.push_str(literal),
            Piece::Escaped(meaning) => expanded.push_str(meaning),
            Piece::Macro(found) => match values(found.letter)? {
                Some(value) => found.write(&value, &mut expanded),
                None => return Ok(None),
            },
        }
        if expanded.len() > LONGEST {
            return Ok(None);
        }
    }
    Ok(Some(expanded))
}

#[cfg(test)]
mod tests;
