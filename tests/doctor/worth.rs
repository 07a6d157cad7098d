//! What an expired certificate is worth: it depends on who looks at it.

use gatepost::cli::demo::dns::Zone;

use crate::domains::{self, HEALTHY, MX1};
use crate::exchanger::{Exchanger, Role, Setup};
use crate::world::World;

const HOST: &str = "mx1.healthy.example";

/// Looks with this probe alone: it must tell of both flaws, and nothing else, as `outcome`.
fn assert_both(world: &World, outcome: &str) {
    let others = gatepost::doctor::ALL.iter().map(|kind| kind.name);
    let others = others.filter(|name| *name != "certificate");
    let without: Vec<&str> = others.flat_map(|name| ["--without", name]).collect();
    let (_, told) = world.examine(&[&[HEALTHY][..], &without].concat());
    assert_eq!(told.len(), 2, "{told:#?}");
    for flaw in ["is not vouched for", "expired on 2020-01-01"] {
        let mut told = told.iter();
        let told = told.find(|told| told.seen.contains(flaw)).unwrap();
        assert_eq!(told.outcome, outcome, "{told:?}");
    }
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
    assert_both(&world, "notice");
    world
        .dns
        .change(|zone| zone.remove("_25._tcp.mx1.healthy.example"));
    assert_both(&world, "warning");
}
