//! Listed and unlisted clients, judged by a real DNSBL server.

use std::net::IpAddr;

use crate::house::House;
use crate::support::client::Client;
use crate::support::{rbldnsd, swaks, wait};

const MESSAGE: &[u8] = b"Subject: test\r\nFrom: sender@example.net\r\n\r\nPlease delist me.\r\n";

#[test]
fn a_listed_client_is_denied_and_told_why() {
    let house = House::start();

    for address in [rbldnsd::LISTED, rbldnsd::LISTED_V6] {
        let mut client = Client::greeted(house.gatepost.proxied(), address);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        let denied = client.command("RCPT TO:<user@example.com>").expect(550);
        denied
            .containing("550 5.7.1 ")
            .containing(rbldnsd::ZONE)
            .containing("postmaster@");
        client.command("QUIT").expect(221);
    }
    assert_eq!(house.exim.accepted(), 0);
    assert!(
        !house.exim.log().contains(rbldnsd::LISTED),
        "Exim never hears of a denied client"
    );
}

#[test]
fn the_denial_can_be_found_again_in_log_and_record() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::LISTED);
    // No verdict waits for the reason, so the client does: its record shall have it.
    let name = format!("66.2.0.192.{}", rbldnsd::ZONE);
    let told = || (house.rbldnsd.asked(&name, "TXT") == 1).then_some(());
    assert!(
        wait::until(told).is_some(),
        "the reason is asked for when an address is listed"
    );
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(550);
    client.command("QUIT").expect(221);

    house.gatepost.logged(&[rbldnsd::LISTED, "dnsbl"]);
    let record = house.gatepost.recorded(&[rbldnsd::LISTED]);
    let text = record.to_string();
    assert!(text.contains(rbldnsd::ZONE), "{text}");
    assert!(
        text.contains(rbldnsd::REASON),
        "the reason the list gives is kept: {text}"
    );
}

#[test]
fn postmaster_and_abuse_answer_a_listed_client() {
    let house = House::start();

    for (count, recipient) in [
        "postmaster@example.com",
        "abuse@example.org",
        "PostMaster@example.com",
        "\"abuse\"@example.com",
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::LISTED);
        client.mail(&[recipient], MESSAGE).expect(250);
        house.exim.delivered(count + 1);
    }
}

#[test]
fn what_only_looks_like_postmaster_is_denied() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::LISTED);
    client.command("MAIL FROM:<sender@example.net>").expect(250);

    for recipient in [
        "postmaster+x@example.com",
        "xabuse@example.com",
        "postmaster1@example.com",
    ] {
        client
            .command(&format!("RCPT TO:<{recipient}>"))
            .expect(550)
            .containing("5.7.1");
    }
    client
        .command("RCPT TO:<postmaster%foreign.example@example.com>")
        .permanent();
    assert_eq!(house.exim.accepted(), 0);
}

#[test]
fn an_exempt_recipient_carries_no_other_with_it() {
    let orders = [
        ["user@example.com", "postmaster@example.com"],
        ["postmaster@example.com", "user@example.com"],
    ];
    for order in orders {
        let house = House::start();
        let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::LISTED);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        for recipient in order {
            let code = if recipient.starts_with("postmaster") {
                250
            } else {
                550
            };
            client
                .command(&format!("RCPT TO:<{recipient}>"))
                .expect(code);
        }
        client.command("DATA").expect(354);
        client.message(MESSAGE).expect(250);

        // The exemption has ended with the transaction.
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(550);
        client.command("QUIT").expect(221);

        let delivered = house.exim.delivered(1);
        assert_eq!(
            delivered[0].recipient, "postmaster@example.com",
            "order {order:?}"
        );
        assert!(
            !house.exim.log().contains("user@example.com"),
            "{}",
            house.exim.log()
        );
    }
}

#[test]
fn a_client_below_the_threshold_gets_through() {
    let house = House::start();
    let address: IpAddr = rbldnsd::POLICY_LISTED.parse().unwrap();

    let sent = swaks::send(house.gatepost.proxied(), address, "user@example.com", &[]);
    assert_eq!(sent.code, Some(0), "{}", sent.transcript);
    house
        .exim
        .logged(&[" <= sender@example.net", rbldnsd::POLICY_LISTED]);
}

#[test]
fn an_error_code_of_a_list_is_not_a_listing() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::ERROR_CODE);

    client.mail(&["user@example.com"], MESSAGE).expect(250);
    house.exim.delivered(1);
}

#[test]
fn swaks_from_a_listed_address_is_refused_at_rcpt() {
    let house = House::start();
    let address: IpAddr = rbldnsd::LISTED.parse().unwrap();

    let refused = swaks::send(house.gatepost.proxied(), address, "user@example.com", &[]);
    assert_eq!(
        refused.code,
        Some(24),
        "24 means that no recipient was accepted: {}",
        refused.transcript
    );
    assert!(
        refused.transcript.contains("<** 550 5.7.1 "),
        "{}",
        refused.transcript
    );
}

#[test]
fn an_answer_is_asked_for_once_while_it_is_valid() {
    let house = House::start();
    let name = format!("66.2.0.192.{}", rbldnsd::ZONE);

    for _ in 0..3 {
        let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::LISTED);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(550);
    }
    assert_eq!(house.rbldnsd.asked(&name, "A"), 1);

    // What is not listed is remembered as well.
    for _ in 0..3 {
        let mut client = Client::greeted(house.gatepost.proxied(), "192.0.2.77");
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(250);
    }
    assert_eq!(
        house
            .rbldnsd
            .asked(&format!("77.2.0.192.{}", rbldnsd::ZONE), "A"),
        1
    );
}

#[test]
fn a_private_address_is_not_looked_up() {
    let house = House::start();

    for address in ["10.1.2.3", "fd00::7"] {
        let mut client = Client::greeted(house.gatepost.proxied(), address);
        client.mail(&["user@example.com"], MESSAGE).expect(250);
    }
    assert_eq!(
        house
            .rbldnsd
            .asked(&format!("3.2.1.10.{}", rbldnsd::ZONE), "A"),
        0
    );
    house.exim.delivered(2);
}
