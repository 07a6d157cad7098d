//! Takes header fields out of mail data as it streams by: those that claim to be ours (RFC 8601 §5).
//!
//! It reads what [`BodyReader`](super::body::BodyReader) has passed, dots still stuffed, and ends its work at the first line
//! that is no header field: behind it nothing is touched, nor copied. A field is taken out whole, with its continuation
//! lines (RFC 5322 §2.2.3). At most one field of [`MOST_HELD`] octets is held back until it is clear whose it is. A message
//! that begins with a blank has no header, but would continue ours: an empty line is put before it. Not here: what is
//! written in place of what is taken out.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::memchr;

/// The most octets of an undecided field that are held; one that is longer and still undecided is taken out.
pub const MOST_HELD: usize = 4096;

/// The field whose first word says who vouches for it (RFC 8601 §2.2).
const AUTHENTICATION_RESULTS: &str = "Authentication-Results";

/// Which fields are taken out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forged {
    /// Names of fields, in any case.
    pub names: Vec<Box<str>>,
    /// Who signs our Authentication-Results; those of others stay.
    pub authserv_id: Option<Box<str>>,
}

/// Where in the message the next octet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// At the beginning of a line of the header, or within the held beginning of one.
    Line,
    /// Within a line that is already decided about.
    Rest,
    /// Behind the header.
    Body,
}

/// What is done with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// There is no field yet.
    Open,
    Keep,
    Remove,
    /// It depends on the next line.
    Hold,
}

/// Filters the header of one message. Any split of the same octets gives the same result.
#[derive(Debug)]
pub struct HeaderFilter {
    forged: Forged,
    place: Place,
    /// What became of the field so far: its continuation lines share that.
    fate: Fate,
    /// Whole lines that are held, and the line under way.
    held: Vec<u8>,
    /// Where in `held` the line under way begins.
    line: usize,
}

impl HeaderFilter {
    /// At the beginning of a message.
    #[must_use]
    pub const fn new(forged: Forged) -> Self {
        Self {
            forged,
            place: Place::Line,
            fate: Fate::Open,
            held: Vec::new(),
            line: 0,
        }
    }

    /// What of `input` is passed on, with what was held before it.
    pub fn filter<'a>(&mut self, input: &'a [u8]) -> Cow<'a, [u8]> {
        if self.place == Place::Body {
            return Cow::Borrowed(input);
        }
        let mut out = Vec::with_capacity(input.len());
        let mut rest = input;
        while !rest.is_empty() && self.place != Place::Body {
            let end = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (now, later) = rest.split_at(end);
            match self.place {
                Place::Rest => self.go_on(now, &mut out),
                _ => self.begin(now, &mut out),
            }
            rest = later;
        }
        out.extend_from_slice(rest);
        Cow::Owned(out)
    }

    /// What is still held when the message ends: a field that does not say whose it is stays out.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.line < self.held.len() {
            self.decide(&mut out);
        }
        out
    }

    /// More of a line that is decided about.
    fn go_on(&mut self, now: &[u8], out: &mut Vec<u8>) {
        if self.fate == Fate::Keep {
            out.extend_from_slice(now);
        }
        if now.ends_with(b"\n") {
            self.place = Place::Line;
        }
    }

    /// More of a line that is not.
    fn begin(&mut self, now: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(now);
        let whole = now.ends_with(b"\n");
        if !whole && self.held.len() < MOST_HELD {
            return;
        }
        self.decide(out);
        if self.place != Place::Body && !whole {
            self.place = Place::Rest;
        }
    }

    /// Decides about the line under way, and with it about what was held before.
    fn decide(&mut self, out: &mut Vec<u8>) {
        let line = self.held.get(self.line..).unwrap_or_default();
        let text = unstuffed(line);
        match text.first() {
            Some(b' ' | b'\t') if self.fate == Fate::Open => {
                out.extend_from_slice(b"\r\n");
                self.place = Place::Body;
                self.fate = Fate::Keep;
            }
            Some(b' ' | b'\t') => self.continues(),
            _ => self.next_field(out),
        }
        match self.fate {
            Fate::Hold if self.held.len() < MOST_HELD => self.line = self.held.len(),
            Fate::Hold | Fate::Remove => {
                self.fate = Fate::Remove;
                self.let_go();
            }
            Fate::Open | Fate::Keep => {
                out.append(&mut self.held);
                self.let_go();
            }
        }
    }

    /// The line belongs to the field before it.
    fn continues(&mut self) {
        if self.fate == Fate::Hold {
            self.fate = self.judge(&self.held);
        }
    }

    /// The line begins a field of its own, or ends the header. What was held and never said whose it is, is taken out.
    fn next_field(&mut self, out: &mut Vec<u8>) {
        self.held.drain(..self.line);
        self.line = 0;
        let line = unstuffed(&self.held);
        if name(line).is_none() {
            self.place = Place::Body;
            out.append(&mut self.held);
            self.fate = Fate::Keep;
            return;
        }
        self.fate = self.judge(&self.held);
    }

    fn let_go(&mut self) {
        self.held = Vec::new();
        self.line = 0;
    }

    /// What is to be done with a field, as far as it is there.
    fn judge(&self, field: &[u8]) -> Fate {
        let field = unstuffed(field);
        let Some((name, value)) = name(field) else {
            return Fate::Keep;
        };
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if self.forged.names.iter().any(|name| is(name)) {
            return Fate::Remove;
        }
        let Some(ours) = &self.forged.authserv_id else {
            return Fate::Keep;
        };
        if !is(AUTHENTICATION_RESULTS) {
            return Fate::Keep;
        }
        match first_word(value) {
            None => Fate::Hold,
            Some(word) if word.eq_ignore_ascii_case(ours.as_bytes()) => Fate::Remove,
            Some(_) => Fate::Keep,
        }
    }
}

/// The line as the backend sees it: a dot in front stands for transparency (RFC 5321 §4.5.2).
fn unstuffed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b".").unwrap_or(line)
}

/// The name of a header field and what stands behind its colon; `None` for a line that is none. Blanks before the colon
/// are old, and read all the same (RFC 5322 §4.5).
fn name(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', line)?;
    let (name, value) = line.split_at(colon);
    let name = name.trim_ascii_end();
    let good = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    good.then(|| (name, value.get(1..).unwrap_or_default()))
}

/// The first word of a value behind blanks, line ends and comments (RFC 5322 §3.2.2): a token or a quoted string
/// (RFC 2045 §5.1). `None` if it is not there yet.
fn first_word(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let rest = behind_comments(value)?;
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        return unquoted(quoted).map(Cow::Owned);
    }
    let end = rest
        .iter()
        .position(|octet| matches!(octet, b';' | b'(') || octet.is_ascii_whitespace())?;
    rest.get(..end).map(Cow::Borrowed)
}

/// What follows blanks and comments; `None` if nothing does.
fn behind_comments(value: &[u8]) -> Option<&[u8]> {
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, octet) in value.iter().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if depth > 0 => escaped = true,
            b'(' => depth += 1,
            b')' if depth > 0 => depth -= 1,
            _ if depth > 0 || octet.is_ascii_whitespace() => {}
            _ => return value.get(at..),
        }
    }
    None
}

fn unquoted(quoted: &[u8]) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    let mut octets = quoted.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'"' => return Some(word),
            b'\\' => word.push(*octets.next()?),
            b'\r' | b'\n' => {}
            octet => word.push(*octet),
        }
    }
    None
}
