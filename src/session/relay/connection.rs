//! One connection to a backend: typed commands out, parsed replies in. How it begins is in `open` and `handshake`.
//!
//! It knows no session and words no reply to a client. Whatever goes wrong is [`Trouble`]; after that the connection is
//! of no more use, for replies could have shifted.

use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, timeout};

use crate::net::stream::Stream;
use crate::session::relay::Trouble;
use crate::session::upstream::{Place, Seat, Server};
use crate::smtp::auth::Response;
use crate::smtp::client::Client;
use crate::smtp::command::Command;
use crate::smtp::domain::HeloName;
use crate::smtp::extension::Extensions;
use crate::smtp::phase::Phase;
use crate::smtp::reply::{Reply, ReplyClass, ReplyReader};
use crate::smtp::verb::Verb;

/// An open connection to a backend, greeted and with EHLO done.
pub(in crate::session) struct Relay {
    pub(in crate::session::relay) stream: Stream,
    pub(in crate::session::relay) input: BytesMut,
    pub(in crate::session::relay) client: Client,
    /// What it offered.
    pub(in crate::session::relay) offered: Extensions,
    /// Whether a transaction was left behind, so that RSET is due.
    pub(in crate::session::relay) needs_reset: bool,
    /// Whether a transaction was begun on it.
    pub(in crate::session::relay) used: bool,
    /// What was said with EHLO: a client that says EHLO anew under another name gets another connection.
    pub(in crate::session::relay) name: HeloName,
    pub(in crate::session::relay) place: Option<Place>,
    /// When its transaction was begun, if one was.
    begun: Instant,
    seat: Seat,
}

/// Octets read from the backend at a time; its replies are short.
const REPLY_READ: usize = 2048;

/// How long a transaction may take on one of the few places for clients that would be denied otherwise.
const SUFFERED: Duration = Duration::from_secs(5 * 60);

/// A backend that does not take even a QUIT within this is left without one.
const FAREWELL: Duration = Duration::from_secs(1);

impl Relay {
    pub(in crate::session::relay) fn new(stream: Stream, name: HeloName, seat: Seat) -> Self {
        Self {
            stream,
            input: BytesMut::new(),
            client: Client::new(),
            offered: Extensions::default(),
            needs_reset: false,
            used: false,
            name,
            place: None,
            begun: Instant::now(),
            seat,
        }
    }

    /// Sends one command and reads its reply.
    pub(in crate::session::relay) async fn ask(
        &mut self,
        command: &Command,
        what: &'static str,
        within: Duration,
    ) -> Result<Reply, Trouble> {
        self.quiet()?;
        let mut out = Vec::with_capacity(256);
        self.client.send(command, &mut out)?;
        self.write(&out, within).await?;
        self.read(what, within).await.map(|(_, reply)| reply)
    }

    /// Sends a response in an AUTH exchange and reads what is said to it.
    pub(in crate::session::relay) async fn respond(
        &mut self,
        response: &Response,
        within: Duration,
    ) -> Result<Reply, Trouble> {
        self.quiet()?;
        let mut out = Vec::with_capacity(256);
        self.client.send_response(response, &mut out)?;
        self.write(&out, within).await?;
        self.read("answer AUTH", within)
            .await
            .map(|(_, reply)| reply)
    }

    /// One reply. A 421 means that the backend closes, whatever was asked.
    pub(in crate::session::relay) async fn read(
        &mut self,
        what: &'static str,
        within: Duration,
    ) -> Result<(Verb, Reply), Trouble> {
        match timeout(within, self.read_reply()).await {
            Ok(Ok((_, reply))) if reply.code == 421 => Err(Trouble::Closes(reply.to_string())),
            Ok(answer) => answer,
            Err(_) => Err(Trouble::Silent(what)),
        }
    }

    async fn read_reply(&mut self) -> Result<(Verb, Reply), Trouble> {
        loop {
            let (consumed, reply) = self.client.next(&self.input)?;
            let _ = self.input.split_to(consumed.min(self.input.len()));
            if let Some(answered) = reply {
                return Ok(answered);
            }
            if self.stream.read_into(&mut self.input, REPLY_READ).await? == 0 {
                return Err(Trouble::Lost("connection closed".to_owned()));
            }
        }
    }

    /// Before a command and before the dot nothing may be waiting from the backend: answers would shift by one. Only a
    /// 421 may come unasked (RFC 5321 §3.8).
    pub(in crate::session::relay) fn quiet(&mut self) -> Result<(), Trouble> {
        let read = self.stream.read_now(&mut self.input, REPLY_READ)?;
        if let Err(unsolicited) = self.client.quiet(&self.input) {
            let said = ReplyReader::new().next(&self.input);
            return Err(match said {
                Ok((_, Some(reply))) if reply.code == 421 => Trouble::Closes(reply.to_string()),
                _ => unsolicited.into(),
            });
        }
        match read {
            Some(0) => Err(Trouble::Lost("connection closed".to_owned())),
            _ => Ok(()),
        }
    }

    pub(in crate::session::relay) async fn write(
        &mut self,
        octets: &[u8],
        within: Duration,
    ) -> Result<(), Trouble> {
        match timeout(within, self.stream.write_all_flush(octets)).await {
            Ok(written) => Ok(written?),
            Err(_) => Err(Trouble::Silent("read")),
        }
    }

    /// MAIL (after RSET where one is due) and the first RCPT, in one group if the backend pipelines. Where MAIL is
    /// refused, what became of RCPT is of no interest, except that after trouble the connection is of no use.
    pub(in crate::session::relay) async fn begin(
        &mut self,
        mail: Command,
        rcpt: Command,
        within: Duration,
    ) -> Result<(Reply, Result<Reply, Trouble>), Trouble> {
        self.begun = Instant::now();
        if std::mem::take(&mut self.needs_reset) {
            let reset = self.ask(&Command::Rset, "answer RSET", within).await?;
            if reset.class() != ReplyClass::Positive {
                return Err(Trouble::Refuses(reset.to_string()));
            }
        }
        self.used = true;
        if !self.offered.pipelining {
            let mailed = self.ask(&mail, "answer MAIL", within).await?;
            if mailed.class() != ReplyClass::Positive {
                return Ok((mailed.clone(), Ok(mailed)));
            }
            return Ok((mailed, self.ask(&rcpt, "answer RCPT", within).await));
        }
        self.quiet()?;
        let mut out = Vec::with_capacity(512);
        self.client.send(&mail, &mut out)?;
        self.client.send(&rcpt, &mut out)?;
        self.write(&out, within).await?;
        let (_, mailed) = self.read("answer MAIL", within).await?;
        let named = self.read("answer RCPT", within).await;
        Ok((mailed, named.map(|(_, reply)| reply)))
    }

    /// DATA; 354 or the backend's refusal.
    pub(in crate::session) async fn data(&mut self, within: Duration) -> Result<Reply, Trouble> {
        self.ask(&Command::Data, "answer DATA", within).await
    }

    /// A piece of mail data, already examined.
    pub(in crate::session) async fn pass(
        &mut self,
        chunk: &[u8],
        within: Duration,
    ) -> Result<(), Trouble> {
        self.write(chunk, within).await
    }

    /// The end of the mail data, and the backend's word on the message. Whoever calls this has seen the client's
    /// CRLF.CRLF; there is no other caller.
    pub(in crate::session) async fn finish(
        &mut self,
        last: &[u8],
        write_within: Duration,
        reply_within: Duration,
    ) -> Result<Reply, Trouble> {
        self.quiet()?;
        let mut out = Vec::with_capacity(last.len() + 3);
        out.extend_from_slice(last);
        self.client.end_of_data(&mut out)?;
        self.write(&out, write_within).await?;
        self.read("answer the message", reply_within)
            .await
            .map(|(_, reply)| reply)
    }

    /// Where it is open only because the client writes to an exempt recipient: when its transaction must be over.
    pub(in crate::session) fn suffered_until(&self) -> Option<Instant> {
        let suffered = self.place.as_ref().is_some_and(Place::is_on_sufferance);
        suffered.then(|| self.begun + SUFFERED)
    }

    /// The server at the other end.
    pub(in crate::session) fn server(&self) -> &Server {
        self.seat.server()
    }

    /// The client's phase as the backend sees it.
    pub(in crate::session) fn phase(&self) -> Phase {
        self.client.phase()
    }

    /// Says QUIT and goes: Exim sits on a QUIT unless its peer closes.
    pub(in crate::session) async fn part(mut self) {
        let mut out = Vec::with_capacity(8);
        // In mail data nothing may be said: closing without a dot makes the backend forget the message.
        if self.client.send(&Command::Quit, &mut out).is_ok() {
            let _ = timeout(FAREWELL, self.stream.write_all_flush(&out)).await;
        }
        self.stream.close().await;
    }
}
