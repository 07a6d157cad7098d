//! The octet stream of one connection, with or without TLS, and in-memory pipes in place of sockets for tests and
//! simulation.
//!
//! Not buffered: the caller owns the buffer, and while nothing comes none is needed. A connection that waits costs its
//! future and what the kernel keeps; TLS adds what rustls keeps.
//!
//! End of input: a TLS peer that closes without close_notify (RFC 8446 section 6.1) has ended its input, as everywhere
//! in SMTP; whether that was allowed is for the phase to say, since mail data cut off is never complete.

mod io_traits;
mod records;

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{BufMut, BytesMut};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

use crate::facts::TlsParameters;
use crate::net::backend::Connector;
use crate::net::handshakes::Turn;
use crate::net::tls::hello::Hello;
use crate::net::tls::{Acceptor, TlsError};
use records::Records;

/// Octets read at a time while the caller has no buffer: more than any command, and less than the stack minds.
const SCRATCH: usize = 4096;
/// Octets thrown away at most when the stream is closed with input still unread.
const DISCARD: usize = 64 * 1024;

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// TCP.
    Plain(TcpStream),
    /// TLS over TCP, with us as the server.
    Tls(Box<server::TlsStream<TcpStream>>),
    /// TLS over TCP, with us as the client.
    TlsToServer(Box<client::TlsStream<TcpStream>>),
    /// One end of a pipe in memory.
    Pipe(DuplexStream),
    /// TLS over a pipe in memory.
    PipeTls(Box<server::TlsStream<DuplexStream>>),
}

impl Stream {
    /// A stream over `tcp`, with Nagle's algorithm off: replies are short and each is one write.
    #[must_use]
    pub fn plain(tcp: TcpStream) -> Self {
        // Fails only on a connection that is gone, which the first read tells.
        let _ = tcp.set_nodelay(true);
        Self::Plain(tcp)
    }

    /// A stream at its end, to leave in the place of one that is handed on.
    #[must_use]
    pub fn closed() -> Self {
        Self::Pipe(tokio::io::duplex(1).0)
    }

    /// Whether the octets travel under TLS.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_) | Self::TlsToServer(_) | Self::PipeTls(_))
    }

    /// Waits for input and appends at most `limit` octets (at least one) to `input`; 0 is the end of input.
    ///
    /// While it waits, `input` does not grow. A limit over 4096 reserves that much once there is something to read, and
    /// can then be filled by one system call. Dropping the future loses nothing.
    ///
    /// # Errors
    /// What the socket or TLS reports; the connection is of no more use then.
    pub async fn read_into(&mut self, input: &mut BytesMut, limit: usize) -> io::Result<usize> {
        std::future::poll_fn(|cx| self.poll_read_into(cx, input, limit.max(1))).await
    }

    /// Appends what has already come, at most `limit` octets (at least one), without waiting: `None` when there is
    /// nothing, `Some(0)` at the end of input.
    ///
    /// Exact: the kernel is asked, not the runtime's note of what was ready, which may lag. Under TLS only whole records
    /// count. Later waits are woken all the same: on TCP neither the runtime's readiness nor its waker is touched, so
    /// that the worst that can come of it is one wake-up for octets already taken; on a pipe the idle waker left behind
    /// is replaced by the next [`Self::read_into`].
    ///
    /// # Errors
    /// What the socket or TLS reports; the connection is of no more use then.
    pub fn read_now(&mut self, input: &mut BytesMut, limit: usize) -> io::Result<Option<usize>> {
        let limit = limit.max(1);
        let read = match self {
            Self::Plain(tcp) => now(&*SockRef::from(&*tcp), input, limit),
            Self::Tls(tls) => {
                let (tcp, session) = tls.get_mut();
                let socket = &SockRef::from(&*tcp);
                now(Records { socket, session }, input, limit)
            }
            Self::TlsToServer(tls) => {
                let (tcp, session) = tls.get_mut();
                let socket = &SockRef::from(&*tcp);
                now(Records { socket, session }, input, limit)
            }
            Self::Pipe(_) | Self::PipeTls(_) => return self.poll_once(input, limit),
        };
        match end_without_notice(read) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            read => read.map(Some),
        }
    }

    /// Writes all of `bytes` and flushes: TLS may keep a record back until then.
    ///
    /// # Errors
    /// What the socket or TLS reports.
    pub async fn write_all_flush(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.flush().await
    }

    /// The TLS handshake, as server, from the client's hello on, which [`Reader`](crate::net::tls::hello::Reader) has read.
    /// The deadline is the caller's; `turn` is let go when the answer has been computed, and taken anew for the answer to a second hello.
    ///
    /// The stream is consumed, and a buffer was never in it: what the client sent behind STARTTLS is in the caller's
    /// hands and does not reach TLS (RFC 3207 section 6). The caller throws it away, with all it knew of the client.
    ///
    /// # Errors
    /// [`TlsError`] with a short reason; the connection is closed.
    pub async fn starttls(
        self,
        hello: Hello,
        acceptor: &Acceptor,
        turn: Option<Turn>,
    ) -> Result<(Self, TlsParameters), TlsError> {
        // Boxed, so that the future of a session without TLS does not carry room for a handshake.
        match self {
            Self::Plain(tcp) => {
                let (tls, parameters) = Box::pin(acceptor.handshake(hello, tcp, turn)).await?;
                Ok((Self::Tls(Box::new(tls)), parameters))
            }
            Self::Pipe(pipe) => {
                let (tls, parameters) = Box::pin(acceptor.handshake(hello, pipe, turn)).await?;
                Ok((Self::PipeTls(Box::new(tls)), parameters))
            }
            Self::Tls(_) | Self::TlsToServer(_) | Self::PipeTls(_) => Err(TlsError::already()),
        }
    }

    /// The TLS handshake, as client of the server at `address`. The deadline is the caller's, and so is what was read
    /// before: see [`Self::starttls`].
    ///
    /// # Errors
    /// What went wrong, such as a certificate that is not trusted; the connection is closed.
    pub async fn secure(self, connector: &Connector, address: SocketAddr) -> io::Result<Self> {
        match self {
            Self::Plain(tcp) => {
                let tls = Box::pin(connector.handshake(tcp, address)).await?;
                Ok(Self::TlsToServer(Box::new(tls)))
            }
            _ => Err(io::Error::other("not a plain connection")),
        }
    }

    /// Ends the connection in good order and without ever waiting: close_notify if there is room for it, FIN; and input
    /// that is already there is thrown away, since closing over unread input makes the kernel send RST, which can take
    /// the last reply away from the client.
    pub async fn close(mut self) {
        let shutdown = std::future::poll_fn(|cx| {
            Poll::Ready(Pin::new(&mut self).poll_shutdown(cx).is_ready())
        });
        tokio::task::unconstrained(shutdown).await;
        match &self {
            Self::Plain(tcp) => discard(tcp),
            Self::Tls(tls) => discard(tls.get_ref().0),
            Self::TlsToServer(tls) => discard(tls.get_ref().0),
            Self::Pipe(_) | Self::PipeTls(_) => {}
        }
    }

    fn poll_read_into(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        if let Self::Plain(tcp) = self
            && limit > SCRATCH
        {
            ready!(tcp.poll_read_ready(cx))?;
            return self.poll_reserved(cx, input, limit);
        }
        if input.capacity() - input.len() >= limit.min(SCRATCH) {
            return self.poll_spare(cx, input, limit);
        }
        let read = ready!(self.poll_scratch(cx, input, limit))?;
        if read < SCRATCH || limit == SCRATCH {
            return Poll::Ready(Ok(read));
        }
        // There is probably more. An error is reported again, or as the end of input, by the next read.
        match self.poll_reserved(cx, input, limit - read) {
            Poll::Ready(Ok(more)) => Poll::Ready(Ok(read + more)),
            _ => Poll::Ready(Ok(read)),
        }
    }

    /// Reads into room made for it; gives that back if the socket had been called ready for nothing.
    fn poll_reserved(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let had = input.capacity();
        input.reserve(limit);
        let read = self.poll_spare(cx, input, limit);
        if read.is_pending() && had == 0 {
            *input = BytesMut::new();
        }
        read
    }

    /// Reads into the room that `input` has.
    fn poll_spare(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let mut room = input.limit(limit);
        pin!(self.read_buf(&mut room)).poll(cx)
    }

    /// Reads at most [`SCRATCH`] octets by way of the stack.
    fn poll_scratch(
        &mut self,
        cx: &mut Context<'_>,
        input: &mut BytesMut,
        limit: usize,
    ) -> Poll<io::Result<usize>> {
        let mut scratch = [MaybeUninit::<u8>::uninit(); SCRATCH];
        let mut whole = ReadBuf::uninit(&mut scratch);
        let mut part = whole.take(limit);
        ready!(Pin::new(self).poll_read(cx, &mut part))?;
        input.extend_from_slice(part.filled());
        Poll::Ready(Ok(part.filled().len()))
    }

    /// One look at a stream in memory, which the runtime's cooperative budget must not hide.
    fn poll_once(&mut self, input: &mut BytesMut, limit: usize) -> io::Result<Option<usize>> {
        let read = tokio::task::unconstrained(self.read_into(input, limit));
        match pin!(read).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Ok(None),
            Poll::Ready(read) => read.map(Some),
        }
    }
}

/// Reads from something that does not block, by way of the stack, until `limit` or a short read.
fn now(mut reader: impl Read, input: &mut BytesMut, limit: usize) -> io::Result<usize> {
    let mut scratch = [0; SCRATCH];
    let mut taken = 0;
    while taken < limit {
        let room = SCRATCH.min(limit - taken);
        match reader.by_ref().take(room as u64).read(&mut scratch) {
            Ok(read) => {
                input.extend_from_slice(scratch.get(..read).unwrap_or_default());
                taken += read;
                if read < room {
                    break;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Reported by the next read, again or as the end of input.
            Err(_) if taken > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// A close without close_notify is an end of input like any other.
fn end_without_notice(read: io::Result<usize>) -> io::Result<usize> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        read => read,
    }
}

/// Throws away what has come and was not read, a bounded amount: a close with input unread is a reset.
pub fn discard(tcp: &TcpStream) {
    let socket = SockRef::from(tcp);
    let mut scratch = [0; SCRATCH];
    for _ in 0..DISCARD / SCRATCH {
        if !matches!((&mut &*socket).read(&mut scratch), Ok(1..)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
