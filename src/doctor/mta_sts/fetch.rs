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

/// Octets of a policy; RFC 8461 §3.3 suggests 64 KiB.
const MOST: usize = 64 * 1024;

/// Why there is no policy.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is no way there from here.
    NoWay(String),
    /// Whatever is there gives none.
    Bad(String),
}

/// The policy of `host`, which is reached by `way`.
pub(super) async fn policy(world: &World, way: SocketAddr, host: &str) -> Result<String, Failure> {
    let patience = world.settings.patience;
    let fetched = timeout(patience, fetch(world, way, host)).await;
    fetched.unwrap_or_else(|_| {
        let patience = humantime::format_duration(patience);
        Err(Failure::Bad(format!("no answer within {patience}")))
    })
}

/// Half of the patience is for the connection: where there is none, it may be this network that lets none out.
async fn connect(way: SocketAddr, patience: Duration) -> Result<TcpStream, Failure> {
    let connected = timeout(patience, TcpStream::connect(way)).await;
    let connected = connected.map_err(|_| {
        let patience = humantime::format_duration(patience);
        Failure::NoWay(format!("no connection within {patience}"))
    })?;
    connected.map_err(|error| match error.kind() {
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::TimedOut => {
            Failure::NoWay(error.to_string())
        }
        _ => Failure::Bad(error.to_string()),
    })
}

async fn fetch(world: &World, way: SocketAddr, host: &str) -> Result<String, Failure> {
    let bad = |why: &dyn ToString| Failure::Bad(why.to_string());
    let tcp = connect(way, world.settings.patience / 2).await?;
    let stream = Stream::plain(tcp);
    let secured = world
        .inspector
        .secure(stream, host, world.settings.now)
        .await;
    let (stream, seen) = secured.map_err(|error| bad(&error))?;
    if !seen.is_for_name {
        return Err(Failure::Bad(format!("its certificate is not for {host}")));
    }
    if !seen.term.holds(world.settings.now) {
        return Err(Failure::Bad(
            "its certificate has expired, or does not hold yet".to_owned(),
        ));
    }
    seen.vouched
        .map_err(|why| Failure::Bad(format!("its certificate: {why}")))?;
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
            return Err(Failure::Bad(format!("HTTP status {}", response.status())));
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
