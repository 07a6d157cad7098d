//! A small authoritative DNS server on one loopback port, UDP and TCP (RFC 1035, RFC 7766), for `gatepost demo` and for
//! tests.
//!
//! Its zone is in memory. For tests it can be told to misbehave name by name, and it counts what it is asked. It is no
//! server for the internet: no DNSSEC, no zone transfer, no rate limit.
//!
//! It spawns nothing: whoever starts it runs [`Server::serve`].

mod zone;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hickory_resolver::proto::op::{Edns, Message, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;

pub use self::zone::Zone;

/// Largest answer over UDP to a question without EDNS (RFC 1035 §4.2.1), octets.
const PLAIN_UDP: u16 = 512;
/// Largest answer over UDP at all, octets.
const MOST_UDP: u16 = 1232;
/// Questions being answered and connections served at one time; beyond it they are let fall.
pub(in crate::cli) const MOST_AT_ONCE: usize = 4096;
/// A connection without a question for this long is closed.
pub(in crate::cli) const IDLE: Duration = Duration::from_secs(10);

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

/// Over what a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
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
        let Self { udp, tcp, control } = self;
        let udp = Arc::new(udp);
        let mut packet = [0; 4096];
        let mut work: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                received = udp.recv_from(&mut packet) => {
                    let Ok((length, from)) = received else { continue };
                    let question = packet.get(..length).unwrap_or_default().to_vec();
                    if work.len() < MOST_AT_ONCE {
                        work.push(Box::pin(answer_udp(control.clone(), Arc::clone(&udp), question, from)));
                    }
                }
                accepted = tcp.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    if work.len() < MOST_AT_ONCE {
                        work.push(Box::pin(answer_tcp(control.clone(), stream)));
                    }
                }
                Some(()) = work.next() => {}
            }
        }
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

    /// The octets that answer `question`; `None` when nothing is to be sent.
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

/// An empty response to `question`.
pub(in crate::cli) fn respond(question: &Message, code: ResponseCode) -> Message {
    let asked = &question.metadata;
    let mut answer = Message::response(asked.id, asked.op_code);
    answer.metadata.recursion_desired = asked.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.metadata.response_code = code;
    answer.add_queries(question.queries.iter().cloned());
    if question.edns.is_some() {
        let mut edns = Edns::new();
        edns.set_max_payload(MOST_UDP);
        answer.set_edns(edns);
    }
    answer
}

pub(in crate::cli) fn most_udp(question: &Message) -> usize {
    let taken = question.edns.as_ref().map_or(PLAIN_UDP, Edns::max_payload);
    taken.clamp(PLAIN_UDP, MOST_UDP).into()
}

pub(in crate::cli) async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    // A port that is free for one may be taken for the other.
    for _ in 0..16 {
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if address.port() != 0 => return Err(error),
            Err(_) => {}
        }
    }
    Err(io::Error::from(io::ErrorKind::AddrInUse))
}

async fn answer_udp(control: Control, udp: Arc<UdpSocket>, question: Vec<u8>, from: SocketAddr) {
    if let Some(answer) = control.answer(&question, Transport::Udp).await {
        // Nobody there any more is as good as a lost packet.
        let _sent = udp.send_to(&answer, from).await;
    }
}

async fn answer_tcp(control: Control, mut stream: TcpStream) {
    while let Ok(Ok(question)) = tokio::time::timeout(IDLE, read_question(&mut stream)).await {
        let Some(answer) = control.answer(&question, Transport::Tcp).await else {
            return;
        };
        let Ok(length) = u16::try_from(answer.len()) else {
            return;
        };
        let framed = [&length.to_be_bytes()[..], &answer].concat();
        if stream.write_all(&framed).await.is_err() {
            return;
        }
    }
}

pub(in crate::cli) async fn read_question(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut question = vec![0; length.into()];
    stream.read_exact(&mut question).await?;
    Ok(question)
}
