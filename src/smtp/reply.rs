//! Replies: what a reply is, how it is written.
//!
//! Reading a backend's replies, which is strict, is in `reply/read.rs`. Not here: which reply a fault gets
//! (`fault.rs`) and what a reply does to the phase (`phase.rs`). RFC 5321 §4.2 (form and codes),
//! §4.5.3.1.5 (512 octets a line), RFC 2034 §4 (enhanced code on every line), RFC 3463 (its form).

mod read;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};

pub use read::{BadReply, ReplyReader};

/// Octets of a written reply line, CRLF included (RFC 5321 §4.5.3.1.5).
const LINE_MAX: usize = 512;
/// Octets of text that fit on a line behind code, separator and the longest enhanced code.
const TEXT_MAX: usize = LINE_MAX - "250 ".len() - "5.999.999 ".len() - "\r\n".len();

/// An enhanced status code, RFC 3463 §2: `class.subject.detail`, class 2, 4 or 5. As text in serde.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EnhancedCode {
    /// 2 success, 4 transient, 5 permanent.
    pub class: u8,
    /// 0 to 999.
    pub subject: u16,
    /// 0 to 999.
    pub detail: u16,
}

/// Text that is no enhanced status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an enhanced status code: expected class.subject.detail such as 5.7.1")]
pub struct BadEnhancedCode;

impl EnhancedCode {
    /// Reads `D.DDD.DDD` and nothing around it; leading zeros are refused (RFC 3463 §2).
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let class = number(parts.next()?).filter(|class| matches!(class, 2 | 4 | 5))?;
        let (subject, detail) = (number(parts.next()?)?, number(parts.next()?)?);
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            class: u8::try_from(class).ok()?,
            subject,
            detail,
        })
    }
}

/// One to three digits without a leading zero.
fn number(text: &str) -> Option<u16> {
    let padded = text.len() > 1 && text.starts_with('0');
    let digits = matches!(text.len(), 1..=3) && text.bytes().all(|octet| octet.is_ascii_digit());
    if padded || !digits {
        None
    } else {
        text.parse().ok()
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl From<EnhancedCode> for String {
    fn from(code: EnhancedCode) -> Self {
        code.to_string()
    }
}

impl TryFrom<String> for EnhancedCode {
    type Error = BadEnhancedCode;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or(BadEnhancedCode)
    }
}

/// What the first digit of a reply code says, RFC 5321 §4.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyClass {
    /// 2xx: done.
    Positive,
    /// 3xx: go on (354, 334).
    Intermediate,
    /// 4xx: not now.
    Transient,
    /// 5xx: no.
    Permanent,
}

impl ReplyClass {
    /// The class of a code; a code outside 200 to 499 counts as permanent.
    pub const fn of(code: u16) -> Self {
        match code {
            200..=299 => Self::Positive,
            300..=399 => Self::Intermediate,
            400..=499 => Self::Transient,
            _ => Self::Permanent,
        }
    }
}

/// A reply: one code, an optional enhanced code, one or more lines of text without either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// Written on every line where there is one. None in the greeting, the replies to HELO and
    /// EHLO, and 3xx (RFC 2034 §4).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enhanced: Option<EnhancedCode>,
    /// The text, one entry a line. Cleaned when written, so anything may stand in it.
    pub lines: Vec<Cow<'static, str>>,
}

/// The reply on one line, for logs and records; the lines of a longer one are joined by " / ".
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = &self.enhanced {
            write!(f, " {enhanced}")?;
        }
        for (number, line) in self.lines.iter().enumerate() {
            let separator = if number == 0 { " " } else { " / " };
            write!(f, "{separator}{line}")?;
        }
        Ok(())
    }
}

impl Reply {
    /// A reply of one line. `enhanced` is class, subject, detail.
    pub fn new(
        code: u16,
        enhanced: Option<(u8, u16, u16)>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        let enhanced = enhanced.map(|(class, subject, detail)| EnhancedCode {
            class,
            subject,
            detail,
        });
        Self {
            code,
            enhanced,
            lines: vec![text.into()],
        }
    }

    /// The class of its code.
    pub const fn class(&self) -> ReplyClass {
        ReplyClass::of(self.code)
    }

    /// True for 2xx.
    pub fn is_positive(&self) -> bool {
        self.class() == ReplyClass::Positive
    }

    /// True for 421 and 521, after which the server closes the connection (RFC 5321 §3.8, RFC 7504).
    pub const fn closes(&self) -> bool {
        matches!(self.code, 421 | 521)
    }

    /// The same reply with one more line.
    #[must_use]
    pub fn with_line(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.lines.push(text.into());
        self
    }

    /// Puts `suffix` behind the last line, e.g. a session id; a text too long for both gives way.
    pub fn append(&mut self, suffix: &str) {
        let Some(last) = self.lines.last_mut() else {
            self.lines.push(Cow::Owned(suffix.to_owned()));
            return;
        };
        let last = last.to_mut();
        let room = TEXT_MAX.saturating_sub(suffix.len());
        last.truncate(last.floor_char_boundary(room));
        last.push_str(suffix);
    }

    /// Gives a 2xx, 4xx or 5xx reply without an enhanced code the general one (`2.0.0`, `4.0.0`,
    /// `5.0.0`), as RFC 2034 §4 asks of a server that offers ENHANCEDSTATUSCODES. For replies of a
    /// backend that does not; not for the greeting, HELO and EHLO.
    pub fn ensure_enhanced(&mut self) {
        let class = match self.class() {
            ReplyClass::Positive => 2,
            ReplyClass::Intermediate => return,
            ReplyClass::Transient => 4,
            ReplyClass::Permanent => 5,
        };
        self.enhanced.get_or_insert(EnhancedCode {
            class,
            subject: 0,
            detail: 0,
        });
    }

    /// Appends the wire form. Only printable ASCII leaves, everything else is written as `?`; a
    /// line never has more than 512 octets, what is over is cut.
    pub fn write(&self, out: &mut Vec<u8>) {
        let Some((last, before)) = self.lines.split_last() else {
            return self.write_line(b' ', "", out);
        };
        for text in before {
            self.write_line(b'-', text, out);
        }
        self.write_line(b' ', last, out);
    }

    fn write_line(&self, separator: u8, text: &str, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&digits(self.code));
        out.push(separator);
        if let Some(code) = self.enhanced {
            out.extend_from_slice(code.to_string().as_bytes());
            out.push(b' ');
        }
        let room = (LINE_MAX - "\r\n".len()).saturating_sub(out.len() - start);
        out.extend(text.chars().map(printable).take(room));
        out.extend_from_slice(b"\r\n");
    }
}

/// Three digits. A code outside 200 to 599 is a bug of ours, and `451` is what the client then gets.
fn digits(code: u16) -> [u8; 3] {
    debug_assert!((200..=599).contains(&code), "reply code {code}");
    let code = if (200..=599).contains(&code) {
        code
    } else {
        451
    };
    let digit = |value: u16| b'0' + u8::try_from(value % 10).unwrap_or(0);
    [digit(code / 100), digit(code / 10), digit(code)]
}

/// The octet a character is written as.
fn printable(character: char) -> u8 {
    let octet = u8::try_from(character).ok();
    octet
        .filter(|octet| matches!(octet, b' '..=b'~'))
        .unwrap_or(b'?')
}
