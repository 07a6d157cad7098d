//! The ident responder (RFC 1413): every question about who is behind a connection gets `ERROR : HIDDEN-USER` at once, so that
//! no mail server waits for an answer that a firewall drops.
//!
//! It knows nobody and looks nothing up. One answer for each connection; a question that is none is answered
//! `INVALID-PORT`, or not at all. Bounded in connections, octets and time.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::app::tasks::Tasks;

/// Connections at one time; more wait.
const AT_A_TIME: usize = 64;
/// Connections of one address at one time; more are closed.
const EACH: usize = 8;
/// The longest a connection may last.
const PATIENCE: Duration = Duration::from_secs(5);
/// Octets of a question: two numbers, a comma, spaces.
const QUESTION: usize = 64;
/// The pause when nobody can be accepted for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Begins to answer on `sockets`, until the process drains.
pub(in crate::app) fn begin(
    tasks: &Tasks,
    sockets: Vec<(SocketAddr, TcpListener)>,
    draining: &CancellationToken,
) {
    let places = Arc::new(Semaphore::new(AT_A_TIME));
    let clients = Clients::default();
    for (address, socket) in sockets {
        tracing::info!(%address, "questions of ident are answered");
        let (places, draining, tasks) = (Arc::clone(&places), draining.clone(), tasks.clone());
        let clients = clients.clone();
        tasks.clone().spawn(async move {
            let serving = serve(&socket, &places, &clients, &tasks);
            let _ = draining.run_until_cancelled(serving).await;
        });
    }
}

async fn serve(socket: &TcpListener, places: &Arc<Semaphore>, clients: &Clients, tasks: &Tasks) {
    while let Ok(place) = Arc::clone(places).acquire_owned().await {
        let Ok((stream, peer)) = socket.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Whoever holds his share already is closed at once: the places are for others too.
        let Some(share) = clients.enter(peer.ip().to_canonical()) else {
            continue;
        };
        tasks.spawn(async move {
            // Whoever is too slow, or has gone, has asked for nothing.
            let _ = timeout(PATIENCE, converse(stream)).await;
            drop((share, place));
        });
    }
}

/// How many connections each address has; addresses without any are not kept.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<IpAddr, usize>>>);

impl Clients {
    /// One more connection of `address`, until what is given back is dropped; `None` where it has [`EACH`].
    fn enter(&self, address: IpAddr) -> Option<Share> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(address).or_default();
        if *count >= EACH {
            return None;
        }
        *count += 1;
        let clients = self.clone();
        Some(Share { clients, address })
    }
}

/// A connection of an address.
struct Share {
    clients: Clients,
    address: IpAddr,
}

impl Drop for Share {
    fn drop(&mut self) {
        let clients = self.clients.0.lock();
        let mut clients = clients.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.address);
            }
        }
    }
}

async fn converse(mut stream: TcpStream) -> std::io::Result<()> {
    let mut question = Vec::with_capacity(QUESTION);
    while !question.contains(&b'\n') && question.len() < QUESTION {
        let room = QUESTION - question.len();
        let mut bounded = (&mut stream).take(room as u64);
        if bounded.read_buf(&mut question).await? == 0 {
            break;
        }
    }
    if let Some(answer) = answer(&question) {
        stream.write_all(answer.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// What is answered to a line; nothing to what is no question (RFC 1413 §4).
fn answer(line: &[u8]) -> Option<String> {
    let line = line.split(|octet| matches!(octet, b'\r' | b'\n')).next()?;
    let (here, there) = str::from_utf8(line).ok()?.split_once(',')?;
    let [here, there] = [here, there].map(|port| port.trim_matches([' ', '\t']));
    let is_number = |port: &str| {
        (1..=5).contains(&port.len()) && port.bytes().all(|octet| octet.is_ascii_digit())
    };
    if !is_number(here) || !is_number(there) {
        return None;
    }
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port != 0);
    let error = match is_port(here) && is_port(there) {
        true => "HIDDEN-USER",
        false => "INVALID-PORT",
    };
    Some(format!("{here}, {there} : ERROR : {error}\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_more_than_his_share() {
        let clients = Clients::default();
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|address| address.parse().unwrap());
        let mut shares: Vec<Share> = (0..EACH).map(|_| clients.enter(one).unwrap()).collect();
        assert!(clients.enter(one).is_none());
        assert!(clients.enter(other).is_some());
        shares.pop();
        shares.push(clients.enter(one).unwrap());
        assert!(clients.enter(one).is_none());
        drop(shares);
        assert!(clients.0.lock().unwrap().is_empty());
    }

    #[test]
    fn every_question_has_its_answer() {
        for (line, said) in [
            ("6193, 23\r\n", Some("6193, 23 : ERROR : HIDDEN-USER\r\n")),
            ("6193,23\n", Some("6193, 23 : ERROR : HIDDEN-USER\r\n")),
            (
                " 1 , 65535 \r\n",
                Some("1, 65535 : ERROR : HIDDEN-USER\r\n"),
            ),
            ("0, 25\r\n", Some("0, 25 : ERROR : INVALID-PORT\r\n")),
            (
                "25, 65536\r\n",
                Some("25, 65536 : ERROR : INVALID-PORT\r\n"),
            ),
            ("25\r\n", None),
            ("a, b\r\n", None),
            ("-1, 25\r\n", None),
            ("123456, 25\r\n", None),
            ("GET / HTTP/1.1\r\n", None),
            ("", None),
        ] {
            assert_eq!(answer(line.as_bytes()).as_deref(), said, "{line:?}");
        }
        assert_eq!(answer(b"\xff,\xfe\r\n"), None);
    }
}
