//! One question to one DNS server of the caller's choice, and its whole answer with its flags: for who examines a zone and its
//! servers, or must know whether the resolver vouches for an answer (AD, RFC 4035 §3.2.3, RFC 6840 §5.8).
//!
//! No cache, no breaker, no share: not for what clients cause. UDP, and TCP where the answer was cut (RFC 7766).

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::TryFutureExt;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::{DnsRequestSender, FirstAnswer};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, Message, Query};
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::system_conf::read_system_conf;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gather::GatherProblem;
use crate::gather::dns::wire_name;

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'q> {
    /// The name, without the final dot.
    pub name: &'q str,
    /// The type of the records.
    pub kind: RecordType,
    /// Whether the server is to find the answer out (RD), as a resolver does.
    pub recursion: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The name can not be asked for.
    #[error("no name of the DNS")]
    Name,
    /// Nothing came in time.
    #[error("no answer in time")]
    Timeout,
    /// The server can not be reached, or what it says is no answer.
    #[error("{0}")]
    Failed(String),
}

impl Unanswered {
    fn of(error: &NetError) -> Self {
        match error {
            NetError::Timeout => Self::Timeout,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// The name servers to ask where none are configured: those of the system.
///
/// # Errors
///
/// When the system's configuration is missing or names no server.
pub fn system_servers() -> Result<Vec<SocketAddr>, GatherProblem> {
    let (system, _) = read_system_conf().map_err(GatherProblem::SystemServers)?;
    let address = |server: &hickory_resolver::config::NameServerConfig| {
        let port = server.connections.first().map_or(53, |one| one.port);
        SocketAddr::new(server.ip, port)
    };
    Ok(system.name_servers.iter().map(address).collect())
}

/// Asks `server`, which is to answer within `patience`; as long again if the answer must be fetched over TCP.
///
/// # Errors
///
/// [`Unanswered`]; an answer that says no is none.
pub async fn ask(
    server: SocketAddr,
    asked: Asked<'_>,
    patience: Duration,
) -> Result<Message, Unanswered> {
    let request = request(asked).ok_or(Unanswered::Name)?;
    let over_udp = udp(server, request.clone(), patience).await?;
    if !over_udp.metadata.truncation {
        return Ok(over_udp);
    }
    let over_tcp = tcp(server, request).map_err(|error| Unanswered::Failed(error.to_string()));
    timeout(patience, over_tcp)
        .await
        .unwrap_or(Err(Unanswered::Timeout))
}

fn request(asked: Asked<'_>) -> Option<DnsRequest> {
    let query = Query::query(wire_name(asked.name)?, asked.kind);
    let mut options = DnsRequestOptions::default();
    // Who sets DO is told by AD whether the answer was validated (RFC 6840 §5.8).
    options.edns_set_dnssec_ok = true;
    options.recursion_desired = asked.recursion;
    Some(DnsRequest::from_query(query, options))
}

async fn udp(
    server: SocketAddr,
    request: DnsRequest,
    patience: Duration,
) -> Result<Message, Unanswered> {
    let provider = TokioRuntimeProvider::default();
    let stream = UdpClientStream::builder(server, provider);
    let mut stream = stream.with_timeout(Some(patience)).build();
    let answer = stream.send_message(request).first_answer();
    // The library's own time-out counts from each packet.
    match timeout(patience, answer).await {
        Ok(Ok(answer)) => Ok(answer.into_message()),
        Ok(Err(error)) => Err(Unanswered::of(&error)),
        Err(_) => Err(Unanswered::Timeout),
    }
}

async fn tcp(server: SocketAddr, request: DnsRequest) -> io::Result<Message> {
    let (request, _) = request.into_parts();
    let octets = request.to_vec().map_err(io::Error::other)?;
    let length = u16::try_from(octets.len()).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect(server).await?;
    let framed = [&length.to_be_bytes()[..], &octets].concat();
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await?;
    let answer = Message::from_vec(&answer).map_err(io::Error::other)?;
    let is_ours = answer.metadata.id == request.metadata.id && answer.queries == request.queries;
    match is_ours {
        true => Ok(answer),
        false => Err(io::Error::other("an answer to another question")),
    }
}
