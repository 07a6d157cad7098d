//! Listening sockets: those that systemd has opened for us (socket activation, sd_listen_fds(3)) and those we open.
//!
//! A socket that was passed is a listener's by its address, or else by its name (`FileDescriptorName=`), and then in the place
//! of the addresses that are written. It outlives the process, so that no client is refused while another takes over: it is
//! only ever lent, and who comes while nobody accepts waits in it.

use std::net::{SocketAddr, TcpListener};

use listenfd::ListenFd;

use crate::app::StartProblem;
use crate::config::{Config, Snapshot};
use crate::net::listen;

/// What separates the names in `LISTEN_FDNAMES`.
const SEPARATOR: char = ':';

/// The sockets that were passed to this process.
#[derive(Debug, Default)]
pub struct Passed {
    sockets: Vec<PassedSocket>,
    /// What was passed and is of no use.
    pub troubles: Vec<String>,
}

#[derive(Debug)]
struct PassedSocket {
    name: String,
    address: SocketAddr,
    socket: TcpListener,
}

/// An address that a listener has in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app) struct Wanted {
    pub(in crate::app) listener: String,
    pub(in crate::app) address: SocketAddr,
}

impl Wanted {
    /// Whether one socket does for both. Where the kernel chooses the port, the listener must be the same.
    pub(in crate::app) fn is_served_by(&self, other: &Self) -> bool {
        let any_port = self.address.port() == 0;
        self.address == other.address && (!any_port || self.listener == other.listener)
    }
}

/// A listener's socket: of the standard library before there is a runtime, tokio's from then on.
#[derive(Debug)]
pub(in crate::app) struct Open<S = TcpListener> {
    pub(in crate::app) wanted: Wanted,
    /// Where it listens in truth.
    pub(in crate::app) address: SocketAddr,
    pub(in crate::app) socket: S,
    pub(in crate::app) origin: Origin,
}

impl Open {
    /// Registers it with the runtime.
    pub(in crate::app) fn register(self) -> Result<Open<tokio::net::TcpListener>, StartProblem> {
        let socket = tokio::net::TcpListener::from_std(self.socket);
        Ok(Open {
            wanted: self.wanted,
            address: self.address,
            socket: socket.map_err(StartProblem::Socket)?,
            origin: self.origin,
        })
    }
}

/// Where a socket comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) enum Origin {
    /// We have opened it.
    Own,
    /// It was passed, and has an address that was wanted.
    Passed,
    /// It was passed under the listener's name.
    PassedByName,
}

/// Every socket of a configuration.
#[derive(Debug)]
pub struct Sockets {
    pub(in crate::app) listeners: Vec<Open>,
    pub(in crate::app) admin: Vec<(SocketAddr, TcpListener)>,
    /// With the addresses they were opened for.
    pub(in crate::app) ident: Vec<(SocketAddr, TcpListener)>,
    pub(in crate::app) passed: Passed,
}

impl Passed {
    /// What the environment says was passed (`LISTEN_PID`, `LISTEN_FDS`, `LISTEN_FDNAMES`). To be called once, before anything
    /// else is opened.
    #[must_use]
    pub fn from_environment() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(SEPARATOR);
        let mut descriptors = ListenFd::from_env();
        let mut passed = Self::default();
        for index in 0..descriptors.len() {
            let name = names.next().unwrap_or_default().to_owned();
            let taken = descriptors.take_tcp_listener(index);
            match taken.and_then(|socket| ready(socket, name)) {
                Ok(socket) => passed.sockets.push(socket),
                Err(error) => passed.troubles.push(error.to_string()),
            }
        }
        passed
    }

    /// A loan of the socket at `address`.
    fn at(&self, address: SocketAddr) -> Option<&PassedSocket> {
        self.sockets.iter().find(|passed| passed.address == address)
    }

    /// Those that have a listener's name, and no address that anybody wants.
    fn named<'a>(&'a self, listener: &'a str, config: &'a Config) -> Vec<&'a PassedSocket> {
        let all = wanted(config);
        let free = |passed: &&PassedSocket| {
            passed.name == listener && !all.iter().any(|one| one.address == passed.address)
        };
        self.sockets.iter().filter(free).collect()
    }

    /// Those that no listener has: who comes there waits in vain.
    pub(in crate::app) fn unused(&self, config: &Config) -> Vec<SocketAddr> {
        let all = wanted(config);
        let is_used = |passed: &PassedSocket| {
            all.iter().any(|one| one.address == passed.address)
                || config.listen.contains_key(&passed.name)
        };
        let unused = self.sockets.iter().filter(|passed| !is_used(passed));
        unused.map(|passed| passed.address).collect()
    }
}

fn ready(socket: Option<TcpListener>, name: String) -> std::io::Result<PassedSocket> {
    let socket = socket.ok_or_else(|| std::io::Error::other("a descriptor was passed twice"))?;
    if !socket2::SockRef::from(&socket).is_listener()? {
        let error = format!("the socket {name:?} does not listen (Accept=no is wanted)");
        return Err(std::io::Error::other(error));
    }
    socket.set_nonblocking(true)?;
    Ok(PassedSocket {
        name,
        address: socket.local_addr()?,
        socket,
    })
}

impl Sockets {
    /// Opens every socket of `snapshot` that was not `passed`.
    ///
    /// # Errors
    ///
    /// An address that can not be had; nothing stays open then.
    pub fn open(snapshot: &Snapshot, passed: Passed) -> Result<Self, StartProblem> {
        let listeners = listeners(snapshot, &passed, &[])?;
        let config = &snapshot.config;
        Ok(Self {
            listeners,
            admin: bind_all(snapshot, "admin.address", &config.admin.address)?,
            ident: ident(snapshot, &[])?,
            passed,
        })
    }
}

/// Everything that the listeners want.
fn wanted(config: &Config) -> Vec<Wanted> {
    let listeners = config.listen.iter();
    let one = |(name, listen): (&String, &crate::config::Listen)| {
        let name = name.clone();
        let wanted = move |address: &SocketAddr| Wanted {
            listener: name.clone(),
            address: *address,
        };
        listen.address.iter().map(wanted).collect::<Vec<_>>()
    };
    listeners.flat_map(one).collect()
}

/// What a socket that was opened for `had` serves in `config`, if anything.
pub(in crate::app) fn served(config: &Config, had: &Wanted, origin: Origin) -> Option<Wanted> {
    if origin == Origin::PassedByName {
        let still = config.listen.contains_key(&had.listener);
        return still.then(|| had.clone());
    }
    wanted(config).into_iter().find(|one| one.is_served_by(had))
}

/// Opens what the listeners of `snapshot` want and none of `have` serves.
pub(in crate::app) fn listeners(
    snapshot: &Snapshot,
    passed: &Passed,
    have: &[(Wanted, Origin)],
) -> Result<Vec<Open>, StartProblem> {
    let config = &snapshot.config;
    let mut opened = Vec::new();
    for (name, listen) in &config.listen {
        let has_named = |(had, origin): &(Wanted, Origin)| {
            *origin == Origin::PassedByName && had.listener == *name
        };
        if have.iter().any(has_named) {
            continue;
        }
        let named = passed.named(name, config);
        let mut lent = |wanted: &Wanted, socket: &PassedSocket, origin| {
            let address = socket.address;
            let socket = socket.socket.try_clone().map_err(StartProblem::Socket)?;
            let wanted = wanted.clone();
            opened.push(Open {
                wanted,
                address,
                socket,
                origin,
            });
            Ok::<(), StartProblem>(())
        };
        let mut left = Vec::new();
        for address in &listen.address {
            let wanted = Wanted {
                listener: name.clone(),
                address: *address,
            };
            match passed.at(*address) {
                _ if have.iter().any(|(had, _)| wanted.is_served_by(had)) => {}
                Some(socket) => lent(&wanted, socket, Origin::Passed)?,
                None => left.push(wanted),
            }
        }
        if let (Some(first), false) = (left.first(), named.is_empty()) {
            for socket in named {
                lent(first, socket, Origin::PassedByName)?;
            }
            continue;
        }
        for wanted in left {
            let key = format!("listen.{name}.address");
            let socket = bind(snapshot, &key, wanted.address)?;
            let address = socket.local_addr().map_err(StartProblem::Socket)?;
            let origin = Origin::Own;
            opened.push(Open {
                wanted,
                address,
                socket,
                origin,
            });
        }
    }
    Ok(opened)
}

/// Opens what `[ident]` wants and `have` has not, each with the address it was opened for.
pub(in crate::app) fn ident(
    snapshot: &Snapshot,
    have: &[SocketAddr],
) -> Result<Vec<(SocketAddr, TcpListener)>, StartProblem> {
    let wanted = snapshot.config.ident.address.iter();
    let new = wanted.filter(|address| !have.contains(address));
    new.map(|address| Ok((*address, bind(snapshot, "ident.address", *address)?)))
        .collect()
}

/// Takes addresses of another service than mail, with where they listen in truth.
fn bind_all(
    snapshot: &Snapshot,
    key: &str,
    addresses: &[SocketAddr],
) -> Result<Vec<(SocketAddr, TcpListener)>, StartProblem> {
    let one = |address: &SocketAddr| {
        let socket = bind(snapshot, key, *address)?;
        let address = socket.local_addr().map_err(StartProblem::Socket)?;
        Ok((address, socket))
    };
    addresses.iter().map(one).collect()
}

/// Takes an address; `key` is where it stands in the configuration.
fn bind(snapshot: &Snapshot, key: &str, address: SocketAddr) -> Result<TcpListener, StartProblem> {
    listen::bind(address).map_err(|problem| {
        let told = snapshot.problem(key, &problem.to_string(), problem.advice());
        StartProblem::Bind {
            problem,
            told: Box::new(told),
        }
    })
}

#[cfg(test)]
mod tests;
