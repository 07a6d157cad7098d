//! The self-test against real Exims: the recipe's, which knows clients by their address and refuses strangers, and one
//! that relays for everybody.

use crate::support::client::Client;
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::process;

const CLEAN: &str = "192.0.2.77";
const MESSAGE: &[u8] = b"Subject: test\r\nFrom: sender@example.net\r\n\r\nHello.\r\n";
const FOREIGN: &str = "<self-test@relay.gatepost.example>";

fn before(exim: &Exim) -> Setup {
    let nobody = ([127, 0, 0, 1], process::free_tcp_port()).into();
    Setup::new(exim.address(), nobody)
}

#[test]
fn the_recipe_passes() {
    let exim = Exim::start();
    let gatepost = Gatepost::start(&before(&exim));
    gatepost.logged(&["INFO", "backend refuses to relay for strangers"]);
    exim.logged(&[
        "[192.0.2.1]",
        "rejected RCPT",
        FOREIGN,
        "relay not permitted",
    ]);
    let server = &gatepost.status()["backends"][0]["servers"][0];
    assert_eq!(server["up"], true, "{server}");
    assert_eq!(server["test"], "refuses_to_relay", "{server}");
    assert_eq!(server["takes_client_for"], "client", "{server}");
    assert!(!gatepost.log().contains("ERROR"), "{}", gatepost.log());
    assert_eq!(exim.accepted(), 0);
}

#[test]
fn an_exim_that_relays_for_everybody_stops_the_start() {
    let exim = Exim::start_with("OPEN_RELAY = yes");
    let mut setup = before(&exim);
    let refusal = Gatepost::refusal(&setup);
    assert_eq!(refusal.code, Some(1), "{}", refusal.transcript);
    for part in [
        "backend.exim.address: the backend would relay for strangers",
        FOREIGN,
        "allow_open_backend = true",
    ] {
        assert!(refusal.transcript.contains(part), "{}", refusal.transcript);
    }

    setup.backend_settings = "allow_open_backend = true".to_owned();
    let gatepost = Gatepost::start(&setup);
    gatepost.logged(&[
        "ERROR",
        "would relay for strangers; it is used all the same",
    ]);
    let server = &gatepost.status()["backends"][0]["servers"][0];
    assert_eq!(server["test"], "relays_for_strangers", "{server}");
    let mut client = Client::greeted(gatepost.proxied(), CLEAN);
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    exim.delivered(1);
    assert_eq!(exim.accepted(), 1, "the test sends no mail");
}
