//! gatepost in this process, between the test's client and the scripted backend; and the invariants after a run.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use gatepost::app::{self, Running};
use gatepost::checks::policy::Policy;
use gatepost::config::{Config, Layers, from_layers};
use gatepost::journal::{self, SessionRecord};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::backend::PATIENCE;
use crate::client::{ADDRESS, Sent};
use crate::session::Seen;

/// One runtime for all.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// A running gatepost.
pub(crate) struct Gate {
    running: Running,
    folder: TempDir,
    pub(crate) address: SocketAddr,
    /// What its sessions are judged by.
    pub(crate) policy: Arc<Policy>,
}

impl Gate {
    /// With one listener behind a front proxy and one backend; `adjust` sets what no file may, such as short timers.
    pub(crate) fn start(backend: SocketAddr, adjust: impl FnOnce(&mut Config)) -> Self {
        Self::start_on(runtime(), backend, adjust)
    }

    /// The same on a runtime of the test's own.
    pub(crate) fn start_on(
        runtime: &Runtime,
        backend: SocketAddr,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = configuration(backend, folder.path());
        let layers = Layers {
            file: Some((Path::new("gatepost.toml"), &text)),
            ..Layers::default()
        };
        let mut snapshot = from_layers(&layers).unwrap();
        adjust(&mut snapshot.config);
        let running = runtime.block_on(app::start(&snapshot)).unwrap();
        let address = running.addresses[0].1;
        Self {
            running,
            folder,
            address,
            policy: Arc::clone(&snapshot.policies["default"]),
        }
    }

    /// Why it does not start before a backend that takes everything, unless that is allowed.
    pub(crate) fn refusal(backend: SocketAddr, adjust: impl FnOnce(&mut Config)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let text = configuration(backend, folder.path());
        let layers = Layers {
            file: Some((Path::new("gatepost.toml"), &text)),
            ..Layers::default()
        };
        let mut snapshot = from_layers(&layers).unwrap();
        adjust(&mut snapshot.config);
        let started = runtime().block_on(app::start(&snapshot));
        let refusal = started.err().expect("it does not start").to_string();
        let left = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 0, "nothing is written");
        refusal
    }

    /// Waits until its status has this text in it.
    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        let socket = self.folder.path().join("state/control.sock");
        let status = || {
            let mut stream = UnixStream::connect(&socket).ok()?;
            stream.write_all(b"{\"status\":{}}\n").ok()?;
            let mut status = String::new();
            BufReader::new(stream).read_line(&mut status).ok()?;
            Some(status)
        };
        let deadline = Instant::now() + PATIENCE;
        while !status().is_some_and(|status| status.contains(text)) {
            assert!(Instant::now() < deadline, "no {text}: {:?}", status());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The file of the certificate that it has made for itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("state/self-signed.pem")
    }

    /// Stops it once so many sessions have ended, and returns their records; there must be no other session.
    #[track_caller]
    pub(crate) fn stop(self, sessions: usize) -> Vec<SessionRecord> {
        let ended = || self.running.tally().totals().0 as usize;
        let deadline = Instant::now() + PATIENCE;
        while ended() < sessions {
            assert!(Instant::now() < deadline, "{} of {sessions} ended", ended());
            thread::sleep(Duration::from_millis(1));
        }
        let (cut, records) = self.stop_within(runtime(), PATIENCE);
        assert_eq!(cut, 0, "sessions that did not end");
        assert_eq!(records.len(), sessions, "one record of each session");
        records
    }

    /// Stops it, whatever goes on; returns how many sessions were cut, and all records.
    pub(crate) fn stop_within(
        self,
        runtime: &Runtime,
        deadline: Duration,
    ) -> (u64, Vec<SessionRecord>) {
        let stop = async { tokio::time::timeout(2 * PATIENCE, self.running.stop(deadline)).await };
        let cut = runtime.block_on(stop).expect("it stops");
        let records = journal::read(&self.folder.path().join("journal"));
        // Where no session ended there is no journal.
        (cut, records.map(Iterator::collect).unwrap_or_default())
    }
}

fn configuration(backend: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    format!(
        r#"
hostname = "mx.example.com"
[listen.mx]
address = ["127.0.0.1:0"]
tls = "none"
backend = "scripted"
proxy_protocol_from = ["127.0.0.1"]
[backend.scripted]
address = ["{backend}"]
allow_open_backend = true
[resolver]
servers = ["127.0.0.1:9"]
[policy.default]
greet_wait = "0s"
checks.rhsbl.enabled = false
checks.rdns.enabled = false
checks.helo.enabled = false
checks.sender_domain.enabled = false
[policy.default.checks.dnsbl]
zones = []
[policy.default.checks.spf]
enabled = false
[limits]
connection_rate_per_address = "off"
[store]
directory = "{folder}/state"
[journal]
directory = "{folder}/journal"
"#
    )
}

/// The invariants of a run: what clients sent and were told against what the backend was sent and said.
#[track_caller]
pub(crate) fn check(sent: &[Sent], seen: &[Seen]) {
    for session in seen {
        // I5 and I7.
        assert_eq!(session.client.to_string(), ADDRESS);
        assert_eq!(session.breaches, [""; 0]);
        for message in &session.messages {
            let bare = without_line_ends(&message.body);
            assert!(
                !bare.iter().any(|octet| b"\r\n\0".contains(octet)),
                "{message:?}"
            );
            // I3 and I4: some transaction of the client's began like this.
            let begun = |sent: &&Sent| {
                sent.accepted == message.recipients && sent.body.starts_with(&message.body)
            };
            let origin = sent.iter().find(begun);
            assert!(origin.is_some(), "invented: {message:?}");
        }
    }
    let dotted: Vec<_> = seen
        .iter()
        .flat_map(|session| &session.messages)
        .filter(|message| message.dotted)
        .collect();
    for message in &dotted {
        // I2 and I3: ended as the client ended it.
        let ended = |sent: &&Sent| sent.dotted && sent.body == message.body;
        assert_eq!(
            sent.iter().filter(ended).count(),
            1,
            "invented end: {message:?}"
        );
    }
    for sent in sent.iter().filter(|sent| sent.dotted) {
        let copies: Vec<_> = dotted
            .iter()
            .filter(|message| message.body == sent.body)
            .collect();
        assert!(copies.len() <= 1, "sent twice: {copies:?}");
        // I1.
        if sent
            .verdict
            .as_ref()
            .is_some_and(|reply| reply.class() == '2')
        {
            let taken = copies.first().and_then(|message| message.class);
            assert_eq!(taken, Some(2), "accepted without the backend: {sent:?}");
        }
    }
}

/// The octets that are not part of a CRLF. A body that was cut may end in the first half of one.
fn without_line_ends(body: &[u8]) -> Vec<u8> {
    let mut left = Vec::new();
    let mut rest = body.strip_suffix(b"\r").unwrap_or(body);
    while let Some((first, tail)) = rest.split_first() {
        rest = match rest.strip_prefix(b"\r\n") {
            Some(behind) => behind,
            None => {
                left.push(*first);
                tail
            }
        };
    }
    left
}
