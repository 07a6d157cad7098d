//! Paths: the addresses in MAIL and RCPT, kept as they were written.
//!
//! Syntax only. A quoted local-part keeps its quotes and backslashes, so that an address goes on to
//! the backend as it came. A source route is checked and dropped (RFC 5321 §4.1.1.3, appendix C).
//! RFC 5321 §4.1.2, RFC 6531 §3.3.

use std::borrow::Cow;
use std::fmt;

use super::domain::{Domain, Host, is_utf8};
use super::limits;
use super::text::serde_as_text;

/// A local-part as written: a dot-string or a quoted-string, at most 64 octets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalPart(Box<str>);

impl LocalPart {
    /// Reads a whole local-part. UTF-8 is taken; see [`Mailbox::needs_smtputf8`].
    pub fn parse(text: &str) -> Option<Self> {
        let (local_part, rest) = Self::take(text)?;
        rest.is_empty().then_some(local_part)
    }

    /// Reads a local-part at the start of `text` and gives back what stands behind it.
    fn take(text: &str) -> Option<(Self, &str)> {
        let length = if text.starts_with('"') {
            quoted(text)?
        } else {
            dot_string(text)?
        };
        let (written, rest) = text.split_at_checked(length)?;
        (length <= limits::LOCAL_PART).then(|| (Self(written.into()), rest))
    }

    /// The local-part as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The local-part without quotes and without the backslashes of quoted pairs.
    pub fn unquoted(&self) -> Cow<'_, str> {
        let Some(inside) = self
            .0
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
        else {
            return Cow::Borrowed(&self.0);
        };
        if !inside.contains('\\') {
            return Cow::Borrowed(inside);
        }
        let mut escaped = false;
        let keep = |c: &char| {
            escaped = *c == '\\' && !escaped;
            !escaped
        };
        Cow::Owned(inside.chars().filter(keep).collect())
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(LocalPart, "local-part", LocalPart::parse);

/// Length of the dot-string at the start: atoms of atext, joined by single dots.
fn dot_string(text: &str) -> Option<usize> {
    let length = text
        .find(|c| !(is_atext(c) || c == '.'))
        .unwrap_or(text.len());
    let (written, _) = text.split_at_checked(length)?;
    written
        .split('.')
        .all(|atom| !atom.is_empty())
        .then_some(length)
}

/// Length of the quoted-string at the start, quotes included.
fn quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            ' '..='~' if escaped => escaped = false,
            _ if escaped => return None,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            ' '..='~' => {}
            c if is_utf8(c) => {}
            _ => return None,
        }
    }
    None
}

/// atext of RFC 5322 §3.2.3, extended by RFC 6531 §3.3.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8(c)
}

/// A mailbox, `local-part@domain`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// In front of the `@`.
    pub local_part: LocalPart,
    /// Behind the `@`.
    pub domain: Host,
}

impl Mailbox {
    /// Reads a whole mailbox without angle brackets. UTF-8 is taken.
    pub fn parse(text: &str) -> Option<Self> {
        let (local_part, rest) = LocalPart::take(text)?;
        let domain = Host::parse(rest.strip_prefix('@')?, true)?;
        (text.len() + 2 <= limits::PATH).then_some(Self { local_part, domain })
    }

    /// True when the mailbox may only stand in a transaction with SMTPUTF8 (RFC 6531 §3.1).
    pub fn needs_smtputf8(&self) -> bool {
        let domain_is_ascii = self
            .domain
            .domain()
            .is_none_or(|domain| domain.as_str().is_ascii());
        !(self.local_part.as_str().is_ascii() && domain_is_ascii)
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.domain)
    }
}

serde_as_text!(Mailbox, "mailbox", Mailbox::parse);

/// The sender: the argument of MAIL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`, of bounces and other mail that must not be answered.
    Null,
    /// `<a@b>`.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// Reads a whole path with its angle brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let (path, rest) = Self::take(text)?;
        rest.is_empty().then_some(path)
    }

    /// Reads a path at the start of `text` and gives back what stands behind it.
    pub(super) fn take(text: &str) -> Option<(Self, &str)> {
        if let Some(rest) = text.strip_prefix("<>") {
            return Some((Self::Null, rest));
        }
        let (inside, rest) = brackets(text)?;
        Some((Self::Mailbox(Mailbox::parse(without_route(inside)?)?), rest))
    }

    /// The mailbox; `None` for the null reverse-path.
    pub const fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// See [`Mailbox::needs_smtputf8`].
    pub fn needs_smtputf8(&self) -> bool {
        self.mailbox().is_some_and(Mailbox::needs_smtputf8)
    }
}

impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

serde_as_text!(ReversePath, "reverse-path", ReversePath::parse);

/// A recipient: the argument of RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<postmaster>` without a domain, in any case, as written (RFC 5321 §4.5.1).
    Postmaster(LocalPart),
    /// `<a@b>`.
    Mailbox(Mailbox),
}

impl ForwardPath {
    /// Reads a whole path with its angle brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let (path, rest) = Self::take(text)?;
        rest.is_empty().then_some(path)
    }

    /// Reads a path at the start of `text` and gives back what stands behind it.
    pub(super) fn take(text: &str) -> Option<(Self, &str)> {
        let (inside, rest) = brackets(text)?;
        if inside.eq_ignore_ascii_case("postmaster") {
            return Some((Self::Postmaster(LocalPart(inside.into())), rest));
        }
        Some((Self::Mailbox(Mailbox::parse(without_route(inside)?)?), rest))
    }

    /// The mailbox; `None` for `<postmaster>` without a domain.
    pub const fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Postmaster(_) => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// The local-part, which every forward-path has.
    pub const fn local_part(&self) -> &LocalPart {
        match self {
            Self::Postmaster(local_part) => local_part,
            Self::Mailbox(mailbox) => &mailbox.local_part,
        }
    }

    /// See [`Mailbox::needs_smtputf8`].
    pub fn needs_smtputf8(&self) -> bool {
        self.mailbox().is_some_and(Mailbox::needs_smtputf8)
    }
}

impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster(local_part) => write!(f, "<{local_part}>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

serde_as_text!(ForwardPath, "forward-path", ForwardPath::parse);

/// Splits `<inside>rest` at the bracket that closes the path: the first one outside a quoted-string
/// and outside an address literal.
fn brackets(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('<')?;
    let (mut in_quotes, mut in_literal, mut escaped) = (false, false, false);
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' if !in_literal => in_quotes = !in_quotes,
            b'[' if !in_quotes => in_literal = true,
            b']' if !in_quotes => in_literal = false,
            b'>' if !in_quotes && !in_literal => {
                return Some((text.get(..at)?, text.get(at + 1..)?));
            }
            _ => {}
        }
    }
    None
}

/// Drops `@a,@b:` in front of a mailbox, when its hosts are well formed.
fn without_route(inside: &str) -> Option<&str> {
    if !inside.starts_with('@') {
        return Some(inside);
    }
    let (route, mailbox) = inside.split_once(':')?;
    let is_hop = |hop: &str| {
        hop.strip_prefix('@')
            .is_some_and(|domain| Domain::parse(domain, true).is_some())
    };
    route.split(',').all(is_hop).then_some(mailbox)
}

#[cfg(test)]
mod tests;
