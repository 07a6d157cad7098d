//! The client's end of the connection.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::rustls::pki_types::ServerName;

use crate::world::{self, HOSTNAME};

/// How long anything may take where time is real.
const PATIENCE: Duration = Duration::from_secs(20);
/// So often everybody else gets a turn without anything new to read before nothing more is expected.
const TURNS: u32 = 64;

trait Octets: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Octets for T {}

/// How long something takes that must happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// A pipe in memory and a clock that stands still: no time, only turns.
    Pipe,
    /// Sockets, and a clock that stands still for all but them.
    Still,
    /// Sockets and the clock of everybody.
    Real,
}

/// The client's end.
pub(crate) struct Wire {
    stream: Option<Box<dyn Octets>>,
    heard: BytesMut,
    at_end: bool,
    deaf: bool,
    pace: Pace,
}

impl Wire {
    /// Over `stream`.
    pub(crate) fn new(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        pace: Pace,
    ) -> Self {
        Self {
            stream: Some(Box::new(stream)),
            heard: BytesMut::new(),
            at_end: false,
            deaf: false,
            pace,
        }
    }

    /// Whether it is a socket.
    pub(crate) fn has_sockets(&self) -> bool {
        self.pace != Pace::Pipe
    }

    /// Sends octets, in one write. A server that has closed is found out by what the script expects next.
    pub(crate) async fn say(&mut self, octets: &[u8]) -> Result<(), String> {
        let Some(stream) = &mut self.stream else {
            return Err("the client has left".to_owned());
        };
        let write = async {
            stream.write_all(octets).await?;
            stream.flush().await
        };
        match tokio::time::timeout(PATIENCE, write).await {
            Ok(_) => Ok(()),
            Err(_) => Err("the server does not read".to_owned()),
        }
    }

    /// The next line, without its CRLF; `None` at the end.
    pub(crate) async fn line(&mut self) -> Result<Option<String>, String> {
        self.read_until(|wire| wire.first_line().is_some()).await;
        match self.first_line() {
            Some(end) => {
                let line = self.heard.split_to(end + 2);
                Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()))
            }
            None if self.at_end && self.heard.is_empty() => Ok(None),
            None => Err(match self.unread() {
                text if text.is_empty() => "the server says nothing".to_owned(),
                text => format!("the server says only {text:?}"),
            }),
        }
    }

    /// Reads octets that are no line.
    pub(crate) async fn octets(&mut self, expected: &[u8]) -> Result<(), String> {
        self.read_until(|wire| wire.heard.len() >= expected.len())
            .await;
        let heard = self.heard.split_to(expected.len().min(self.heard.len()));
        if heard == expected {
            return Ok(());
        }
        let (expected, heard) = (expected.escape_ascii(), heard.escape_ascii());
        Err(format!("expected {expected}\n           heard {heard}"))
    }

    /// Whether the server has closed; where time is real, it is waited for.
    pub(crate) async fn closed(&mut self) -> bool {
        self.read_until(|wire| !wire.heard.is_empty()).await;
        self.at_end
    }

    /// What was said and not told in the script.
    pub(crate) fn unread(&self) -> String {
        String::from_utf8_lossy(&self.heard).into_owned()
    }

    /// From here on nothing is read.
    pub(crate) fn go_deaf(&mut self) {
        self.deaf = true;
    }

    /// Goes away.
    pub(crate) fn leave(&mut self) {
        self.stream = None;
    }

    /// Shakes hands.
    pub(crate) async fn tls(&mut self) -> Result<(), String> {
        let Some(plain) = self.stream.take() else {
            return Err("the client has left".to_owned());
        };
        let name = ServerName::try_from(HOSTNAME).map_err(|error| error.to_string())?;
        let handshake = world::certificate().1.connect(name, plain).await;
        let stream = handshake.map_err(|error| format!("no handshake: {error}"))?;
        self.stream = Some(Box::new(stream));
        Ok(())
    }

    /// Lets everybody else go on until nothing more happens, without time passing, and reads what there is.
    pub(crate) async fn settle(&mut self) {
        let mut turns = 0;
        while turns < TURNS {
            turns += 1;
            if !self.deaf && !self.at_end && self.stream.is_some() {
                let had = self.heard.len();
                let _ = tokio::task::unconstrained(self.fill()).now_or_never();
                if self.heard.len() > had {
                    turns = 0;
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// [`Wire::settle`] until something is so; where sockets are real, that may take a while. Says whether it is.
    pub(crate) async fn settle_until(&mut self, is_so: impl Fn() -> bool) -> bool {
        let begun = Instant::now();
        loop {
            self.settle().await;
            if is_so() {
                return true;
            }
            if self.pace == Pace::Pipe || begun.elapsed() > PATIENCE {
                return false;
            }
        }
    }

    /// Reads until there is enough, or nothing more comes.
    async fn read_until(&mut self, enough: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        self.settle().await;
        while !self.at_end && !enough(self) && begun.elapsed() < PATIENCE {
            match self.pace {
                Pace::Pipe => return,
                Pace::Still => self.settle().await,
                Pace::Real => {
                    let _ = tokio::time::timeout(PATIENCE, self.fill()).await;
                }
            }
        }
    }

    async fn fill(&mut self) {
        let Some(stream) = &mut self.stream else {
            return self.at_end = true;
        };
        // A reset or a cut TLS connection is an end like any other.
        let read = stream.read_buf(&mut self.heard).await;
        self.at_end |= !matches!(read, Ok(1..));
    }

    fn first_line(&self) -> Option<usize> {
        self.heard.windows(2).position(|two| two == b"\r\n")
    }
}
