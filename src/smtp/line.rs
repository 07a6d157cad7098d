//! Lines: the only place where a client's octets become a [`Line`].
//!
//! Only CRLF ends a line. What is in it beyond printable octets is a fault, told as soon as it is
//! certain, because many bots send LF only and then wait. Octets over 127 pass here; the grammar of
//! each command decides about them. The caller keeps the buffer; octets of a line that is not
//! complete stay in it. RFC 5321 §2.3.8, §4.1.1, §4.5.3.1.4.

use std::fmt;

use super::fault::{Fault, Protocol};
use super::limits;
use super::protocol::Start;

/// A line without its CRLF and without white space at its end. No control character is in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Line<'a>(&'a [u8]);

impl<'a> Line<'a> {
    /// The octets.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// A line may carry a password, so that only its length is shown.
impl fmt::Debug for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line({} octets)", self.0.len())
    }
}

/// One step of the [`LineReader`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineStep<'a> {
    /// Octets of the input that are done with, also when there is no line yet.
    pub consumed: usize,
    /// A line or what is wrong with it; `None` when more input is needed.
    pub line: Option<Result<Line<'a>, Fault>>,
}

/// Cuts input into lines. Gives one fault for a line that has any.
#[derive(Clone, Copy, Debug)]
pub struct LineReader {
    limit: usize,
    /// Octets of a faulty line already passed over; its CRLF has not come yet.
    skipping: Option<usize>,
}

impl Default for LineReader {
    fn default() -> Self {
        Self::new()
    }
}

impl LineReader {
    /// A reader at the start of a line, with the limit for commands.
    pub const fn new() -> Self {
        Self {
            limit: limits::COMMAND_LINE,
            skipping: None,
        }
    }

    /// Sets the longest line, CRLF included: [`limits::AUTH_LINE`] while AUTH runs,
    /// [`limits::COMMAND_LINE`] otherwise. The AUTH command itself has the higher limit always.
    pub const fn set_limit(&mut self, octets: usize) {
        self.limit = octets;
    }

    /// True while the rest of a faulty line is passed over.
    pub const fn is_skipping(&self) -> bool {
        self.skipping.is_some()
    }

    /// Reads at most one line. `None` as line always means that all of `input` has been looked at.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> LineStep<'a> {
        let (skipped, endless) = self.skip(input);
        if endless {
            return LineStep {
                consumed: skipped,
                line: Some(Err(Fault::EndlessLine)),
            };
        }
        if self.skipping.is_some() {
            return LineStep {
                consumed: skipped,
                line: None,
            };
        }
        let step = self.read(input.get(skipped..).unwrap_or_default());
        LineStep {
            consumed: skipped + step.consumed,
            ..step
        }
    }

    /// Passes over the rest of a faulty line. A CR at the end of the input stays there, since its
    /// LF may come. True when the line has just grown beyond what is bearable.
    fn skip(&mut self, input: &[u8]) -> (usize, bool) {
        let Some(already) = self.skipping else {
            return (0, false);
        };
        let end = memchr::memmem::find(input, b"\r\n").map(|at| at + 2);
        let length = end.unwrap_or(input.len() - usize::from(input.ends_with(b"\r")));
        let total = already.saturating_add(length);
        self.skipping = end.is_none().then_some(total);
        (
            length,
            already <= limits::ENDLESS_LINE && total > limits::ENDLESS_LINE,
        )
    }

    /// Reads at the start of a line.
    fn read<'a>(&mut self, input: &'a [u8]) -> LineStep<'a> {
        match Protocol::of_start(input) {
            Start::Ordinary => {}
            Start::Undecided => {
                return LineStep {
                    consumed: 0,
                    line: None,
                };
            }
            Start::Foreign(protocol) => return self.fail(2, Fault::Foreign(protocol)),
        }
        let limit = self.limit_for(input);
        for (at, &octet) in input.iter().take(limit).enumerate() {
            match octet {
                b'\t' | b' '..=b'~' | 0x80.. => {}
                b'\n' => return bare_lf(input, at),
                b'\r' if at + 1 == limit => break,
                b'\r' => match input.get(at + 1) {
                    Some(b'\n') => return complete(input, at),
                    Some(_) => return self.fail(at + 1, Fault::BareCr),
                    None => break,
                },
                0 => return self.fail(at + 1, Fault::Nul),
                _ => return self.fail(at + 1, Fault::ControlCharacter),
            }
        }
        if input.len() < limit {
            return LineStep {
                consumed: 0,
                line: None,
            };
        }
        let cr = input.get(limit - 1) == Some(&b'\r');
        self.fail(limit - usize::from(cr), Fault::LineTooLong)
    }

    /// Tells the fault at once and passes over the rest of the line afterwards.
    const fn fail<'a>(&mut self, consumed: usize, fault: Fault) -> LineStep<'a> {
        self.skipping = Some(consumed);
        LineStep {
            consumed,
            line: Some(Err(fault)),
        }
    }

    /// RFC 4954 §4 gives the AUTH command the length of the lines that follow it, because an
    /// initial response may be as long as they are.
    fn limit_for(&self, input: &[u8]) -> usize {
        let is_auth = input
            .get(..5)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"AUTH "));
        if is_auth {
            self.limit.max(limits::AUTH_LINE)
        } else {
            self.limit.max(2)
        }
    }
}

/// The line that ends with the CR at `end`. White space at its end is dropped, as RFC 5321 §4.1.1
/// asks; a TAB inside is a control character like any other.
fn complete(input: &[u8], end: usize) -> LineStep<'_> {
    let content = input.get(..end).unwrap_or_default().trim_ascii_end();
    let line = if content.contains(&b'\t') {
        Err(Protocol::of_line(content).map_or(Fault::ControlCharacter, Fault::Foreign))
    } else {
        Ok(Line(content))
    };
    LineStep {
        consumed: end + 2,
        line: Some(line),
    }
}

/// The line that ends with a bare LF at `end`; the next line begins behind it. Clients of other
/// protocols often send LF only, and it matters more what they are.
fn bare_lf(input: &[u8], end: usize) -> LineStep<'_> {
    let content = input.get(..end).unwrap_or_default();
    let fault = Protocol::of_line(content).map_or(Fault::BareLf, Fault::Foreign);
    LineStep {
        consumed: end + 1,
        line: Some(Err(fault)),
    }
}

#[cfg(test)]
mod tests;
