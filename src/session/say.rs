//! Everything that goes out to the client (RFC 5321 §4.2): replies, refusals, farewells.
//!
//! Every reply to a command passes [`Session::reply`], which first looks for input that should not be there yet
//! (RFC 2920 §3.1). Not the words: those are in [`crate::session::replies`] and with verdicts and faults.

use tokio::time::timeout;

use crate::facts::Ended;
use crate::session::{READ_LIMIT, Session};
use crate::smtp::fault::Fault;
use crate::smtp::reply::Reply;
use crate::smtp::verb::Verb;

impl Session {
    /// Writes the reply to `verb`, after looking for input that should not be there yet.
    pub(in crate::session) async fn reply(
        &mut self,
        verb: Verb,
        reply: Reply,
    ) -> Result<(), Ended> {
        // The answer to a message is never late: a client that does not wait for it sends the message again.
        let at_once = verb == Verb::EndOfData;
        if !at_once {
            self.linger().await;
        }
        self.look_behind(verb).await?;
        let mut out = Vec::with_capacity(128);
        self.server.reply(verb, &reply, &mut out);
        match at_once {
            true => self.send(&out).await?,
            false => self.drip(&out).await?,
        }
        if reply.closes() {
            Err(Ended::BackendClosed)
        } else {
            Ok(())
        }
    }

    /// Writes the reply to something that was no proper command.
    pub(in crate::session) async fn object(
        &mut self,
        verb: Verb,
        reply: Reply,
    ) -> Result<(), Ended> {
        self.linger().await;
        self.look_behind(verb).await?;
        let mut out = Vec::with_capacity(128);
        self.server.refuse(&reply, &mut out);
        self.drip(&out).await
    }

    /// Judges input that is already there when the reply to `verb` is about to be written.
    pub(in crate::session) async fn look_behind(&mut self, verb: Verb) -> Result<(), Ended> {
        let Some(fault) = self.waiting_fault(verb) else {
            return Ok(());
        };
        // Once for each command, however often it is looked behind.
        if std::mem::replace(&mut self.blamed, true) {
            return Ok(());
        }
        self.note_fault(fault);
        if fault.is_fatal() {
            let farewell = self.sign(fault.reply());
            self.part(farewell).await;
            return Err(Ended::Fault(fault));
        }
        self.drop_if_called_for().await?;
        self.lose_patience().await
    }

    fn waiting_fault(&mut self, verb: Verb) -> Option<Fault> {
        if self.input.is_empty() {
            // Whatever error this hides shows up at the next read.
            if let Ok(Some(read)) = self.stream.read_now(&mut self.input, READ_LIMIT) {
                self.notes.bytes_in += read as u64;
            }
        }
        // What came before the greeting was judged while it was watched for.
        if verb == Verb::Connect {
            return None;
        }
        self.server.judge_waiting(verb, &self.input)
    }

    /// Writes and flushes, within the time a client has to read its reply.
    pub(in crate::session) async fn send(&mut self, octets: impl AsRef<[u8]>) -> Result<(), Ended> {
        let octets = octets.as_ref();
        self.notes.bytes_out += octets.len() as u64;
        match timeout(
            self.shared.limits.reply_timeout,
            self.stream.write_all_flush(octets),
        )
        .await
        {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Ended::ClientLeft),
            Err(_) => Err(Ended::ClientTimeout),
        }
    }

    /// A last reply; whether the client still reads it is its own affair.
    pub(in crate::session) async fn part(&mut self, reply: Reply) {
        let mut out = Vec::with_capacity(128);
        reply.write(&mut out);
        let _ = self.send(out).await;
    }

    /// Adds the session id to a refusing reply, and keeps its text for the record.
    pub(in crate::session) fn sign(&mut self, mut reply: Reply) -> Reply {
        reply.append(&format!(" ({})", self.arrival.id));
        self.keep_refusal(&reply);
        reply
    }
}
