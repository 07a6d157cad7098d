//! Floor 7: one SMTP session, from accept to record. This file is the walk, in order, and nothing else.
//!
//! ```text
//! 1 greet      PROXY header · admission · implicit TLS · the wait · 220
//! 2 dialogue   bytes → smtp::server → event → reply; faults become facts; users log in
//! 3 ask        at RCPT: judge ⇄ answers, until the verdict stands
//! 4 relay      first cleared RCPT: backend opened; its replies
//! 5 transfer   354 · mail data to the backend · its final reply
//! 6 dialogue   the next transaction, or QUIT
//! 7 end        farewell · one log line · what is remembered · one record
//! ```
//!
//! No policy is decided here and no reply is worded here. Timers are tokio's; nothing is spawned.

mod ask;
mod chunks;
pub mod context;
mod dialogue;
mod end;
mod entries;
mod greet;
pub mod live;
mod log_line;
mod login;
mod memory;
mod recipient;
mod relay;
mod remember;
mod replies;
mod say;
mod starttls;
mod tarpit;
mod trace;
mod transfer;
pub mod upstream;

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::checks::replay::Decision;
use crate::facts::{Client, Ended, Facts, Millis, Stage};
use crate::journal::{Beyond, MessageOutcome, RecipientOutcome};
use crate::net::admission::Permit;
use crate::net::stream::Stream;
use crate::session::ask::Asking;
use crate::session::context::{Arrival, Door, Shared};
use crate::session::live::Seat;
use crate::session::memory::Memory;
use crate::session::relay::{Envelope, Relay};
use crate::session::transfer::Message;
use crate::smtp::server::Server;

pub use relay::{Relaying, SeenAs, Tested, Trouble, probe, self_test};
pub use replies::not_admitted;

/// Octets of dialogue read at a time; more than any command line.
const READ_LIMIT: usize = 4096;

/// Serves one client until its session has ended and is recorded.
///
/// `permit` is the client's place in the limits; `None` when the client is only known behind a PROXY header, and then
/// admission is part of the greeting.
pub async fn run(
    stream: Stream,
    arrival: Arrival,
    door: Arc<Door>,
    shared: Arc<Shared>,
    permit: Option<Permit>,
) -> Ended {
    shared.tally.start();
    shared.metrics.begun(&door.name);
    let cut = shared.cut.clone();
    // Boxed, so that what waits is a pointer and the wait, wherever the future is moved.
    let mut session = Box::new(Session::new(stream, arrival, door, shared, permit));
    // Whatever happens in it, the session comes to its end, with a log line and a record.
    let ended = tokio::select! {
        biased;
        walked = AssertUnwindSafe(session.walk()).catch_unwind() => match walked {
            Ok(ended) => ended,
            Err(_) => Box::pin(session.break_off(Ended::Defect)).await,
        },
        () = cut.cancelled() => Box::pin(session.break_off(Ended::Shutdown)).await,
    };
    Box::pin(session.end(ended)).await;
    ended
}

/// Everything one session knows and holds.
pub(in crate::session) struct Session {
    shared: Arc<Shared>,
    door: Arc<Door>,
    arrival: Arrival,
    started: Instant,
    stream: Stream,
    /// Octets read and not yet consumed; empty and without memory while the client is silent.
    input: BytesMut,
    server: Server,
    facts: Facts,
    stage: Stage,
    asking: Asking,
    /// Whether input that waits behind the command under way has been noted.
    blamed: bool,
    /// When the command that is being read began.
    command_begun: Option<Instant>,
    envelope: Envelope,
    relay: Option<Box<Relay>>,
    /// A message of which chunks have come, but not the last.
    message: Option<Box<Message>>,
    permit: Option<Permit>,
    memory: Memory,
    /// A place in the tarpit.
    tarpit: Option<OwnedSemaphorePermit>,
    seat: Seat,
    notes: Notes,
}

/// What is kept for the record.
#[derive(Default)]
struct Notes {
    decisions: Vec<Decision>,
    recipients: Vec<RecipientOutcome>,
    messages: Vec<MessageOutcome>,
    /// Recipients and messages that are only counted; few sessions have any.
    beyond: Option<Box<Beyond>>,
    /// Messages answered, kept or not.
    messages_ended: u32,
    refusals: Vec<String>,
    /// Recipients refused or put off here.
    refused: u64,
    /// Recipients that were cleared and not taken by the backend.
    rejected: u64,
    /// Recipients that the backend refused for good, and that it took.
    unknown_recipients: u32,
    taken_recipients: u32,
    /// Recipients named, kept or not.
    recipients_named: u64,
    delivered: u64,
    faults: u32,
    idle_commands: u32,
    /// Commands of a group that had lost what they build on, since a message was delivered.
    in_vain: u32,
    /// Octets of chunks that had nobody to go to.
    swallowed: u64,
    bytes_in: u64,
    bytes_out: u64,
}

impl Session {
    /// The walk from the greeting to the farewell.
    async fn walk(&mut self) -> Ended {
        match self.greet().await {
            // The later stages are larger: boxed, so that a client that only waits costs only the wait.
            Ok(()) => Box::pin(self.converse()).await,
            Err(ended) => ended,
        }
    }

    fn new(
        stream: Stream,
        arrival: Arrival,
        door: Arc<Door>,
        shared: Arc<Shared>,
        permit: Option<Permit>,
    ) -> Self {
        let mut client = Client::new(arrival.peer, arrival.local, &door.name);
        client.logins = door.listen.logins();
        client.started = arrival
            .wall
            .duration_since(SystemTime::UNIX_EPOCH)
            .ok()
            .map(|since| since.as_secs());
        let mut server = Server::new();
        server.set_bare_newline(shared.mail_data.bare_newline);
        let longest = shared.mail_data.longest_line.as_u64();
        server.set_body_line_max(usize::try_from(longest).ok());
        let seat = shared.live.enter(&arrival.id, arrival.peer.ip(), &door);
        Self {
            facts: Facts::new(client),
            server,
            shared,
            door,
            arrival,
            started: Instant::now(),
            stream,
            input: BytesMut::new(),
            stage: Stage::Connect,
            asking: Asking::default(),
            blamed: false,
            command_begun: None,
            envelope: Envelope::default(),
            relay: None,
            message: None,
            permit,
            memory: Memory::default(),
            tarpit: None,
            seat,
            notes: Notes::default(),
        }
    }

    /// Has come so far.
    fn reach(&mut self, stage: Stage) {
        self.stage = stage;
        self.shared.live.see(self.seat, stage, None);
    }

    fn elapsed(&self) -> Millis {
        self.started.elapsed().into()
    }

    fn client(&self) -> SocketAddr {
        self.facts
            .client()
            .map_or(self.arrival.peer, |client| client.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F>(_: impl Fn(Stream, Arrival, Arc<Door>, Arc<Shared>, Option<Permit>) -> F) -> usize {
        size_of::<F>()
    }

    fn size_in<F>(_: impl FnOnce(&'static mut Session) -> F) -> usize {
        size_of::<F>()
    }

    /// What a held connection costs is mostly this: the budget is 4 KB in all, and the runtime wants its share.
    #[test]
    fn a_session_that_waits_is_small() {
        let (session, future) = (size_of::<Session>(), size(run));
        assert!(session <= 896, "a session takes {session} octets");
        assert!(future <= 1136, "its future takes {future} octets");
        let listening = size_in(Session::converse);
        assert!(listening <= 768, "listening takes {listening} octets");
    }
}
