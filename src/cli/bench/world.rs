//! The DNS of a trace, served to the server under test: names, reverse names and mail exchangers, and lists that change
//! with the virtual time, are late, lose answers and have trouble as the trace says.
//!
//! UDP and TCP on one port. Authoritative for everything: a name that is not in the trace does not exist, so no question
//! leaves the machine.

mod zone;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hickory_resolver::proto::op::{Message, ResponseCode};
use tokio::net::{TcpListener, UdpSocket};

use super::clock::Clock;
use crate::cli::name_server::{self, Desk, Transport, bind_both, most_udp, respond};
use zone::folded;
pub(super) use zone::{LIST_TTL, Names};

/// A server of a world, bound and not yet serving. Several may serve one world, each with its own count.
pub(super) struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    desk: Counter,
}

/// How many questions came, repeated ones included.
#[derive(Debug, Default)]
pub(super) struct Asked {
    questions: AtomicU64,
    tests: AtomicU64,
}

impl Asked {
    /// All but the tests of lists.
    pub(super) fn questions(&self) -> u64 {
        self.questions.load(Ordering::Relaxed)
    }

    /// Those with which a gate tests its lists. They go by the virtual clock: in a second as many as else in many minutes.
    pub(super) fn tests(&self) -> u64 {
        self.tests.load(Ordering::Relaxed)
    }
}

/// What answers.
#[derive(Clone)]
struct Counter {
    names: Arc<Names>,
    clock: Clock,
    tests: Arc<HashSet<String>>,
    asked: Arc<Asked>,
}

impl Server {
    /// Binds UDP and TCP on the same port of `address`; port 0 takes a free one. Questions for `tests` are counted apart.
    pub(super) async fn bind(
        names: Arc<Names>,
        clock: Clock,
        tests: Arc<HashSet<String>>,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let (udp, tcp) = bind_both(address).await?;
        let desk = Counter {
            names,
            clock,
            tests,
            asked: Arc::default(),
        };
        Ok(Self { udp, tcp, desk })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// How many questions came.
    pub(super) fn asked(&self) -> Arc<Asked> {
        Arc::clone(&self.desk.asked)
    }

    /// Answers until it is dropped. Trouble with one question or connection ends that one only.
    pub(super) async fn serve(self) {
        name_server::serve(self.udp, self.tcp, self.desk).await;
    }
}

impl Desk for Counter {
    async fn answer(&self, question: &[u8], transport: Transport) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        let query = question.queries.first()?;
        let count = match self.tests.contains(&folded(&query.name().to_ascii())) {
            true => &self.asked.tests,
            false => &self.asked.questions,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let delay = self.names.delay(query)?;
        let mut answer = respond(&question, ResponseCode::NoError);
        if !self.names.fill(&mut answer, self.clock.now()) {
            return None;
        }
        tokio::time::sleep(self.clock.wait(delay)).await;
        let octets = answer.to_vec().ok()?;
        match transport == Transport::Udp && octets.len() > most_udp(&question) {
            true => answer.truncate().to_vec().ok(),
            false => Some(octets),
        }
    }
}
