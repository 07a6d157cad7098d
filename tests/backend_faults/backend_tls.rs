//! STARTTLS toward the backend: not had, refused, or with something behind it that somebody may have put there.

use gatepost::config::{BackendTls, Config, Verify};

use crate::backend::{Act, Backend, Script, Stage};
use crate::client::Client;
use crate::gate::{Gate, check};
use crate::session::End;

const OFFERING: &[&str] = &["SIZE 50000000", "8BITMIME", "PIPELINING", "STARTTLS"];

fn secured(config: &mut Config) {
    for backend in config.backend.values_mut() {
        backend.tls = BackendTls::Starttls;
        backend.verify = Verify::LoopbackOnly;
    }
}

/// The first recipient's reply, and the last command that the backend was sent.
#[track_caller]
fn answer(script: Script) -> (String, Option<String>) {
    let backend = Backend::start(OFFERING, vec![script]);
    let gate = Gate::start(backend.address, secured);
    let mut client = Client::greeted(gate.address);
    client.mail();
    let reply = client.rcpt("user@example.com").0[0].clone();
    let sent = client.quit(reply.starts_with("421"));
    let seen = backend.ended(1);
    check(&sent, &seen);
    assert_eq!(seen[0].end, Some(End::Left), "cut without a word: {seen:?}");
    gate.stop(1);
    (reply, seen[0].commands.last().cloned())
}

/// Nothing falls back to plain text.
#[test]
fn without_starttls_there_is_no_mail() {
    let (reply, last) = answer(Script::new(crate::backend::PIPELINING));
    assert!(reply.starts_with("451 4.3.2"), "{reply}");
    assert_eq!(last.as_deref(), Some("EHLO client.example.net"));
}

#[test]
fn a_refusal_of_starttls_is_our_trouble() {
    for (refusal, code) in [
        ("454 4.7.0 not now\r\n", "451 4.3.2"),
        ("554 5.7.3 never\r\n", "451 4.3.2"),
        ("250 2.0.0 not the code\r\n", "451 4.3.2"),
        ("421 4.3.2 going down\r\n", "421 4.3.2"),
    ] {
        let act = Act::Say(refusal.as_bytes().to_vec());
        let (reply, last) = answer(Script::new(OFFERING).with(Stage::StartTls, act));
        assert!(reply.starts_with(code), "{refusal}: {reply}");
        assert_eq!(last.as_deref(), Some("STARTTLS"));
    }
}

/// Replies that stand in plain text behind the 220 would be taken for replies under TLS.
#[test]
fn what_stands_behind_the_220_cuts_the_connection() {
    for injected in [
        "220 ready\r\n250 2.1.0 injected\r\n",
        "220 ready\r\n250-injected\r\n250 SIZE 1\r\n",
        "220 ready\r\n2",
        "220 ready\r\n\r\n",
        "220 ready\r\n421 4.3.2 going down\r\n",
    ] {
        let act = Act::Say(injected.as_bytes().to_vec());
        let (reply, last) = answer(Script::new(OFFERING).with(Stage::StartTls, act));
        assert!(reply.starts_with("451 4.3."), "{injected}: {reply}");
        assert_eq!(last.as_deref(), Some("STARTTLS"), "not one octet of TLS");
    }
}

/// Plain text instead of a handshake.
#[test]
fn no_handshake() {
    let act = Act::SayAndClose(b"220 ready\r\n".to_vec());
    let (reply, _) = answer(Script::new(OFFERING).with(Stage::StartTls, act));
    assert!(reply.starts_with("451 4.3.2"), "{reply}");
}
