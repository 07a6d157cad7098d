//! Partners that are not there: mail flows without a resolver, and waits at the sender without a backend.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::house::House;
use crate::support::client::Client;
use crate::support::exim::{self, Exim};
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::process;
use crate::support::rbldnsd;

const CLEAN: &str = "192.0.2.77";
const MESSAGE: &[u8] = b"Subject: test\r\n\r\nHello.\r\n";
const ZONES: &[(&str, &str, i32)] = &[(rbldnsd::ZONE, "127.0.0.[2..11]", 5)];

fn nobody_there() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, process::free_tcp_port()))
}

#[test]
fn mail_flows_when_the_resolver_is_not_there() {
    let exim = Exim::start();
    let setup = Setup::new(exim.address(), nobody_there()).zones(ZONES);
    let gatepost = Gatepost::start(&setup);

    let mut client = Client::greeted(gatepost.proxied(), rbldnsd::LISTED);
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    exim.delivered(1);
}

#[test]
fn mail_flows_when_the_resolver_is_silent() {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let exim = Exim::start();
    let setup = Setup::new(exim.address(), silent.local_addr().unwrap()).zones(ZONES);
    let gatepost = Gatepost::start(&setup);

    let mut client = Client::greeted(gatepost.proxied(), rbldnsd::LISTED);
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    exim.delivered(1);
}

#[test]
fn mail_flows_when_the_list_goes_away() {
    let mut house = House::start();
    house.rbldnsd.stop();

    let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::LISTED);
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    house.exim.delivered(1);
}

#[test]
fn mail_waits_at_the_sender_when_exim_is_not_there() {
    let house = House::start();
    let setup = Setup::new(nobody_there(), house.rbldnsd.address()).zones(ZONES);
    let gatepost = Gatepost::start(&setup);

    let mut client = Client::greeted(gatepost.proxied(), CLEAN);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").transient();
}

#[test]
fn a_listed_client_is_denied_even_when_exim_is_not_there() {
    let house = House::start();
    let setup = Setup::new(nobody_there(), house.rbldnsd.address()).zones(ZONES);
    let gatepost = Gatepost::start(&setup);

    let mut client = Client::greeted(gatepost.proxied(), rbldnsd::LISTED);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(550);
    client
        .command("RCPT TO:<postmaster@example.com>")
        .transient();
}

#[test]
fn exim_going_away_between_sessions_is_a_4xx() {
    let mut house = House::start();
    let mut first = Client::greeted(house.gatepost.proxied(), CLEAN);
    first.mail(&["user@example.com"], MESSAGE).expect(250);
    house.exim.delivered(1);
    house.exim.stop();

    let mut second = Client::greeted(house.gatepost.proxied(), CLEAN);
    second.command("MAIL FROM:<sender@example.net>").expect(250);
    second.command("RCPT TO:<user@example.com>").transient();
}

/// Without the header Exim would take gatepost for the client. The recipe refuses at connect; that is our
/// configuration's fault and must not become a permanent refusal of anybody's mail.
#[test]
fn exim_refuses_a_gatepost_that_sends_no_header() {
    for source in ["127.0.0.1", exim::SOURCE] {
        let exim = Exim::start();
        let mut setup = Setup::new(exim.address(), nobody_there());
        setup.client_address = "none";
        setup.source_address = source;
        let gatepost = Gatepost::start(&setup);

        let mut client = Client::greeted(gatepost.proxied(), CLEAN);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@foreign.example>").transient();

        exim.logged(&["rejected connection in \"connect\" ACL"]);
        assert_eq!(exim.accepted(), 0);
    }
}

#[test]
fn exim_refuses_a_gatepost_from_the_wrong_address() {
    let exim = Exim::start();
    let mut setup = Setup::new(exim.address(), nobody_there());
    setup.source_address = "127.0.0.1";
    let gatepost = Gatepost::start(&setup);

    let mut client = Client::greeted(gatepost.proxied(), CLEAN);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").transient();

    exim.logged(&["rejected connection in \"connect\" ACL: this port is for gatepost only"]);
}
