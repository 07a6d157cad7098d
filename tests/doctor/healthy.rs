//! A domain that all is well with.

use gatepost::cli::demo::dns::Zone;

use crate::domains::{self, HEALTHY, MX1, MX2, NS1, NS2, WEB};
use crate::exchanger::{Exchanger, Role, Setup};
use crate::servers::{self, Refusing};
use crate::world::World;

const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx1.healthy.example\r\nmx: mx2.healthy.example\r\n\
                      max_age: 604800\r\n";

/// The domain with its exchangers.
pub(crate) struct Healthy {
    pub(crate) world: World,
    pub(crate) primary: Exchanger,
    pub(crate) _backup: Exchanger,
    /// What stands for all ports where nobody listens.
    pub(crate) refusing: Refusing,
}

impl Healthy {
    pub(crate) fn start() -> Self {
        let mut zone = Zone::new();
        domains::list(&mut zone);
        let mut world = World::new(zone, "");
        let pair = world.authority.vouch("mx1.healthy.example");
        world.dns.change(|zone| domains::healthy(zone, &pair));
        let mut second = Zone::new();
        domains::healthy(&mut second, &pair);
        let setup = Setup {
            name: "mx1.healthy.example",
            domain: HEALTHY,
            role: Role::Primary,
            pair: Some(pair),
            options: "pipelining_connect_advertise_hosts =",
            acl: "",
        };
        let primary = Exchanger::start(&setup);
        let backup = Exchanger::start(&Setup {
            name: "mx2.healthy.example",
            role: Role::Backup(primary.address),
            pair: Some(world.authority.vouch("mx2.healthy.example")),
            // What a message sent through it must do, too.
            acl: "  deny message = STARTTLS first\n       !encrypted = *",
            ..setup
        });
        let web = servers::web(&world.authority.vouch("mta-sts.healthy.example"), POLICY);
        let refusing = Refusing::start();
        for (to, port, by) in [
            (MX1, 25, primary.address),
            (MX2, 25, backup.address),
            (WEB, 443, web),
            (NS1, 53, world.dns.address()),
            (NS2, 53, world.name_server(second)),
            (MX1, 113, refusing.address),
            (MX2, 113, refusing.address),
        ] {
            world.way(to, port, by);
        }
        world.doctor(&format!(
            "domains = [\"{HEALTHY}\"]\noutgoing = [\"{MX1}\"]\nselectors = [\"s1\"]"
        ));
        Self {
            world,
            primary,
            _backup: backup,
            refusing,
        }
    }
}

#[test]
fn a_healthy_domain_is_all_good() {
    let healthy = Healthy::start();
    // No domain is named: that of the configuration, and the machine itself.
    let (code, told) = healthy.world.examine(&[]);
    let bad: Vec<_> = told.iter().filter(|told| told.outcome != "good").collect();
    assert!(bad.is_empty(), "{bad:#?}\n{}", healthy.primary.log());
    assert_eq!(code, Some(0));
    for kind in gatepost::doctor::ALL {
        assert!(
            told.iter().any(|told| told.probe == kind.name),
            "{}",
            kind.name
        );
    }
    let log = healthy.primary.log();
    assert!(!log.contains(" <= "), "nothing is sent:\n{log}");

    // As people read it.
    let shown = healthy.world.run(&["doctor", HEALTHY]);
    assert_eq!(shown.code, Some(0), "{}", shown.transcript);
    let lines: Vec<&str> = shown.transcript.lines().collect();
    assert_eq!(lines.first(), Some(&"healthy.example: 23 good"));
    assert!(
        lines.iter().any(|line| line.starts_with(
            "  good            mx              mx1.healthy.example: MX 10: 203.0.113.10"
        )),
        "{}",
        shown.transcript
    );
}

#[test]
fn what_is_not_wanted_is_left_out() {
    let healthy = Healthy::start();
    let (_, told) = healthy
        .world
        .examine(&["--without", "ident", "--without", "backup_mx"]);
    assert!(
        told.iter()
            .all(|told| told.probe != "ident" && told.probe != "backup_mx")
    );
    let wrong = healthy.world.run(&["doctor", "--without", "idnet"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.transcript);
    assert!(wrong.transcript.contains("mta_sts"), "{}", wrong.transcript);
}
