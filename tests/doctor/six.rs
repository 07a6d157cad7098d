//! A domain whose exchanger has an IPv6 address and no other.

use std::net::{Ipv6Addr, TcpListener};

use gatepost::cli::demo::dns::Zone;

use crate::domains::{self, Writer};
use crate::exchanger::{Exchanger, Role, Setup};
use crate::servers;
use crate::world::World;

const DOMAIN: &str = "six.example";
const HOST: &str = "mx.six.example";
const MX: &str = "2001:db8::25";
const WEB: &str = "2001:db8::80";
/// What can be looked at over IPv6 alone.
const LOOKED_AT: &[&str] = &[
    "mx",
    "addresses",
    "reverse",
    "names",
    "listed",
    "greeting",
    "extensions",
    "tls",
    "certificate",
    "order",
    "postmaster",
    "relay",
    "spf",
    "mta_sts",
];

#[test]
fn an_exchanger_with_ipv6_only_is_looked_at_as_any_other() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        println!("skipped: this machine has no ::1");
        return;
    }
    let mut zone = Zone::new();
    domains::list(&mut zone);
    let mut write = Writer(&mut zone);
    write.mx(DOMAIN, 10, HOST);
    write.address(HOST, MX);
    write.reverse(MX, HOST);
    write.text(DOMAIN, "v=spf1 mx -all");
    write.text("_mta-sts.six.example", "v=STSv1; id=20260101");
    // Nobody answers at the first.
    write.address("mta-sts.six.example", "203.0.113.81");
    write.address("mta-sts.six.example", WEB);
    let mut world = World::new(zone, "");
    let exchanger = Exchanger::start_at(
        Ipv6Addr::LOCALHOST.into(),
        &Setup {
            name: HOST,
            domain: DOMAIN,
            role: Role::Primary,
            pair: Some(world.authority.vouch(HOST)),
            options: "pipelining_connect_advertise_hosts =",
            acl: "",
        },
    );
    let policy = "version: STSv1\nmode: enforce\nmx: mx.six.example\nmax_age: 604800\n";
    let web = servers::web(&world.authority.vouch("mta-sts.six.example"), policy);
    let refusing = servers::Refusing::start();
    world.way(&format!("[{MX}]"), 25, exchanger.address);
    world.way("203.0.113.81", 443, refusing.address);
    world.way(&format!("[{WEB}]"), 443, web);

    let others = gatepost::doctor::ALL.iter().map(|kind| kind.name);
    let others = others.filter(|name| !LOOKED_AT.contains(name));
    let without: Vec<&str> = others.flat_map(|name| ["--without", name]).collect();
    let arguments = [&[DOMAIN, "--outgoing", MX][..], &without].concat();
    let (code, told) = world.examine(&arguments);
    let bad: Vec<_> = told.iter().filter(|told| told.outcome != "good").collect();
    assert!(bad.is_empty(), "{bad:#?}\n{}", exchanger.log());
    for probe in LOOKED_AT {
        assert!(told.iter().any(|told| told.probe == *probe), "{probe}");
    }
    assert_eq!(code, Some(0));
    let greeting = told.iter().find(|told| told.probe == "greeting").unwrap();
    assert_eq!(greeting.about, format!("{HOST} [{MX}]"));
    let log = exchanger.log();
    assert!(log.contains("SMTP connection from [::1]"), "{log}");
}
