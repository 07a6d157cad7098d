//! Connections to the backend are few: who waits for one, who gives one back, and how long a silent client keeps one.

use std::time::Duration;

use gatepost::config::Config;
use gatepost::facts::Ended;

use crate::backend::{Backend, PIPELINING, Script};
use crate::client::Client;
use crate::gate::{Gate, check};
use crate::run::Run;
use crate::session::End;

const TAKEN: &str = "250 2.0.0 taken";
const BUSY: &str = "451 4.3.2 The mail system behind this gate is busy";
/// Long enough for a few commands on a busy machine.
const IDLE: Duration = Duration::from_millis(600);

fn scene(adjust: impl FnOnce(&mut Config)) -> (Backend, Gate) {
    let backend = Backend::start(PIPELINING, vec![Script::new(PIPELINING)]);
    let gate = Gate::start(backend.address, adjust);
    backend.probed();
    (backend, gate)
}

fn places(config: &mut Config, most: usize) {
    for backend in config.backend.values_mut() {
        backend.max_connections = most;
    }
}

fn impatient(config: &mut Config) {
    for backend in config.backend.values_mut() {
        backend.idle_timeout = IDLE;
    }
}

/// A client that is denied: it does not wait for replies.
#[track_caller]
fn denied(gate: &Gate) -> Client {
    let mut client = Client::greeted(gate.address);
    client.send("NOOP\r\nNOOP\r\n");
    client.reply().expect("250");
    client.reply().expect("250");
    client.mail();
    client.rcpt("user@example.com").expect("550 5.7.1");
    client
}

fn message(text: &str) -> Vec<u8> {
    format!("Subject: {text}\r\n\r\n{text}.\r\n").into_bytes()
}

/// After a message as after one that was given up: the next transaction has a connection of its own.
#[test]
fn between_transactions_the_backend_is_left() {
    for given_up in [false, true] {
        let mut run = Run::start(PIPELINING, vec![Script::new(PIPELINING)], impatient);
        run.client.open("first@example.com");
        match given_up {
            false => run.client.message(&message("first")).expect(TAKEN),
            true => run.client.command("RSET").expect("250"),
        };
        run.backend
            .sees("QUIT", |seen| seen[0].end == Some(End::Quit));
        run.client.still_waits();
        run.client.open("second@example.com");
        run.client.message(&message("second")).expect(TAKEN);
        let (seen, record) = run.quit(2);
        assert_eq!(seen[1].messages[0].recipients, ["second@example.com"]);
        assert_eq!(record.ended, Ended::Quit);
    }
}

/// Only who is let through because of whom it writes to must hurry; others have the time of RFC 5321.
#[test]
fn in_a_transaction_only_the_denied_must_hurry() {
    let (backend, gate) = scene(impatient);
    let mut good = Client::greeted(gate.address);
    good.open("user@example.com");
    let mut bad = denied(&gate);
    bad.rcpt("postmaster@example.com").expect("250");
    // It was the last to begin, so its time is over last.
    bad.reply().expect("421 4.4.2 Timeout");
    good.still_waits();
    good.message(&message("good")).expect(TAKEN);

    let mut sent = bad.quit(true);
    sent.extend(good.quit(false));
    let seen = backend.ended(2);
    check(&sent, &seen);
    assert_eq!(seen.len(), 2);
    let mut ended: Vec<_> = gate.stop(2).iter().map(|record| record.ended).collect();
    ended.sort_by_key(|ended| ended.label());
    assert_eq!(ended, [Ended::ClientTimeout, Ended::Quit]);
}

/// Nor may it be slow with its mail data.
#[test]
fn in_mail_data_the_denied_must_hurry() {
    let (backend, gate) = scene(impatient);
    let mut good = Client::greeted(gate.address);
    good.open("user@example.com");
    good.command("DATA").expect("354");
    let mut bad = denied(&gate);
    bad.rcpt("postmaster@example.com").expect("250");
    bad.command("DATA").expect("354");
    bad.body(b"Subject: slow\r\n");
    bad.reply().expect("421 4.4.2 Timeout");
    good.still_waits();
    good.body(&message("good"));
    good.end();
    good.verdict().expect(TAKEN);

    let mut sent = bad.quit(true);
    sent.extend(good.quit(false));
    check(&sent, &backend.ended(2));
    gate.stop(2);
}

/// A client too many hears so after a short wait, or gets the place of one that goes meanwhile.
#[test]
fn a_place_is_waited_for_and_given_back() {
    let (backend, gate) = scene(|config| places(config, 1));
    let mut first = Client::greeted(gate.address);
    first.open("first@example.com");
    let mut second = Client::greeted(gate.address);
    second.mail();
    second.rcpt("second@example.com").expect(BUSY);
    second.command("RSET").expect("250");

    second.mail();
    second.send("RCPT TO:<second@example.com>\r\n");
    second.still_waits();
    let mut sent = first.quit(false);
    second.reply().expect("250");
    second.accepted("second@example.com");
    second.message(&message("second")).expect(TAKEN);
    // Between transactions it is kept; a session that ends without a word gives it back as well.
    sent.extend(second.leave(crate::client::Leave::Rst));
    let mut third = Client::greeted(gate.address);
    third.open("third@example.com");
    sent.extend(third.quit(false));
    let seen = backend.ended(3);
    check(&sent, &seen);
    assert_eq!(seen.len(), 3);
    gate.stop(3);
}

/// However many of them write to postmaster, the others have the rest.
#[test]
fn denied_clients_have_few_places_and_others_theirs() {
    let (backend, gate) = scene(|config| places(config, 3));
    let mut bad = [denied(&gate), denied(&gate), denied(&gate)];
    bad[0].rcpt("postmaster@example.com").expect("250");
    bad[1].rcpt("abuse@example.com").expect("250");
    bad[2].send("RCPT TO:<postmaster@example.com>\r\n");
    let mut good = Client::greeted(gate.address);
    good.open("user@example.com");
    good.message(&message("good")).expect(TAKEN);
    bad[2].reply().expect(BUSY);

    let mut sent = good.quit(false);
    let [first, second, mut third] = bad;
    sent.extend(first.quit(false));
    third.command("RSET").expect("250");
    third.open("postmaster@example.com");
    third
        .message(&message("from a listed client"))
        .expect(TAKEN);
    sent.extend(second.quit(false));
    sent.extend(third.quit(false));
    let seen = backend.ended(4);
    check(&sent, &seen);
    assert_eq!(seen.len(), 4);
    gate.stop(4);
}
