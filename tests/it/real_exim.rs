//! Real mail through gatepost into a real Exim: addresses, recipients, transactions, relay control.

use crate::house::House;
use crate::support::client::Client;
use crate::support::{rbldnsd, swaks};

const CLEAN: &str = "192.0.2.77";
const CLEAN_V6: &str = "2001:db8::77";

const MESSAGE: &[u8] = b"Subject: test\r\nFrom: sender@example.net\r\n\r\nHello.\r\n";

#[test]
fn swaks_mail_arrives_with_the_clients_own_address() {
    let house = House::start();

    for client in [CLEAN, CLEAN_V6] {
        let address = client.parse().unwrap();
        let sent = swaks::send(house.gatepost.proxied(), address, "user@example.com", &[]);
        assert_eq!(sent.code, Some(0), "{}", sent.transcript);

        let received_from = format!("[{client}]");
        let line = house
            .exim
            .logged(&[" <= sender@example.net", &received_from]);
        assert!(
            line.contains("H=(client.example.net)"),
            "the HELO name is the client's: {line}"
        );
        assert!(
            line.contains("PRX=127.0.0.2"),
            "the session came through gatepost: {line}"
        );
    }
    assert_eq!(house.exim.delivered(2)[0].recipient, "user@example.com");
}

#[test]
fn several_recipients_get_one_message_each() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);

    client
        .mail(
            &["a@example.com", "b@example.org", "c@example.com"],
            MESSAGE,
        )
        .expect(250);

    let recipients: Vec<_> = house
        .exim
        .delivered(3)
        .into_iter()
        .map(|to| to.recipient)
        .collect();
    assert_eq!(
        recipients,
        ["a@example.com", "b@example.org", "c@example.com"]
    );
    assert_eq!(house.exim.accepted(), 1, "one transaction, one message");
}

#[test]
fn several_transactions_in_a_session() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);

    client.mail(&["first@example.com"], MESSAGE).expect(250);

    // One that is given up, after a recipient was accepted.
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<never@example.com>").expect(250);
    client.command("RSET").expect(250);

    client.mail(&["second@example.com"], MESSAGE).expect(250);

    // Without RSET, and with the null reverse-path.
    client.command("MAIL FROM:<>").expect(250);
    client.command("RCPT TO:<third@example.org>").expect(250);
    client.command("DATA").expect(354);
    client.message(MESSAGE).expect(250);
    client.command("QUIT").expect(221);

    let recipients: Vec<_> = house
        .exim
        .delivered(3)
        .into_iter()
        .map(|to| to.recipient)
        .collect();
    assert_eq!(
        recipients,
        [
            "first@example.com",
            "second@example.com",
            "third@example.org"
        ]
    );
}

#[test]
fn quit_is_answered_and_the_connection_closed() {
    let house = House::start();

    let mut early = Client::connect_as(house.gatepost.proxied(), CLEAN);
    early.reply().expect(220);
    early.command("QUIT").expect(221);
    assert_eq!(early.closed(), "");

    let mut late = Client::greeted(house.gatepost.proxied(), CLEAN);
    late.mail(&["user@example.com"], MESSAGE).expect(250);
    late.command("QUIT").expect(221);
    assert_eq!(late.closed(), "");
}

#[test]
fn a_recipient_exim_refuses_is_refused_with_its_own_code() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);

    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client
        .command("RCPT TO:<nobody@example.com>")
        .expect(550)
        .containing("no such user");
    client.command("RCPT TO:<user@example.com>").expect(250);
    client.command("DATA").expect(354);
    client.message(MESSAGE).expect(250);

    assert_eq!(house.exim.delivered(1)[0].recipient, "user@example.com");
}

#[test]
fn nobody_may_relay_and_no_exemption_changes_that() {
    let house = House::start();

    for address in [CLEAN, CLEAN_V6, rbldnsd::LISTED] {
        let mut client = Client::greeted(house.gatepost.proxied(), address);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        for recipient in [
            "user@foreign.example",
            "postmaster@foreign.example",
            "abuse@foreign.example",
            "Postmaster@[203.0.113.9]",
            "\"postmaster\"@foreign.example",
        ] {
            client
                .command(&format!("RCPT TO:<{recipient}>"))
                .permanent();
        }
        // A source route is dropped (RFC 5321 appendix C); what is left is foreign all the same.
        client
            .command("RCPT TO:<@example.com:postmaster@foreign.example>")
            .permanent();
        assert_ne!(client.command("DATA").code, 354, "there is no recipient");
    }
    assert_eq!(house.exim.accepted(), 0);
}

#[test]
fn bare_postmaster_is_a_recipient() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::LISTED);

    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<Postmaster>").expect(250);
    client.command("DATA").expect(354);
    client.message(MESSAGE).expect(250);

    let recipient = &house.exim.delivered(1)[0].recipient;
    assert!(
        recipient.eq_ignore_ascii_case("postmaster@example.com"),
        "{recipient}"
    );
}

#[test]
fn an_early_talker_is_denied_but_reaches_postmaster() {
    let house = House::start();
    let mut client = Client::connect_as(house.gatepost.proxied(), CLEAN);

    client.send("EHLO client.example.net\r\n");
    client.reply().expect(220);
    client.reply().expect(250);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    let denied = client.command("RCPT TO:<user@example.com>").expect(550);
    denied.containing("5.7.1").containing("postmaster@");
    client
        .command("RCPT TO:<postmaster@example.com>")
        .expect(250);
    client.command("DATA").expect(354);
    client.message(MESSAGE).expect(250);

    assert_eq!(
        house.exim.delivered(1)[0].recipient,
        "postmaster@example.com"
    );
}

#[test]
fn a_whole_session_in_one_write_delivers_nothing() {
    let house = House::start();
    let blast = "EHLO client.example.net\r\nMAIL FROM:<sender@example.net>\r\nRCPT TO:<user@example.com>\r\n\
                 DATA\r\nSubject: blast\r\n\r\nBuy.\r\n.\r\nQUIT\r\n";

    let mut before_greeting = Client::connect_as(house.gatepost.proxied(), CLEAN);
    before_greeting.send(blast);
    let said = before_greeting.closed();
    assert!(!said.contains("\r\n354 "), "{said}");

    let mut after_greeting = Client::connect_as(house.gatepost.proxied(), CLEAN_V6);
    after_greeting.reply().expect(220);
    after_greeting.send(blast);
    let said = after_greeting.closed();
    assert!(!said.contains("\r\n354 "), "{said}");

    assert_eq!(house.exim.accepted(), 0);
}

#[test]
fn a_listener_for_a_front_proxy_takes_nobody_without_a_header() {
    let house = House::start();

    let mut without = Client::connect(house.gatepost.proxied());
    without.send("EHLO client.example.net\r\n");
    let said = without.closed();
    assert!(!said.contains("220 "), "{said}");

    // And elsewhere a header is a command like any other, and not a good one.
    let mut elsewhere = Client::connect(house.gatepost.direct());
    elsewhere.reply().expect(220);
    elsewhere
        .command("PROXY TCP4 192.0.2.77 192.0.2.25 51234 25")
        .permanent();
}

/// Exim would let a client that is loopback relay. Refusing one must not be taken for trouble with Exim either.
#[test]
fn a_loopback_client_may_not_relay_and_harms_nobody_else() {
    let house = House::start();
    let mut client = Client::connect(house.gatepost.direct());
    client.reply().expect(220);
    client.command("EHLO client.example.net").expect(250);
    let mail = client.command("MAIL FROM:<sender@example.net>");
    let rcpt = client.command("RCPT TO:<user@foreign.example>");
    assert!(rcpt.code >= 400, "after {mail:?}: {}", rcpt.text());
    assert_eq!(house.exim.accepted(), 0);

    let mut next = Client::greeted(house.gatepost.proxied(), CLEAN);
    next.mail(&["user@example.com"], MESSAGE).expect(250);
}
