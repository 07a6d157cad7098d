//! The sending machine: commands to a backend, its replies matched to them.
//!
//! A reply belongs to the oldest command that has none. A reply to no command, or one that can not
//! belong to its command, means that all later ones would be given to the wrong command: it is an
//! error, and the connection must be dropped. Not here: what to send, and waiting for it. RFC 5321
//! §4.1.1, §4.3.2 (codes), RFC 2920 §3.1.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::{
    auth::Response,
    command::Command,
    phase::Phase,
    reply::{BadReply, Reply, ReplyClass, ReplyReader},
    verb::Verb,
    xclient::{Attributes, Xclient},
};

/// Commands that may be outstanding at once.
pub const OUTSTANDING_MAX: usize = 100;

/// Why something was not sent. Nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// [`OUTSTANDING_MAX`] commands have no reply yet: read replies first.
    #[error("{OUTSTANDING_MAX} commands without a reply")]
    TooManyOutstanding,
    /// A command behind DATA would become mail data.
    #[error("command while mail data is due")]
    InData,
    /// XCLIENT in a transaction, before EHLO or behind another command.
    #[error("XCLIENT out of place")]
    OutOfPlace,
    /// A final dot without DATA would be a command.
    #[error("final dot without mail data")]
    NotInData,
}

/// The state of one session with a backend.
#[derive(Debug)]
pub struct Client {
    phase: Phase,
    outstanding: VecDeque<Verb>,
    replies: ReplyReader,
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    /// A session just opened: the greeting is outstanding.
    pub fn new() -> Self {
        Self {
            phase: Phase::Connect,
            outstanding: VecDeque::from([Verb::Connect]),
            replies: ReplyReader::new(),
        }
    }

    /// The phase, as far as replies have come.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Commands without a reply, the greeting included.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Appends a command to `out`.
    ///
    /// # Errors
    /// [`NotSent::TooManyOutstanding`], [`NotSent::InData`].
    pub fn send(&mut self, command: &Command, out: &mut Vec<u8>) -> Result<(), NotSent> {
        self.expect(command.verb())?;
        command.write(out);
        Ok(())
    }

    /// Appends XCLIENT to `out`. The session begins anew with a greeting, which is the reply.
    ///
    /// # Errors
    /// [`NotSent::OutOfPlace`] but after EHLO with no transaction open.
    pub fn send_xclient(
        &mut self,
        xclient: &Xclient<'_>,
        takes: Attributes,
        out: &mut Vec<u8>,
    ) -> Result<(), NotSent> {
        if self.phase != Phase::Ready || !self.outstanding.is_empty() {
            return Err(NotSent::OutOfPlace);
        }
        *self = Self::new();
        xclient.write(takes, out);
        Ok(())
    }

    /// Appends a line of an AUTH exchange to `out`, after 334.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub fn send_response(&mut self, response: &Response, out: &mut Vec<u8>) -> Result<(), NotSent> {
        self.expect(Verb::Auth)?;
        response.write(out);
        Ok(())
    }

    /// Appends the final dot line to `out`. Only for mail data that ended clean, so that what was
    /// passed on ends with CRLF or is empty.
    ///
    /// # Errors
    /// [`NotSent::NotInData`].
    pub fn end_of_data(&mut self, out: &mut Vec<u8>) -> Result<(), NotSent> {
        if self.phase != Phase::Data || !self.outstanding.is_empty() {
            return Err(NotSent::NotInData);
        }
        self.outstanding.push_back(Verb::EndOfData);
        out.extend_from_slice(b".\r\n");
        Ok(())
    }

    fn expect(&mut self, verb: Verb) -> Result<(), NotSent> {
        if self.phase == Phase::Data || self.outstanding.back() == Some(&Verb::Data) {
            return Err(NotSent::InData);
        }
        if self.outstanding.len() >= OUTSTANDING_MAX {
            return Err(NotSent::TooManyOutstanding);
        }
        self.outstanding.push_back(verb);
        Ok(())
    }

    /// Reads at most one reply from the start of `input`. Returns the octets used, and the reply with
    /// the verb it belongs to once it is complete; the phase has moved by it.
    ///
    /// # Errors
    /// Any [`BadReply`]: drop the connection. What the backend meant can not be known any more.
    pub fn next(&mut self, input: &[u8]) -> Result<(usize, Option<(Verb, Reply)>), BadReply> {
        self.quiet(input)?;
        let (used, reply) = self.replies.next(input)?;
        let Some(reply) = reply else {
            return Ok((used, None));
        };
        let Some(verb) = self.outstanding.pop_front() else {
            return Err(BadReply::Unsolicited);
        };
        if !may_answer(verb, &reply) {
            return Err(BadReply::WrongClass);
        }
        self.phase = self.phase.after(verb, reply.class(), reply.code);
        Ok((used, Some((verb, reply))))
    }

    /// To be asked before each command and before the final dot, with all input that is there.
    ///
    /// # Errors
    /// [`BadReply::Unsolicited`] when no reply is outstanding and there is input.
    pub fn quiet(&self, input: &[u8]) -> Result<(), BadReply> {
        let unsolicited = self.outstanding.is_empty() && !input.is_empty();
        if unsolicited {
            Err(BadReply::Unsolicited)
        } else {
            Ok(())
        }
    }

    /// Forgets everything the backend said before TLS; the caller throws its buffer away
    /// (RFC 3207 §4.2).
    pub fn reset_after_starttls(&mut self) {
        *self = Self {
            phase: Phase::Start,
            outstanding: VecDeque::new(),
            ..Self::new()
        };
    }
}

/// The codes of RFC 5321 §4.3.2 by class: 3xx is only 354 to DATA and 334 to AUTH, and DATA has no 2xx.
fn may_answer(verb: Verb, reply: &Reply) -> bool {
    match reply.class() {
        ReplyClass::Positive => verb != Verb::Data,
        ReplyClass::Intermediate => {
            matches!((verb, reply.code), (Verb::Data, 354) | (Verb::Auth, 334))
        }
        ReplyClass::Transient | ReplyClass::Permanent => true,
    }
}
