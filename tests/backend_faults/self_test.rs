//! A backend that takes strangers' mail for foreign domains: it stops the start, and found later it gets no mail.

use std::net::TcpListener;

use gatepost::config::Config;

use crate::backend::{Act, Backend, ONE_BY_ONE, PIPELINING, Script, Stage, nowhere};
use crate::client::Client;
use crate::gate::{Gate, check};

fn strict(config: &mut Config) {
    for backend in config.backend.values_mut() {
        backend.allow_open_backend = false;
    }
}

#[test]
fn a_backend_that_relays_stops_the_start() {
    for keywords in [PIPELINING, ONE_BY_ONE] {
        let open = Backend::start(keywords, vec![Script::new(keywords)]);
        let refusal = Gate::refusal(open.address, strict);
        assert!(
            refusal.contains("backend.scripted.address: the backend would relay for strangers"),
            "{refusal}"
        );
        assert!(refusal.contains("allow_open_backend"), "{refusal}");
        open.probed();
        // No DATA.
        let expected = [
            "EHLO self-test.gatepost.example",
            "EHLO self-test.gatepost.example",
            "MAIL FROM:<>",
            "RCPT TO:<self-test@relay.gatepost.example>",
            "RSET",
            "QUIT",
        ];
        assert_eq!(open.question(), expected);
    }
}

/// One of several is enough: a session could come to it.
#[test]
fn one_server_that_relays_stops_the_start() {
    let open = Backend::start(PIPELINING, vec![Script::new(PIPELINING)]);
    let (_held, nobody) = nowhere();
    let refusal = Gate::refusal(nobody, |config| {
        strict(config);
        for backend in config.backend.values_mut() {
            backend.address.push(open.address);
        }
    });
    assert!(refusal.contains("would relay for strangers"), "{refusal}");
}

/// It was not there at the start, so that did not stop it.
#[test]
fn a_backend_that_relays_and_comes_later_gets_no_mail() {
    let (held, address) = nowhere();
    let gate = Gate::start(address, strict);
    held.listen(128).unwrap();
    let scripts = vec![Script::new(PIPELINING)];
    let open = Backend::start_on(TcpListener::from(held), Script::new(PIPELINING), scripts);
    gate.shows("\"relays_for_strangers\"");
    let mut client = Client::greeted(gate.address);
    client.mail();
    client.rcpt("user@example.com").expect("451 4.3.2");
    check(&client.quit(false), &[]);
    assert_eq!(open.connections(), 0);
    gate.stop(1);
}

/// It answers, but slowly: until it was tested nobody knows whether it relays, and behind that it has mail.
#[test]
fn a_backend_gets_no_mail_before_it_was_tested() {
    let (held, address) = nowhere();
    let gate = Gate::start(address, strict);
    held.listen(128).unwrap();
    let refuses = Act::Say(b"550 relay not permitted\r\n".to_vec());
    let slow = Script::new(PIPELINING)
        .with(Stage::Ehlo, Act::Hold)
        .with(Stage::Rcpt, refuses);
    let scripts = vec![Script::new(PIPELINING)];
    let backend = Backend::start_on(TcpListener::from(held), slow, scripts);
    backend.acted(1);
    let mut client = Client::greeted(gate.address);
    client.mail();
    client.rcpt("user@example.com").expect("451 4.3.2");
    assert_eq!(backend.connections(), 0);
    backend.release();
    gate.shows("\"refuses_to_relay\"");
    client.command("RSET").expect("250");
    client.open("user@example.com");
    client.message(b"Subject: x\r\n\r\nx\r\n").expect("250");
    let sent = client.quit(false);
    check(&sent, &backend.ended(1));
    gate.stop(1);
}

/// Only who refuses the recipient for good refuses to relay. Who puts everybody off, or does not want this stranger, gets
/// mail all the same.
#[test]
fn a_backend_that_does_not_take_it_gets_mail() {
    const REFUSES: &str = "\"refuses_to_relay\"";
    const UNKNOWN: &str = "\"unknown\"";
    for (stage, refusal, shown) in [
        (Stage::Rcpt, "550 relay not permitted\r\n", REFUSES),
        (Stage::Rcpt, "451 4.7.1 greylisted\r\n", UNKNOWN),
        (Stage::Rcpt, "454 4.7.1 Relay access denied\r\n", UNKNOWN),
        (Stage::Rcpt, "421 4.7.1 come back later\r\n", UNKNOWN),
        (Stage::Mail, "452 4.3.1 disk full\r\n", UNKNOWN),
        (Stage::Mail, "550 5.7.1 no bounces here\r\n", UNKNOWN),
        (Stage::Ehlo, "550 5.7.1 who is that\r\n", UNKNOWN),
        (Stage::Greeting, "554 5.7.1 not you\r\n", UNKNOWN),
    ] {
        let act = Act::Say(refusal.as_bytes().to_vec());
        let refusing = Script::new(PIPELINING).with(stage, act);
        let backend = Backend::start_with_probe(refusing, vec![Script::new(PIPELINING)]);
        let gate = Gate::start(backend.address, strict);
        gate.shows(shown);
        let mut client = Client::greeted(gate.address);
        client.open("user@example.com");
        client.message(b"Subject: x\r\n\r\nx\r\n").expect("250");
        let sent = client.quit(false);
        check(&sent, &backend.ended(1));
        gate.stop(1);
    }
}
