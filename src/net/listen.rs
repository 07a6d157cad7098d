//! Listening sockets: made, bound and set up, and the reason when that fails.
//!
//! Not the accept loop and not admission: those are the application's. IPv6 sockets take IPv6 only, so that the same
//! port can be bound for both families and no client ever appears as `::ffff:a.b.c.d`.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections the kernel completes and keeps for us before we accept them; it cuts this to `net.core.somaxconn`.
pub const BACKLOG: i32 = 1024;

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", self.explain())]
pub struct BindProblem {
    /// The address asked for.
    pub address: SocketAddr,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

impl BindProblem {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self.source.kind() {
            io::ErrorKind::AddrInUse => {
                "take it away from the server that listens there (the MTA itself?), or write another"
            }
            io::ErrorKind::PermissionDenied => {
                "a port below 1024 needs root or CAP_NET_BIND_SERVICE"
            }
            _ => "write an address and port that this machine has",
        }
    }

    fn explain(&self) -> String {
        match self.source.kind() {
            io::ErrorKind::AddrInUse => "the address is in use".to_owned(),
            io::ErrorKind::PermissionDenied => "not permitted".to_owned(),
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
            _ => self.source.to_string(),
        }
    }
}

/// Listens on `address`; port 0 lets the kernel choose one. The socket is non-blocking, closed on exec, and to be
/// registered with a runtime by `tokio::net::TcpListener::from_std`.
///
/// # Errors
/// [`BindProblem`] with the address and the reason.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindProblem> {
    open(address).map_err(|source| BindProblem { address, source })
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    // `Socket::new` sets close-on-exec.
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    // Sockets of the server before us may still be in TIME-WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[test]
    fn both_families_share_a_port() {
        let four = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = four.local_addr().unwrap().port();
        let six = bind(SocketAddr::new("::1".parse().unwrap(), port)).unwrap();
        assert_eq!(six.local_addr().unwrap().port(), port);
        assert!(socket2::SockRef::from(&six).only_v6().unwrap());
    }

    #[test]
    fn the_socket_listens_without_blocking() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_eq!(
            listener.accept().unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    }

    #[test]
    fn an_address_in_use_is_named() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let problem = bind(address).unwrap_err();
        assert_eq!(problem.address, address);
        assert_eq!(problem.source.kind(), io::ErrorKind::AddrInUse);
        let text = problem.to_string();
        assert!(
            text.contains(&address.to_string()) && text.contains("in use"),
            "{text}"
        );
    }

    #[test]
    fn a_foreign_address_is_named() {
        let problem = bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(
            problem.to_string().contains("does not have that address"),
            "{problem}"
        );
    }
}
