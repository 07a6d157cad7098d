//! Names of a client, asked of a real DNS server: each question leaves as soon as the session knows what to ask.

use std::net::{Ipv4Addr, SocketAddr};

use gatepost::cli::demo::dns::{Control, Server, Transport, Zone};
use gatepost::facts::RecordData;
use tokio::runtime::Runtime;

use crate::support::client::Client;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::{process, wait};

/// A DNS server on a thread of its own.
fn serve(zone: Zone) -> (Control, Runtime) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::bind_loopback(zone)).unwrap();
    let control = server.control();
    runtime.spawn(server.serve());
    (control, runtime)
}

#[track_caller]
fn asked(control: &Control, name: &str) {
    let is_asked = || (control.asked(name, Transport::Udp) > 0).then_some(());
    assert!(wait::until(is_asked).is_some(), "{name} is not asked for");
}

#[test]
fn questions_leave_at_connect_at_helo_and_at_mail() {
    let mut zone = Zone::new();
    let pool = "pool-203-0-113-25.isp.test";
    zone.add(
        "25.113.0.203.in-addr.arpa",
        300,
        &RecordData::Ptr(pool.into()),
    )
    .unwrap();
    zone.add("sender.test", 300, &RecordData::Mx(0, ".".into()))
        .unwrap();
    let (control, _runtime) = serve(zone);
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, process::free_tcp_port()));
    let mut setup = Setup::new(nobody, control.address());
    setup.checks = "[policy.default.checks.rdns]\nunconfirmed = 0.25\n".to_owned();
    let gatepost = Gatepost::start(&setup);

    let mut client = Client::connect_as(gatepost.proxied(), "203.0.113.25");
    asked(&control, pool);
    client.reply().expect(220);
    client.command("EHLO nowhere.test").expect(250);
    asked(&control, "nowhere.test");
    asked(&control, "nowhere.test.dbl.spamhaus.org");
    client.command("MAIL FROM:<a@sender.test>").expect(250);
    asked(&control, "sender.test");
    client
        .command("RCPT TO:<user@example.com>")
        .expect(550)
        .containing("sender.test takes no mail (null MX)");
    client.command("QUIT").expect(221);
    let record = gatepost.recorded(&["sender.test"]).to_string();
    for reason in [
        "\"dynamic\"",
        "\"unconfirmed\"",
        "\"unresolvable\"",
        "\"null_mx\"",
    ] {
        assert!(record.contains(reason), "{reason} in {record}");
    }
}

#[test]
fn our_own_name_is_the_one_in_the_greeting() {
    let (control, _runtime) = serve(Zone::new());
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, process::free_tcp_port()));
    let mut setup = Setup::new(nobody, control.address());
    setup.checks = "[policy.default.checks.rdns]\nenabled = false\n".to_owned();
    let gatepost = Gatepost::start(&setup);

    let mut client = Client::connect_as(gatepost.proxied(), "203.0.113.25");
    client.reply().expect(220).containing("mx.example.com");
    client.command("EHLO MX.example.com").expect(250);
    client.command("EHLO mail.sender.test").expect(250);
    client.command("MAIL FROM:<>").expect(250);
    client
        .command("RCPT TO:<user@example.com>")
        .expect(550)
        .containing("a name or address of ours (MX.example.com)");
    client
        .command("RCPT TO:<postmaster@example.com>")
        .transient();
}
