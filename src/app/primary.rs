//! Looks at primary mail servers, for the policies of their secondary: does one of the addresses greet (RFC 5321 §3.1)?
//!
//! A whole greeting counts, not a connection: a server whose disk is full still accepts connections.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::tasks::Tasks;
use crate::checks::shield::Mode;
use crate::config::Snapshot;
use crate::gather::Gather;
use crate::net::stream::Stream;
use crate::smtp::reply::{ReplyClass, ReplyReader};

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(10);
/// The pause before one that has not greeted is looked at again, which decides.
const SECOND_LOOK: Duration = Duration::from_secs(2);
/// How long a greeting may take; behind a `greet_wait` of 10 s, and then some.
const PATIENCE: Duration = Duration::from_secs(20);
/// Octets of a greeting that are read at most.
const GREETING: usize = 4096;

/// Begins to look, if any policy wants to know, until the configuration is over.
pub(in crate::app) fn begin(
    tasks: &Tasks,
    snapshot: &Snapshot,
    gather: &Arc<Gather>,
    over: &CancellationToken,
) {
    let shields = snapshot.policies.values().map(|policy| &policy.shield);
    let watched: BTreeSet<&str> = shields
        .filter(|shield| shield.mode == Mode::WhenPrimaryDown)
        .map(|shield| &*shield.primary)
        .collect();
    for primary in watched {
        let (primary, gather, over) = (primary.to_owned(), Arc::clone(gather), over.clone());
        tasks.spawn(async move {
            let _ = over.run_until_cancelled(watch(&primary, &gather)).await;
        });
    }
}

async fn watch(primary: &str, gather: &Gather) {
    let addresses: Vec<SocketAddr> = primary
        .split(' ')
        .filter_map(|address| address.parse().ok())
        .collect();
    loop {
        let greets = join_all(addresses.iter().map(|address| greets(*address))).await;
        let greets = greets.contains(&true);
        gather.saw_primary(primary, greets);
        tokio::time::sleep(if greets { PAUSE } else { SECOND_LOOK }).await;
    }
}

/// Whether a server greets there with 2xx in time.
async fn greets(address: SocketAddr) -> bool {
    timeout(PATIENCE, greeting(address))
        .await
        .is_ok_and(|greeting| greeting.is_some_and(|class| class == ReplyClass::Positive))
}

async fn greeting(address: SocketAddr) -> Option<ReplyClass> {
    let mut stream = Stream::plain(TcpStream::connect(address).await.ok()?);
    let mut input = BytesMut::new();
    let mut replies = ReplyReader::new();
    while input.len() < GREETING {
        let read = stream.read_into(&mut input, GREETING).await.ok()?;
        let (consumed, reply) = replies.next(&input).ok()?;
        let _ = input.split_to(consumed.min(input.len()));
        if let Some(reply) = reply {
            let _ = stream.write_all_flush(b"QUIT\r\n").await;
            stream.close().await;
            return Some(reply.class());
        }
        if read == 0 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    async fn server(says: &'static [u8]) -> SocketAddr {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = socket.accept().await.unwrap();
            stream.write_all(says).await.unwrap();
        });
        address
    }

    #[tokio::test]
    async fn a_whole_greeting_counts_and_nothing_else() {
        for (says, up) in [
            (&b"220 mx.example.com ESMTP\r\n"[..], true),
            (b"220-mx.example.com\r\n220 ready\r\n", true),
            (b"421 4.3.2 too busy\r\n", false),
            (b"554 no\r\n", false),
            (b"220-mx.example.com\r\n", false),
            (b"HTTP/1.1 400 Bad Request\r\n", false),
            (b"", false),
        ] {
            let address = server(says).await;
            assert_eq!(greets(address).await, up, "{}", says.escape_ascii());
        }
        let (_held, nobody) = {
            let socket =
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket
                .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
                .unwrap();
            let address = socket.local_addr().unwrap().as_socket().unwrap();
            (socket, address)
        };
        assert!(!greets(nobody).await);
    }
}
