//! A backend that does what its script says: loopback sockets, a PROXY header first, then SMTP with faults in it.
//!
//! It writes down everything it is sent. gatepost's own question at its start, which comes in the name of a
//! documentation address, is answered well and kept apart.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::session::{Seen, serve};

/// How long anything on loopback may take, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// In whose name gatepost asks what the backend offers.
const PROBE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Where in a session something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Stage {
    Greeting,
    Ehlo,
    StartTls,
    Mail,
    Rcpt,
    Data,
    /// After the first octets of mail data.
    Body,
    Dot,
    Rset,
}

/// What happens there instead of the usual reply. Other replies are the usual ones.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// These octets for a reply.
    Say(Vec<u8>),
    /// These octets, then FIN.
    SayAndClose(Vec<u8>),
    /// The usual reply and these octets behind it, in one write.
    Add(Vec<u8>),
    /// FIN.
    Close,
    /// RST.
    Reset,
    /// These octets, then RST.
    SayAndReset(Vec<u8>),
    /// Nothing, neither read nor written, until [`Backend::release`]; then on as usual.
    Hold,
}

/// What one connection does.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    /// EHLO keywords.
    pub(crate) keywords: &'static [&'static str],
    pub(crate) acts: HashMap<Stage, Act>,
    /// Which occurrences of a stage are meant, the first being 0.
    pub(crate) when: Range<usize>,
}

pub(crate) const PIPELINING: &[&str] = &["SIZE 50000000", "8BITMIME", "PIPELINING"];
pub(crate) const ONE_BY_ONE: &[&str] = &["SIZE 50000000", "8BITMIME"];

impl Script {
    pub(crate) fn new(keywords: &'static [&'static str]) -> Self {
        Self {
            keywords,
            acts: HashMap::new(),
            when: 0..usize::MAX,
        }
    }

    pub(crate) fn with(mut self, stage: Stage, act: Act) -> Self {
        self.acts.insert(stage, act);
        self
    }

    /// Only at these occurrences of its stages.
    pub(crate) fn when(mut self, when: Range<usize>) -> Self {
        self.when = when;
        self
    }
}

/// What tests and connections share.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) sessions: Vec<Seen>,
    /// Connections of gatepost's own question that have ended.
    probed: usize,
    /// The commands of the last of them.
    question: Vec<String>,
    /// Connections that have reached their script's act.
    pub(crate) acted: usize,
    pub(crate) released: bool,
    /// Whether gatepost's own question gets no greeting until [`Backend::release`].
    mute: bool,
    over: bool,
}

/// [`State`], and a bell that rings when it changes.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    bell: Condvar,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A test that fails while it looks must still let the others go.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.state());
        self.bell.notify_all();
        result
    }

    /// Waits until `look` finds something; `None` when patience is over.
    pub(crate) fn until<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(found) = look(&state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let woken = self.bell.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// A backend; it ends with its handle.
#[derive(Debug)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Backend {
    /// The first client's connection follows the first script, and so on; the last script goes on for ever.
    /// gatepost's own question is told the keywords `probe`.
    pub(crate) fn start(probe: &'static [&'static str], scripts: Vec<Script>) -> Self {
        Self::start_with_probe(Script::new(probe), scripts)
    }

    /// The same with a script for gatepost's own question.
    pub(crate) fn start_with_probe(probe: Script, scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::start_on(listener, probe, scripts)
    }

    /// The same on a socket that is there.
    pub(crate) fn start_on(listener: TcpListener, probe: Script, scripts: Vec<Script>) -> Self {
        // Small, so that a message does not fit.
        socket2::SockRef::from(&listener)
            .set_recv_buffer_size(64 * 1024)
            .unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let state = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if state.state().over {
                    return;
                }
                let state = Arc::clone(&state);
                let (probe, scripts) = (probe.clone(), scripts.clone());
                let stream = stream.unwrap();
                thread::spawn(move || begin(stream, &state, &probe, &scripts));
            }
        });
        Self { address, shared }
    }

    /// From now on gatepost's own question is not greeted, until [`Backend::release`].
    pub(crate) fn keep_silent(&self) {
        self.shared.change(|state| state.mute = true);
    }

    /// Waits until gatepost has asked what is offered.
    #[track_caller]
    pub(crate) fn probed(&self) {
        self.wait("gatepost asks", |state| (state.probed > 0).then_some(()));
    }

    /// The commands of gatepost's last question.
    pub(crate) fn question(&self) -> Vec<String> {
        self.shared.state().question.clone()
    }

    /// Waits until so many connections have reached their script's act.
    #[track_caller]
    pub(crate) fn acted(&self, times: usize) {
        self.wait("acts", |state| (state.acted >= times).then_some(()));
    }

    /// Ends [`Act::Hold`], now and for later.
    pub(crate) fn release(&self) {
        self.shared.change(|state| state.released = true);
    }

    /// What was seen on all connections, once there are so many and all have ended.
    #[track_caller]
    pub(crate) fn ended(&self, least: usize) -> Vec<Seen> {
        self.wait("connections end", |state| {
            let ended = state.sessions.iter().all(|seen| seen.end.is_some());
            (ended && state.sessions.len() >= least).then(|| state.sessions.clone())
        })
    }

    /// Connections of clients so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.state().sessions.len()
    }

    /// Waits for a condition of the sessions.
    #[track_caller]
    pub(crate) fn sees(&self, what: &str, mut condition: impl FnMut(&[Seen]) -> bool) {
        self.wait(what, |state| condition(&state.sessions).then_some(()));
    }

    #[track_caller]
    fn wait<T>(&self, what: &str, look: impl FnMut(&State) -> Option<T>) -> T {
        let found = self.shared.until(look);
        found.unwrap_or_else(|| panic!("in vain until {what}: {:#?}", self.shared.state()))
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.over = true;
            state.released = true;
        });
        // Wakes the listener up.
        let _ = TcpStream::connect(self.address);
    }
}

/// An address where nobody listens, for as long as the socket is held: nobody else can be given it meanwhile.
pub(crate) fn nowhere() -> (socket2::Socket, SocketAddr) {
    let held = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    held.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
        .unwrap();
    let address = held.local_addr().unwrap().as_socket().unwrap();
    (held, address)
}

/// One connection: by its PROXY header a client's, which takes the next script, or gatepost's own.
fn begin(mut stream: TcpStream, shared: &Shared, probe: &Script, scripts: &[Script]) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    let Ok(client) = proxy_header(&mut stream) else {
        return;
    };
    if client == PROBE {
        let mut seen = Seen::new(client);
        let probe = match shared.state().mute {
            true => &probe.clone().with(Stage::Greeting, Act::Hold),
            false => probe,
        };
        let _ = serve(stream, probe, shared, &mut |change| {
            change(&mut seen);
        });
        shared.change(|state| {
            state.probed += 1;
            state.question = seen.commands;
        });
        return;
    }
    let number = shared.change(|state| {
        state.sessions.push(Seen::new(client));
        state.sessions.len() - 1
    });
    let script = scripts.get(number).or(scripts.last()).unwrap();
    let end = serve(stream, script, shared, &mut |change| {
        shared.change(|state| change(&mut state.sessions[number]));
    });
    shared.change(|state| state.sessions[number].end = Some(end));
}

/// Reads a PROXY header, version 2, and returns the client's address (PROXY protocol, section 2.2).
fn proxy_header(stream: &mut TcpStream) -> io::Result<IpAddr> {
    let mut head = [0; 16];
    stream.read_exact(&mut head)?;
    assert!(
        head.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21\x11"),
        "{head:?}"
    );
    let mut rest = vec![0; usize::from(u16::from_be_bytes([head[14], head[15]]))];
    stream.read_exact(&mut rest)?;
    Ok(IpAddr::from([rest[0], rest[1], rest[2], rest[3]]))
}

/// Closes with RST.
pub(crate) fn reset(stream: &TcpStream) {
    let linger = Some(Duration::ZERO);
    socket2::SockRef::from(stream).set_linger(linger).unwrap();
}

/// Writes; a peer that has gone is no fault of the backend's.
pub(crate) fn say(mut stream: &TcpStream, octets: &[u8]) -> io::Result<()> {
    stream.write_all(octets)
}
