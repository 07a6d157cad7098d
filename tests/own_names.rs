//! How the check of HELO learns our name: from `hostname`, unless its own settings say otherwise.

use std::path::Path;

use gatepost::checks::{Judgement, judge};
use gatepost::config::{self, Layers, Snapshot};
use gatepost::facts::{Client, Fact, Facts, Helo, Millis, Stage};

fn load(hostname: &str, more: &str) -> Snapshot {
    let text = format!(
        "{hostname}\n[listen.mx]\naddress = [\"192.0.2.25:25\"]\nbackend = \"exim\"\n[backend.exim]\naddress = [\"127.0.0.1:10025\"]\nsource_address = \"127.0.0.2\"\n{more}"
    );
    let layers = Layers {
        file: Some((Path::new("g.toml"), &text)),
        system_name: "gate.example.net",
        ..Layers::default()
    };
    config::from_layers(&layers).expect("the configuration is good")
}

/// The points that a policy gives to a HELO with `name`, as far as they come without the DNS.
fn points(snapshot: &Snapshot, policy: &str, name: &str) -> String {
    let client = "203.0.113.7:2525".parse().expect("an address");
    let local = "192.0.2.25:25".parse().expect("an address");
    let mut facts = Facts::new(Client::new(client, local, "mx"));
    let helo = Helo {
        extended: true,
        name: name.parse().expect("a name"),
    };
    facts.push(Stage::Helo, Millis(1), Fact::Helo(Box::new(helo)));
    let judgement: Judgement = judge(&snapshot.policies[policy], &facts);
    judgement.verdict().points.to_string()
}

#[test]
fn hostname_is_our_name_in_every_policy() {
    let snapshot = load(
        "hostname = \"mx.example.com\"",
        "[policy.other]\nchecks.helo.own_name = 7\n",
    );
    assert_eq!(points(&snapshot, "default", "MX.example.com"), "5");
    assert_eq!(points(&snapshot, "other", "mx.example.com"), "7");
    assert_eq!(points(&snapshot, "default", "gate.example.net"), "0");
    let value = |key: &str| {
        let mut settings = snapshot.effective().iter();
        let setting = settings.find(|setting| setting.key == key);
        setting.map(|setting| setting.value.as_str())
    };
    let own = value("policy.default.checks.helo.own_names");
    assert_eq!(own, Some("[\"mx.example.com\"]"));
}

#[test]
fn so_is_what_the_system_is_called() {
    assert_eq!(points(&load("", ""), "default", "gate.example.net"), "5");
}

#[test]
fn names_that_are_written_stand_instead() {
    let own = "[policy.default.checks.helo]\nown_names = [\"a.example\"]\n[policy.other]\ninherit = \"default\"\n";
    let snapshot = load("hostname = \"mx.example.com\"", own);
    for policy in ["default", "other"] {
        assert_eq!(points(&snapshot, policy, "a.example"), "5");
        assert_eq!(points(&snapshot, policy, "mx.example.com"), "0");
    }
}

#[test]
fn a_name_that_anybody_has_is_not_ours() {
    for name in [
        "localhost",
        "mail.local",
        "localhost.localdomain",
        "gate.lan",
        "gate",
    ] {
        let snapshot = load(&format!("hostname = {name:?}"), "");
        assert_ne!(points(&snapshot, "default", name), "5", "{name}");
    }
    let own = "[policy.default.checks.helo]\nown_names = [\"mail.local\"]\n";
    let snapshot = load("hostname = \"mail.local\"", own);
    assert_eq!(points(&snapshot, "default", "mail.local"), "5");
}
