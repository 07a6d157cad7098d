//! What outlives a session, and a restart: passes and greylisting, with a real Exim behind.

use crate::house::House;
use crate::support::client::Client;
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::rbldnsd::{self, Rbldnsd};

const MESSAGE: &[u8] = b"Subject: test\r\nFrom: sender@example.net\r\n\r\nHello.\r\n";

fn deliver(gatepost: &Gatepost, client: &str) {
    let mut client = Client::greeted(gatepost.proxied(), client);
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    client.command("QUIT").expect(221);
}

#[test]
fn a_client_that_delivered_is_not_made_to_wait_again_even_after_a_restart() {
    let exim = Exim::start();
    let rbldnsd = Rbldnsd::start();
    let setup = Setup::new(exim.address(), rbldnsd.address());
    let mut gatepost = Gatepost::start(&setup);

    deliver(&gatepost, "192.0.2.77");
    gatepost.recorded(&["192.0.2.77", "\"silence\"", "\"ended\":\"quit\""]);
    // Another of the same network has not earned it.
    deliver(&gatepost, "192.0.2.78");
    gatepost.recorded(&["192.0.2.78", "\"silence\"", "\"ended\":\"quit\""]);
    deliver(&gatepost, "192.0.2.77");
    gatepost.recorded(&["192.0.2.77", "\"remembered\""]);

    gatepost.restart(&setup);
    deliver(&gatepost, "2001:db8:1:2::77");
    deliver(&gatepost, "192.0.2.77");
    let again = gatepost.recorded(&["192.0.2.77", "\"visits\":2"]);
    assert!(again.to_string().contains("remembered"), "{again}");
    // An IPv6 client is its /64.
    deliver(&gatepost, "2001:db8:1:2:3::99");
    gatepost.recorded(&["2001:db8:1:2:3::99", "\"remembered\""]);
}

#[test]
fn trust_is_lost_by_what_weighs_three_points() {
    let house = House::start();
    deliver(&house.gatepost, "192.0.2.77");
    let mut client = Client::greeted(house.gatepost.proxied(), "192.0.2.77");
    // After HELO nothing is offered, PIPELINING neither.
    client.command("HELO client.example.net").expect(250);
    client.send("MAIL FROM:<a@example.net>\r\nRCPT TO:<user@example.com>\r\nQUIT\r\n");
    client.reply().expect(250);
    client.reply().expect(550);
    client.reply().expect(221);
    house
        .gatepost
        .logged(&["client=192.0.2.77", "verdict=deny"]);
    deliver(&house.gatepost, "192.0.2.77");
    house.gatepost.recorded(&[
        "192.0.2.77",
        "\"nothing\"",
        "\"ended\":\"quit\"",
        "\"silence\"",
    ]);
}

#[test]
fn who_is_in_doubt_is_put_off_and_postmaster_is_not() {
    let exim = Exim::start();
    let rbldnsd = Rbldnsd::start();
    let setup = Setup::new(exim.address(), rbldnsd.address()).zones(&[(
        rbldnsd::ZONE,
        "127.0.0.[2..11]",
        4,
    )]);
    let mut gatepost = Gatepost::start(&setup);
    let ask = |gatepost: &Gatepost, recipient: &str| {
        let mut client = Client::greeted(gatepost.proxied(), rbldnsd::LISTED);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command(&format!("RCPT TO:<{recipient}>"))
    };
    ask(&gatepost, "user@example.com")
        .expect(450)
        .containing("4.7.1 Greylisted, try again in 1m; in doubt because of: 192.0.2.66 listed by");
    ask(&gatepost, "postmaster@example.com").expect(250);
    // Before its time, and remembered across a restart: the wait does not begin anew.
    gatepost.restart(&setup);
    ask(&gatepost, "user@example.com").expect(450);
    gatepost.recorded(&["user@example.com", "\"passed\":false"]);
    deliver(&gatepost, "192.0.2.77");
    assert_eq!(exim.accepted(), 1);
}
