//! A process that can wait no longer: whoever is still there hears so, and leaves a log line and a record.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gatepost::facts::Ended;
use tokio::runtime::{Builder, Runtime};
use tracing::Dispatch;
use tracing::dispatcher::{set_default, with_default};

use crate::backend::{Act, Backend, PIPELINING, Script, Stage};
use crate::client::Client;
use crate::gate::{Gate, check};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn dispatch(&self) -> Dispatch {
        let log = self.clone();
        let to = tracing_subscriber::fmt().with_ansi(false);
        to.with_writer(move || log.clone()).finish().into()
    }

    /// To be held meanwhile: where there is only one subscriber, tracing asks the thread that logs a line first, which may be
    /// another test's, whether anybody wants that line, and believes it for ever.
    fn another() -> Dispatch {
        tracing_subscriber::fmt()
            .with_writer(io::sink)
            .finish()
            .into()
    }

    /// The only line with `part` in it.
    #[track_caller]
    fn line(&self, part: &str) -> String {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let mut lines = log.lines().filter(|line| line.contains(part));
        let line = lines.next();
        let line = line.unwrap_or_else(|| panic!("no {part:?}:\n{log}"));
        assert_eq!(lines.next(), None);
        line.to_owned()
    }
}

/// A runtime of its own, whose threads log there.
fn runtime(log: &Dispatch) -> Runtime {
    let log = log.clone();
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        // For as long as the thread lives.
        .on_thread_start(move || std::mem::forget(set_default(&log)))
        .build()
        .unwrap()
}

/// Whatever the session waits for: its client in a transaction or in mail data, or the backend.
#[test]
fn sessions_that_are_cut_say_so() {
    let script = Script::new(PIPELINING).with(Stage::Dot, Act::Hold);
    let backend = Backend::start(PIPELINING, vec![script]);
    let log = Log::default();
    let (dispatch, _another) = (log.dispatch(), Log::another());
    let runtime = runtime(&dispatch);
    let gate = Gate::start_on(&runtime, backend.address, |_| ());
    backend.probed();

    let mut idle = Client::greeted(gate.address);
    let mut open = Client::greeted(gate.address);
    open.open("open@example.com");
    let mut sending = Client::greeted(gate.address);
    sending.open("sending@example.com");
    sending.command("DATA").expect("354");
    sending.body(b"Subject: half\r\n\r\nhalf\r\n");
    let mut waiting = Client::greeted(gate.address);
    waiting.open("waiting@example.com");
    waiting.command("DATA").expect("354");
    waiting.body(b"Subject: whole\r\n\r\nwhole\r\n");
    waiting.end();
    backend.acted(1);

    let stop = || gate.stop_within(&runtime, Duration::from_secs(1));
    let (cut, records) = with_default(&dispatch, stop);
    assert_eq!(cut, 3);
    assert_eq!(records.len(), 4);
    let mut sent = Vec::new();
    let mut left = Vec::new();
    for client in [&mut idle, &mut open, &mut sending, &mut waiting] {
        let reply = client.reply();
        reply.expect("421 4.3.2 Service is being restarted");
        let id = reply.0[0].rsplit(['(', ')']).nth(1).unwrap();
        let record = records.iter().find(|record| record.id == id);
        let record = record.unwrap_or_else(|| panic!("no record of {id}: {records:?}"));
        assert_eq!(record.ended, Ended::Shutdown);
        let line = log.line(&format!("id={id} "));
        assert!(line.contains("ended=\"shutdown\""), "{line}");
        left.push(id.to_owned());
    }
    // Who was left is named; the one that waited for nothing had gone before.
    let line = log.line("cut: they had not finished in time");
    assert!(line.contains(" sessions=3 "), "{line}");
    for (index, id) in left.iter().enumerate() {
        assert_eq!(
            line.contains(&format!("{id} 192.0.2.77")),
            index > 0,
            "{line}"
        );
    }
    let line = log.line("stopped ");
    assert!(
        line.contains("stopped sessions=4 delivered=0 refused=0 cut=3"),
        "{line}"
    );
    backend.release();
    for client in [idle, open, sending, waiting] {
        sent.extend(client.quit(true));
    }
    let seen = backend.ended(3);
    check(&sent, &seen);
    let dotted = |seen: &&crate::session::Seen| seen.messages.iter().any(|one| one.dotted);
    assert_eq!(seen.iter().filter(dotted).count(), 1, "{seen:?}");
}

/// One that is turned away is told so even if it has spoken already: closing over what it said would be a reset.
#[test]
fn who_is_turned_away_hears_why() {
    let backend = Backend::start(PIPELINING, vec![Script::new(PIPELINING)]);
    // It accepts only while it is driven.
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let gate = Gate::start_on(&runtime, backend.address, |config| {
        config.limits.connections = 0;
    });
    let mut early = Client::connected(gate.address);
    early.send("EHLO client.example.net\r\n");
    let heard = move || {
        early.reply().expect("421 4.3.2 Too many connections");
        early.closed_in_good_order();
    };
    let driven = async { tokio::task::spawn_blocking(heard).await };
    runtime.block_on(driven).unwrap();
    gate.stop_within(&runtime, Duration::from_secs(1));
}
