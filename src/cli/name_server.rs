//! The sockets of a small DNS server on one loopback port, UDP and TCP (RFC 1035 §4.2, RFC 7766): the one of `gatepost demo` and
//! that of `gatepost bench`, which differ in what they answer from ([`Desk`]).
//!
//! No server for the internet: no DNSSEC, no zone transfer, no rate limit. It spawns nothing: whoever starts it runs
//! [`serve`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hickory_resolver::proto::op::{Edns, Message, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// Largest answer over UDP to a question without EDNS (RFC 1035 §4.2.1), octets.
const PLAIN_UDP: u16 = 512;
/// Largest answer over UDP at all, octets.
const MOST_UDP: u16 = 1232;
/// Questions being answered and connections served at one time; beyond it they are let fall.
const MOST_AT_ONCE: usize = 4096;
/// A connection without a question for this long is closed.
const IDLE: Duration = Duration::from_secs(10);

/// Over what a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// What answers.
pub(in crate::cli) trait Desk: Clone + Send + Sync + 'static {
    /// The octets that answer `question`; `None` when nothing is to be sent.
    fn answer(
        &self,
        question: &[u8],
        transport: Transport,
    ) -> impl Future<Output = Option<Vec<u8>>> + Send;
}

/// Answers until it is dropped. Trouble with one question or connection ends that one only.
pub(in crate::cli) async fn serve(udp: UdpSocket, tcp: TcpListener, desk: impl Desk) {
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

/// The most octets that an answer to `question` may have over UDP.
pub(in crate::cli) fn most_udp(question: &Message) -> usize {
    let taken = question.edns.as_ref().map_or(PLAIN_UDP, Edns::max_payload);
    taken.clamp(PLAIN_UDP, MOST_UDP).into()
}

/// Binds both on the same port; port 0 takes one that is free for both.
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

async fn answer_udp(desk: impl Desk, udp: Arc<UdpSocket>, question: Vec<u8>, from: SocketAddr) {
    if let Some(answer) = desk.answer(&question, Transport::Udp).await {
        // Nobody there any more is as good as a lost packet.
        let _sent = udp.send_to(&answer, from).await;
    }
}

async fn answer_tcp(desk: impl Desk, mut stream: TcpStream) {
    while let Ok(Ok(question)) = tokio::time::timeout(IDLE, read_question(&mut stream)).await {
        let Some(answer) = desk.answer(&question, Transport::Tcp).await else {
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

async fn read_question(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u16().await?;
    let mut question = vec![0; length.into()];
    stream.read_exact(&mut question).await?;
    Ok(question)
}
