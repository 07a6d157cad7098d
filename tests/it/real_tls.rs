//! TLS by STARTTLS and from the first octet, with `openssl s_client` on the other side.

use crate::house::House;
use crate::support::client::Client;
use crate::support::gatepost::HOSTNAME;
use crate::support::{front, openssl};

/// How the reply to EHLO begins. Of the one before TLS `s_client` shows the last line only.
const EHLO_REPLY: &str = "\n250-mx.example.com";

#[test]
fn implicit_tls_greets_with_220() {
    let house = House::start();

    let session = openssl::implicit_tls(house.gatepost.direct_tls(), &[("\n220 ", "QUIT\n")]);
    assert!(
        session.transcript.contains(&format!("220 {HOSTNAME}")),
        "{}",
        session.transcript
    );
    assert!(
        session.transcript.contains("\n221 "),
        "{}",
        session.transcript
    );
}

/// ALPACA: a browser whose connection was led here must not take our answers for a web server's.
#[test]
fn a_client_that_offers_only_other_protocols_is_refused() {
    let house = House::start();
    let quit = [("\n220 ", "QUIT\n")];

    let session = openssl::offering(house.gatepost.direct_tls(), "h2,http/1.1", &quit);
    let transcript = &session.transcript;
    assert_ne!(session.code, Some(0), "{transcript}");
    assert!(
        transcript.contains("alert no application protocol"),
        "{transcript}"
    );
    assert!(!transcript.contains("220 mx."), "{transcript}");

    for protocols in ["smtp", "h2,smtp"] {
        let session = openssl::offering(house.gatepost.direct_tls(), protocols, &quit);
        let transcript = &session.transcript;
        assert!(transcript.contains("ALPN protocol: smtp"), "{transcript}");
        assert!(transcript.contains("\n221 "), "{transcript}");
    }
}

#[test]
fn starttls_begins_anew_under_tls() {
    let house = House::start();

    let session = openssl::starttls(
        house.gatepost.direct(),
        &[
            ("Verify return code", "EHLO client.example.net\n"),
            (EHLO_REPLY, ""),
            ("\n250 ", "QUIT\n"),
        ],
    );
    let (before, under_tls) = session
        .transcript
        .split_once(EHLO_REPLY)
        .expect("a reply under TLS");
    assert!(before.contains("BEGIN CERTIFICATE"), "{before}");
    assert!(
        !under_tls.contains("STARTTLS"),
        "it is not offered again: {under_tls}"
    );
    assert!(under_tls.contains("\n221 "), "{under_tls}");
}

#[test]
fn mail_arrives_by_both_ways_of_tls() {
    let house = House::start();
    let rest = [
        (EHLO_REPLY, ""),
        ("\n250 ", "MAIL FROM:<sender@example.net>\n"),
        ("\n250 ", "RCPT TO:<user@example.com>\n"),
        ("\n250 ", "DATA\n"),
        ("\n354 ", "Subject: under TLS\n\nHello.\n.\n"),
        ("\n250 ", "QUIT\n"),
    ];
    let begun_by = |start: (&'static str, &'static str)| [&[start], rest.as_slice()].concat();

    let starttls = front::stand_before(house.gatepost.proxied(), "192.0.2.77");
    let script = begun_by(("Verify return code", "EHLO client.example.net\n"));
    let session = openssl::starttls(starttls, &script);
    assert!(
        session.transcript.contains("\n221 "),
        "{}",
        session.transcript
    );
    house
        .exim
        .logged(&[" <= sender@example.net", "[192.0.2.77]"]);

    let implicit = front::stand_before(house.gatepost.proxied_tls(), "2001:db8::77");
    let script = begun_by(("\n220 ", "EHLO client.example.net\n"));
    let session = openssl::implicit_tls(implicit, &script);
    assert!(
        session.transcript.contains("\n221 "),
        "{}",
        session.transcript
    );
    house
        .exim
        .logged(&[" <= sender@example.net", "[2001:db8::77]"]);

    for delivered in house.exim.delivered(2) {
        assert_eq!(delivered.body(), b"Hello.\r\n");
    }
}

#[test]
fn starttls_is_offered_and_obeyed_once() {
    let house = House::start();
    let mut client = Client::connect_as(house.gatepost.proxied(), "192.0.2.77");
    client.reply().expect(220);

    client
        .command("EHLO client.example.net")
        .expect(250)
        .containing("STARTTLS");
    client.command("STARTTLS now").expect(501);
    client.command("STARTTLS").expect(220);
}

/// CVE-2011-0411: what was sent in plain text must not be read as if it came under TLS.
#[test]
fn octets_behind_starttls_end_the_session() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), "192.0.2.77");

    client.send("STARTTLS\r\nMAIL FROM:<injected@example.net>\r\n");
    let said = client.closed();
    assert!(!said.contains("220 "), "no handshake is begun: {said}");
    assert!(
        !said.contains("250 "),
        "the injected command is not obeyed: {said}"
    );
}
