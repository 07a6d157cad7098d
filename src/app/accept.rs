//! Accepts clients: a place for each, or 421 at once.
//!
//! The loop awaits nothing but the next client. Out of descriptors it pauses and lets the sessions under way go on.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::app::log_limit::LogLimit;
use crate::app::notify::{Heart, Pulse};
use crate::app::sockets::{Open, Origin, Wanted};
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

/// What the clients of a socket are served with.
#[derive(Clone)]
pub(in crate::app) struct Post {
    pub(in crate::app) door: Arc<Door>,
    pub(in crate::app) shared: Arc<Shared>,
}

/// A socket that is being served; no more when this is dropped.
pub(in crate::app) struct Listening {
    pub(in crate::app) wanted: Wanted,
    pub(in crate::app) address: SocketAddr,
    pub(in crate::app) origin: Origin,
    post: watch::Sender<Post>,
    beat: Arc<AtomicBool>,
}

impl Listening {
    /// Begins to accept.
    pub(in crate::app) fn begin(
        open: Open<TcpListener>,
        post: Post,
        tasks: &Tasks,
        heart: &Heart,
    ) -> Self {
        let (listener, address) = (&open.wanted.listener, open.address);
        let tls = post.door.listen.tls.label();
        tracing::info!(%listener, %address, tls, "listening");
        let beat = Arc::default();
        let pulse = heart.pulse(&beat);
        let (post, posts) = watch::channel(post);
        tasks.spawn(serve(open.socket, posts, pulse, tasks.clone()));
        Self {
            wanted: open.wanted,
            address,
            origin: open.origin,
            post,
            beat,
        }
    }

    /// Serves who comes from now on with `post`.
    pub(in crate::app) fn change(&mut self, wanted: Wanted, post: Post) {
        self.wanted = wanted;
        self.post.send_replace(post);
    }

    pub(in crate::app) fn beat(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.beat)
    }
}

/// Serves one listening socket until the process drains or the socket is not wanted any more.
async fn serve(
    socket: TcpListener,
    mut posts: watch::Receiver<Post>,
    mut pulse: Pulse,
    tasks: Tasks,
) {
    let Post {
        mut door,
        mut shared,
    } = posts.borrow_and_update().clone();
    let draining = shared.draining.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            () = draining.cancelled() => return,
            changed = posts.changed() => {
                if changed.is_err() {
                    return;
                }
                Post { door, shared } = posts.borrow_and_update().clone();
                continue;
            }
            () = pulse.beat() => continue,
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
    peer: SocketAddr,
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
fn turn_away(stream: &TcpStream, peer: SocketAddr, limit: Limit, door: &Door, shared: &Shared) {
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
