//! The line that a session leaves in the log: who, to whom, what became of it and why, for each way a session can go.

use crate::house::House;
use crate::support::client::Client;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::rbldnsd::{self, LISTED};

const MESSAGE: &[u8] = b"Subject: test\r\n\r\nHello.\r\n";

/// Fails the test if the line does not show all of `parts`, in this order.
#[track_caller]
fn shows(line: &str, parts: &[&str]) {
    let mut rest = line;
    for part in parts {
        let found = rest.split_once(part);
        rest = found
            .unwrap_or_else(|| panic!("no {part:?} at its place in {line}"))
            .1;
    }
}

/// The line of the session of `client`.
#[track_caller]
fn line(gatepost: &Gatepost, client: &str) -> String {
    let from = format!(" client={client} ");
    gatepost.logged(&[" session id=", &from])
}

#[test]
fn a_mail_that_is_delivered() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), "192.0.2.77");
    client
        .mail(
            &["a@example.com", "b@example.org", "c@example.com"],
            MESSAGE,
        )
        .expect(250);
    client.command("QUIT").expect(221);
    let line = line(&house.gatepost, "192.0.2.77");
    let parts = [
        " listener=proxied helo=client.example.net tls=-",
        " from=<sender@example.net> to=\"<a@example.com> and 2 more\" mode=enforce verdict=clear points=0 findings= \
         reason= delivered=1 refused=0 rejected=0 reply=- ended=quit duration=",
        " bytes_in=",
        " bytes_out=",
    ];
    shows(&line, &parts);
}

/// The backend's word, and not a refusal of ours.
#[test]
fn a_user_that_exim_does_not_know() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), "192.0.2.78");
    client.command("MAIL FROM:<>").expect(250);
    client.command("RCPT TO:<nobody@example.com>").expect(550);
    client.command("QUIT").expect(221);
    let line = line(&house.gatepost, "192.0.2.78");
    let parts = [
        " from=<> to=<nobody@example.com> mode=enforce verdict=clear points=0",
        " reason= delivered=0 refused=0 rejected=1 reply=\"550 ",
        "no such user",
        " ended=quit",
    ];
    shows(&line, &parts);
}

#[test]
fn a_client_that_is_denied() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), LISTED);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<a@example.com>").expect(550);
    client.command("RCPT TO:<b@example.com>").expect(550);
    client.command("QUIT").expect(221);
    let line = line(&house.gatepost, LISTED);
    let listed = format!("reason=\"listed by {}", rbldnsd::ZONE);
    let parts = [
        " to=\"<a@example.com> and 1 more\" mode=enforce verdict=deny points=5 findings=dnsbl:",
        ":5 ",
        &listed,
        " delivered=0 refused=2 rejected=0 reply=\"550 5.7.1 Refused: ",
        " ended=quit",
    ];
    shows(&line, &parts);
}

/// What would have been done, and what was.
#[test]
fn a_client_that_is_only_observed() {
    let house = House::start();
    let zones = &[(rbldnsd::ZONE, "127.0.0.[2..11]", 5)];
    let mut setup = Setup::new(house.exim.address(), house.rbldnsd.address()).zones(zones);
    setup.checks.insert_str(0, "mode = \"observe\"\n");
    let gatepost = Gatepost::start(&setup);
    let mut client = Client::greeted(gatepost.proxied(), LISTED);
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    client.command("QUIT").expect(221);
    let line = line(&gatepost, LISTED);
    let parts = [
        " to=<user@example.com> mode=observe verdict=deny points=5 findings=dnsbl:",
        " reason=\"listed by ",
        " delivered=1 refused=0 rejected=0 reply=- ended=quit",
    ];
    shows(&line, &parts);
    house.exim.delivered(1);
}
