//! `--send`: a message through each backup exchanger, and whether it arrives.

use std::net::{SocketAddr, TcpStream};

use gatepost::cli::demo::dns::Zone;

use crate::domains::{HEALTHY, MX1, MX2, Writer};
use crate::exchanger::{Exchanger, Role, Setup};
use crate::healthy::Healthy;
use crate::support::{process, wait};
use crate::world::{Told, World};

fn of_backup(told: &[Told]) -> &Told {
    told.iter().find(|told| told.probe == "backup_mx").unwrap()
}

#[test]
fn what_is_relayed_arrives_and_what_is_lost_does_not() {
    let mut healthy = Healthy::start();
    let maildir = healthy.primary.maildir();
    let maildir = maildir.to_str().unwrap();
    let send = ["--send", "--maildir", maildir, "--wait"];
    let (code, told) = healthy.world.examine(&[&send[..], &["60s"]].concat());
    let backup = of_backup(&told);
    assert_eq!(
        backup.outcome,
        "good",
        "{backup:?}\n{}",
        healthy.primary.log()
    );
    assert!(
        backup
            .seen
            .contains("a message for postmaster@healthy.example arrived within"),
        "{backup:?}"
    );
    assert!(backup.seen.contains(maildir), "{backup:?}");
    assert_eq!(code, Some(0));

    let loses = Exchanger::start(&Setup {
        name: "mx2.healthy.example",
        domain: HEALTHY,
        role: Role::Loses,
        pair: Some(healthy.world.authority.vouch("mx2.healthy.example")),
        options: "pipelining_connect_advertise_hosts =",
        acl: "",
    });
    healthy.world.way(MX2, 25, loses.address);
    // Asked only, it looks as good as the other.
    let (_, told) = healthy.world.examine(&[]);
    assert_eq!(of_backup(&told).outcome, "good");
    let (code, told) = healthy.world.examine(&[&send[..], &["2s"]].concat());
    let backup = of_backup(&told);
    assert_eq!(backup.outcome, "fault", "{backup:?}");
    assert!(
        backup.seen.contains("which has not arrived within 2s"),
        "{backup:?}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn a_message_that_comes_to_gatepost_is_found_in_its_records() {
    const DOMAIN: &str = "example.com";
    let mut zone = Zone::new();
    let mut write = Writer(&mut zone);
    write.mx(DOMAIN, 10, "mx1.example.com");
    write.mx(DOMAIN, 20, "mx2.example.com");
    write.address("mx1.example.com", MX1);
    write.address("mx2.example.com", MX2);
    let mut world = World::new(zone, "");
    let gatepost = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    let setup = Setup {
        name: "mx1.example.com",
        domain: DOMAIN,
        role: Role::Primary,
        pair: None,
        options: "",
        acl: "",
    };
    let primary = Exchanger::start(&setup);
    let backup = Exchanger::start(&Setup {
        name: "mx2.example.com",
        role: Role::Backup(gatepost),
        ..setup
    });
    world.stand_before(primary.address, gatepost);
    world.way(MX1, 25, gatepost);
    world.way(MX2, 25, backup.address);
    world.more("[policy.default]\ngreet_wait = \"100ms\"\nchecks.sender_domain.enabled = false");
    let server = process::Server::start(&mut world.command(&["run"]));
    let up = wait::until(|| TcpStream::connect(gatepost).is_ok().then_some(()));
    assert!(up.is_some(), "{}", server.output());

    let others = gatepost::doctor::ALL.iter().map(|kind| kind.name);
    let others = others.filter(|name| *name != "backup_mx");
    let mut arguments = vec![DOMAIN, "--send=user@example.com", "--wait", "60s"];
    arguments.extend(others.flat_map(|name| ["--without", name]));
    let (_, told) = world.examine(&arguments);
    let backup_mx = of_backup(&told);
    assert_eq!(
        backup_mx.outcome,
        "good",
        "{backup_mx:?}\n{}\n{}",
        backup.log(),
        server.output()
    );
    assert!(backup_mx.seen.contains("session "), "{backup_mx:?}");
}

#[test]
fn nothing_is_sent_where_nobody_could_see_it_arrive() {
    let mut healthy = Healthy::start();
    // The last section of the configuration is [journal].
    healthy.world.more("enabled = false");
    let refused = healthy.world.run(&["doctor", "--send"]);
    assert_eq!(refused.code, Some(2), "{}", refused.transcript);
    assert!(
        refused.transcript.contains("--maildir"),
        "{}",
        refused.transcript
    );
}
