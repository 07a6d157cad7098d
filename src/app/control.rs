//! The control socket: how the commands `status`, `log`, `allow`, `deny` and `forget` reach a running
//! process.
//!
//! A Unix socket in the directory of `[store]`, for the user that gatepost runs as and for root. Whoever connects sends one
//! request and gets one answer, each a line of JSON ([`message`]). Without it everything but those commands works, so trouble
//! with it is told and keeps nothing from starting.

mod about;
pub(in crate::app) mod desk;
pub mod message;
mod socket;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::Uid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::app::tasks::Tasks;
use crate::config;
use message::{Answer, Request};
use socket::Socket;

pub use desk::{Desk, LONGEST};

/// Octets of a request.
const REQUEST: u64 = 64 * 1024;
/// Request and answer together take no longer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests answered at one time.
const AT_A_TIME: usize = 4;
/// The pause when nobody can be accepted for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the socket of a process with these settings is.
#[must_use]
pub fn path(config: &config::Store) -> PathBuf {
    config.directory.join("control.sock")
}

/// Begins to answer at `path`, until the process drains.
pub(in crate::app) async fn begin(tasks: &Tasks, path: &Path, desk: Arc<Desk>) {
    match Socket::open(path).await {
        Ok(socket) => tasks.spawn(serve(socket, desk, tasks.clone())),
        Err(error) => tracing::error!(
            path = %path.display(), %error,
            "the control socket can not be opened: status, log, allow, deny and forget do not reach this process"
        ),
    }
}

async fn serve(socket: Socket, desk: Arc<Desk>, tasks: Tasks) {
    let draining = desk.draining();
    let _ = draining
        .run_until_cancelled(accept(&socket, &desk, &tasks))
        .await;
}

async fn accept(socket: &Socket, desk: &Arc<Desk>, tasks: &Tasks) {
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Ok((stream, _)) = socket.listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let desk = Arc::clone(desk);
        tasks.spawn(async move {
            // Whoever is too slow, or has gone, has asked for nothing.
            let _ = timeout(PATIENCE, converse(stream, &desk)).await;
            drop(place);
        });
    }
}

async fn converse(stream: UnixStream, desk: &Desk) -> io::Result<()> {
    let asker = Uid::from_raw(stream.peer_cred()?.uid());
    if !asker.is_root() && asker != Uid::effective() {
        return Ok(());
    }
    let (read, mut write) = stream.into_split();
    let mut line = Vec::new();
    let mut read = BufReader::new(read.take(REQUEST));
    read.read_until(b'\n', &mut line).await?;
    let answer = match understand(&line) {
        Ok(request) => desk.answer(request).await,
        Err(wrong) => Answer::Refused(wrong),
    };
    let mut octets = serde_json::to_vec(&answer)?;
    octets.push(b'\n');
    write.write_all(&octets).await
}

fn understand(line: &[u8]) -> Result<Request, String> {
    if !line.ends_with(b"\n") {
        return Err(format!(
            "a request is one line of at most {REQUEST} octets, and this is none"
        ));
    }
    serde_json::from_slice(line).map_err(|error| format!("this is no request: {error}"))
}
