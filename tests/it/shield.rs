//! The shield of a secondary MX, with a real Exim as the primary and another behind the gate.

use crate::support::client::{Client, Reply};
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::rbldnsd::{self, Rbldnsd};
use crate::support::wait;

const MESSAGE: &[u8] = b"Subject: test\r\nFrom: sender@example.net\r\n\r\nHello.\r\n";

fn setup(exim: &Exim, rbldnsd: &Rbldnsd, shield: &str) -> Setup {
    let mut setup = Setup::new(exim.address(), rbldnsd.address()).zones(&[(
        rbldnsd::ZONE,
        "127.0.0.[2..11]",
        5,
    )]);
    setup.policy = shield.to_owned();
    setup
}

fn ask(gatepost: &Gatepost, client: &str, recipient: &str) -> Reply {
    let mut client = Client::greeted(gatepost.proxied(), client);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command(&format!("RCPT TO:<{recipient}>"))
}

#[test]
fn a_secondary_that_always_refuses_takes_mail_to_postmaster_alone() {
    let (exim, rbldnsd) = (Exim::start(), Rbldnsd::start());
    let gatepost = Gatepost::start(&setup(&exim, &rbldnsd, "shield = \"tempfail\""));
    for client in ["192.0.2.77", rbldnsd::LISTED] {
        ask(&gatepost, client, "user@example.com")
            .expect(451)
            .containing("4.7.1 This is a secondary mail server, please use the primary (");
        ask(&gatepost, client, "postmaster@example.com").expect(250);
    }
    let mut client = Client::greeted(gatepost.proxied(), "192.0.2.77");
    client
        .mail(&["postmaster@example.com"], MESSAGE)
        .expect(250);
    exim.delivered(1);
}

#[test]
fn a_secondary_takes_mail_while_the_primary_is_down() {
    let (mut primary, exim, rbldnsd) = (Exim::start(), Exim::start(), Rbldnsd::start());
    // The primary greets whoever comes with a header; to a look without one it is silent or refuses, so its own gate stands
    // before it as it would.
    let before = Gatepost::start(&setup(&primary, &rbldnsd, ""));
    let shield = format!(
        "shield = \"when-primary-down\"\nprimary = [\"{}\"]",
        before.direct()
    );
    let gatepost = Gatepost::start(&setup(&exim, &rbldnsd, &shield));
    gatepost.logged(&["the primary is up"]);
    ask(&gatepost, "192.0.2.77", "user@example.com")
        .expect(451)
        .containing("4.7.1 The primary mail server is up, please use it (");
    assert_eq!(exim.accepted(), 0);

    primary.stop();
    drop(before);
    let found = wait::until(|| gatepost.log().contains("the primary is down").then_some(()));
    assert!(found.is_some(), "{}", gatepost.log());
    let mut client = Client::greeted(gatepost.proxied(), "192.0.2.77");
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    exim.delivered(1);
    ask(&gatepost, rbldnsd::LISTED, "user@example.com").expect(550);
}

#[test]
fn a_strict_secondary_lets_everybody_wait_once() {
    let (exim, rbldnsd) = (Exim::start(), Rbldnsd::start());
    let gatepost = Gatepost::start(&setup(&exim, &rbldnsd, "shield = \"strict\""));
    ask(&gatepost, "192.0.2.77", "user@example.com")
        .expect(450)
        .containing("4.7.1 Greylisted, try again in 1m");
    ask(&gatepost, "192.0.2.77", "abuse@example.com").expect(250);
}
