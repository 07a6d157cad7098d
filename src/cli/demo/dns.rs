//! A small authoritative DNS server on one loopback port, UDP and TCP (RFC 1035, RFC 7766), for `gatepost demo` and for
//! tests.
//!
//! Its zone is in memory. For tests it can be told to misbehave name by name, and it counts what it is asked. Its sockets are
//! those of `cli::name_server`. It spawns nothing: whoever starts it runs [`Server::serve`].

mod zone;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;

pub use self::zone::Zone;
pub use crate::cli::name_server::Transport;
use crate::cli::name_server::{self, Desk, bind_both, most_udp, respond};

/// How the server treats questions for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers from the zone.
    Answer,
    /// Answers from the zone after a while.
    Delay(Duration),
    /// Answers from the zone once [`Control::release`] is called.
    Hold,
    /// Answers this code without records.
    Refuse(Code),
    /// Never answers.
    Drop,
    /// Answers with octets that are no DNS message.
    Garbage,
    /// Answers from the zone, but says over UDP that the answer did not fit.
    Truncate,
}

/// A response code that says that something went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// SERVFAIL.
    ServFail,
    /// REFUSED.
    Refused,
}

/// The server, bound but not yet serving.
#[derive(Debug)]
pub struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    control: Control,
}

/// A handle on a server, before and while it serves.
#[derive(Clone, Debug)]
pub struct Control {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    released: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    zone: Zone,
    manners: HashMap<String, Manner>,
    asked: HashMap<(String, Transport), u64>,
}

impl Server {
    /// Binds UDP and TCP on the same port of `address`; port 0 takes a free one.
    ///
    /// # Errors
    ///
    /// When the port can not be bound.
    pub async fn bind(zone: Zone, address: SocketAddr) -> io::Result<Self> {
        let (udp, tcp) = bind_both(address).await?;
        let state = State {
            zone,
            manners: HashMap::new(),
            asked: HashMap::new(),
        };
        let control = Control {
            address: udp.local_addr()?,
            state: Arc::new(Mutex::new(state)),
            released: watch::Sender::new(()),
        };
        Ok(Self { udp, tcp, control })
    }

    /// Binds a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn bind_loopback(zone: Zone) -> io::Result<Self> {
        Self::bind(zone, SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await
    }

    /// A handle on this server.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Answers until it is dropped. Trouble with one question or connection ends that one only.
    pub async fn serve(self) {
        name_server::serve(self.udp, self.tcp, self.control).await;
    }
}

impl Control {
    /// Where the server listens, UDP and TCP.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the zone.
    pub fn change(&self, change: impl FnOnce(&mut Zone)) {
        change(&mut self.lock().zone);
    }

    /// From now on questions for `name` are treated in this manner.
    pub fn treat(&self, name: &str, manner: Manner) {
        self.lock().manners.insert(zone::folded(name), manner);
    }

    /// Lets questions for `name` that are held be answered, and those to come too.
    pub fn release(&self, name: &str) {
        self.treat(name, Manner::Answer);
        self.released.send_replace(());
    }

    /// How often `name` was asked for, whatever the type, over `transport`.
    #[must_use]
    pub fn asked(&self, name: &str, transport: Transport) -> u64 {
        let key = (zone::folded(name), transport);
        self.lock().asked.get(&key).copied().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the question and tells how to treat it.
    fn manner(&self, name: &str, transport: Transport) -> Manner {
        let mut state = self.lock();
        *state.asked.entry((name.to_owned(), transport)).or_default() += 1;
        state.manners.get(name).copied().unwrap_or(Manner::Answer)
    }

    /// Waits until questions for `name` are no longer held.
    async fn held(&self, name: &str) {
        let mut released = self.released.subscribe();
        while self.lock().manners.get(name) == Some(&Manner::Hold) {
            if released.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Desk for Control {
    async fn answer(&self, question: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let name = zone::folded(&question.queries.first()?.name().to_ascii());
        let manner = self.manner(&name, transport);
        match manner {
            Manner::Drop => return None,
            Manner::Garbage => return Some(vec![0xff; 24]),
            Manner::Refuse(code) => return respond(&question, code.into()).to_vec().ok(),
            Manner::Delay(time) => tokio::time::sleep(time).await,
            Manner::Hold => self.held(&name).await,
            Manner::Answer | Manner::Truncate => {}
        }
        let mut answer = respond(&question, ResponseCode::NoError);
        self.lock().zone.fill(&mut answer);
        let octets = answer.to_vec().ok()?;
        let fits = transport == Transport::Tcp
            || (octets.len() <= most_udp(&question) && manner != Manner::Truncate);
        if fits {
            Some(octets)
        } else {
            answer.truncate().to_vec().ok()
        }
    }
}

impl From<Code> for ResponseCode {
    fn from(code: Code) -> Self {
        match code {
            Code::ServFail => Self::ServFail,
            Code::Refused => Self::Refused,
        }
    }
}
