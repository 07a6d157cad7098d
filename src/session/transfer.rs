//! DATA: the mail data from the client to the backend, and the backend's word back (RFC 5321 §4.1.1.4). What comes in chunks
//! is carried by the same hands ([`chunks`](crate::session::chunks)).
//!
//! Streamed, never held whole. The client hears 2xx only when the backend has said 2xx to this very message. Whatever
//! goes wrong before the dot cuts the backend connection, which makes the backend forget the message; the rest of the
//! data is read to its true end and answered there, so that it can never be taken for commands.

use std::borrow::Cow;

use tokio::time::{Instant, timeout_at};

use crate::facts::{Ended, Stage};
use crate::journal::MessageOutcome;
use crate::session::Session;
use crate::session::replies;
use crate::smtp::fault::Fault;
use crate::smtp::header_filter::HeaderFilter;
use crate::smtp::reply::{Reply, ReplyClass};
use crate::smtp::server::Event;
use crate::smtp::verb::Verb;

/// Octets read at a time while mail data flows.
const DATA_READ: usize = 64 * 1024;

/// How the mail data ended.
pub(in crate::session) struct Ending {
    /// Octets of mail data, the final dot not counted.
    size: u64,
    reply: Reply,
}

/// A message on its way.
pub(in crate::session) struct Message {
    /// When its data began to come.
    begun: Instant,
    /// Octets of mail data so far.
    size: u64,
    /// Set when it can no longer be accepted: what its end will be answered with.
    pub(in crate::session) spoilt: Option<Reply>,
    /// What is put before it, until that has been passed on.
    trace: Vec<u8>,
    /// Takes out of its header what claims to be ours.
    filter: Option<HeaderFilter>,
}

impl Message {
    /// One that is refused before it has begun.
    pub(in crate::session) fn lost(reply: Reply) -> Self {
        Self {
            begun: Instant::now(),
            size: 0,
            spoilt: Some(reply),
            trace: Vec::new(),
            filter: None,
        }
    }

    /// The chunk as the backend gets it.
    fn edit<'a>(&mut self, chunk: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(filter) = &mut self.filter else {
            return Cow::Borrowed(chunk);
        };
        let passed = filter.filter(chunk);
        if self.trace.is_empty() {
            return passed;
        }
        let mut out = std::mem::take(&mut self.trace);
        out.extend_from_slice(&passed);
        Cow::Owned(out)
    }

    /// The last chunk, with whatever of the header was held back to its end.
    fn end<'a>(&mut self, chunk: &'a [u8]) -> Cow<'a, [u8]> {
        let chunk = self.edit(chunk);
        match self.filter.take() {
            None => chunk,
            Some(filter) => [chunk.as_ref(), &filter.finish()].concat().into(),
        }
    }
}

/// What one look at the input brought.
enum Seen {
    More {
        progress: bool,
    },
    /// The end of a chunk that is not the last.
    Chunk,
    End(Reply),
}

impl Session {
    /// Carries one message, from DATA to its final reply.
    pub(in crate::session) async fn transfer(&mut self) -> Result<(), Ended> {
        let go_ahead = self.go_ahead().await;
        let proceeds = go_ahead.class() == ReplyClass::Intermediate;
        self.reply(Verb::Data, go_ahead).await?;
        self.keep_in_step();
        if !proceeds {
            return self.count_fruitless().await;
        }
        let mut message = self.message();
        match self.carry(&mut message, true).await? {
            Some(ending) => self.conclude(ending).await,
            None => Ok(()),
        }
    }

    /// The backend's answer to DATA.
    pub(in crate::session) async fn go_ahead(&mut self) -> Reply {
        self.reach(Stage::Predata);
        let within = self.door.upstream.backend.data_initiation_timeout;
        let answer = match &mut self.relay {
            Some(relay) => relay.data(within).await,
            // The backend was lost after it had taken recipients.
            None => return self.sign(replies::backend_lost()),
        };
        match answer {
            Ok(reply) => reply,
            Err(trouble) => self.backend_failed(&trouble),
        }
    }

    /// A message that begins.
    pub(in crate::session) fn message(&mut self) -> Message {
        self.reach(Stage::Data);
        Message {
            begun: Instant::now(),
            size: 0,
            spoilt: None,
            trace: self.trace(),
            filter: self.header_filter(),
        }
    }

    pub(in crate::session) async fn conclude(&mut self, ending: Ending) -> Result<(), Ended> {
        let delivered = ending.reply.class() == ReplyClass::Positive;
        if delivered {
            self.notes.delivered += 1;
            self.notes.idle_commands = 0;
            self.notes.in_vain = 0;
        }
        self.keep_message(MessageOutcome::new(ending.size, &ending.reply));
        self.reply(Verb::EndOfData, ending.reply).await?;
        self.keep_in_step();
        self.close_transaction();
        self.reach(Stage::Helo);
        if self.notes.messages_ended >= self.shared.limits.messages {
            return Err(self.had_its_share().await);
        }
        Ok(())
    }

    /// Moves mail data until the end of what is under way, and with the last of it to the end of the message.
    pub(in crate::session) async fn carry(
        &mut self,
        message: &mut Message,
        last: bool,
    ) -> Result<Option<Ending>, Ended> {
        loop {
            match self.look(message, last).await {
                Seen::End(reply) => {
                    let size = message.size;
                    return Ok(Some(Ending { size, reply }));
                }
                Seen::Chunk => return Ok(None),
                Seen::More { progress: true } => continue,
                Seen::More { progress: false } => {}
            }
            if message.size > self.shared.limits.message_size.as_u64().saturating_mul(2) {
                return Err(self.is_too_much().await);
            }
            self.read_data(message).await?;
        }
    }

    /// Ends a session that sends more mail data than anybody would read to its end.
    pub(in crate::session) async fn is_too_much(&mut self) -> Ended {
        let reply = self.sign(Fault::MessageTooBig.reply());
        self.part(reply).await;
        Ended::Fault(Fault::MessageTooBig)
    }

    /// Reads more mail data, within the time of one block and above the least rate.
    async fn read_data(&mut self, message: &Message) -> Result<(), Ended> {
        let deadline = self.data_deadline(message);
        match timeout_at(deadline, self.stream.read_into(&mut self.input, DATA_READ)).await {
            Ok(Ok(0) | Err(_)) => {
                self.relay = None;
                Err(Ended::ClientLeft)
            }
            Ok(Ok(read)) => {
                self.notes.bytes_in += read as u64;
                Ok(())
            }
            Err(_) => {
                self.relay = None;
                Err(self.out_of_time().await)
            }
        }
    }

    /// When the next block must have come. The least rate is that of the whole message, pauses between its chunks included.
    pub(in crate::session) fn data_deadline(&self, message: &Message) -> Instant {
        let limits = &self.shared.limits;
        let block = self.hurry(Instant::now(), limits.data_timeout);
        let block = block.min(self.started + limits.session);
        let Some(earned) = message.size.checked_div(u64::from(limits.data_min_rate)) else {
            return block;
        };
        block.min(message.begun + limits.data_timeout + std::time::Duration::from_secs(earned))
    }

    /// Examines what has been read and passes on what is clean.
    async fn look(&mut self, message: &mut Message, last: bool) -> Seen {
        let backend = &self.door.upstream.backend;
        let block = backend.data_block_timeout;
        let patience = backend.final_reply_timeout;
        let step = self.server.next(&self.input);
        let consumed = step.consumed;
        let Event::Body(body) = step.event else {
            return Seen::More { progress: false };
        };
        message.size = self.server.data_size();
        let end = body.end && last;
        let of_chunk = body.end && !last;
        let mut fault = body.refused;
        if fault.is_none() && message.size > self.shared.limits.message_size.as_u64() {
            fault = Some(Fault::MessageTooBig);
        }
        let trouble = match (&mut self.relay, fault) {
            _ if message.spoilt.is_some() => None,
            (_, Some(_)) => None,
            (None, None) => Some(super::Trouble::Lost("connection closed".to_owned())),
            (Some(relay), None) if !end => {
                let chunk = message.edit(&body.chunk);
                relay.pass(&chunk, block).await.err()
            }
            (Some(relay), None) => match relay
                .finish(&message.end(&body.chunk), block, patience)
                .await
            {
                Ok(reply) => {
                    self.consume_last(consumed);
                    return Seen::End(reply);
                }
                Err(trouble) => Some(trouble),
            },
        };
        self.consume_data(consumed);
        if message.spoilt.is_none() {
            message.spoilt = match (fault, trouble) {
                (Some(fault), _) => Some(self.spoil(fault)),
                (None, Some(trouble)) => Some(self.backend_failed(&trouble)),
                (None, None) => None,
            };
        }
        match (end, &message.spoilt) {
            (true, Some(reply)) => {
                self.consume_last(0);
                Seen::End(reply.clone())
            }
            _ if of_chunk => {
                self.consume_last(0);
                Seen::Chunk
            }
            _ => Seen::More {
                progress: consumed > 0 && !self.input.is_empty(),
            },
        }
    }

    /// The message can not be accepted any more: the backend is cut before the dot, the one way to make it forget.
    fn spoil(&mut self, fault: Fault) -> Reply {
        self.relay = None;
        self.sign(fault.reply())
    }

    /// Lets go of the last mail data and of its buffer; what stands behind, if anything, gets one of its own size.
    fn consume_last(&mut self, octets: usize) {
        self.consume(octets);
        self.input = self.input.as_ref().into();
    }

    /// Lets go of mail data but keeps the buffer for the next block.
    fn consume_data(&mut self, octets: usize) {
        use bytes::Buf;
        self.input.advance(octets.min(self.input.len()));
    }
}
