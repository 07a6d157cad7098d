//! The connection to the backend: which address, from which address of ours, announced by which PROXY header. TLS comes
//! behind the header, in [`tls`].
//!
//! One connection serves one client address only (PROXY protocol, section 2), so there is no pool. Not the SMTP
//! dialogue: after [`connect`] the backend's 220 is still to come, and nothing may be sent before it.
//!
//! The source address is the lock on the backend's relay rights: if it cannot be bound, no connection is made from
//! another. And no client is announced that would be given the rights of this host by mistake.

mod tls;

pub(in crate::net) use tls::roots;
pub use tls::{Connector, Trust, TrustProblem, tls_with_anyone};

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::IpBindAddressNoPort;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::net::proxy_header::{self, Version};
use crate::net::{Stream, is_host};

/// Where to connect, and how.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The server.
    pub address: SocketAddr,
    /// The address of ours to connect from; the kernel chooses if `None`.
    pub source: Option<IpAddr>,
    /// The PROXY header; `None` names no client to the backend.
    pub header: Option<Version>,
    /// Whether a client on a loopback address may be announced. It may hold relay rights at the backend, so only
    /// where such clients are meant to come.
    pub loopback_clients: bool,
    /// Until it is connected and has been told.
    pub timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The client's address must not, or cannot, be given to the backend. Nothing was tried.
    #[error("client address {0} must not be announced to the backend")]
    Client(IpAddr),
    /// It failed.
    #[error("no connection to the backend: {address}: {failure}")]
    Failed {
        /// The backend's address.
        address: SocketAddr,
        /// What went wrong with it.
        failure: Failure,
    },
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// No answer within the time.
    #[error("no answer in time")]
    Timeout,
    /// No way there.
    #[error("unreachable: {0}")]
    Unreachable(io::Error),
    /// It was connected, and lost before the PROXY header was out.
    #[error("lost while the PROXY header was sent: {0}")]
    Header(io::Error),
    /// The source address cannot be bound.
    #[error("cannot use source address {address}: {error}")]
    Bind {
        /// The source address.
        address: IpAddr,
        /// What the operating system said.
        error: io::Error,
    },
    /// The source address is IPv4 and the backend's IPv6, or the other way round.
    #[error("source address {0} is of the other family")]
    SourceFamily(IpAddr),
    /// Out of descriptors, ports or memory.
    #[error("out of resources: {0}")]
    Resources(io::Error),
    /// Anything else.
    #[error("{0}")]
    Other(io::Error),
}

/// On whose side the trouble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Our host or our configuration: trying again will not help before somebody sees to it.
    Us,
    /// The backend or the way to it: it counts as down.
    Backend,
}

impl Failure {
    /// On whose side the trouble is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Bind { .. } | Self::SourceFamily(_) | Self::Resources(_) => Blame::Us,
            _ => Blame::Backend,
        }
    }

    /// Its name, for metric and log.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Header(_) => "header",
            Self::Bind { .. } => "bind",
            Self::SourceFamily(_) => "source_family",
            Self::Resources(_) => "resources",
            Self::Other(_) => "other",
        }
    }

    fn of(error: io::Error) -> Self {
        if let Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM) =
            error.raw_os_error().map(Errno::from_raw)
        {
            return Self::Resources(error);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::Timeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Unreachable(error)
            }
            // When connecting, it is the local ports that have run out.
            io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Self::Resources(error),
            _ => Self::Other(error),
        }
    }
}

impl ConnectError {
    /// On whose side the trouble is.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Client(_) => Blame::Us,
            Self::Failed { failure, .. } => failure.blame(),
        }
    }

    /// Its name, for metric and log.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Client(_) => "client_address",
            Self::Failed { failure, .. } => failure.label(),
        }
    }
}

/// Connects, and sends the PROXY header for `client`, who connected to `local`, in one write before anything else.
///
/// # Errors
/// [`ConnectError`] with the reason.
pub async fn connect(
    target: Target,
    client: SocketAddr,
    local: SocketAddr,
) -> Result<Stream, ConnectError> {
    let header = match target.header {
        Some(version) => {
            if !may_be_told_of(client.ip(), target.loopback_clients) {
                return Err(ConnectError::Client(client.ip().to_canonical()));
            }
            proxy_header::write(version, client, local)
        }
        None => Vec::new(),
    };
    // Boxed, so that a session that has no backend yet does not carry room for this.
    let connecting = Box::pin(attempt(target.address, target.source, &header));
    match timeout(target.timeout, connecting).await {
        Ok(Ok(tcp)) => Ok(Stream::plain(tcp)),
        Ok(Err(failure)) => Err(failed(target.address, failure)),
        Err(_) => Err(failed(target.address, Failure::Timeout)),
    }
}

fn failed(address: SocketAddr, failure: Failure) -> ConnectError {
    ConnectError::Failed { address, failure }
}

/// Whether a backend may hear of a client at this address. It could take one on loopback for a program of its own host
/// and relay for it; `loopback_clients` says that it does not.
#[must_use]
pub fn may_be_told_of(client: IpAddr, loopback_clients: bool) -> bool {
    let client = client.to_canonical();
    is_host(client) && (loopback_clients || !client.is_loopback())
}

async fn attempt(
    address: SocketAddr,
    source: Option<IpAddr>,
    header: &[u8],
) -> Result<TcpStream, Failure> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(Failure::of)?;
    if let Some(source) = source {
        bind(&socket, source, address)?;
    }
    let mut tcp = socket.connect(address).await.map_err(Failure::of)?;
    // Before the header: it must leave at once.
    tcp.set_nodelay(true).map_err(Failure::Header)?;
    if !header.is_empty() {
        tcp.write_all(header).await.map_err(Failure::Header)?;
    }
    Ok(tcp)
}

fn bind(socket: &TcpSocket, source: IpAddr, address: SocketAddr) -> Result<(), Failure> {
    if source.is_ipv4() != address.is_ipv4() {
        return Err(Failure::SourceFamily(source));
    }
    // The kernel then chooses the port when it connects, one that is free toward this backend: as many connections as
    // without a source address. Where it can not be set, there are fewer ports and nothing else is different.
    let _ = setsockopt(socket, IpBindAddressNoPort, &true);
    socket
        .bind(SocketAddr::new(source, 0))
        .map_err(|error| Failure::Bind {
            address: source,
            error,
        })
}

#[cfg(test)]
mod tests;
