//! One SMTP session with a mail exchanger, as its client: commands out, replies in, each wait with its deadline.
//!
//! The machine is `smtp::client`; here are the socket and the clock. What the other end says is not trusted.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use bytes::{Buf, BytesMut};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::doctor::world::NOT_PUBLIC;
use crate::net::inspect::{Inspector, Seen};
use crate::net::stream::Stream;
use crate::smtp::client::Client;
use crate::smtp::command::Command;
use crate::smtp::domain::HeloName;
use crate::smtp::reply::{BadReply, Reply};

/// Octets read at a time.
const READ: usize = 4096;

/// Why a session has come to no good end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::doctor) enum Trouble {
    /// Nobody listens there.
    #[error("the connection is refused")]
    Refused,
    /// There is no way there from here.
    #[error("there is no way there from here ({0})")]
    NoWay(String),
    /// It is no address of the public internet.
    #[error("{NOT_PUBLIC}")]
    NotPublic,
    /// No connection in time.
    #[error("no connection within {}", humantime::format_duration(*.0))]
    NoConnection(Duration),
    /// It was silent where it had to speak.
    #[error("no {what} within {}", humantime::format_duration(*.within))]
    Silent {
        /// Where.
        what: &'static str,
        /// How long that was waited for.
        within: Duration,
    },
    /// It closed the connection.
    #[error("the connection was closed before the {0}")]
    Lost(&'static str),
    /// What it says is no SMTP.
    #[error("what it says is no SMTP: {0}")]
    Babble(BadReply),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl Trouble {
    fn connecting(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::AddrNotAvailable => Self::NoWay(error.kind().to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

/// A session.
#[derive(Debug)]
pub(in crate::doctor) struct Talk {
    stream: Stream,
    machine: Client,
    input: BytesMut,
    patience: Duration,
    /// Our own address toward it.
    pub(in crate::doctor) local: Option<IpAddr>,
}

impl Talk {
    /// Connects; the greeting is still to come.
    pub(in crate::doctor) async fn open(
        to: SocketAddr,
        patience: Duration,
    ) -> Result<Self, Trouble> {
        let connecting = timeout(patience, TcpStream::connect(to)).await;
        let connected = connecting.map_err(|_| Trouble::NoConnection(patience))?;
        let tcp = connected.map_err(|error| Trouble::connecting(&error))?;
        let local = tcp.local_addr().ok().map(|local| local.ip().to_canonical());
        Ok(Self {
            stream: Stream::plain(tcp),
            machine: Client::new(),
            input: BytesMut::new(),
            patience,
            local,
        })
    }

    /// Waits for the greeting, and says how long it took.
    pub(in crate::doctor) async fn greeting(&mut self) -> Result<(Reply, Duration), Trouble> {
        let begun = Instant::now();
        let reply = self.reply("greeting").await?;
        Ok((reply, begun.elapsed()))
    }

    /// EHLO.
    pub(in crate::doctor) async fn hello(&mut self, name: &HeloName) -> Result<Reply, Trouble> {
        self.ask(&Command::Ehlo(name.clone()), "reply to EHLO")
            .await
    }

    /// Sends a command and waits for its reply, which `what` names.
    pub(in crate::doctor) async fn ask(
        &mut self,
        command: &Command,
        what: &'static str,
    ) -> Result<Reply, Trouble> {
        self.machine.quiet(&self.input).map_err(Trouble::Babble)?;
        let mut out = Vec::new();
        let sent = self.machine.send(command, &mut out);
        sent.map_err(|error| Trouble::Other(error.to_string()))?;
        self.write(&out, what).await?;
        self.reply(what).await
    }

    /// Sends mail data, which is dot-stuffed and ends with CRLF, with its final dot, after 354.
    pub(in crate::doctor) async fn data(&mut self, message: &[u8]) -> Result<Reply, Trouble> {
        let mut out = message.to_vec();
        let ended = self.machine.end_of_data(&mut out);
        ended.map_err(|error| Trouble::Other(error.to_string()))?;
        let what = "reply to the message";
        self.write(&out, what).await?;
        self.reply(what).await
    }

    /// The handshake behind 220 to STARTTLS. What was said before is forgotten (RFC 3207 §4.2).
    pub(in crate::doctor) async fn secure(
        mut self,
        inspector: &Inspector,
        name: &str,
        now: SystemTime,
    ) -> Result<(Self, Seen), String> {
        if !self.input.is_empty() {
            return Err("it spoke on behind its reply to STARTTLS".to_owned());
        }
        let stream = std::mem::replace(&mut self.stream, Stream::closed());
        let handshake = timeout(self.patience, inspector.secure(stream, name, now)).await;
        let secured = handshake.map_err(|_| {
            let patience = humantime::format_duration(self.patience);
            format!("the handshake does not end within {patience}")
        })?;
        let (stream, seen) = secured.map_err(|error| error.to_string())?;
        self.stream = stream;
        self.machine.reset_after_starttls();
        Ok((self, seen))
    }

    /// Says QUIT and closes; whatever it answers.
    pub(in crate::doctor) async fn part(mut self) {
        let _ = self.ask(&Command::Quit, "reply to QUIT").await;
        self.stream.close().await;
    }

    async fn write(&mut self, octets: &[u8], what: &'static str) -> Result<(), Trouble> {
        let written = timeout(self.patience, self.stream.write_all_flush(octets)).await;
        let written = written.map_err(|_| self.silent(what))?;
        written.map_err(|_| Trouble::Lost(what))
    }

    async fn reply(&mut self, what: &'static str) -> Result<Reply, Trouble> {
        let read = timeout(self.patience, self.read(what)).await;
        read.unwrap_or_else(|_| Err(self.silent(what)))
    }

    async fn read(&mut self, what: &'static str) -> Result<Reply, Trouble> {
        loop {
            let (used, reply) = self.machine.next(&self.input).map_err(Trouble::Babble)?;
            self.input.advance(used.min(self.input.len()));
            if let Some((_, reply)) = reply {
                return Ok(reply);
            }
            let read = self.stream.read_into(&mut self.input, READ).await;
            if !matches!(read, Ok(1..)) {
                return Err(Trouble::Lost(what));
            }
        }
    }

    fn silent(&self, what: &'static str) -> Trouble {
        Trouble::Silent {
            what,
            within: self.patience,
        }
    }
}
