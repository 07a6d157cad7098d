//! xtext: the coding of addresses and identifiers inside parameters of MAIL and RCPT.
//!
//! Checked and kept as written; nothing here decodes it, because the backend is the one to read it.
//! RFC 3461 §4, §4.2; RFC 6533 §3 (ORCPT with UTF-8).

use std::fmt;

use super::{
    domain::is_utf8,
    limits,
    text::{is_keyword, serde_as_text},
};

/// xtext of RFC 3461 §4, kept as written: printable ASCII without `+` and `=`, those and all others
/// as `+` with two hexadecimal digits. At most 500 octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Xtext(Box<str>);

impl Xtext {
    /// Reads a whole value.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= limits::AUTH_PARAM && is_xtext(text, false);
        fits.then(|| Self(text.into()))
    }

    /// The value as written, not decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Xtext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Xtext, "xtext", Xtext::parse);

/// ORCPT= of RCPT, kept as written: an address type, `;`, xtext, at most 500 octets. UTF-8 only
/// behind the type `utf-8`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Orcpt(Box<str>);

impl Orcpt {
    /// Reads a whole value.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, address) = text.split_once(';')?;
        let is_kind = is_keyword(kind);
        let allow_utf8 = kind.eq_ignore_ascii_case("utf-8");
        let fits = is_kind && !address.is_empty() && text.len() <= limits::ORCPT;
        (fits && is_xtext(address, allow_utf8)).then(|| Self(text.into()))
    }

    /// The value as written, not decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Orcpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Orcpt, "ORCPT value", Orcpt::parse);

/// Printable characters without `=`, each `+` with its two digits.
fn is_xtext(text: &str, allow_utf8: bool) -> bool {
    let mut chars = text.chars();
    let is_hex = |c: Option<char>| c.is_some_and(|c| c.is_ascii_hexdigit());
    while let Some(c) = chars.next() {
        let good = match c {
            '+' => is_hex(chars.next()) && is_hex(chars.next()),
            '=' => false,
            '!'..='~' => true,
            c => allow_utf8 && is_utf8(c),
        };
        if !good {
            return false;
        }
    }
    true
}
