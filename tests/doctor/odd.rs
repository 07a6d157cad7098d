//! Domains about which little can be said, and that is said soon: none of this name, one that takes no mail, one whose DNS is
//! silent, one that only a stranger asks about.

use std::process::Command;

use gatepost::cli::demo::dns::{Manner, Zone};
use serde_json::Value;

use crate::domains::Writer;
use crate::support::process;
use crate::world::World;

#[test]
fn of_a_domain_that_does_not_exist_one_thing_is_said() {
    let world = World::new(Zone::new(), "");
    let (code, told) = world.examine(&["nobody.example"]);
    assert_eq!(code, Some(1));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(
        (&*told[0].probe, &*told[0].seen),
        ("mx", "there is no such domain")
    );
}

#[test]
fn one_that_takes_no_mail_is_not_called() {
    let mut zone = Zone::new();
    let mut write = Writer(&mut zone);
    write.mx("silent.example", 0, ".");
    write.text("silent.example", "v=spf1 -all");
    write.text("_dmarc.silent.example", "v=DMARC1; p=reject");
    let world = World::new(zone, "");
    let (code, told) = world.examine(&["silent.example"]);
    assert_eq!(code, Some(0), "{told:#?}");
    for told in &told {
        let known = ["good", "could_not_tell"].contains(&told.outcome.as_str());
        assert!(known, "{told:?}");
    }
    assert!(
        told.iter()
            .all(|told| told.probe != "greeting" && told.probe != "mta_sts")
    );
}

#[test]
fn where_the_dns_is_silent_nothing_can_be_told() {
    let world = World::new(Zone::new(), "");
    for name in ["", "_dmarc.", "_mta-sts.", "_smtp._tls."] {
        world
            .dns
            .treat(&format!("{name}dark.example"), Manner::Drop);
    }
    let (code, told) = world.examine(&["dark.example"]);
    assert_eq!(
        code,
        Some(0),
        "what could not be looked at is no fault: {told:#?}"
    );
    assert!(
        told.iter().all(|told| told.outcome == "could_not_tell"),
        "{told:#?}"
    );
    assert!(
        told.iter().any(|told| told.probe == "mx") && told.iter().any(|told| told.probe == "spf")
    );
}

#[test]
fn a_domain_must_be_one() {
    let world = World::new(Zone::new(), "");
    for arguments in [
        &["doctor"][..],
        &["doctor", "not a domain"],
        &["doctor", "a.example", "--timeout", "0s"],
    ] {
        let refused = world.run(arguments);
        assert_eq!(refused.code, Some(2), "{}", refused.transcript);
    }
    // Without a configuration there are no domains either.
    let mut bare = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    let bare = process::run(bare.arg("doctor").env_remove("GATEPOST_CONFIG"), &[]);
    assert_eq!(bare.code, Some(2), "{}", bare.transcript);
    assert!(
        bare.transcript.contains("no domain: name one"),
        "{}",
        bare.transcript
    );
}

#[test]
fn what_belongs_to_this_machine_is_asked_for_own_domains_only() {
    let mut zone = Zone::new();
    Writer(&mut zone).mx("stranger.example", 0, ".");
    let mut world = World::new(zone, "");
    let of_machine = |world: &World| {
        let (_, told) = world.examine(&["stranger.example"]);
        told.iter().any(|told| told.probe == "backend")
    };
    assert!(!of_machine(&world));
    world.doctor("domains = [\"stranger.example\"]");
    assert!(of_machine(&world));
}

#[test]
fn this_machine_is_looked_at_once_for_all_own_domains() {
    let mut zone = Zone::new();
    let names = ["stranger.example", "one.example", "two.example"];
    for name in names {
        Writer(&mut zone).mx(name, 0, ".");
    }
    let mut world = World::new(zone, "");
    world.doctor("domains = [\"two.example\", \"one.example\"]");
    let of_machine = |arguments: &[&str]| -> Vec<String> {
        let told = world.run(&[&["doctor", "--json"], arguments].concat());
        let value: Value = serde_json::from_str(&told.transcript).unwrap();
        let domains = value["domains"].as_array().unwrap().iter();
        let with_backend = domains.filter(|report| {
            let mut probes = report["probes"].as_array().unwrap().iter();
            probes.any(|probed| probed["probe"] == "backend")
        });
        with_backend
            .map(|report| report["domain"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(of_machine(&names), ["one.example"]);
    assert_eq!(of_machine(&[]), ["two.example"]);
}
