//! Fetches a policy by HTTPS: one GET, no redirect, a certificate for the host's name, 64 KiB at most (RFC 8461 §3.3).

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::doctor::world::World;
use crate::net::stream::Stream;

/// Addresses of a host that are tried.
const MOST_WAYS: usize = 8;
/// Octets of a policy; RFC 8461 §3.3 suggests 64 KiB.
const MOST: usize = 64 * 1024;

/// Why there is no policy.
#[derive(Debug)]
pub(super) enum Unfetched {
    /// There is no way there from here.
    NoWay(String),
    /// Whatever is there gives none.
    Bad(String),
}

/// The policy of `host`, which is reached by any of `ways`, in the patience of one for all together.
pub(super) async fn policy(
    world: &World,
    ways: &[SocketAddr],
    host: &str,
) -> Result<String, Unfetched> {
    let patience = world.settings.patience;
    let fetched = timeout(patience, async {
        let tcp = connect_to_any(ways, patience).await?;
        fetch(world, tcp, host).await
    });
    fetched.await.unwrap_or_else(|_| {
        let patience = humantime::format_duration(patience);
        Err(Unfetched::Bad(format!("no answer within {patience}")))
    })
}

/// The first that connects, in turn. Half of the patience is for that, in equal parts: where there is no connection, it may be
/// this network that lets none out.
async fn connect_to_any(ways: &[SocketAddr], patience: Duration) -> Result<TcpStream, Unfetched> {
    let ways = ways.get(..MOST_WAYS).unwrap_or(ways);
    let each = patience / 2 / u32::try_from(ways.len()).unwrap_or(1).max(1);
    let mut failure = Unfetched::NoWay("no address".to_owned());
    for way in ways {
        match connect(*way, each).await {
            Ok(tcp) => return Ok(tcp),
            // What refuses tells more than what can not be reached from here.
            Err(other @ Unfetched::Bad(_)) => failure = other,
            Err(other) if matches!(failure, Unfetched::NoWay(_)) => failure = other,
            Err(_) => {}
        }
    }
    Err(failure)
}

async fn connect(way: SocketAddr, patience: Duration) -> Result<TcpStream, Unfetched> {
    let connected = timeout(patience, TcpStream::connect(way)).await;
    let connected = connected.map_err(|_| {
        let patience = humantime::format_duration(patience);
        Unfetched::NoWay(format!("no connection within {patience}"))
    })?;
    connected.map_err(|error| match error.kind() {
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::TimedOut => {
            Unfetched::NoWay(error.to_string())
        }
        _ => Unfetched::Bad(error.to_string()),
    })
}

async fn fetch(world: &World, tcp: TcpStream, host: &str) -> Result<String, Unfetched> {
    let bad = |why: &dyn ToString| Unfetched::Bad(why.to_string());
    let stream = Stream::plain(tcp);
    let secured = world
        .inspector
        .secure(stream, host, world.settings.now)
        .await;
    let (stream, seen) = secured.map_err(|error| bad(&error))?;
    if !seen.is_for_name {
        return Err(Unfetched::Bad(format!("its certificate is not for {host}")));
    }
    if !seen.term.holds(world.settings.now) {
        return Err(Unfetched::Bad(
            "its certificate has expired, or does not hold yet".to_owned(),
        ));
    }
    seen.vouched
        .map_err(|why| Unfetched::Bad(format!("its certificate: {why}")))?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| bad(&error))?;
    let request = Request::get("/.well-known/mta-sts.txt")
        .header("Host", host)
        .header("User-Agent", "gatepost")
        .body(Empty::<Bytes>::new())
        .map_err(|error| bad(&error))?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| bad(&error))?;
        if response.status() != 200 {
            return Err(Unfetched::Bad(format!("HTTP status {}", response.status())));
        }
        let body = Limited::new(response.into_body(), MOST).collect().await;
        let octets = body.map_err(|error| bad(&error))?.to_bytes();
        String::from_utf8(octets.to_vec()).map_err(|error| bad(&error))
    };
    tokio::pin!(connection, exchange);
    tokio::select! {
        done = &mut exchange => done,
        // It may end before its last answer is read; then the exchange ends by itself.
        _ = &mut connection => exchange.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// An address where nobody listens.
    async fn refusing() -> SocketAddr {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        socket.local_addr().unwrap()
    }

    #[tokio::test]
    async fn the_next_address_is_tried_where_one_refuses() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (good, bad) = (socket.local_addr().unwrap(), refusing().await);
        let patience = Duration::from_secs(30);
        let connected = connect_to_any(&[bad, good], patience).await.unwrap();
        assert_eq!(connected.peer_addr().unwrap(), good);
        let refused = connect_to_any(&[bad, bad], patience).await;
        assert!(matches!(refused, Err(Unfetched::Bad(_))), "{refused:?}");
        let none = connect_to_any(&[], patience).await;
        assert!(matches!(none, Err(Unfetched::NoWay(_))), "{none:?}");
    }
}
