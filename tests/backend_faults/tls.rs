//! The client upgrades to TLS, or vanishes under it: nothing from before the handshake reaches the backend behind it,
//! and an end without `close_notify` ends no message.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use gatepost::config::TlsMode;
use gatepost::facts::Ended;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto};

use crate::backend::{Backend, PATIENCE, PIPELINING, Script, reset};
use crate::client::ADDRESS;
use crate::gate::Gate;
use crate::session::End;

type Tls = StreamOwned<ClientConnection, TcpStream>;

const NAMED: [&str; 2] = ["EHLO client.example.net", "250"];

fn begin() -> (Backend, Gate) {
    let backend = Backend::start(PIPELINING, vec![Script::new(PIPELINING)]);
    let gate = Gate::start(backend.address, |config| {
        for listen in config.listen.values_mut() {
            listen.tls = TlsMode::Starttls;
        }
    });
    backend.probed();
    (backend, gate)
}

/// Says each line and waits for a reply that begins as expected.
#[track_caller]
fn talk(stream: &mut (impl Read + Write), lines: &[[&str; 2]]) {
    for [line, expected] in lines {
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        hear(stream, expected);
    }
}

#[track_caller]
fn hear(stream: &mut impl Read, expected: &str) {
    let mut said = Vec::new();
    loop {
        let begin = said.len();
        while !said.ends_with(b"\r\n") || said.len() == begin {
            let mut octet = [0];
            stream.read_exact(&mut octet).unwrap();
            said.push(octet[0]);
        }
        if said[begin + 3] == b' ' {
            let said = said.escape_ascii().to_string();
            assert!(said.starts_with(expected), "{expected} is not {said}");
            return;
        }
    }
}

fn connect(gate: &Gate) -> TcpStream {
    let mut plain = TcpStream::connect(gate.address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.set_nodelay(true).unwrap();
    let header = format!("PROXY TCP4 {ADDRESS} 192.0.2.25 51234 25\r\n");
    plain.write_all(header.as_bytes()).unwrap();
    hear(&mut plain, "220");
    plain
}

/// STARTTLS and the handshake, with a client that trusts this gatepost alone.
fn upgrade(mut plain: TcpStream, gate: &Gate) -> Tls {
    talk(&mut plain, &[["STARTTLS", "220"]]);
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(gate.certificate()).unwrap();
    roots.add(certificate).unwrap();
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("mx.example.com").unwrap();
    let connection = ClientConnection::new(Arc::new(client), name).unwrap();
    StreamOwned::new(connection, plain)
}

/// A backend connection from before the handshake was opened in the name of somebody whom nobody knew.
#[test]
fn starttls_leaves_the_old_connection() {
    let (backend, gate) = begin();
    let mut plain = connect(&gate);
    let message = [
        ["MAIL FROM:<sender@example.net>", "250"],
        ["RCPT TO:<user@example.com>", "250"],
        ["DATA", "354"],
        ["Subject: x\r\n\r\nx\r\n.", "250 2.0.0 taken"],
    ];
    talk(&mut plain, &[NAMED]);
    talk(&mut plain, &message);
    let mut tls = upgrade(plain, &gate);
    talk(
        &mut tls,
        &[["MAIL FROM:<sender@example.net>", "503"], NAMED],
    );
    talk(&mut tls, &message);
    talk(&mut tls, &[["QUIT", "221"]]);
    let seen = backend.ended(2);
    for session in &seen {
        assert_eq!(session.messages.len(), 1);
        assert!(session.messages[0].dotted);
    }
    assert_eq!(gate.stop(1)[0].ended, Ended::Quit);
}

/// Cut in the mail data: with and without `close_notify`, and by RST (TLS truncation).
#[test]
fn cut_under_tls() {
    for way in ["close_notify", "FIN", "RST"] {
        for part in [
            "",
            "A: b\r\n\r\nc",
            "A: b\r\n\r\nc\r\n",
            "A: b\r\n\r\nc\r\n.\r",
        ] {
            let (backend, gate) = begin();
            let mut plain = connect(&gate);
            talk(&mut plain, &[NAMED]);
            let mut tls = upgrade(plain, &gate);
            let envelope = [
                NAMED,
                ["MAIL FROM:<sender@example.net>", "250"],
                ["RCPT TO:<user@example.com>", "250"],
                ["DATA", "354"],
            ];
            talk(&mut tls, &envelope);
            tls.write_all(part.as_bytes()).unwrap();
            match way {
                "close_notify" => {
                    tls.conn.send_close_notify();
                    tls.flush().unwrap();
                }
                "RST" => reset(&tls.sock),
                _ => {}
            }
            drop(tls);
            let seen = backend.ended(1);
            assert_eq!(seen[0].end, Some(End::Left), "{way} {part:?}");
            assert!(!seen[0].messages[0].dotted, "{way} {part:?}");
            let record = gate.stop(1).remove(0);
            assert_eq!(record.ended, Ended::ClientLeft, "{way} {part:?}");
            assert_eq!(record.messages, []);
        }
    }
}
