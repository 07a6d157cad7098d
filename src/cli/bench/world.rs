//! The DNS of a trace, served to the server under test: names, reverse names and mail exchangers, and lists that change
//! with the virtual time, are late, lose answers and have trouble as the trace says.
//!
//! UDP and TCP on one port. Authoritative for everything: a name that is not in the trace does not exist, so no question
//! leaves the machine.

mod zone;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hickory_resolver::proto::op::{Message, ResponseCode};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::clock::Clock;
use crate::cli::demo::dns::{IDLE, MOST_AT_ONCE, bind_both, most_udp, read_question, respond};
pub(super) use zone::Names;

/// A server of a world, bound and not yet serving. Several may serve one world, each with its own count.
pub(super) struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    desk: Desk,
}

/// What answers.
#[derive(Clone)]
struct Desk {
    names: Arc<Names>,
    clock: Clock,
    asked: Arc<AtomicU64>,
}

impl Server {
    /// Binds UDP and TCP on the same port of `address`; port 0 takes a free one.
    pub(super) async fn bind(
        names: Arc<Names>,
        clock: Clock,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let (udp, tcp) = bind_both(address).await?;
        let desk = Desk {
            names,
            clock,
            asked: Arc::default(),
        };
        Ok(Self { udp, tcp, desk })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr()
    }

    /// How many questions came, repeated ones included.
    pub(super) fn asked(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.desk.asked)
    }

    /// Answers until it is dropped. Trouble with one question or connection ends that one only.
    pub(super) async fn serve(self) {
        let Self { udp, tcp, desk } = self;
        let udp = Arc::new(udp);
        let mut packet = [0; 4096];
        let mut work: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
        loop {
            tokio::select! {
                received = udp.recv_from(&mut packet) => {
                    let Ok((length, from)) = received else { continue };
                    let question = packet.get(..length).unwrap_or_default().to_vec();
                    if work.len() < MOST_AT_ONCE {
                        work.push(Box::pin(answer_udp(desk.clone(), Arc::clone(&udp), question, from)));
                    }
                }
                accepted = tcp.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    if work.len() < MOST_AT_ONCE {
                        work.push(Box::pin(answer_tcp(desk.clone(), stream)));
                    }
                }
                Some(()) = work.next() => {}
            }
        }
    }
}

impl Desk {
    /// The octets that answer; `None` when nothing is to be sent.
    async fn answer(&self, question: &[u8], udp: bool) -> Option<Vec<u8>> {
        let question = Message::from_vec(question).ok()?;
        self.asked.fetch_add(1, Ordering::Relaxed);
        let query = question.queries.first()?;
        let delay = self.names.delay(query)?;
        let mut answer = respond(&question, ResponseCode::NoError);
        if !self.names.fill(&mut answer, self.clock.now()) {
            return None;
        }
        tokio::time::sleep(self.clock.wait(delay)).await;
        let octets = answer.to_vec().ok()?;
        match udp && octets.len() > most_udp(&question) {
            true => answer.truncate().to_vec().ok(),
            false => Some(octets),
        }
    }
}

async fn answer_udp(desk: Desk, udp: Arc<UdpSocket>, question: Vec<u8>, from: SocketAddr) {
    if let Some(answer) = desk.answer(&question, true).await {
        // Nobody there any more is as good as a lost packet.
        let _sent = udp.send_to(&answer, from).await;
    }
}

async fn answer_tcp(desk: Desk, mut stream: TcpStream) {
    while let Ok(Ok(question)) = tokio::time::timeout(IDLE, read_question(&mut stream)).await {
        let Some(answer) = desk.answer(&question, false).await else {
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
