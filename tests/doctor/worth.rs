//! What an expired certificate is worth: it depends on who looks at it.

use gatepost::cli::demo::dns::Zone;

use crate::domains::{self, HEALTHY, MX1};
use crate::exchanger::{Exchanger, Role, Setup};
use crate::world::World;

const HOST: &str = "mx1.healthy.example";

/// The outcomes of the probe, each with what it is about.
fn of_certificate(world: &World) -> Vec<(String, String)> {
    let others = gatepost::doctor::ALL.iter().map(|kind| kind.name);
    let others = others.filter(|name| *name != "certificate");
    let without: Vec<&str> = others.flat_map(|name| ["--without", name]).collect();
    let (_, told) = world.examine(&[&[HEALTHY][..], &without].concat());
    let told = told.into_iter().map(|told| {
        let kind = told.seen.split(&[':', '2'][..]).next().unwrap();
        (kind.trim().to_owned(), told.outcome)
    });
    told.collect()
}

/// What it is to say about one that nobody vouches for and that has expired.
fn both(outcome: &str) -> Vec<(String, String)> {
    let flaws = [
        "the certificate is not vouched for",
        "the certificate expired on",
    ];
    flaws
        .map(|flaw| (flaw.to_owned(), outcome.to_owned()))
        .into()
}

#[test]
fn an_expired_certificate_is_void_with_dane_and_doubtful_without() {
    let mut world = World::new(Zone::new(), "");
    let pair = world.authority.expired(HOST);
    world.dns.change(|zone| {
        domains::healthy(zone, &pair);
        zone.remove("_mta-sts.healthy.example");
        zone.remove("mx2.healthy.example");
    });
    let exchanger = Exchanger::start(&Setup {
        name: HOST,
        domain: HEALTHY,
        role: Role::Primary,
        pair: Some(pair),
        options: "",
        acl: "",
    });
    world.way(MX1, 25, exchanger.address);
    assert_eq!(of_certificate(&world), both("notice"));
    world
        .dns
        .change(|zone| zone.remove("_25._tcp.mx1.healthy.example"));
    assert_eq!(of_certificate(&world), both("warning"));
}
