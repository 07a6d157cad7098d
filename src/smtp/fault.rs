//! Faults: every way in which a client breaks the protocol, with the reply it gets.
//!
//! A fault is data about the client, never an error of ours, and it has no policy in it: points
//! are given elsewhere. RFC 5321 §4.2 (reply codes), RFC 3463 and RFC 5248 (enhanced codes),
//! RFC 7504 (521), RFC 2920 §3.1 (order in a command group).

use serde::{Deserialize, Serialize};

pub use super::protocol::Protocol;
use super::{reply::Reply, verb::Verb};

/// A breach of the protocol by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// LF without CR in a command.
    BareLf,
    /// CR without LF in a command.
    BareCr,
    /// NUL in a command.
    Nul,
    /// Another control character in a command, TAB inside the line included.
    ControlCharacter,
    /// A line over the limit; the rest of it is skipped.
    LineTooLong,
    /// No CRLF within [`limits::ENDLESS_LINE`](super::limits::ENDLESS_LINE) octets.
    EndlessLine,
    /// Octets over 127 in an address without SMTPUTF8, or not UTF-8 at all.
    EightBit,
    /// Not a verb we know.
    UnknownVerb,
    /// A bad argument, among them a bad address.
    Syntax(Verb),
    /// A parameter of MAIL or RCPT that is unknown or was not offered.
    UnknownParameter(Verb),
    /// A parameter with a bad value, or given twice.
    BadParameter(Verb),
    /// A verb that is not legal in this phase.
    OutOfOrder(Verb),
    /// A verb whose command group has lost what it builds on: with PIPELINING it was sent before the client could read
    /// that MAIL, or every recipient, was refused (RFC 2920 §3.1). No fault of the client.
    InVain(Verb),
    /// A verb that is known but not offered.
    NotOffered(Verb),
    /// AUTH with a SASL mechanism that is not offered.
    UnknownMechanism,
    /// Not SMTP at all.
    Foreign(Protocol),
    /// Input was there when a reply was about to be written, and PIPELINING was not offered.
    Pipelining,
    /// PIPELINING was offered, but something came behind a verb that must end its group.
    GroupBreak,
    /// MAIL was there before the reply to EHLO or HELO.
    MailBeforeEhloReply,
    /// Mail data was there before the 354.
    #[serde(rename = "data_before_354")]
    DataBefore354,
    /// Plain text was there behind STARTTLS.
    #[serde(rename = "bytes_after_starttls")]
    BytesAfterStartTls,
    /// More recipients than we take in one transaction.
    TooManyRecipients,
    /// More mail data than we take, or a SIZE that says so.
    MessageTooBig,
    /// The allowance of faults is used up.
    TooManyErrors,
    /// LF without CR in mail data.
    BodyBareLf,
    /// CR without LF in mail data.
    BodyBareCr,
    /// NUL in mail data.
    BodyNul,
    /// A lone dot between line ends that are not both CRLF: looks like an end of data to others.
    BodyLookAlikeEnd,
    /// A line of mail data over the limit.
    BodyLineTooLong,
}

impl Fault {
    /// The reply to this fault, without the session id, which the session appends.
    pub fn reply(&self) -> Reply {
        let (code, enhanced, text) = self.words();
        Reply::new(code, Some(enhanced), text)
    }

    /// True when the session must end after the reply, because input after this fault can not be
    /// told from commands or comes from something that is not a mail client.
    ///
    /// A bare LF is not fatal: the line is refused and the next one is read. A bad or unwanted BDAT
    /// is, since its chunk follows and would be read as commands.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::BareCr
            | Self::EndlessLine
            | Self::Foreign(_)
            | Self::DataBefore354
            | Self::BytesAfterStartTls
            | Self::TooManyErrors => true,
            Self::Syntax(verb) | Self::OutOfOrder(verb) | Self::NotOffered(verb) => {
                *verb == Verb::Bdat
            }
            _ => false,
        }
    }

    /// A short name for metrics, logs and reason codes; bounded in number.
    pub fn label(&self) -> &'static str {
        match self {
            Self::BareLf => "bare_lf",
            Self::BareCr => "bare_cr",
            Self::Nul => "nul",
            Self::ControlCharacter => "control_character",
            Self::LineTooLong => "line_too_long",
            Self::EndlessLine => "endless_line",
            Self::EightBit => "eight_bit",
            Self::UnknownVerb => "unknown_verb",
            Self::Syntax(_) => "syntax",
            Self::UnknownParameter(_) => "unknown_parameter",
            Self::BadParameter(_) => "bad_parameter",
            Self::OutOfOrder(_) => "out_of_order",
            Self::InVain(_) => "in_vain",
            Self::NotOffered(_) => "not_offered",
            Self::UnknownMechanism => "unknown_mechanism",
            Self::Foreign(protocol) => protocol.label(),
            Self::Pipelining => "pipelining",
            Self::GroupBreak => "group_break",
            Self::MailBeforeEhloReply => "mail_before_ehlo_reply",
            Self::DataBefore354 => "data_before_354",
            Self::BytesAfterStartTls => "bytes_after_starttls",
            Self::TooManyRecipients => "too_many_recipients",
            Self::MessageTooBig => "message_too_big",
            Self::TooManyErrors => "too_many_errors",
            Self::BodyBareLf => "body_bare_lf",
            Self::BodyBareCr => "body_bare_cr",
            Self::BodyNul => "body_nul",
            Self::BodyLookAlikeEnd => "body_look_alike_end",
            Self::BodyLineTooLong => "body_line_too_long",
        }
    }

    /// Code, enhanced code and text.
    fn words(&self) -> (u16, (u8, u16, u16), &'static str) {
        match self {
            Self::BareLf => (
                500,
                (5, 5, 2),
                "Lines must end with CR LF, not with LF alone",
            ),
            Self::BareCr => (521, (5, 5, 2), "Stray CR in a command, closing connection"),
            Self::Nul => (501, (5, 5, 2), "NUL is not allowed in commands"),
            Self::ControlCharacter => (
                501,
                (5, 5, 2),
                "Control characters are not allowed in commands",
            ),
            Self::LineTooLong => (500, (5, 5, 2), "Line too long"),
            Self::EndlessLine => (521, (5, 5, 2), "Line without end, closing connection"),
            Self::EightBit => (
                553,
                (5, 6, 7),
                "Non-ASCII addresses need the SMTPUTF8 parameter",
            ),
            Self::UnknownVerb => (500, (5, 5, 2), "Command not recognized"),
            Self::Syntax(verb) => syntax(*verb),
            Self::UnknownParameter(_) => {
                (555, (5, 5, 4), "Parameter not recognized or not offered")
            }
            Self::BadParameter(_) => (
                501,
                (5, 5, 4),
                "Parameter has a bad value or was given twice",
            ),
            Self::OutOfOrder(verb) | Self::InVain(verb) => (503, (5, 5, 1), out_of_order(*verb)),
            Self::NotOffered(_) => (502, (5, 5, 1), "Command not available here"),
            Self::UnknownMechanism => (504, (5, 5, 4), "Mechanism not available here"),
            Self::Foreign(Protocol::Tls) => (
                521,
                (5, 5, 1),
                "This port begins in plain text, closing connection",
            ),
            Self::Foreign(_) => (521, (5, 5, 1), "This is an SMTP server, closing connection"),
            Self::Pipelining => (
                554,
                (5, 5, 0),
                "Commands must wait for the reply, PIPELINING was not offered",
            ),
            Self::GroupBreak => (
                554,
                (5, 5, 0),
                "Input behind a command that must end its group",
            ),
            Self::MailBeforeEhloReply => (
                554,
                (5, 5, 0),
                "Commands must wait for the reply to EHLO or HELO",
            ),
            Self::DataBefore354 => (
                554,
                (5, 5, 0),
                "Mail data was sent before the reply to DATA, closing connection",
            ),
            Self::BytesAfterStartTls => {
                (554, (5, 5, 1), "Input behind STARTTLS, closing connection")
            }
            Self::TooManyRecipients => (452, (4, 5, 3), "Too many recipients"),
            Self::MessageTooBig => (552, (5, 3, 4), "Message too big"),
            Self::TooManyErrors => (421, (4, 7, 0), "Too many errors, closing connection"),
            Self::BodyBareLf => (550, (5, 6, 11), "Message contains LF without CR"),
            Self::BodyBareCr => (550, (5, 6, 11), "Message contains CR without LF"),
            Self::BodyNul => (550, (5, 6, 11), "Message contains NUL"),
            Self::BodyLookAlikeEnd => (550, (5, 6, 11), "Message contains a malformed end of data"),
            Self::BodyLineTooLong => (554, (5, 6, 0), "Message contains a line that is too long"),
        }
    }
}

/// RFC 3463 has codes of its own for bad addresses: 5.1.7 for the sender's, 5.1.3 for the recipient's.
const fn syntax(verb: Verb) -> (u16, (u8, u16, u16), &'static str) {
    match verb {
        Verb::Mail => (501, (5, 1, 7), "Syntax: MAIL FROM:<address>"),
        Verb::Rcpt => (501, (5, 1, 3), "Syntax: RCPT TO:<address>"),
        Verb::Helo => (501, (5, 5, 4), "Syntax: HELO hostname"),
        Verb::Ehlo => (501, (5, 5, 4), "Syntax: EHLO hostname"),
        Verb::Auth => (501, (5, 5, 4), "Syntax: AUTH mechanism [initial-response]"),
        Verb::Bdat => (
            501,
            (5, 5, 4),
            "Syntax: BDAT size [LAST], closing connection",
        ),
        Verb::Vrfy | Verb::Expn => (501, (5, 5, 4), "One argument needed"),
        _ => (501, (5, 5, 4), "No argument allowed"),
    }
}

const fn out_of_order(verb: Verb) -> &'static str {
    match verb {
        Verb::Mail => "MAIL needs EHLO or HELO first and no transaction open",
        Verb::Rcpt => "RCPT needs an accepted MAIL first",
        Verb::Data | Verb::Bdat => "No valid recipients",
        _ => "Command not allowed now",
    }
}

#[cfg(test)]
mod tests;
