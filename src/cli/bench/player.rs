//! One player at one door: a client that connects, speaks as its errand says, and goes.
//!
//! It knows what to do and not who it is: no label is in reach here. What is left to be done after a try decides whether
//! there is another: what was put off, cut or never answered is tried again, what was refused for good is not.

mod dialogue;
mod others;
mod transaction;
mod visits;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::clock::Clock;
use super::wire::{Lost, Wire};
use crate::measure::trace::{Act, Door, Errand, Tried, Try};
use crate::net::proxy_header::{self, Version};
use dialogue::Dialogue;
pub(super) use visits::Visits;

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest session.
const SESSION: Duration = Duration::from_secs(180);
/// How the server is told who a player is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// By a PROXY header.
    Proxy(Version),
    /// Not: each address is one of 127.0.0.0/8.
    Loopback,
    /// Not at all: everybody comes from this machine's address.
    Same,
}

/// The doors of the server under test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doors {
    pub(super) primary: SocketAddr,
    pub(super) secondary: Option<SocketAddr>,
    pub(super) submission: Option<SocketAddr>,
}

impl Doors {
    fn at(&self, door: Door) -> Option<SocketAddr> {
        match door {
            Door::Primary => Some(self.primary),
            // Where there is no secondary, all come to the primary.
            Door::Secondary => self.secondary.or(Some(self.primary)),
            Door::Submission => self.submission,
        }
    }
}

/// What all players of a run share.
pub(super) struct Stage {
    pub(super) doors: Doors,
    pub(super) entry: Entry,
    pub(super) clock: Clock,
    pub(super) tls: TlsConnector,
    visits: Mutex<Visits>,
}

impl Stage {
    pub(super) fn new(doors: Doors, entry: Entry, clock: Clock, tls: TlsConnector) -> Self {
        Self {
            doors,
            entry,
            clock,
            tls,
            visits: Mutex::default(),
        }
    }

    /// Who came from where.
    pub(super) fn visits(self) -> Visits {
        self.visits
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one try. `left` is what there is to be done; what is done is taken out.
    pub(super) async fn play(&self, errand: &Errand, number: usize, left: &mut Left) -> Tried {
        let mut tried = Tried {
            at: self.clock.now(),
            ..Tried::default()
        };
        let Some(planned) = errand.tries.get(number) else {
            return tried;
        };
        let begun = Instant::now();
        let played = self.visit(errand, (number, planned), left, &mut tried);
        if timeout(SESSION, played).await.is_err() {
            tried.trouble = Some("the session took too long".to_owned());
        }
        tried.took = begun.elapsed();
        tried
    }

    async fn visit(
        &self,
        errand: &Errand,
        (number, planned): (usize, &Try),
        left: &mut Left,
        tried: &mut Tried,
    ) {
        let Some(door) = self.doors.at(planned.door) else {
            tried.trouble = Some("the server has no such door".to_owned());
            return left.give_up();
        };
        let attempt = u32::try_from(number).unwrap_or(u32::MAX);
        let begun = Instant::now();
        let stream = match timeout(
            CONNECT,
            self.connect(planned.from, door, (errand.id, attempt)),
        )
        .await
        {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tried.trouble = Some(format!("no connection: {error}")),
            Err(_) => return tried.trouble = Some("no connection in time".to_owned()),
        };
        let mut dialogue = Dialogue {
            stage: self,
            errand,
            attempt,
            wire: Wire::new(stream),
            begun,
            offered: Default::default(),
            said_goodbye: false,
            left,
            tried,
        };
        let outcome = dialogue.hold(planned.door == Door::Submission).await;
        match outcome {
            Ok(()) | Err(Lost::Leaves) => dialogue.part().await,
            Err(Lost::Closed) => dialogue.tried.cut = true,
            Err(Lost::Late) => dialogue.tried.trouble = Some("no reply in time".to_owned()),
        }
        dialogue.tried.last = dialogue.wire.last;
        dialogue.wire.close().await;
    }

    /// A connection to the primary in the name of `from`, which is no visit.
    pub(super) async fn open(&self, from: IpAddr) -> std::io::Result<Wire> {
        let nobody = (u32::MAX, u32::MAX);
        let stream = timeout(CONNECT, self.connect(from, self.doors.primary, nobody)).await;
        Ok(Wire::new(
            stream.map_err(|_| std::io::ErrorKind::TimedOut)??,
        ))
    }

    /// A connection of which the server knows the client's address.
    async fn connect(
        &self,
        from: IpAddr,
        door: SocketAddr,
        who: (u32, u32),
    ) -> std::io::Result<TcpStream> {
        let mut stream = match self.entry {
            Entry::Loopback => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::new(self.loopback(from).into(), 0))?;
                socket.connect(door).await?
            }
            Entry::Proxy(_) | Entry::Same => TcpStream::connect(door).await?,
        };
        stream.set_nodelay(true)?;
        match self.entry {
            Entry::Proxy(version) => {
                let header = proxy_header::write(version, self.name(from, who), door);
                stream.write_all(&header).await?;
            }
            Entry::Loopback | Entry::Same => self.note(stream.local_addr()?, who),
        }
        Ok(stream)
    }

    /// A port for this visit that nobody else had from this address.
    fn name(&self, from: IpAddr, who: (u32, u32)) -> SocketAddr {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        visits.name(from, who)
    }

    fn note(&self, client: SocketAddr, who: (u32, u32)) {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        visits.by_client.insert(client, who);
    }

    /// The loopback address that stands for `from` throughout the run.
    fn loopback(&self, from: IpAddr) -> Ipv4Addr {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        visits.loopback(from)
    }
}

/// What an errand still has to do: of each envelope the recipients, by their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    envelopes: Vec<Vec<u32>>,
}

impl Left {
    /// All that the errand is about. Guessing and looking is done with one try, whatever comes of it.
    pub(super) fn all(act: &Act) -> Self {
        let recipients = |count: usize| (0..).take(count).collect();
        let envelopes = match act {
            Act::Mail { envelopes, .. } => envelopes
                .iter()
                .map(|envelope| recipients(envelope.to.len()))
                .collect(),
            Act::Callout { .. } => vec![recipients(1)],
            Act::Guess(_) | Act::Scan(_) | Act::Look(_) => Vec::new(),
        };
        Self { envelopes }
    }

    /// Whether there is something.
    pub(super) fn any(&self) -> bool {
        self.envelopes
            .iter()
            .any(|recipients| !recipients.is_empty())
    }

    fn of(&self, envelope: usize) -> Vec<u32> {
        self.envelopes.get(envelope).cloned().unwrap_or_default()
    }

    fn done(&mut self, envelope: usize, recipient: u32) {
        if let Some(left) = self.envelopes.get_mut(envelope) {
            left.retain(|known| *known != recipient);
        }
    }

    /// Nothing more is tried.
    fn give_up(&mut self) {
        self.envelopes.clear();
    }
}
