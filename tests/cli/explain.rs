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
fn private_addresses_are_said_not_to_be_asked_about() {
    let dns = Dns::start();
    for address in ["192.168.1.1", "::1", "fd00::1"] {
        let text = explain(&World::new().resolver(dns.address), &[address]);
        let line = format!("  DNS lists and names: not asked, {address} is a private address\n");
        has(&text, &[&line]);
    }
    let text = explain(&World::new().resolver(dns.address), &["192.0.2.1"]);
    assert!(!text.contains("not asked"), "{text}");
}

/// Questions about IPv6 addresses are longer than the column.
#[test]
fn columns_hold_and_lines_end_without_blanks() {
    let dns = Dns::start();
    for address in ["192.0.2.1", "[2001:db8::1]"] {
        let text = explain(&World::new().resolver(dns.address), &[address]);
        let at: Vec<usize> = ["assumed silent", "no such name"]
            .iter()
            .map(|answer| {
                let line = text.lines().find(|line| line.contains(answer));
                line.and_then(|line| line.find(answer)).unwrap_or_default()
            })
            .collect();
        assert_eq!(at, [47, 47], "{text}");
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    }
}

/// A second listener, first by its name, with a policy of its own.
fn with_another(role_of_other: &str) -> World {
    World::new().and(&format!(
        "[listen.a]\naddress = \"127.0.0.1:0\"\nbackend = \"store\"\n{role_of_other}\n\
         [policy.other]\ninherit = \"default\"\n"
    ))
}

#[test]
fn listeners_that_differ_are_not_chosen_among() {
    let finished = with_another("policy = \"other\"").run(&["explain", "192.0.2.1"]);
    assert_eq!(finished.code, Some(2), "{}", finished.transcript);
    assert_eq!(
        finished.transcript,
        "gatepost: the listeners differ in policy or backend: name one with --listener; \
         there are a (policy other, backend store), mx (policy default, backend store)\n"
    );
    for (listener, policy) in [("mx", "default"), ("a", "other")] {
        let world = with_another("policy = \"other\"");
        let text = explain(&world, &["192.0.2.1", "--listener", listener]);
        has(
            &text,
            &[&format!("at listener {listener}, policy {policy}\n")],
        );
    }
    let text = explain(&with_another(""), &["192.0.2.1"]);
    has(&text, &["at listener a, policy default\n"]);
}

#[test]
fn what_can_not_be_read_is_wrong_usage() {
    for (arguments, line) in [
        (
            &["192.0.2.1", "--rcpt", "a b"][..],
            "error: invalid value 'a b' for '--rcpt <ADDRESS>': write an address such as someone@example.org\n",
        ),
        (
            &["192.0.2.1", "--from", "foo"],
            "error: invalid value 'foo' for '--from <ADDRESS>': write an address such as someone@example.org, or \"\"\n",
        ),
        (
            &["192.0.2.1", "--helo", "bad helo"],
            "error: invalid value 'bad helo' for '--helo <NAME>': no client can say this with EHLO\n",
        ),
        (
            &["192.0.2.1", "--listener", "nx"],
            "gatepost: there is no [listen.nx]; there are mx (policy default, backend store)\n",
        ),
        (
            &["192.0.2"],
            "error: invalid value '192.0.2' for '<ADDRESS|ID>': write an address such as 192.0.2.1 or 2001:db8::1, or a session id\n",
        ),
    ] {
        let finished = World::new().run(&[&["explain"], arguments].concat());
        assert_eq!(finished.code, Some(2), "{}", finished.transcript);
        assert!(
            finished.transcript.starts_with(line),
            "{}",
            finished.transcript
        );
    }
}
