//! Accepts clients: a place for each, or 421 at once.
//!
//! The loop awaits nothing but the next client. Out of descriptors it pauses and lets the sessions under way go on.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::net::{TcpListener, TcpStream};

use crate::app::tasks::Tasks;
use crate::app::{clock, session_id};
use crate::facts::Limit;
use crate::net::stream::Stream;
use crate::net::unmap;
use crate::session::context::{Arrival, Door, Shared};
use crate::session::{self, not_admitted};

/// Lines a second about clients turned away.
const LINES_PER_SECOND: NonZeroU32 = NonZeroU32::new(10).expect("ten is not zero");

/// How long the loop pauses when a client can not be accepted for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves one listening socket until the process drains.
pub(in crate::app) async fn serve(
    socket: TcpListener,
    door: Arc<Door>,
    shared: Arc<Shared>,
    tasks: Tasks,
) {
    let draining = shared.draining.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = draining.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => admit(stream, unmap(peer), &door, &shared, &tasks),
            Err(error) if is_transient(&error) => {}
            Err(error) => {
                tracing::error!(listener = %door.name, %error, "can not accept; pausing");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Whether only the client that was being accepted is concerned (accept(2), "Error handling").
fn is_transient(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
    )
}

fn admit(
    stream: TcpStream,
    peer: std::net::SocketAddr,
    door: &Arc<Door>,
    shared: &Arc<Shared>,
    tasks: &Tasks,
) {
    let place = match shared.admission.enter() {
        Ok(place) => place,
        Err(limit) => return turn_away(&stream, peer, limit),
    };
    let behind_proxy = door
        .listen
        .proxy_protocol_from
        .iter()
        .any(|network| network.contains(&peer.ip()));
    let permit = match behind_proxy {
        true => None,
        false => match shared.admission.admit(peer.ip()) {
            Ok(permit) => Some(permit),
            Err(limit) => return turn_away(&stream, peer, limit),
        },
    };
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let now = clock::now();
    let arrival = Arrival {
        id: session_id::next(now),
        wall: now,
        peer,
        local: unmap(local),
    };
    // Boxed: every wrapper around a future may hold room for it twice.
    let session = Box::pin(session::run(
        Stream::plain(stream),
        arrival,
        Arc::clone(door),
        Arc::clone(shared),
        permit,
    ));
    tasks.spawn_session(async move {
        session.await;
        drop(place);
    });
}

/// 421 and away, without a session: this must cost next to nothing.
fn turn_away(stream: &TcpStream, peer: std::net::SocketAddr, limit: Limit) {
    let mut out = Vec::with_capacity(96);
    not_admitted(limit).write(&mut out);
    // A new socket takes a line without waiting; one that does not is not worth waiting for.
    let _ = stream.try_write(&out);
    if let Some(untold) = LOG.admit() {
        tracing::info!(client = %peer.ip(), ?limit, untold, "turned away");
    }
}

/// Lines about clients turned away: so many a second, the rest is counted and told with the next one.
struct LogLimit {
    rate: LazyLock<DefaultDirectRateLimiter>,
    untold: AtomicU64,
}

static LOG: LogLimit = LogLimit {
    rate: LazyLock::new(|| RateLimiter::direct(Quota::per_second(LINES_PER_SECOND))),
    untold: AtomicU64::new(0),
};

impl LogLimit {
    /// Whether a line may be written now, and how many were not since the last.
    fn admit(&self) -> Option<u64> {
        if self.rate.check().is_ok() {
            return Some(self.untold.swap(0, Ordering::Relaxed));
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        None
    }
}
