//! A client that vanishes: the backend is never told that a message ended which the client did not end.

use gatepost::facts::Ended;
use gatepost::journal::SessionRecord;

use crate::backend::{Act, Backend, ONE_BY_ONE, PIPELINING, Script, Stage};
use crate::client::{Client, Leave, Sent};
use crate::gate::{Gate, check};
use crate::run::Run;
use crate::session::{End, Seen};

const WAYS: [Leave; 3] = [Leave::Fin, Leave::Rst, Leave::Half];
const RECIPIENT: &str = "user@example.com";

/// What a backend's connection must look like where no message was ended.
#[track_caller]
fn not_ended(seen: &[Seen]) {
    let mut messages = seen.iter().flat_map(|seen| &seen.messages);
    assert!(messages.all(|message| !message.dotted), "{seen:#?}");
}

/// Before the greeting, behind it, and in the middle of a command; the backend hears nothing of it.
#[test]
fn before_a_transaction() {
    for how in WAYS {
        for (replies, last) in [
            (0, ""),
            (1, ""),
            (1, "EH"),
            (1, "EHLO client.example.net"),
            (1, "EHLO client.example.net\r"),
            (2, ""),
            (2, "MAIL FROM:<sender@example.net>"),
            (2, "MAIL FROM:<sender@example.net>\r"),
        ] {
            if (replies, how) == (0, Leave::Rst) {
                // It would take the PROXY header with it: there would be no client to speak of.
                continue;
            }
            let backend = Backend::start(PIPELINING, vec![Script::new(PIPELINING)]);
            let gate = Gate::start(backend.address, |_| ());
            let mut client = match replies {
                2 => Client::greeted(gate.address),
                _ => Client::connected(gate.address),
            };
            if replies == 1 {
                client.reply().expect("220");
            }
            client.send(last);
            if (replies, how) == (0, Leave::Half) {
                // The greeting may be on its way already.
                client.finish_sending();
                client.end_of_input();
            } else {
                client.leave(how);
            }
            backend.probed();
            let ended = gate.stop(1)[0].ended;
            assert_eq!(ended, Ended::ClientLeft, "{how:?} {replies} {last:?}");
            assert!(backend.ended(0).is_empty());
        }
    }
}

/// With a transaction open: the backend is left with QUIT, or without a word in mail data.
#[test]
fn in_a_transaction() {
    for keywords in [PIPELINING, ONE_BY_ONE] {
        for how in WAYS {
            for stage in [Stage::Mail, Stage::Rcpt, Stage::Data] {
                let mut run = Run::start(keywords, vec![Script::new(keywords)], |_| ());
                run.client.mail();
                if stage != Stage::Mail {
                    run.client.rcpt(RECIPIENT).expect("250");
                }
                if stage == Stage::Data {
                    run.client.command("DATA").expect("354");
                }
                let connections = usize::from(stage != Stage::Mail);
                let (seen, record) = run.leave(how, connections);
                assert_eq!(record.ended, Ended::ClientLeft, "{how:?} {stage:?}");
                assert_eq!(record.messages, []);
                not_ended(&seen);
                let end = seen.first().and_then(|seen| seen.end);
                let expected = match stage {
                    Stage::Mail => None,
                    Stage::Rcpt => Some(End::Quit),
                    _ => Some(End::Left),
                };
                assert_eq!(end, expected, "{how:?} {stage:?}");
            }
        }
    }
}

/// A client that has ended its output already goes by being closed.
#[track_caller]
fn gone(run: Run, how: Leave) -> (Vec<Seen>, SessionRecord) {
    match how {
        Leave::Half => run.closed(1),
        Leave::Fin | Leave::Rst => run.leave(how, 1),
    }
}

/// While the backend thinks: what it says then is read, the session ends, and nothing more is asked of it.
#[test]
fn while_the_backend_is_asked() {
    for how in WAYS {
        for stage in [Stage::Rcpt, Stage::Data] {
            let script = Script::new(PIPELINING).with(stage, Act::Hold);
            let mut run = Run::start(PIPELINING, vec![script], |_| ());
            run.client.mail();
            if stage == Stage::Data {
                run.client.rcpt(RECIPIENT).expect("250");
                run.client.send("DATA\r\n");
            } else {
                run.client.send(format!("RCPT TO:<{RECIPIENT}>\r\n"));
                // Accepted, should anything come of it.
                run.client.accepted(RECIPIENT);
            }
            run.backend.acted(1);
            if how == Leave::Half {
                // It still reads, so it gets its reply.
                run.client.finish_sending();
                run.backend.release();
                let usual = if stage == Stage::Data { "354" } else { "250" };
                run.client.reply().expect(usual);
            }
            let (seen, record) = gone(run, how);
            assert_eq!(record.ended, Ended::ClientLeft, "{how:?} {stage:?}");
            not_ended(&seen);
        }
    }
}

/// The message was complete: the backend's word on it is waited for and recorded; who still reads hears it.
#[test]
fn after_the_dot() {
    for how in WAYS {
        let script = Script::new(PIPELINING).with(Stage::Dot, Act::Hold);
        let mut run = Run::start(PIPELINING, vec![script], |_| ());
        run.client.open(RECIPIENT);
        run.client.command("DATA").expect("354");
        run.client.body(b"Subject: x\r\n\r\nx\r\n");
        run.client.end();
        run.backend.acted(1);
        if how == Leave::Half {
            run.client.finish_sending();
            run.backend.release();
            run.client.verdict().expect("250 2.0.0 taken");
        }
        let (seen, record) = gone(run, how);
        assert_eq!(record.ended, Ended::ClientLeft, "{how:?}");
        let codes: Vec<_> = record.messages.iter().map(|it| it.reply.code).collect();
        assert_eq!(codes, [250], "{how:?}");
        assert_eq!(seen[0].messages[0].class, Some(2));
    }
}

/// Mail data with look-alikes of its end in it.
const DATA: &[u8] = b"A: b\r\n\r\n..\r\n.x\r\nc.\r\n.\r\n";

/// Mail data cut behind each octet; the whole of it is a message.
#[test]
fn at_each_octet() {
    for drip in [false, true] {
        let backend = Backend::start(PIPELINING, vec![Script::new(PIPELINING)]);
        let gate = Gate::start(backend.address, |_| ());
        backend.probed();
        let mut sent = Vec::new();
        let mut sessions = 0;
        for how in WAYS {
            for cut in 0..DATA.len() {
                let part = DATA.get(..cut).unwrap_or_default();
                sent.extend(cut_at(gate.address, part, drip).leave(how));
                sessions += 1;
            }
        }
        let seen = backend.ended(sessions);
        assert_eq!(seen.len(), sessions);
        check(&sent, &seen);
        not_ended(&seen);
        for record in gate.stop(sessions) {
            assert_eq!(record.ended, Ended::ClientLeft);
            assert_eq!(record.messages, []);
        }
    }
}

fn cut_at(server: std::net::SocketAddr, part: &[u8], drip: bool) -> Client {
    let mut client = Client::greeted(server);
    client.open(RECIPIENT);
    client.command("DATA").expect("354");
    let pieces = if drip { 1 } else { part.len().max(1) };
    for piece in part.chunks(pieces) {
        client.body(piece);
    }
    client
}

/// The same octets, the last one included, are a message.
#[test]
fn behind_the_last_octet() {
    for drip in [false, true] {
        let backend = Backend::start(PIPELINING, vec![Script::new(PIPELINING)]);
        let gate = Gate::start(backend.address, |_| ());
        backend.probed();
        let body = DATA.strip_suffix(b".\r\n").unwrap();
        let mut client = cut_at(gate.address, body, drip);
        client.end();
        client.verdict().expect("250 2.0.0 taken");
        check(&client.leave(Leave::Fin), &backend.ended(1));
        let records = gate.stop(1);
        assert_eq!(records[0].ended, Ended::ClientLeft);
        // As SIZE counts it: without the dots that only hide other dots (RFC 1870 §3).
        let stuffed = body.split(|octet| *octet == b'\n');
        let stuffed = stuffed.filter(|line| line.starts_with(b".")).count();
        assert_ne!(stuffed, 0);
        assert_eq!(records[0].messages[0].size, (body.len() - stuffed) as u64);
    }
}

/// A backend that takes no more is no reason to miss that the client has gone: no dot, whatever was on its way.
#[test]
fn while_the_backend_takes_nothing() {
    for how in [Leave::Fin, Leave::Rst] {
        let script = Script::new(PIPELINING).with(Stage::Body, Act::Hold);
        let mut run = Run::start(PIPELINING, vec![script], |_| ());
        run.client.open(RECIPIENT);
        run.client.command("DATA").expect("354");
        let line = b"All work and no play makes Jack a dull boy.\r\n";
        run.client.body(line);
        run.backend.acted(1);
        let lines = line.repeat(1 << 19);
        let taken = run.client.body_until_blocked(&lines);
        assert!(taken < lines.len(), "never blocked");
        let (seen, record) = run.leave(how, 1);
        assert_eq!(record.ended, Ended::ClientLeft, "{how:?}");
        assert_eq!(record.messages, []);
        not_ended(&seen);
        assert!(!seen[0].messages[0].body.is_empty());
    }
}

/// After a message, between transactions: what was taken stays taken, and nothing else is begun.
#[test]
fn after_a_message() {
    for how in WAYS {
        let mut run = Run::start(PIPELINING, vec![Script::new(PIPELINING)], |_| ());
        run.client.open(RECIPIENT);
        run.client.message(b"Subject: x\r\n\r\nx\r\n").expect("250");
        run.client.open("other@example.com");
        let (seen, record) = run.leave(how, 1);
        assert_eq!(record.ended, Ended::ClientLeft);
        assert_eq!(record.messages.len(), 1);
        assert_eq!(seen[0].messages.len(), 1);
        assert_eq!(seen[0].end, Some(End::Quit));
    }
}

/// Several at once, all cut in their mail data: each connection of the backend is let go.
#[test]
fn many_at_once() {
    const CLIENTS: usize = 12;
    let backend = Backend::start(PIPELINING, vec![Script::new(PIPELINING)]);
    let gate = Gate::start(backend.address, |_| ());
    backend.probed();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| cut_at(gate.address, b"A: b\r\n\r\nc\r\n.\r", false))
        .collect();
    backend.sees("all in mail data", |seen| {
        let begun = seen.iter().filter(|seen| !seen.messages.is_empty());
        begun.count() == CLIENTS
    });
    let sent: Vec<Sent> = clients
        .into_iter()
        .zip(WAYS.iter().cycle())
        .flat_map(|(client, how)| client.leave(*how))
        .collect();
    let seen = backend.ended(CLIENTS);
    check(&sent, &seen);
    not_ended(&seen);
    gate.stop(CLIENTS);
}
