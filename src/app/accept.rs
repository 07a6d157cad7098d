//! Accepts clients: a place for each, or 421 at once.
//!
//! The loop awaits nothing but the next client. Out of descriptors it pauses and lets the sessions under way go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::app::log_limit::LogLimit;
use crate::app::tasks::Tasks;
use crate::app::{clock, session_id};
use crate::config::TlsMode;
use crate::facts::Limit;
use crate::net::stream::{Stream, discard};
use crate::net::unmap;
use crate::session::context::{Arrival, Door, Shared};
use crate::session::{self, not_admitted};

/// Lines about clients turned away.
static TURNED_AWAY: LogLimit = LogLimit::ten_a_second();

/// Lines about clients that can not be accepted at present.
static CAN_NOT_ACCEPT: LogLimit = LogLimit::one_in_ten_seconds();

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
                if let Some(untold) = CAN_NOT_ACCEPT.admit() {
                    tracing::error!(listener = %door.name, %error, untold, "can not accept; pausing");
                }
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
        Err(limit) => return turn_away(&stream, peer, limit, door, shared),
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
            Err(limit) => return turn_away(&stream, peer, limit, door, shared),
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
fn turn_away(
    stream: &TcpStream,
    peer: std::net::SocketAddr,
    limit: Limit,
    door: &Door,
    shared: &Shared,
) {
    shared.metrics.turned_away(&door.name, limit);
    // Whoever expects TLS would not understand a word.
    if door.listen.tls != TlsMode::Implicit {
        let mut out = Vec::with_capacity(96);
        not_admitted(limit).write(&mut out);
        // A new socket takes a line without waiting; one that does not is not worth waiting for.
        let _ = stream.try_write(&out);
        // Input that nobody has read would make the close a reset, which can overtake the line.
        discard(stream);
    }
    if let Some(untold) = TURNED_AWAY.admit() {
        tracing::info!(client = %peer.ip(), ?limit, untold, "turned away");
    }
}
