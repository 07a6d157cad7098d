//! Mail data of DATA: finds its end, and whatever other readers might take for an end or a line end.
//!
//! The one end is `CRLF . CRLF`, where the beginning of the data counts as after a CRLF (RFC 5321
//! §4.1.1.4). What passes is passed in place, dot-stuffing (§4.5.2) untouched. A bare CR, a bare LF
//! or NUL (§2.3.8) never passes: the message is refused, or a bare LF is written as CRLF where that
//! is asked for. Not here: BDAT, headers, the size limit (the caller compares [`BodyReader::size`]).

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::memchr3;

use super::fault::Fault;
use super::rewrite::Rewrite;

/// What to do about a bare LF.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum BareNewline {
    /// Refuse the message.
    #[default]
    Reject,
    /// Write it as CRLF and stuff a dot that follows; bare CR, NUL and look-alike ends are refused
    /// even then. The end of data is still CRLF.CRLF as the client sent it.
    Normalize,
}

/// How mail data ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// Everything was passed on: the final dot may follow.
    Clean,
    /// The message must not be accepted: the final dot must not follow.
    Refused(Fault),
}

/// What one call of [`BodyReader::read`] made of its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRead<'a> {
    /// Octets used. At most two (`CR`, `.` or `.CR`, which may become an end) are left; the caller
    /// keeps them and comes again with more behind them.
    pub consumed: usize,
    /// Octets to pass on, never any of the final `.CRLF`; always empty once the message is refused.
    pub chunk: Cow<'a, [u8]>,
    /// The first fault, from the moment it is certain until the end.
    pub refused: Option<Fault>,
    /// The end of data was reached and used; what is left of the input is commands.
    pub end: bool,
}

impl BodyRead<'_> {
    /// How the mail data ended, once it has.
    pub const fn outcome(&self) -> Option<BodyEnd> {
        match (self.end, self.refused) {
            (false, _) => None,
            (true, None) => Some(BodyEnd::Clean),
            (true, Some(fault)) => Some(BodyEnd::Refused(fault)),
        }
    }
}

/// What stands before the next octet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// CRLF, or nothing at all: a dot here may be the end.
    AfterCrlf,
    /// A bare LF that was normalised: a dot here must be stuffed.
    AfterBareLf,
    /// Something else.
    InLine,
}

/// What a dot at the beginning of a line is.
enum Dot {
    /// Not known before more octets are there.
    Open,
    /// The true end.
    End,
    /// A lone dot that is not the true end.
    LookAlike,
    /// The first octet of an ordinary line.
    Text,
}

/// Reads the mail data of one DATA command. Any split of the same octets gives the same result.
#[derive(Debug)]
pub struct BodyReader {
    bare: BareNewline,
    line_max: Option<usize>,
    place: Place,
    /// Octets of the current line so far.
    line: usize,
    /// Octets of mail data so far.
    octets: u64,
    /// Those of them that stand only for transparency.
    stuffed: u64,
    refused: Option<Fault>,
    ended: bool,
}

impl BodyReader {
    /// A reader at the beginning of mail data, without a limit to the length of a line.
    pub const fn new(bare: BareNewline) -> Self {
        Self {
            bare,
            line_max: None,
            place: Place::AfterCrlf,
            line: 0,
            octets: 0,
            stuffed: 0,
            refused: None,
            ended: false,
        }
    }

    /// Refuses lines of more than `octets`, CRLF not counted, a stuffed dot counted. RFC 5321
    /// §4.5.3.1.6 has 998; real mail has more.
    #[must_use]
    pub const fn with_line_max(mut self, octets: Option<usize>) -> Self {
        self.line_max = octets;
        self
    }

    /// Octets of mail data read so far as RFC 1870 §3 counts them: line ends included, stuffed dots
    /// and the final dot not.
    pub const fn size(&self) -> u64 {
        self.octets - self.stuffed
    }

    /// Reads as much of `input` as can be judged. After the end nothing more is used.
    pub fn read<'a>(&mut self, input: &'a [u8]) -> BodyRead<'a> {
        let mut output = Rewrite::of(input);
        let mut at = 0;
        let mut text_end = 0;
        while let Some(rest) = input.get(at..)
            && let Some(&first) = rest.first()
            && !self.ended
        {
            let used = match self.place {
                Place::AfterCrlf | Place::AfterBareLf if first == b'.' => {
                    self.read_dot(rest, at, &mut output)
                }
                _ => self.read_line(rest, at, &mut output),
            };
            if used == 0 {
                break;
            }
            at += used;
            if !self.ended {
                text_end = at;
            }
        }
        self.octets += text_end as u64;
        let chunk = match self.refused {
            None => output.finish(text_end),
            Some(_) => Cow::Borrowed(Default::default()),
        };
        BodyRead {
            consumed: at,
            chunk,
            refused: self.refused,
            end: self.ended,
        }
    }

    /// A dot at the beginning of a line. Returns the octets used, 0 for "more is needed".
    fn read_dot(&mut self, rest: &[u8], at: usize, output: &mut Rewrite<'_>) -> usize {
        match self.dot(rest) {
            Dot::Open => return 0,
            Dot::End => {
                self.ended = true;
                return b".\r\n".len();
            }
            Dot::LookAlike => self.refuse(Fault::BodyLookAlikeEnd),
            Dot::Text if self.place == Place::AfterCrlf => self.stuffed += 1,
            Dot::Text => output.stuff(at),
        }
        self.place = Place::InLine;
        self.grow(1);
        1
    }

    fn dot(&self, rest: &[u8]) -> Dot {
        match (self.place, rest.get(1), rest.get(2)) {
            (_, None, _) => Dot::Open,
            (Place::AfterCrlf, Some(b'\r'), None) => Dot::Open,
            (Place::AfterCrlf, Some(b'\r'), Some(b'\n')) => Dot::End,
            (_, Some(b'\r' | b'\n' | 0), _) if self.normalizes() => Dot::LookAlike,
            _ => Dot::Text,
        }
    }

    /// Text up to and with the next CR, LF or NUL. Returns the octets used, 0 for "more is needed".
    fn read_line(&mut self, rest: &[u8], at: usize, output: &mut Rewrite<'_>) -> usize {
        let Some(text) = memchr3(b'\r', b'\n', 0, rest) else {
            self.place = Place::InLine;
            self.grow(rest.len());
            return rest.len();
        };
        if text > 0 {
            self.place = Place::InLine;
            self.grow(text);
        }
        match (rest.get(text), rest.get(text + 1)) {
            (Some(b'\r'), Some(b'\n')) => {
                self.new_line(Place::AfterCrlf);
                return text + 2;
            }
            (Some(b'\r'), None) => return text,
            (Some(b'\r'), Some(_)) => self.refuse(Fault::BodyBareCr),
            (Some(b'\n'), _) if self.normalizes() => {
                output.line_end(at + text);
                self.new_line(Place::AfterBareLf);
                return text + 1;
            }
            (Some(b'\n'), _) => self.refuse(Fault::BodyBareLf),
            _ => self.refuse(Fault::BodyNul),
        }
        self.place = Place::InLine;
        text + 1
    }

    /// False once the message is refused, when only its end is looked for.
    fn normalizes(&self) -> bool {
        self.bare == BareNewline::Normalize && self.refused.is_none()
    }

    fn new_line(&mut self, place: Place) {
        self.place = place;
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
        self.refused.get_or_insert(fault);
    }
}
