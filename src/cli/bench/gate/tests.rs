//! The configuration of a gate under test: loads, keeps the user's policies, and divides what sessions wait for.

use super::*;

const THEIRS: &str = r#"
hostname = "mx.theirs.example"
[listen.mx]
address = ["192.0.2.1:25"]
backend = "theirs"
[backend.theirs]
address = ["192.0.2.2:25"]
[limits]
connections_per_address = 7
errors = 9
[policy.default]
mode = "observe"
deny_points = 6
[policy.strict]
inherit = "default"
greet_wait = "8s"
tarpit = "2s"
shield = "when-primary-down"
primary = ["192.0.2.3:25"]
[policy.strict.checks.secondary_mx]
primary = ["mx"]
[policy.strict.checks.dnsbl]
zones = [{ zone = "bl.theirs.example", points = 4, timeout = "1s" }]
"#;

fn written(theirs: Option<&str>) -> (String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("theirs.toml");
    std::fs::write(&file, theirs.unwrap_or_default()).unwrap();
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let plan = Plan {
        policies: theirs.map(|_| file.as_path()),
        policy: if theirs.is_some() {
            "strict"
        } else {
            "default"
        },
        hostname: "mx.bench.example",
        directory: folder.path(),
        dns: local(53),
        backend: local(10),
        users: Some(local(11)),
        clock: 600,
        session_clock: 20,
        proxied: true,
    };
    let doors = Doors {
        primary: local(1),
        secondary: Some(local(2)),
        submission: Some(local(3)),
    };
    let mut scaled = Vec::new();
    let text = configuration(&plan, &doors, local(4), &mut scaled).unwrap();
    let own = folder.path().join("gatepost.toml");
    std::fs::write(&own, &text).unwrap();
    let snapshot =
        config::load(Some(&own), &[]).unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    let effective = snapshot.effective().iter();
    let effective = effective
        .map(|setting| format!("{} = {}\n", setting.key, setting.value))
        .collect();
    (effective, scaled)
}

#[test]
fn the_defaults_are_tested_where_nothing_is_named() {
    let (effective, scaled) = written(None);
    for line in [
        "policy.default.greet_wait = \"300ms\"",
        "policy.bench-secondary.greet_wait = \"300ms\"",
        "policy.bench-secondary.shield = \"when-primary-down\"",
        "policy.bench-secondary.primary = [\"127.0.0.1:4\"]",
        "policy.default.checks.greylist.wait = \"1m\"",
        "limits.connections_per_address = 1500",
        "resolver.timeout = \"150ms\"",
        "listen.primary.policy = \"default\"",
    ] {
        assert!(
            effective.contains(&format!("{line}\n")),
            "{line}\n{effective}"
        );
    }
    assert!(
        scaled.contains(&"policy.default.greet_wait = 6s is 300ms".to_owned()),
        "{scaled:?}"
    );
}

#[test]
fn the_users_policies_are_tested_and_nobody_outside_is_asked() {
    let (effective, scaled) = written(Some(THEIRS));
    for line in [
        "policy.strict.deny_points = 6",
        "policy.strict.greet_wait = \"400ms\"",
        "policy.strict.tarpit = \"100ms\"",
        "policy.strict.shield = \"off\"",
        "policy.strict.primary = []",
        "policy.bench-secondary.deny_points = 6",
        "limits.connections_per_address = 210",
        "limits.errors = 9",
        "listen.primary.policy = \"strict\"",
    ] {
        assert!(
            effective.contains(&format!("{line}\n")),
            "{line}\n{effective}"
        );
    }
    for theirs in ["192.0.2.", "theirs\"]", "mx.theirs"] {
        assert!(!effective.contains(theirs), "{theirs}\n{effective}");
    }
    assert!(
        effective.contains("bl.theirs.example") && effective.contains("timeout = \"50ms\""),
        "{effective}"
    );
    for note in [
        "policy.strict.checks.dnsbl.zones.timeout = 1s is 50ms",
        "policy.strict.checks.secondary_mx is off: the run's secondary has the shield",
        "policy.default only observes: it refuses nothing",
    ] {
        assert!(scaled.contains(&note.to_owned()), "{note}: {scaled:?}");
    }
}

#[test]
fn another_server_is_asked_to_ask_the_same_lists() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("theirs.toml");
    std::fs::write(&file, THEIRS).unwrap();
    assert_eq!(
        zones(None, "default").unwrap(),
        ["zen.spamhaus.org", "list.dnswl.org"]
    );
    assert_eq!(zones(Some(&file), "strict").unwrap(), ["bl.theirs.example"]);
    assert!(zones(Some(&file), "other").is_err());
}

#[test]
fn the_entries_by_which_lists_are_tested_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    let own = "[policy.default.checks.dnsbl]\nzones = [{ zone = \"BL.example\", points = 4 }]\n";
    std::fs::write(&file, own).unwrap();
    let tests = list_tests(Some(&file)).unwrap();
    for entry in ["1.0.0.127.bl.example", "2.0.0.127.bl.example"] {
        assert!(tests.contains(entry), "{tests:?}");
    }
    assert!(!tests.contains("test.bl.example"), "{tests:?}");
    assert!(
        tests.iter().any(|entry| entry.starts_with("test.")),
        "{tests:?}"
    );
}

fn zones(policies: Option<&Path>, policy: &str) -> anyhow::Result<Vec<String>> {
    let asks = Asks::of(policies, policy)?;
    let zones = asks
        .listings
        .iter()
        .map(|list| list.zone.asked().to_owned());
    Ok(zones.collect())
}
