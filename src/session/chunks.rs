//! BDAT: mail data in chunks (RFC 3030 §2), carried to the backend as one message by DATA.
//!
//! A chunk follows its command whatever is answered to it, so it is always read to its end first; one that is larger than any
//! message may be ends the session. Each BDAT gets one reply: 250 for a chunk that is not the last says only that it was
//! read. What the backend says to the whole message is the reply to the last. RSET, EHLO or a lost client between two
//! chunks cuts the backend connection before the dot.

use crate::facts::Ended;
use crate::session::transfer::Message;
use crate::session::{Session, replies};
use crate::smtp::fault::Fault;
use crate::smtp::phase::Phase;
use crate::smtp::reply::ReplyClass;
use crate::smtp::verb::Verb;

impl Session {
    /// Carries one chunk, and replies to it.
    pub(in crate::session) async fn chunk(&mut self, size: u64, last: bool) -> Result<(), Ended> {
        if size > self.shared.limits.message_size.as_u64() {
            return Err(self.is_too_much().await);
        }
        if !matches!(self.server.phase(), Phase::Rcpt | Phase::Chunks) {
            return self.swallow_chunk(size, last).await;
        }
        let mut message = match self.message.take() {
            Some(message) => message,
            None => Box::new(self.begin_message().await),
        };
        if let Some(ending) = self.carry(&mut message, last).await? {
            return self.conclude(ending).await;
        }
        // Neither brings the message nearer to its end.
        if size == 0 || message.spoilt.is_some() {
            self.count_fruitless().await?;
        }
        let reply = match &message.spoilt {
            Some(refusal) => refusal.clone(),
            None => replies::chunk_read(size),
        };
        self.message = Some(message);
        self.reply(Verb::Bdat, reply).await
    }

    /// A chunk without recipients to send it to. With PIPELINING the client could not know (RFC 3030 §4.2).
    async fn swallow_chunk(&mut self, size: u64, last: bool) -> Result<(), Ended> {
        self.notes.swallowed += size;
        if self.notes.swallowed > self.shared.limits.message_size.as_u64().saturating_mul(2) {
            return Err(self.is_too_much().await);
        }
        let reply = self.sign(Fault::InVain(Verb::Bdat).reply());
        self.carry(&mut Message::lost(reply.clone()), last).await?;
        self.count_fruitless().await?;
        // Behind the end of a message anything may wait.
        let verb = if last { Verb::EndOfData } else { Verb::Bdat };
        self.object(verb, reply).await
    }

    /// A message that begins, if the backend takes one.
    async fn begin_message(&mut self) -> Message {
        let go_ahead = self.go_ahead().await;
        match go_ahead.class() {
            ReplyClass::Intermediate => self.message(),
            _ => {
                // Its recipients are lost with it.
                self.relay = None;
                Message::lost(go_ahead)
            }
        }
    }
}
