//! `gatepost explain`: the live questions, the verdict, and what the client would hear.

use crate::support::process::Finished;
use crate::world::{Dns, LISTED, World};

fn explain(world: &World, arguments: &[&str]) -> String {
    let Finished { code, transcript } = world.run(&[&["explain"], arguments].concat());
    assert_eq!(code, Some(0), "{transcript}");
    transcript
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

#[test]
fn a_listed_client_is_explained_with_question_points_and_reply() {
    let dns = Dns::start();
    let world = World::new().resolver(dns.address);

    let text = explain(&world, &[LISTED, "--rcpt", "user@example.com"]);
    has(
        &text,
        &[
            "203.0.113.66 at listener mx, policy default",
            "recipient <user@example.com>\n",
            "A 66.113.0.203.bl.test",
            "127.0.0.2",
            "\"sends spam\"",
            "listed by bl.test (127.0.0.2): sends spam",
            "total    5 points (deny from 5, drop from 50)",
            "verdict  deny",
            "reply    550 5.7.1 Refused: 203.0.113.66 listed by bl.test",
            "write to <postmaster@example.com>",
        ],
    );

    let text = explain(&world, &[LISTED, "--rcpt", "Postmaster@example.com"]);
    has(
        &text,
        &["exempt from filtering", "5 points", "verdict  clear"],
    );
    has(
        &text,
        &["reply    250 (the backend's own answer to RCPT)\n"],
    );

    let text = explain(&world, &["192.0.2.1"]);
    has(
        &text,
        &[
            "no such name",
            "not listed by bl.test",
            "0 points",
            "verdict  clear",
        ],
    );
}

#[test]
fn the_records_of_the_sender_are_asked_for_one_after_the_other() {
    let dns = Dns::start();
    let world = World::new().resolver(dns.address);
    let text = explain(&world, &["192.0.2.1", "--from", "a@sender.test"]);
    has(
        &text,
        &[
            "TXT sender.test",
            "TXT _spf.sender.test",
            "may send for sender.test (include:_spf.sender.test)",
            "verdict  clear",
        ],
    );
    let text = explain(&world, &["198.51.100.1", "--from", "a@sender.test"]);
    has(
        &text,
        &["may not send for sender.test (-all)", "total    3 points"],
    );
}

#[test]
fn json_tells_the_same_to_programs() {
    let dns = Dns::start();
    let world = World::new().resolver(dns.address);
    let text = explain(&world, &[LISTED, "--json"]);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["address"], LISTED);
    assert_eq!(value["policy"], "default");
    assert_eq!(value["verdict"]["action"], "deny");
    let reply = value["reply"].as_str().unwrap();
    assert!(reply.starts_with("550 5.7.1 "), "{reply}");
}

#[test]
fn a_dead_resolver_is_said_and_counts_for_nothing() {
    let text = explain(&World::new(), &[LISTED]);
    has(&text, &["failed: ", "0 points", "verdict  clear"]);
}

#[test]
fn an_entry_that_expires_holds_until_its_day() {
    let dns = Dns::start();
    let entry = |day| {
        format!(
            "[policy.default.checks.access]\nallow = [{{ network = \"{LISTED}\", expires = \"{day}\" }}]\n"
        )
    };
    let world = World::new().resolver(dns.address).and(&entry("2999-12-31"));
    has(
        &explain(&world, &[LISTED]),
        &["allowed here by network", "verdict  clear"],
    );

    let world = World::new().resolver(dns.address).and(&entry("2020-12-31"));
    has(&explain(&world, &[LISTED]), &["verdict  deny"]);
}

/// The backend would take it for itself, so a session from there hears 451, however clean it is.
#[test]
fn a_client_on_loopback_hears_that_it_is_not_handed_on() {
    for address in ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"] {
        let text = explain(&World::new(), &[address]);
        has(
            &text,
            &["verdict  clear", "reply    451 4.3.5 ", "loopback_clients"],
        );
    }

    for more in ["loopback_clients = true", "client_address = \"none\""] {
        let source = "source_address = \"127.0.0.2\"";
        let world = World::new().with(source, &format!("{source}\n{more}"));
        let text = explain(&world, &["127.0.0.1"]);
        has(&text, &["reply    250 (the backend's own answer to RCPT)"]);
    }
}

#[test]
fn what_is_no_address_or_listener_is_said_in_one_line() {
    for (arguments, code, line) in [
        (
            &["192.0.2.1", "--rcpt", "a b"][..],
            1,
            "gatepost: '<a b>' is not an address\n",
        ),
        (
            &["192.0.2.1", "--listener", "nx"],
            1,
            "gatepost: there is no [listen.nx] in g.toml\n",
        ),
        (
            &["192.0.2"],
            2,
            "error: invalid value '192.0.2' for '<ADDRESS>': invalid IP address syntax\n",
        ),
    ] {
        let finished = World::new().run(&[&["explain"], arguments].concat());
        assert_eq!(finished.code, Some(code), "{}", finished.transcript);
        assert!(
            finished.transcript.starts_with(line),
            "{}",
            finished.transcript
        );
    }
}
