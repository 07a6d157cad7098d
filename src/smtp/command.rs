//! Commands: a [`Line`] read into typed values, and typed values written as a line.
//!
//! Strict: one space where the grammar has one, nothing where it has nothing. Taken besides: any
//! case, white space at the end of the line, one space behind `FROM:` and `TO:`, runs of spaces
//! between parameters. Not here: order, offers and credentials. RFC 5321 §4.1.1, RFC 3030 §2,
//! RFC 3207 §4, RFC 4954 §4.

use std::fmt;
use std::io::Write as _;

use super::{
    domain::HeloName,
    fault::{Fault, Protocol},
    limits,
    line::Line,
    params::{MailParams, RcptParams, number},
    path::{ForwardPath, ReversePath},
    verb::{Argument, Verb},
};

/// A command with its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// HELO.
    Helo(HeloName),
    /// EHLO.
    Ehlo(HeloName),
    /// MAIL FROM. A path with UTF-8 only together with SMTPUTF8.
    Mail(ReversePath, MailParams),
    /// RCPT TO. See [`Command::needs_smtputf8`].
    Rcpt(ForwardPath, RcptParams),
    /// DATA.
    Data,
    /// RSET.
    Rset,
    /// NOOP; what stood behind it is forgotten.
    Noop,
    /// QUIT.
    Quit,
    /// VRFY; whom it asked for is forgotten, since nobody is told.
    Vrfy,
    /// EXPN; as VRFY.
    Expn,
    /// HELP; what stood behind it is forgotten.
    Help,
    /// STARTTLS.
    StartTls,
    /// AUTH.
    Auth {
        /// The SASL mechanism in upper case: letters, digits, `-`, `_`, at most 20.
        mechanism: Box<str>,
        /// The initial response, when the client sent one.
        initial: Option<InitialResponse>,
    },
    /// BDAT.
    Bdat {
        /// Octets of the chunk that follows.
        size: u64,
        /// True for the last chunk of the message.
        last: bool,
    },
}

/// The initial response of AUTH: base64, or `=` for an empty one. `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct InitialResponse(Box<str>);

impl InitialResponse {
    /// Reads a whole response.
    pub fn parse(text: &str) -> Option<Self> {
        (text == "=" || is_base64(text)).then(|| Self(text.into()))
    }

    /// The response as written, not decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for InitialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse(..)")
    }
}

impl Command {
    /// Reads a line.
    ///
    /// # Errors
    /// `UnknownVerb`, `Foreign`, `Syntax`, `UnknownParameter`, `BadParameter`, `EightBit`.
    pub fn parse(line: Line<'_>) -> Result<Self, Fault> {
        let octets = line.as_bytes();
        let end = octets.iter().position(|&octet| octet == b' ');
        let (keyword, argument) = match end.and_then(|end| octets.split_at_checked(end)) {
            Some((keyword, rest)) => (keyword, rest.get(1..)),
            None => (octets, None),
        };
        let Some(verb) = Verb::from_keyword(keyword) else {
            return Err(Protocol::of_line(octets).map_or(Fault::UnknownVerb, Fault::Foreign));
        };
        match (verb.argument(), argument) {
            (Argument::None | Argument::Optional, None) => Self::bare(verb),
            (Argument::Optional, Some(text)) if text.is_ascii() => Self::bare(verb),
            (Argument::Required, Some(text)) => Self::with_argument(verb, text),
            _ => Err(Fault::Syntax(verb)),
        }
    }

    /// Verbs whose argument, if any, means nothing to us.
    fn bare(verb: Verb) -> Result<Self, Fault> {
        match verb {
            Verb::Data => Ok(Self::Data),
            Verb::Rset => Ok(Self::Rset),
            Verb::Noop => Ok(Self::Noop),
            Verb::Quit => Ok(Self::Quit),
            Verb::Help => Ok(Self::Help),
            Verb::StartTls => Ok(Self::StartTls),
            _ => Err(Fault::Syntax(verb)),
        }
    }

    /// Verbs that need an argument.
    fn with_argument(verb: Verb, octets: &[u8]) -> Result<Self, Fault> {
        let syntax = Fault::Syntax(verb);
        let has_address = matches!(verb, Verb::Mail | Verb::Rcpt);
        let no_utf8 = if has_address { Fault::EightBit } else { syntax };
        let text = std::str::from_utf8(octets).map_err(|_| no_utf8)?;
        match verb {
            Verb::Helo => HeloName::parse(text).map(Self::Helo).ok_or(syntax),
            Verb::Ehlo => HeloName::parse(text).map(Self::Ehlo).ok_or(syntax),
            Verb::Mail => mail(text),
            Verb::Rcpt => rcpt(text),
            Verb::Vrfy if is_string(text) => Ok(Self::Vrfy),
            Verb::Expn if is_string(text) => Ok(Self::Expn),
            Verb::Auth => auth(text).ok_or(syntax),
            Verb::Bdat => bdat(text).ok_or(syntax),
            _ => Err(syntax),
        }
    }

    /// The verb.
    pub const fn verb(&self) -> Verb {
        match self {
            Self::Helo(_) => Verb::Helo,
            Self::Ehlo(_) => Verb::Ehlo,
            Self::Mail(..) => Verb::Mail,
            Self::Rcpt(..) => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Rset => Verb::Rset,
            Self::Noop => Verb::Noop,
            Self::Quit => Verb::Quit,
            Self::Vrfy => Verb::Vrfy,
            Self::Expn => Verb::Expn,
            Self::Help => Verb::Help,
            Self::StartTls => Verb::StartTls,
            Self::Auth { .. } => Verb::Auth,
            Self::Bdat { .. } => Verb::Bdat,
        }
    }

    /// True when the command has UTF-8 in it and so may only stand in a transaction whose MAIL
    /// carried SMTPUTF8. A MAIL without the parameter is refused by [`Command::parse`].
    pub fn needs_smtputf8(&self) -> bool {
        match self {
            Self::Mail(path, _) => path.needs_smtputf8(),
            Self::Rcpt(path, params) => path.needs_smtputf8() || params.needs_smtputf8(),
            _ => false,
        }
    }

    /// Appends the command in canonical form with its CRLF. VRFY and EXPN need an argument, and
    /// theirs was forgotten: they name postmaster, whom every host has.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        let keyword = self.verb().keyword();
        // Writing to a Vec does not fail.
        let _ = match self {
            Self::Helo(name) | Self::Ehlo(name) => write!(out, "{keyword} {name}"),
            Self::Mail(path, params) => write!(out, "{keyword} FROM:{path}{params}"),
            Self::Rcpt(path, params) => write!(out, "{keyword} TO:{path}{params}"),
            Self::Vrfy | Self::Expn => write!(out, "{keyword} postmaster"),
            Self::Auth {
                mechanism,
                initial: None,
            } => write!(out, "{keyword} {mechanism}"),
            Self::Auth {
                mechanism,
                initial: Some(initial),
            } => {
                write!(out, "{keyword} {mechanism} {}", initial.as_str())
            }
            Self::Bdat { size, last: false } => write!(out, "{keyword} {size}"),
            Self::Bdat { size, last: true } => write!(out, "{keyword} {size} LAST"),
            _ => write!(out, "{keyword}"),
        };
        debug_assert!(
            !out.iter().skip(start).any(u8::is_ascii_control),
            "a command is built from parsed values, which hold no control characters"
        );
        out.extend_from_slice(b"\r\n");
    }
}

/// Takes `word` off the front, in any case, and one space behind it, which many clients send.
fn behind<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(word.len())?;
    start
        .eq_ignore_ascii_case(word)
        .then(|| rest.strip_prefix(' ').unwrap_or(rest))
}

fn mail(text: &str) -> Result<Command, Fault> {
    let (path, rest) = behind(text, "FROM:")
        .and_then(ReversePath::take)
        .ok_or(Fault::Syntax(Verb::Mail))?;
    let params = MailParams::parse(rest)?;
    if path.needs_smtputf8() && !params.smtputf8 {
        return Err(Fault::EightBit);
    }
    Ok(Command::Mail(path, params))
}

fn rcpt(text: &str) -> Result<Command, Fault> {
    let (path, rest) = behind(text, "TO:")
        .and_then(ForwardPath::take)
        .ok_or(Fault::Syntax(Verb::Rcpt))?;
    Ok(Command::Rcpt(path, RcptParams::parse(rest)?))
}

fn auth(text: &str) -> Option<Command> {
    let (mechanism, initial) = match text.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(InitialResponse::parse(initial)?)),
        None => (text, None),
    };
    let is_mechanism = (1..=limits::MECHANISM).contains(&mechanism.len())
        && mechanism
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    let mechanism = mechanism.to_ascii_uppercase().into_boxed_str();
    is_mechanism.then_some(Command::Auth { mechanism, initial })
}

/// Exactly `1*20DIGIT [SP LAST]`. A server that reads another length than the client meant takes
/// mail data for commands.
fn bdat(text: &str) -> Option<Command> {
    let (digits, last) = match text.split_once(' ') {
        Some((digits, word)) if word.eq_ignore_ascii_case("LAST") => (digits, true),
        Some(_) => return None,
        None => (text, false),
    };
    number(digits).map(|size| Command::Bdat { size, last })
}

/// The argument of VRFY and EXPN; what it means is not looked at.
fn is_string(text: &str) -> bool {
    text.is_ascii() && !text.starts_with(' ')
}

/// base64 of RFC 4648 §4 with its padding, not empty.
pub(super) fn is_base64(text: &str) -> bool {
    let content = text
        .strip_suffix("==")
        .or_else(|| text.strip_suffix('='))
        .unwrap_or(text);
    !content.is_empty()
        && text.len().is_multiple_of(4)
        && content
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/')
}

#[cfg(test)]
pub(super) mod tests;
