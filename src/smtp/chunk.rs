//! Mail data of BDAT (RFC 3030 §2): counted octets, made into what DATA carries.
//!
//! A chunk ends where its count says and nowhere else: nothing in it is an end of data or a command. What comes out is text
//! for the backend's DATA: lines end with CRLF, dots are stuffed (RFC 5321 §4.5.2), and a message whose last line has no
//! end gets one. BINARYMIME is not offered, so a bare CR, a bare LF or NUL is as little allowed as in
//! [`body`](super::body), whatever chunks it is spread over. Not here: the size limit, and who may send chunks.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::memchr3;

use super::body::{BareNewline, BodyRead};
use super::fault::Fault;
use super::rewrite::Rewrite;

/// What stands before the next octet of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A line end, or nothing at all.
    LineStart,
    /// A CR that was not passed on yet.
    AfterCr,
    /// Something else.
    InLine,
}

/// Reads the chunks of one message. Any split of a chunk's octets gives the same result.
#[derive(Clone, Copy, Debug)]
pub struct ChunkReader {
    bare: BareNewline,
    line_max: Option<usize>,
    place: Place,
    /// Octets of the current line so far.
    line: usize,
    /// Octets of the message so far.
    octets: u64,
    /// Octets of the chunk that are still to come.
    left: u64,
    /// Whether the message ends with the chunk.
    last: bool,
    refused: Option<Fault>,
}

impl ChunkReader {
    /// A reader at the beginning of a message, before its first chunk. Lines of more than `line_max` octets are refused.
    #[must_use]
    pub const fn new(bare: BareNewline, line_max: Option<usize>) -> Self {
        Self {
            bare,
            line_max,
            place: Place::LineStart,
            line: 0,
            octets: 0,
            left: 0,
            last: false,
            refused: None,
        }
    }

    /// Another chunk, of `size` octets, begins. With the last of them the message ends.
    pub const fn begin(&mut self, size: u64, last: bool) {
        self.left = size;
        self.last = last;
    }

    /// Octets of the message so far, as RFC 1870 §3 counts them.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.octets
    }

    /// Reads what `input` has of the chunk; `end` when that was all of it, at once for an empty chunk. Whatever follows in
    /// `input` is not touched.
    pub fn read<'a>(&mut self, input: &'a [u8]) -> BodyRead<'a> {
        let mine = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
        let input = input.get(..mine).unwrap_or_default();
        self.left -= mine as u64;
        self.octets += mine as u64;
        let mut out = Rewrite::of(input);
        let mut passed = self.read_text(input, &mut out);
        let end = self.left == 0;
        if end && self.last {
            passed = self.end_message(passed, &mut out);
        }
        let chunk = match self.refused {
            None => out.finish(passed),
            Some(_) => Cow::Borrowed(Default::default()),
        };
        BodyRead {
            consumed: mine,
            chunk,
            refused: self.refused,
            end,
        }
    }

    /// Reads lines. Returns how much may be passed on: all but a CR that ends the input.
    fn read_text(&mut self, input: &[u8], out: &mut Rewrite<'_>) -> usize {
        let mut at = 0;
        while let Some(&first) = input.get(at) {
            match (self.place, first) {
                (Place::AfterCr, b'\n') => {
                    // Of an earlier input, if nothing of this one stands before it.
                    if at == 0 {
                        out.insert(0, b"\r");
                    }
                    self.new_line();
                    at += 1;
                    continue;
                }
                (Place::AfterCr, _) => self.refuse(Fault::BodyBareCr),
                (Place::LineStart, b'.') => out.stuff(at),
                _ => {}
            }
            at = self.read_line(input, at, out);
        }
        match self.place {
            Place::AfterCr => input.len().saturating_sub(1),
            _ => input.len(),
        }
    }

    /// Reads on to the next CR, LF or NUL and over it. Returns where that was.
    fn read_line(&mut self, input: &[u8], at: usize, out: &mut Rewrite<'_>) -> usize {
        let rest = input.get(at..).unwrap_or_default();
        let text = memchr3(b'\r', b'\n', 0, rest).unwrap_or(rest.len());
        if text > 0 {
            self.place = Place::InLine;
            self.grow(text);
        }
        match rest.get(text) {
            None => return at + text,
            Some(b'\r') => self.place = Place::AfterCr,
            Some(b'\n') if self.bare == BareNewline::Normalize => {
                out.line_end(at + text);
                self.new_line();
            }
            Some(b'\n') => self.refuse(Fault::BodyBareLf),
            Some(_) => self.refuse(Fault::BodyNul),
        }
        at + text + 1
    }

    /// The message ends here; its last line must have an end before the dot.
    fn end_message(&mut self, passed: usize, out: &mut Rewrite<'_>) -> usize {
        match self.place {
            Place::LineStart => {}
            Place::AfterCr => self.refuse(Fault::BodyBareCr),
            Place::InLine => out.insert(passed, b"\r\n"),
        }
        passed
    }

    const fn new_line(&mut self) {
        self.place = Place::LineStart;
        self.line = 0;
    }

    fn grow(&mut self, octets: usize) {
        self.line = self.line.saturating_add(octets);
        if self.line_max.is_some_and(|max| self.line > max) {
            self.refuse(Fault::BodyLineTooLong);
        }
    }

    /// The first fault stays.
    fn refuse(&mut self, fault: Fault) {
        self.place = Place::InLine;
        self.refused.get_or_insert(fault);
    }
}
