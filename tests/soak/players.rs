//! Clients of all kinds, each a thread that plays one session after another until it is told to stop.
//!
//! Nothing that a server under trouble may do is a failure here: what a client heard is written down, and judged in the
//! balance.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::client::proxy_header;
use crate::support::rbldnsd;

/// Longer than any answer may take, however much trouble there is.
const PATIENCE: Duration = Duration::from_secs(300);

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// 2xx to its end.
    Taken,
    /// Another answer to its end, or to what came before it.
    Refused,
    /// The connection was lost behind its end: nobody can tell.
    Unknown,
}

/// What was played.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// Connections that were made.
    pub(crate) sessions: u64,
    /// By the id in its subject.
    pub(crate) messages: BTreeMap<String, Fate>,
    /// How often each kind of client came.
    pub(crate) kinds: BTreeMap<&'static str, u64>,
    /// What must never be heard.
    pub(crate) wrong: Vec<String>,
}

pub(crate) struct Players {
    stop: Arc<AtomicBool>,
    sessions: Arc<AtomicU64>,
    played: Arc<Mutex<Played>>,
    threads: Vec<JoinHandle<()>>,
}

impl Players {
    pub(crate) fn start(server: SocketAddr, clients: u64, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sessions = Arc::new(AtomicU64::new(0));
        let played = Arc::new(Mutex::new(Played::default()));
        let start = |client| {
            let (stop, sessions) = (Arc::clone(&stop), Arc::clone(&sessions));
            let played = Arc::clone(&played);
            let mut chance = Chance(seed.wrapping_mul(1000) + client);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = sessions.fetch_add(1, Ordering::Relaxed);
                    play(server, number, &mut chance, &played);
                }
            })
        };
        let threads = (0..clients).map(start).collect();
        Self {
            stop,
            sessions,
            played,
            threads,
        }
    }

    /// Connections so far.
    pub(crate) fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Lets every client end its session.
    pub(crate) fn stop(self) -> Played {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let mut played = std::mem::take(&mut *self.played.lock().unwrap());
        played.sessions = self.sessions.load(Ordering::Relaxed);
        played
    }
}

/// SplitMix64.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }
}

fn play(server: SocketAddr, number: u64, chance: &mut Chance, played: &Mutex<Played>) {
    let kind = match chance.below(20) {
        0..=8 => "clean",
        9..=10 => "several messages",
        11..=12 => "listed",
        13 => "listed, to postmaster",
        14 => "early talker",
        15 => "does not wait",
        16 => "leaves in the message",
        17 => "leaves at once",
        18 => "chunks",
        _ => "says QUIT",
    };
    *played.lock().unwrap().kinds.entry(kind).or_default() += 1;
    let address = match kind {
        "listed" | "listed, to postmaster" => rbldnsd::LISTED.to_owned(),
        // Never remembered as one that delivers.
        "early talker" | "does not wait" => format!("203.0.113.{}", 1 + chance.below(250)),
        _ => format!("198.51.{}.{}", 100 + chance.below(4), 1 + chance.below(250)),
    };
    let Some(mut client) = Client::connect(server, &address) else {
        return;
    };
    let note = |id: String, fate| {
        played.lock().unwrap().messages.insert(id, fate);
    };
    match kind {
        "early talker" => client.say(b"EHLO bot.example.net\r\n"),
        "leaves at once" => return,
        _ => {}
    }
    if client.reply() != Some(220) {
        return;
    }
    // The early talker has said it.
    if kind != "early talker" {
        client.say(b"EHLO client.example.net\r\n");
    }
    if client.reply() != Some(250) {
        return;
    }
    match kind {
        "clean" | "leaves in the message" | "chunks" => {
            let id = format!("m{number}-0");
            let fate = match kind {
                "clean" => client.message(&id, "user", 1 + chance.below(2000)),
                "chunks" => client.chunks(&id),
                _ => client.half_a_message(&id),
            };
            note(id, fate);
        }
        "several messages" => {
            for count in 0..1 + chance.below(4) {
                let id = format!("m{number}-{count}");
                let fate = client.message(&id, "user", 1 + chance.below(500));
                note(id, fate);
            }
        }
        "listed, to postmaster" => {
            let id = format!("m{number}-0");
            let fate = client.message(&id, "postmaster", 1);
            note(id, fate);
        }
        "listed" | "early talker" => {
            client.command("MAIL FROM:<bulk@example.net>");
            let answer = client.command("RCPT TO:<user@example.com>");
            // While the list is silent the mail of a listed client passes; an early talker's never.
            if kind == "early talker" && answer.is_some_and(|code| code < 400) {
                let line = format!("{number}: an early talker heard {answer:?}");
                played.lock().unwrap().wrong.push(line);
            }
        }
        "does not wait" => {
            client.say(b"HELO bot.example.net\r\n");
            client.reply();
            client.say(b"MAIL FROM:<bulk@example.net>\r\nRCPT TO:<user@example.com>\r\n");
            client.reply();
            let answer = client.reply();
            if answer.is_some_and(|code| code < 400) {
                let line = format!("{number}: a client that does not wait heard {answer:?}");
                played.lock().unwrap().wrong.push(line);
            }
        }
        _ => {}
    }
    client.command("QUIT");
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(server: SocketAddr, address: &str) -> Option<Self> {
        let stream = TcpStream::connect(server).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        stream.set_nodelay(true).ok()?;
        let mut client = Self(BufReader::new(stream));
        client.say(proxy_header(address).as_bytes());
        Some(client)
    }

    /// What can not be said is not heard either.
    fn say(&mut self, octets: &[u8]) {
        let _ = self.0.get_mut().write_all(octets);
    }

    fn command(&mut self, line: &str) -> Option<u16> {
        self.say(format!("{line}\r\n").as_bytes());
        self.reply()
    }

    /// The code of the next reply; nothing if the connection is lost.
    fn reply(&mut self) -> Option<u16> {
        loop {
            let mut line = Vec::new();
            let read = (&mut self.0).take(4096).read_until(b'\n', &mut line).ok()?;
            if read == 0 || !line.ends_with(b"\n") {
                return None;
            }
            if line.get(3) != Some(&b'-') {
                return std::str::from_utf8(line.get(..3)?).ok()?.parse().ok();
            }
        }
    }

    fn envelope(&mut self, recipient: &str) -> bool {
        self.command("MAIL FROM:<sender@example.net>") == Some(250)
            && self.command(&format!("RCPT TO:<{recipient}@example.com>")) == Some(250)
    }

    fn message(&mut self, id: &str, recipient: &str, lines: u64) -> Fate {
        if !self.envelope(recipient) || self.command("DATA") != Some(354) {
            self.command("RSET");
            return Fate::Refused;
        }
        self.say(format!("Subject: {id}\r\n\r\n").as_bytes());
        for _ in 0..lines {
            self.say(b"A line as it may stand in any message.\r\n");
        }
        self.end(b".\r\n")
    }

    fn chunks(&mut self, id: &str) -> Fate {
        if !self.envelope("user") {
            return Fate::Refused;
        }
        let header = format!("Subject: {id}\r\n\r\n");
        self.say(format!("BDAT {}\r\n{header}", header.len()).as_bytes());
        if self.reply() != Some(250) {
            return Fate::Refused;
        }
        self.end(b"BDAT 7 LAST\r\n.\r\nend.")
    }

    fn end(&mut self, octets: &[u8]) -> Fate {
        self.say(octets);
        match self.reply() {
            Some(200..300) => Fate::Taken,
            Some(_) => Fate::Refused,
            None => Fate::Unknown,
        }
    }

    fn half_a_message(&mut self, id: &str) -> Fate {
        if self.envelope("user") && self.command("DATA") == Some(354) {
            self.say(format!("Subject: {id}\r\n\r\nThe end does not").as_bytes());
            let _ = self.0.get_ref().shutdown(std::net::Shutdown::Both);
        }
        Fate::Refused
    }
}
