//! A player's connection: plain or TLS, whole replies in, octets out, every wait with a deadline.
//!
//! Replies are read by the reader that gatepost has for its backends. One that it can not read ends the connection, as a
//! close does: no client could go on behind it.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::smtp::reply::{Reply, ReplyReader};

/// The longest wait until the server takes what is sent.
const SEND: Duration = Duration::from_secs(30);
/// The longest TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// Why a session can not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The server has closed or reset the connection, or said what is no reply.
    Closed,
    /// It did not answer in time.
    Late,
    /// The client has had enough, or has reached the end.
    Leaves,
}

/// A connection with what has been read of it.
pub(super) struct Wire {
    stream: Option<Stream>,
    input: BytesMut,
    replies: ReplyReader,
    /// The code of the last reply.
    pub(super) last: u16,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream: Some(Stream::Plain(stream)),
            input: BytesMut::new(),
            replies: ReplyReader::new(),
            last: 0,
        }
    }

    /// Sends all of it.
    pub(super) async fn send(&mut self, octets: &[u8]) -> Result<(), Lost> {
        let sent = async {
            match &mut self.stream {
                None => Err(std::io::ErrorKind::NotConnected.into()),
                Some(Stream::Plain(stream)) => stream.write_all(octets).await,
                Some(Stream::Tls(stream)) => {
                    stream.write_all(octets).await?;
                    stream.flush().await
                }
            }
        };
        match timeout(SEND, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Lost::Closed),
            Err(_) => Err(Lost::Late),
        }
    }

    /// The next reply. What was read when the time is over is kept for the next call.
    pub(super) async fn reply(&mut self, within: Duration) -> Result<Reply, Lost> {
        match timeout(within, self.whole_reply()).await {
            Ok(reply) => reply,
            Err(_) => Err(Lost::Late),
        }
    }

    async fn whole_reply(&mut self) -> Result<Reply, Lost> {
        loop {
            let (consumed, reply) = self.replies.next(&self.input).map_err(|_| Lost::Closed)?;
            let _ = self.input.split_to(consumed.min(self.input.len()));
            if let Some(reply) = reply {
                self.last = reply.code;
                return Ok(reply);
            }
            if self.read().await? == 0 {
                return Err(Lost::Closed);
            }
        }
    }

    /// Takes what came so far for a whole reply, as a client does that has looked once and speaks then.
    pub(super) fn forget(&mut self) {
        self.input.clear();
        self.replies = ReplyReader::new();
    }

    /// Reads what comes until the server closes or the time is over, and forgets it but for a reply code at its start.
    pub(super) async fn glance(&mut self, within: Duration) {
        let look =
            async { while self.input.len() < 4096 && matches!(self.read().await, Ok(1..)) {} };
        let _ = timeout(within, look).await;
        let code = self
            .input
            .get(..3)
            .and_then(|code| std::str::from_utf8(code).ok());
        self.last = code.and_then(|code| code.parse().ok()).unwrap_or(self.last);
    }

    async fn read(&mut self) -> Result<usize, Lost> {
        let read = match &mut self.stream {
            None => return Err(Lost::Closed),
            Some(Stream::Plain(stream)) => stream.read_buf(&mut self.input).await,
            Some(Stream::Tls(stream)) => stream.read_buf(&mut self.input).await,
        };
        read.map_err(|_| Lost::Closed)
    }

    /// Begins TLS (RFC 3207, RFC 8314).
    pub(super) async fn secure(&mut self, tls: &TlsConnector) -> Result<(), Lost> {
        let Some(Stream::Plain(stream)) = self.stream.take() else {
            return Err(Lost::Closed);
        };
        // What came in plain text is not believed any more.
        self.input.clear();
        let name = ServerName::try_from("mx.example.com").map_err(|_| Lost::Closed)?;
        match timeout(HANDSHAKE, tls.connect(name, stream)).await {
            Ok(Ok(stream)) => {
                self.stream = Some(Stream::Tls(Box::new(stream)));
                Ok(())
            }
            Ok(Err(_)) => Err(Lost::Closed),
            Err(_) => Err(Lost::Late),
        }
    }

    /// Closes in good order, as far as the server lets us.
    pub(super) async fn close(mut self) {
        if let Some(Stream::Tls(stream)) = &mut self.stream {
            let _ = timeout(Duration::from_millis(100), stream.shutdown()).await;
        }
    }
}
