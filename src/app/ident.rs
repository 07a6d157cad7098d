//! The ident responder (RFC 1413): every question about who is behind a connection gets `ERROR : HIDDEN-USER` at once, so that
//! no mail server waits for an answer that a firewall drops.
//!
//! It knows nobody and looks nothing up. One answer for each connection; a question that is none is answered
//! `INVALID-PORT`, or not at all. Bounded in connections, octets and time. A reload opens and closes sockets; what their clients
//! share stays.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::app::tasks::Tasks;
use crate::facts::one_client;

/// Connections at one time; more wait.
const AT_A_TIME: usize = 64;
/// Connections of one client (an IPv4 address, an IPv6 /64) at one time; more are closed.
const EACH: usize = 8;
/// The longest a connection may last.
const PATIENCE: Duration = Duration::from_secs(5);
/// Octets of a question: two numbers, a comma, spaces.
const QUESTION: usize = 64;
/// The pause when nobody can be accepted for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The responder: its sockets, and what their clients share.
pub(in crate::app) struct Responder {
    listening: Vec<Listening>,
    places: Arc<Semaphore>,
    clients: Clients,
    tasks: Tasks,
    draining: CancellationToken,
}

/// A socket that questions are answered on; no more when this is dropped.
struct Listening {
    /// The address as it stands in the configuration.
    wanted: SocketAddr,
    address: SocketAddr,
    _over: DropGuard,
}

impl Responder {
    /// Answers nobody yet; nobody any more when the process drains.
    pub(in crate::app) fn new(tasks: &Tasks, draining: &CancellationToken) -> Self {
        Self {
            listening: Vec::new(),
            places: Arc::new(Semaphore::new(AT_A_TIME)),
            clients: Clients::default(),
            tasks: tasks.clone(),
            draining: draining.clone(),
        }
    }

    /// The addresses that are open, as they stand in the configuration.
    pub(in crate::app) fn have(&self) -> Vec<SocketAddr> {
        self.listening.iter().map(|one| one.wanted).collect()
    }

    /// Answers on `opened` as well, each with the address it was opened for, and no longer where `wanted` says nothing of it.
    /// Who has connected is answered all the same.
    pub(in crate::app) fn change(
        &mut self,
        wanted: &[SocketAddr],
        opened: Vec<(SocketAddr, TcpListener)>,
    ) {
        self.listening.retain(|one| {
            let stays = wanted.contains(&one.wanted);
            if !stays {
                tracing::info!(address = %one.address, "questions of ident are no longer answered");
            }
            stays
        });
        for (wanted, socket) in opened {
            let listening = self.begin(wanted, socket);
            self.listening.push(listening);
        }
    }

    fn begin(&self, wanted: SocketAddr, socket: TcpListener) -> Listening {
        let address = socket.local_addr().unwrap_or(wanted);
        tracing::info!(%address, "questions of ident are answered");
        let over = self.draining.child_token();
        let (places, clients) = (Arc::clone(&self.places), self.clients.clone());
        let (tasks, ended) = (self.tasks.clone(), over.clone());
        self.tasks.spawn(async move {
            let serving = serve(&socket, &places, &clients, &tasks);
            let _ = ended.run_until_cancelled(serving).await;
        });
        Listening {
            wanted,
            address,
            _over: over.drop_guard(),
        }
    }
}

async fn serve(socket: &TcpListener, places: &Arc<Semaphore>, clients: &Clients, tasks: &Tasks) {
    while let Ok(place) = Arc::clone(places).acquire_owned().await {
        let Ok((stream, peer)) = socket.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Whoever holds his share already is closed at once: the places are for others too.
        let Some(share) = clients.enter(peer.ip()) else {
            continue;
        };
        tasks.spawn(async move {
            // Whoever is too slow, or has gone, has asked for nothing.
            let _ = timeout(PATIENCE, converse(stream)).await;
            drop((share, place));
        });
    }
}

/// How many connections each client has; clients without any are not kept.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<HashMap<IpNet, usize>>>);

impl Clients {
    /// One more connection of the client at `address`, until what is given back is dropped; `None` where it has [`EACH`].
    fn enter(&self, address: IpAddr) -> Option<Share> {
        let client = one_client(address);
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        if *count >= EACH {
            return None;
        }
        *count += 1;
        let clients = self.clone();
        Some(Share { clients, client })
    }
}

/// A connection of a client.
struct Share {
    clients: Clients,
    client: IpNet,
}

impl Drop for Share {
    fn drop(&mut self) {
        let clients = self.clients.0.lock();
        let mut clients = clients.unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
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
        for [one, same, other] in [
            ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"],
            ["2001:db8::1", "2001:db8::2:0:0:1", "2001:db8:0:1::1"],
        ] {
            let clients = Clients::default();
            let enter = |address: &str| clients.enter(address.parse().unwrap());
            let mut shares: Vec<Share> = (0..EACH).map(|_| enter(one).unwrap()).collect();
            assert!(enter(same).is_none(), "{same}");
            assert!(enter(other).is_some(), "{other}");
            shares.pop();
            shares.push(enter(same).unwrap());
            assert!(enter(one).is_none(), "{one}");
            drop(shares);
            assert!(clients.0.lock().unwrap().is_empty());
        }
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
