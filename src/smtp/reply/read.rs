//! Reads the replies of a server that is not trusted (a backend), strictly.
//!
//! RFC 5321 §4.2: `DDD-text CRLF` and at last `DDD [text] CRLF`, one code throughout. Anything else
//! is an error after which the connection is of no use, because replies can no longer be told apart.
//! Stricter than RFC 5321: limits on line, lines and sum; more liberal: 2048 octets a line.

use std::borrow::Cow;

use memchr::memchr3;

use super::{EnhancedCode, Reply};

/// Octets of a line read, CRLF included: four times what RFC 5321 §4.5.3.1.5 grants.
const LINE_MAX: usize = 2048;
/// Lines of one reply.
const LINES_MAX: usize = 128;
/// Octets of one reply.
const REPLY_MAX: usize = 64 * 1024;
/// Where the text begins, or the CRLF of a line without text.
const HEAD: usize = 3;

/// Why a reply can not be used. The connection it came from must be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadReply {
    /// The line does not begin with three digits that make 200 to 599.
    #[error("line does not begin with a reply code from 200 to 599")]
    Code,
    /// Neither `-`, space nor CRLF behind the code.
    #[error("no space or hyphen behind the reply code")]
    Separator,
    /// A later line has another code than the first.
    #[error("lines of one reply have different codes")]
    MixedCodes,
    /// LF without CR.
    #[error("LF without CR")]
    BareLf,
    /// CR without LF.
    #[error("CR without LF")]
    BareCr,
    /// NUL.
    #[error("NUL in a reply")]
    Nul,
    /// No CRLF within 2048 octets.
    #[error("line of more than 2048 octets")]
    LineTooLong,
    /// More than 128 lines.
    #[error("more than 128 lines")]
    TooManyLines,
    /// More than 64 KiB.
    #[error("more than 64 KiB")]
    TooLong,
    /// A reply, or part of one, to which no command belongs.
    #[error("reply without a command")]
    Unsolicited,
    /// A code that can not belong to the command.
    #[error("reply code that can not belong to the command")]
    WrongClass,
}

impl BadReply {
    /// A short name for metrics and logs; bounded in number.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Separator => "separator",
            Self::MixedCodes => "mixed_codes",
            Self::BareLf => "bare_lf",
            Self::BareCr => "bare_cr",
            Self::Nul => "nul",
            Self::LineTooLong => "line_too_long",
            Self::TooManyLines => "too_many_lines",
            Self::TooLong => "too_long",
            Self::Unsolicited => "unsolicited",
            Self::WrongClass => "wrong_class",
        }
    }
}

/// Collects the lines of one reply after the other. After an error it must not be used again.
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// The reply whose last line is not there yet.
    partial: Option<Reply>,
    /// Octets of the reply so far.
    octets: usize,
}

impl ReplyReader {
    /// A reader at the beginning of a reply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads from `input` up to the end of one reply. Returns the octets used and the reply once its
    /// last line is there; an unfinished line is left to the caller, who comes again with more.
    ///
    /// The text is cleaned: what is not printable ASCII becomes `?`.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Option<Reply>), BadReply> {
        let mut used = 0;
        while let Some(rest) = input.get(used..)
            && let Some(line) = line(rest)?
        {
            used += line.octets;
            if let Some(reply) = self.push(&line)? {
                return Ok((used, Some(reply)));
            }
        }
        Ok((used, None))
    }

    /// Takes one line; Some when it is the last of its reply.
    fn push(&mut self, line: &ReplyLine<'_>) -> Result<Option<Reply>, BadReply> {
        self.octets += line.octets;
        if self.octets > REPLY_MAX {
            return Err(BadReply::TooLong);
        }
        let mut reply = match self.partial.take() {
            None => first(line),
            Some(reply) if reply.code != line.code => return Err(BadReply::MixedCodes),
            Some(reply) if reply.lines.len() == LINES_MAX => return Err(BadReply::TooManyLines),
            Some(mut reply) => {
                let text = match enhanced(line.text, line.code) {
                    Some((code, text)) if Some(code) == reply.enhanced => text,
                    _ => line.text,
                };
                reply.lines.push(clean(text));
                reply
            }
        };
        if line.last {
            self.octets = 0;
            reply.lines.shrink_to_fit();
            return Ok(Some(reply));
        }
        self.partial = Some(reply);
        Ok(None)
    }
}

/// One line, taken apart.
struct ReplyLine<'a> {
    octets: usize,
    code: u16,
    last: bool,
    text: &'a [u8],
}

/// The line `input` begins with; None when its CRLF is not there yet. What is wrong is said as soon
/// as it is certain, and it is the same whatever the pieces in which the line came.
fn line(input: &[u8]) -> Result<Option<ReplyLine<'_>>, BadReply> {
    let Some(code) = code(input)? else {
        return Ok(None);
    };
    let Some(&separator) = input.get(HEAD) else {
        return Ok(None);
    };
    if !matches!(separator, b' ' | b'-' | b'\r') {
        return Err(BadReply::Separator);
    }
    let window = input.get(..LINE_MAX).unwrap_or(input);
    let found = window
        .get(HEAD..)
        .and_then(|rest| memchr3(b'\r', b'\n', 0, rest));
    let Some(at) = found.map(|offset| offset + HEAD) else {
        return unfinished(window);
    };
    match (window.get(at), window.get(at + 1)) {
        (Some(b'\n'), _) => return Err(BadReply::BareLf),
        (Some(b'\r'), Some(b'\n')) => {}
        (Some(b'\r'), None) => return unfinished(window),
        (Some(b'\r'), Some(_)) => return Err(BadReply::BareCr),
        _ => return Err(BadReply::Nul),
    }
    let text = window.get(HEAD + 1..at).unwrap_or_default();
    Ok(Some(ReplyLine {
        octets: at + 2,
        code,
        last: separator != b'-',
        text,
    }))
}

fn unfinished(window: &[u8]) -> Result<Option<ReplyLine<'_>>, BadReply> {
    if window.len() >= LINE_MAX {
        Err(BadReply::LineTooLong)
    } else {
        Ok(None)
    }
}

/// The code at the beginning of `input`; None when it is not complete and right so far.
fn code(input: &[u8]) -> Result<Option<u16>, BadReply> {
    let head = input.get(..HEAD).unwrap_or(input);
    let mut code = 0;
    for (index, octet) in head.iter().enumerate() {
        let right = if index == 0 {
            matches!(octet, b'2'..=b'5')
        } else {
            octet.is_ascii_digit()
        };
        if !right {
            return Err(BadReply::Code);
        }
        code = code * 10 + u16::from(octet - b'0');
    }
    Ok((head.len() == HEAD).then_some(code))
}

fn first(line: &ReplyLine<'_>) -> Reply {
    let (enhanced, text) = match enhanced(line.text, line.code) {
        Some((code, text)) => (Some(code), text),
        None => (None, line.text),
    };
    Reply {
        code: line.code,
        enhanced,
        lines: vec![clean(text)],
    }
}

/// The enhanced code in front of the text and the text behind it, where its class is the reply's.
fn enhanced(text: &[u8], code: u16) -> Option<(EnhancedCode, &[u8])> {
    let end = memchr::memchr(b' ', text).unwrap_or(text.len());
    let word = str::from_utf8(text.get(..end)?).ok()?;
    let enhanced = EnhancedCode::parse(word)?;
    let rest = text.get(end + 1..).unwrap_or_default();
    (u16::from(enhanced.class) == code / 100).then_some((enhanced, rest))
}

fn clean(text: &[u8]) -> Cow<'static, str> {
    let clean = |octet: &u8| {
        if matches!(octet, b' '..=b'~') {
            char::from(*octet)
        } else {
            '?'
        }
    };
    Cow::Owned(text.iter().map(clean).collect())
}
