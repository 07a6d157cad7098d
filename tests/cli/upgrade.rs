//! A new version takes over under load, with sockets that the service manager keeps open: nobody is refused, nothing is lost,
//! and everything that was accepted is there once.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::run::{Client, HEADER, free_address};
use crate::support::wait;
use crate::systemd::start;
use crate::world::{Store, World};

/// Clients at one time.
const CLIENTS: usize = 6;
/// Changes of the process, and messages accepted between them.
const CHANGES: usize = 3;
const BETWEEN: usize = 40;

/// How a client's attempt ended.
#[derive(Debug, PartialEq, Eq)]
enum Attempt {
    Accepted,
    /// 421 before anything was accepted: it comes again, as senders do.
    Later,
}

/// A command where the server may say 421 and go at this very moment: then it can not be written, or the answer is lost with
/// the reset that it causes.
fn between_messages(client: &mut Client, line: &str) -> Option<String> {
    let written = client
        .0
        .get_mut()
        .write_all(format!("{line}\r\n").as_bytes());
    let mut reply = String::new();
    let is_last = |line: &str| line.as_bytes().get(3) == Some(&b' ');
    while reply.lines().last().is_none_or(|line| !is_last(line)) {
        let read = client.0.read_line(&mut reply).ok()?;
        if read == 0 {
            return None;
        }
    }
    written.ok().map(|()| reply)
}

/// One message in one session. Whatever is not a reply of SMTP fails the test.
fn attempt(address: SocketAddr, subject: &str) -> Attempt {
    let mut client = Client::connect(address);
    client.say(HEADER);
    let replied = |client: &mut Client, expected: &str| {
        let reply = client.reply();
        assert!(
            !reply.is_empty(),
            "{subject}: closed without a word before {expected}"
        );
        let later = reply.starts_with("421 ") || reply.contains("\r\n421 ");
        assert!(later || reply.starts_with(expected), "{subject}: {reply}");
        !later
    };
    if !replied(&mut client, "220") {
        return Attempt::Later;
    }
    for line in [
        "EHLO client.example.net",
        "MAIL FROM:<sender@client.example.net>",
    ] {
        match between_messages(&mut client, line) {
            Some(reply) if reply.starts_with("250") => {}
            Some(reply) => {
                assert!(reply.starts_with("421 "), "{subject}: {reply}");
                return Attempt::Later;
            }
            None => return Attempt::Later,
        }
    }
    // From here on it is a transaction, which a drain lets finish.
    for (line, expected) in [("RCPT TO:<user@example.com>", "250"), ("DATA", "354")] {
        client.say(line);
        if !replied(&mut client, expected) {
            return Attempt::Later;
        }
    }
    client.say(&format!("Subject: {subject}\r\n\r\ntext\r\n."));
    match replied(&mut client, "250") {
        true => Attempt::Accepted,
        false => Attempt::Later,
    }
}

#[test]
fn a_new_process_takes_over_under_load() {
    let socket = TcpListener::bind(free_address()).unwrap();
    let address = socket.local_addr().unwrap();
    let backend = free_address();
    let world = World::new()
        .with("127.0.0.1:0", &address.to_string())
        .backend(backend)
        .behind("127.0.0.1/32")
        .and("[limits]\nconnection_rate_per_address = \"off\"\n");
    let _store = Store::start(&world, backend);
    let mut server = start(&world, "mx", Some(socket.try_clone().unwrap()));

    let (accepted, later) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let over = AtomicBool::new(false);
    let subjects = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (accepted, later, over) = (&accepted, &later, &over);
                scope.spawn(move || {
                    let mut mine = Vec::new();
                    for number in 0.. {
                        if over.load(Ordering::Relaxed) {
                            break;
                        }
                        let subject = format!("load-{client}-{number}");
                        match attempt(address, &subject) {
                            Attempt::Accepted => {
                                mine.push(subject);
                                accepted.fetch_add(1, Ordering::Relaxed);
                            }
                            Attempt::Later => _ = later.fetch_add(1, Ordering::Relaxed),
                        }
                    }
                    mine
                })
            })
            .collect();
        for change in 1..=CHANGES {
            let enough = || (accepted.load(Ordering::Relaxed) >= change * BETWEEN).then_some(());
            let dead = || clients.iter().any(thread::ScopedJoinHandle::is_finished);
            let going = wait::until(|| enough().or_else(|| dead().then_some(())));
            if going.is_none() || dead() {
                over.store(true, Ordering::Relaxed);
                panic!("it does not go on:\n{}", server.output());
            }
            // As systemd does: the old one drains to its end, and the socket stays open.
            server.terminate();
            let log = server.output();
            assert!(log.contains("stopped ") && log.contains("cut=0"), "{log}");
            server = start(&world, "mx", Some(socket.try_clone().unwrap()));
        }
        let last = (CHANGES + 1) * BETWEEN;
        let enough = || (accepted.load(Ordering::Relaxed) >= last).then_some(());
        let enough = wait::until(enough);
        over.store(true, Ordering::Relaxed);
        enough.unwrap_or_else(|| panic!("it does not go on:\n{}", server.output()));
        let clients = clients.into_iter().map(|client| client.join().unwrap());
        clients.flatten().collect::<Vec<String>>()
    });

    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    for file in std::fs::read_dir(world.path("Maildir/new")).unwrap() {
        let message = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let subject = message
            .lines()
            .find_map(|line| line.strip_prefix("Subject: "));
        *stored.entry(subject.unwrap().to_owned()).or_default() += 1;
    }
    for subject in &subjects {
        assert_eq!(stored.get(subject), Some(&1), "{subject}");
    }
    // And nothing that its sender was not told of.
    assert_eq!(stored.len(), subjects.len());
}
