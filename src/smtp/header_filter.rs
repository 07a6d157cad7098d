//! Takes header fields out of mail data as it streams by: those that claim to be ours (RFC 8601 §5).
//!
//! It reads what [`BodyReader`](super::body::BodyReader) has passed, dots still stuffed, and ends its work at the first line
//! that is no header field: behind it nothing is touched, nor copied. What is a field is read as Exim does, more generously
//! than RFC 5322 §2.2: blanks of any kind may stand before the colon, folded ones too. A field is taken out whole, with its
//! continuation lines (§2.2.3). At most one field of [`MOST_HELD`] octets is held back until it is clear whose it is. A
//! message that begins with a blank has no header, but would continue ours: an empty line is put before it. Not here: what
//! is written in place of what is taken out.

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

/// Longer names are nobody's that is looked for.
const NAME_MAX: usize = 64;

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

/// What is done with the field under way: its continuation lines share that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// There is no field yet.
    Open,
    Keep,
    Remove,
    /// It depends on the next line.
    Hold(Doubt),
}

/// Why a field is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// Whether it is a field: its colon has not come.
    Colon,
    /// The same, and the name is one that is looked for.
    ColonOfOurs,
    /// Who signs it.
    Signature,
}

/// Filters the header of one message. Any split of the same octets gives the same result.
#[derive(Debug)]
pub struct HeaderFilter {
    forged: Forged,
    place: Place,
    fate: Fate,
    /// Whole lines that are held, and the line under way, as they came.
    held: Vec<u8>,
    /// The whole lines that are held, as the backend sees them.
    seen: Vec<u8>,
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
            seen: Vec::new(),
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
        if self.fate == Fate::Hold(Doubt::Colon) || self.fate == Fate::Hold(Doubt::ColonOfOurs) {
            out.append(&mut self.held);
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
        let line = unstuffed(self.held.get(self.line..).unwrap_or_default());
        let continues = matches!(line.first(), Some(b' ' | b'\t'));
        match (continues, self.fate) {
            (true, Fate::Open) => {
                out.extend_from_slice(b"\r\n");
                return self.end_header(out);
            }
            (true, Fate::Keep | Fate::Remove) => {}
            // What was held and never became a field is the beginning of the body.
            (false, Fate::Hold(Doubt::Colon | Doubt::ColonOfOurs)) => return self.end_header(out),
            (true, Fate::Hold(_)) => {
                self.seen.extend_from_slice(line);
                self.fate = self.judge();
            }
            (false, _) => {
                self.seen = line.to_vec();
                // What was held before never said whose it is.
                self.held.drain(..self.line);
                self.fate = match is_field(&self.seen) {
                    true => self.judge(),
                    false => return self.end_header(out),
                };
            }
        }
        self.act(out);
    }

    /// Does with the line, and with what is held, what was decided.
    fn act(&mut self, out: &mut Vec<u8>) {
        let full = self.held.len() >= MOST_HELD;
        match self.fate {
            Fate::Hold(_) if !full => self.line = self.held.len(),
            // So long a name is not looked for.
            Fate::Hold(Doubt::Colon) | Fate::Open | Fate::Keep => {
                self.fate = Fate::Keep;
                out.append(&mut self.held);
                self.let_go();
            }
            Fate::Hold(Doubt::ColonOfOurs | Doubt::Signature) | Fate::Remove => {
                self.fate = Fate::Remove;
                self.let_go();
            }
        }
    }

    /// Everything from what is held on is the body.
    fn end_header(&mut self, out: &mut Vec<u8>) {
        self.place = Place::Body;
        self.fate = Fate::Keep;
        out.append(&mut self.held);
        self.let_go();
    }

    fn let_go(&mut self) {
        self.held = Vec::new();
        self.seen = Vec::new();
        self.line = 0;
    }

    /// What is to be done with the field, as far as it is there.
    fn judge(&self) -> Fate {
        let (name, value) = match read(&self.seen) {
            Read::Colon(name, value) => (name, value),
            Read::Open(name) if self.is_looked_for(name) => return Fate::Hold(Doubt::ColonOfOurs),
            Read::Open(name) if name.len() > NAME_MAX => return Fate::Keep,
            Read::Open(_) => return Fate::Hold(Doubt::Colon),
            // It continues with something else than a colon: no reader takes it for a field that is looked for.
            Read::Nothing => return Fate::Keep,
        };
        if is_among(name, &self.forged.names) {
            return Fate::Remove;
        }
        let Some(ours) = &self.forged.authserv_id else {
            return Fate::Keep;
        };
        if !is(name, AUTHENTICATION_RESULTS) {
            return Fate::Keep;
        }
        match first_word(value) {
            None => Fate::Hold(Doubt::Signature),
            Some(word) if word.eq_ignore_ascii_case(ours.as_bytes()) => Fate::Remove,
            Some(_) => Fate::Keep,
        }
    }

    fn is_looked_for(&self, name: &[u8]) -> bool {
        let results = self.forged.authserv_id.is_some() && is(name, AUTHENTICATION_RESULTS);
        results || is_among(name, &self.forged.names)
    }
}

fn is(name: &[u8], other: &str) -> bool {
    name.eq_ignore_ascii_case(other.as_bytes())
}

fn is_among(name: &[u8], names: &[Box<str>]) -> bool {
    names.iter().any(|other| is(name, other))
}

/// The line as the backend sees it: a dot in front stands for transparency (RFC 5321 §4.5.2).
fn unstuffed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b".").unwrap_or(line)
}

/// A blank as C sees it: also a line end, a vertical tab, a form feed.
const fn is_blank(octet: u8) -> bool {
    octet.is_ascii_whitespace() || octet == 0x0b
}

/// The beginning of a field, as far as it is there.
enum Read<'a> {
    /// Its name, blanks, a colon, and what stands behind it.
    Colon(&'a [u8], &'a [u8]),
    /// Its name, and nothing but blanks so far.
    Open(&'a [u8]),
    /// It is none.
    Nothing,
}

fn read(text: &[u8]) -> Read<'_> {
    let in_name = |octet: &u8| octet.is_ascii_graphic() && *octet != b':';
    let end = text.iter().position(|octet| !in_name(octet));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    if name.is_empty() {
        return Read::Nothing;
    }
    match rest.iter().position(|octet| !is_blank(*octet)) {
        None => Read::Open(name),
        Some(at) if rest.get(at) == Some(&b':') => {
            Read::Colon(name, rest.get(at + 1..).unwrap_or_default())
        }
        Some(_) => Read::Nothing,
    }
}

/// Whether a line may begin a field.
fn is_field(line: &[u8]) -> bool {
    !matches!(read(line), Read::Nothing)
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
        .position(|octet| matches!(octet, b';' | b'(') || is_blank(*octet))?;
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
            _ if depth > 0 || is_blank(*octet) => {}
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
