//! A domain with one fault or more of each kind: every one is found, and nothing else.

use std::path::Path;

use gatepost::cli::demo::dns::Zone;

use crate::domains::{self, FORGETFUL, LISTED, MESS, NS1, OPEN, PRIVATE, SICK, SICK_NS2, SICK_WEB};
use crate::exchanger::{Exchanger, Role, Setup};
use crate::servers::{self, Dropping};
use crate::world::World;

/// The policy has forgotten most exchangers.
const POLICY: &str = "version: STSv1\nmode: enforce\nmx: alias.sick.example\nmax_age: 604800\n";

/// Everything that was planted: probe, outcome, about what, and a part of what is seen.
const PLANTED: &[(&str, &str, &str, &str)] = &[
    (
        "mx",
        "fault",
        "alias.sick.example",
        "MX 10 is an alias (CNAME)",
    ),
    (
        "mx",
        "fault",
        "198.51.100.99",
        "MX 20 is an address, not a name",
    ),
    (
        "addresses",
        "fault",
        "private.sick.example",
        "not public: 10.9.9.9",
    ),
    (
        "name_servers",
        "fault",
        "sick.example",
        "different MX records",
    ),
    ("reverse", "fault", "198.51.100.66", "no reverse name"),
    (
        "names",
        "warning",
        "alias.sick.example [198.51.100.10]",
        "it greets as localhost, which is no full name",
    ),
    (
        "listed",
        "fault",
        "198.51.100.66",
        "listed by bl.test (127.0.0.2)",
    ),
    (
        "greeting",
        "fault",
        "private.sick.example [10.9.9.9]",
        "no connection within 2s",
    ),
    (
        "extensions",
        "warning",
        "alias.sick.example [198.51.100.10]",
        "PIPECONNECT",
    ),
    (
        "tls",
        "fault",
        "mess.sick.example [198.51.100.50]",
        "the handshake fails",
    ),
    (
        "tls",
        "warning",
        "backup.sick.example [198.51.100.40]",
        "it offers no STARTTLS",
    ),
    (
        "certificate",
        "fault",
        "alias.sick.example [198.51.100.10]",
        "not for alias.sick.example",
    ),
    (
        "certificate",
        "fault",
        "alias.sick.example [198.51.100.10]",
        "not vouched for",
    ),
    (
        "certificate",
        "fault",
        "alias.sick.example [198.51.100.10]",
        "expired on 2020-01-01",
    ),
    (
        "order",
        "warning",
        "mess.sick.example [198.51.100.50]",
        "RCPT before MAIL is accepted",
    ),
    (
        "postmaster",
        "fault",
        "alias.sick.example [198.51.100.10]",
        "postmaster@sick.example: 550",
    ),
    (
        "postmaster",
        "warning",
        "alias.sick.example [198.51.100.10]",
        "abuse@sick.example: 550",
    ),
    (
        "relay",
        "fault",
        "alias.sick.example [198.51.100.10]",
        "it would relay: <>",
    ),
    (
        "backup_mx",
        "fault",
        "backup.sick.example [198.51.100.40]",
        "it refuses mail for postmaster@sick.example",
    ),
    ("spf", "fault", "sick.example", "more than one record"),
    (
        "dkim",
        "fault",
        "s1._domainkey.sick.example",
        "no DKIM key there",
    ),
    ("dmarc", "fault", "sick.example", "p=discard is no policy"),
    ("mta_sts", "fault", "sick.example", "not in the policy"),
    (
        "tls_rpt",
        "fault",
        "sick.example",
        "no place for reports in it",
    ),
    (
        "dane",
        "fault",
        "alias.sick.example [198.51.100.10]",
        "no TLSA record is for the certificate",
    ),
    ("ident", "warning", "198.51.100.66", "drops connections"),
    (
        "backend",
        "fault",
        "exim [127.0.0.1:",
        "it would relay for strangers",
    ),
    (
        "exim",
        "fault",
        "exim",
        "sender_unqualified_hosts = +relay_from_hosts",
    ),
];

/// What can not be told of the address that nobody can reach.
const UNREACHED: &[&str] = &["backup_mx"];

#[test]
fn every_planted_fault_is_found_and_nothing_else() {
    let mut zone = Zone::new();
    domains::list(&mut zone);
    domains::sick(&mut zone);
    let backend = "OPEN_RELAY = yes\nsender_unqualified_hosts = +relay_from_hosts";
    let mut world = World::new(zone, backend);
    let mut stale = Zone::new();
    domains::stale(&mut stale);
    let open = Setup {
        name: "mx.sick.example",
        domain: SICK,
        role: Role::Primary,
        pair: Some(world.authority.expired("other.example")),
        options: "pipelining_connect_advertise_hosts = *\nsmtp_banner = localhost ESMTP",
        acl: "  deny domains = +taken_domains\n       local_parts = postmaster : abuse\n  accept",
    };
    let forgetful = Setup {
        name: "backup.sick.example",
        role: Role::Stranger,
        pair: None,
        options: "pipelining_connect_advertise_hosts =",
        acl: "",
        ..open.clone()
    };
    let (open, forgetful) = (Exchanger::start(&open), Exchanger::start(&forgetful));
    let (private, ident) = (Dropping::start(), Dropping::start());
    let web = servers::web(&world.authority.vouch("mta-sts.sick.example"), POLICY);
    let mess = servers::disorderly("mess.sick.example", SICK);
    for (to, port, by) in [
        (OPEN, 25, open.address),
        (PRIVATE, 25, private.address),
        (FORGETFUL, 25, forgetful.address),
        (MESS, 25, mess),
        (LISTED, 113, ident.address),
        (SICK_WEB, 443, web),
        (NS1, 53, world.dns.address()),
        (SICK_NS2, 53, world.name_server(stale)),
    ] {
        world.way(to, port, by);
    }
    world.doctor(&format!(
        "domains = [\"{SICK}\"]\noutgoing = [\"{LISTED}\"]\nselectors = [\"s1\"]\ntimeout = \"2s\""
    ));

    // What people read is kept, for the README: target/tmp/sick.txt.
    let shown = world.run(&["doctor", SICK]);
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sick.txt");
    std::fs::write(kept, &shown.transcript).unwrap();
    assert_eq!(shown.code, Some(1), "a fault is an exit code");
    let lines: Vec<&str> = shown.transcript.lines().collect();
    assert_eq!(lines.first(), Some(&"sick.example: 19 faults, 4 warnings"));
    for part in [
        "why RFC 2181 §10.3",
        "do  name the host that the alias leads to",
    ] {
        assert!(shown.transcript.contains(part), "{}", shown.transcript);
    }

    let (code, told) = world.examine(&[]);
    assert_eq!(code, Some(1), "a fault is an exit code");
    let is_planted = |told: &&crate::world::Told| {
        PLANTED.iter().any(|(probe, outcome, about, seen)| {
            told.probe == *probe
                && told.outcome == *outcome
                && told.about.starts_with(about)
                && told.seen.contains(seen)
        })
    };
    let missed: Vec<_> = PLANTED
        .iter()
        .filter(|(probe, outcome, about, seen)| {
            !told.iter().any(|told| {
                told.probe == *probe
                    && told.outcome == *outcome
                    && told.about.starts_with(about)
                    && told.seen.contains(seen)
            })
        })
        .collect();
    assert!(
        missed.is_empty(),
        "not found: {missed:#?}\nin {told:#?}\n{}",
        open.log()
    );
    let bad = told.iter().filter(|told| told.outcome != "good");
    let (planted, others): (Vec<_>, Vec<_>) = bad.partition(is_planted);
    assert_eq!(planted.len(), PLANTED.len(), "{planted:#?}");
    for other in &others {
        let unreached = other.outcome == "could_not_tell"
            && other.about.starts_with("private.sick.example")
            && UNREACHED.contains(&other.probe.as_str());
        assert!(unreached, "not planted: {other:#?}");
    }
    assert_eq!(others.len(), UNREACHED.len(), "{others:#?}");
    assert!(
        !open.log().contains(" <= "),
        "nothing is sent:\n{}",
        open.log()
    );
}
