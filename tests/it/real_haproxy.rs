//! A real HAProxy before gatepost: its PROXY headers, version 1 and 2, name the client.

use crate::house::House;
use crate::support::client::Client;
use crate::support::haproxy::Haproxy;
use crate::support::rbldnsd;

const MESSAGE: &[u8] = b"Subject: test\r\nFrom: sender@example.net\r\n\r\nHello.\r\n";

#[test]
fn the_client_is_whom_haproxy_names() {
    let house = House::start();
    let haproxy = Haproxy::start(house.gatepost.proxied());
    for version in [1, 2] {
        for address in ["192.0.2.77", "2001:db8::77"] {
            let mut client = Client::greeted(haproxy.address(version), address);
            client.mail(&["user@example.com"], MESSAGE).expect(250);
            client.command("QUIT").expect(221);
        }
        for address in [rbldnsd::LISTED, rbldnsd::LISTED_V6] {
            let mut client = Client::greeted(haproxy.address(version), address);
            client.command("MAIL FROM:<sender@example.net>").expect(250);
            client
                .command("RCPT TO:<user@example.com>")
                .expect(550)
                .containing(address);
        }
    }
    for address in ["[192.0.2.77]", "[2001:db8::77]"] {
        house.exim.logged(&[" <= sender@example.net", address]);
    }
    assert_eq!(house.exim.accepted(), 4);
}
