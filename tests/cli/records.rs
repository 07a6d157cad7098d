//! `gatepost report`, `replay`, `history` and `explain ID` over the records that a running gatepost has written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::control::House;
use crate::support::{process, wait};
use crate::world::{LISTED, gatepost};

/// A name that a page, a terminal or a shell should not take for more than a name.
const HOSTILE: &str = "<script>alert(1)</script>";
/// Nobody lists it.
const CLEAN: &str = "192.0.2.77";

/// A gatepost with an admin page that has had some sessions, and has ended them.
fn house() -> House {
    let mut house = House::with("[admin]\naddress = \"127.0.0.1:0\"\n");
    // Delivered.
    session(
        &mut house,
        CLEAN,
        "mx.sender.test",
        &["<user@example.com>"],
        true,
    );
    // Denied; and let through for postmaster all the same.
    session(&mut house, LISTED, HOSTILE, &["<user@example.com>"], false);
    session(
        &mut house,
        LISTED,
        HOSTILE,
        &["<user@example.com>", "<postmaster@example.com>"],
        true,
    );
    // Recipients that the backend refuses.
    session(
        &mut house,
        CLEAN,
        "mx.sender.test",
        &["<user@elsewhere.test>"],
        false,
    );
    // Nothing asked for.
    let mut client = house.greeted(CLEAN);
    client.command("QUIT");
    let sessions = |house: &House| metrics(house).get("gatepost_sessions_total").copied();
    assert!(wait::until(|| (sessions(&house) == Some(5)).then_some(())).is_some());
    assert!(
        wait::until(
            || (metrics(&house).get("gatepost_journal_written_total") == Some(&5)).then_some(())
        )
        .is_some()
    );
    house
}

fn session(house: &mut House, address: &str, helo: &str, recipients: &[&str], data: bool) {
    let mut client = house.greeted(address);
    client.command(&format!("EHLO {helo}"));
    client.command("MAIL FROM:<ada@elsewhere.test>");
    for recipient in recipients {
        client.command(&format!("RCPT TO:{recipient}"));
    }
    if data {
        let reply = client.command("DATA");
        assert!(reply.starts_with("354"), "{reply}");
        client.say("Subject: hello\r\n\r\nhello");
        let reply = client.command(".");
        assert!(reply.starts_with("250"), "{reply}");
    }
    client.command("QUIT");
}

/// Counters of the running process, each summed over its labels, and by its labels too.
fn metrics(house: &House) -> BTreeMap<String, u64> {
    let line = house.running.logged("metrics and state can be read");
    let address = line
        .split_once("address=")
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap();
    let mut stream = TcpStream::connect(address.parse::<SocketAddr>().unwrap()).unwrap();
    stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    write!(stream, "GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let Some((name, count)) = line.rsplit_once(' ') else {
            continue;
        };
        let Ok(count) = count.parse::<u64>() else {
            continue;
        };
        *counts.entry(name.to_owned()).or_default() += count;
        if let Some((name, _)) = name.split_once('{') {
            *counts.entry(name.to_owned()).or_default() += count;
        }
    }
    counts
}

fn json(house: &House, command: &[&str]) -> Value {
    serde_json::from_str(&house.ok(command)).unwrap()
}

/// What the metrics say under one name, by one of its labels.
fn counted(metrics: &BTreeMap<String, u64>, name: &str, label: &str) -> BTreeMap<String, u64> {
    let start = format!("{label}=\"");
    let found = metrics.iter().filter_map(|(key, count)| {
        let labels = key.strip_prefix(name)?.strip_prefix('{')?;
        let word = labels.split_once(&start)?.1.split_once('"')?.0;
        (*count > 0).then(|| (word.to_owned(), *count))
    });
    found.collect()
}

fn told(report: &Value) -> BTreeMap<String, u64> {
    let counts = report.as_object().unwrap().iter();
    let counts = counts.map(|(word, count)| (word.clone(), count.as_u64().unwrap()));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn the_report_has_the_totals_of_the_metrics() {
    let house = house();
    let metrics = metrics(&house);
    let report = json(&house, &["report", "--json"]);
    for (name, label, told_by) in [
        (
            "gatepost_sessions_total",
            "ended",
            &report["sessions"]["ended"],
        ),
        (
            "gatepost_verdicts_total",
            "verdict",
            &report["sessions"]["verdicts"],
        ),
        (
            "gatepost_recipients_total",
            "outcome",
            &report["recipients"],
        ),
        ("gatepost_messages_total", "outcome", &report["messages"]),
    ] {
        assert_eq!(told(told_by), counted(&metrics, name, label), "{name}");
    }
    assert_eq!(
        report["received_bytes"],
        metrics["gatepost_received_bytes_total"]
    );
    assert_eq!(report["sent_bytes"], metrics["gatepost_sent_bytes_total"]);
    let findings = report["findings"].as_array().unwrap();
    for finding in findings {
        let [check, outcome, reason] =
            ["check", "outcome", "reason"].map(|field| finding[field].as_str().unwrap());
        let name = format!(
            "gatepost_findings_total{{check=\"{check}\",outcome=\"{outcome}\",reason=\"{reason}\"}}"
        );
        assert_eq!(finding["sessions"], metrics[&name], "{name}");
    }
    let all: u64 = findings
        .iter()
        .map(|finding| finding["sessions"].as_u64().unwrap())
        .sum();
    assert_eq!(all, metrics["gatepost_findings_total"]);
    // One recipient of two sessions is kept out, by the list alone.
    let policy = &report["policies"][0];
    assert_eq!(policy["judged_otherwise"], 0);
    assert_eq!(policy["recipients"]["all"], 5);
    assert_eq!(policy["recipients"]["kept_out"], 2);
    assert_eq!(policy["connections"]["kept_out"], 1);
    let checks = policy["checks"].as_array().unwrap();
    let dnsbl = checks
        .iter()
        .find(|check| check["check"] == "dnsbl")
        .unwrap();
    assert_eq!(dnsbl["recipients"]["shapley"], 2.0);
    assert_eq!(dnsbl["against"], 2);
    assert_eq!(report["zones"]["listing"][0], 2);
}

#[test]
fn the_report_is_text_and_a_page_and_neither_obeys_a_client() {
    let house = house();
    let text = house.ok(&["report", "--html", "report.html"]);
    for part in [
        "5 sessions from ",
        "quit 5",
        "deny 2",
        "taken 2",
        "sessions kept from the backend",
        "policy default, 5 sessions",
        "dnsbl",
        "bl.test",
        "203.0.113.0/24",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 160),
        "{text}"
    );
    let page = fs::read_to_string(house.world.path("report.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    for never in ["<script", "href=", "src=", "url(", "http://127"] {
        assert!(!page.contains(never), "{never}");
    }
    assert!(page.matches("<svg").count() >= 4, "plots are missing");
    // Of a time in which nobody came; and one that ends before it begins.
    let none = house.ok(&["report", "--until", "2020-01-01"]);
    assert!(none.starts_with("no sessions\n"), "{none}");
    let (code, said) = house.says(&["report", "--since", "2026-01-02", "--until", "2026-01-01"]);
    assert_eq!(code, Some(2), "{said}");
    let (code, said) = house.says(&["history", "--since", "2026-01-02", "--until", "2026-01-01"]);
    assert_eq!(code, Some(2), "{said}");
    let none = house.ok(&["report", "--policy", "nx", "--listener", "ny"]);
    assert!(none.contains("no [policy.nx]; it has default"), "{none}");
    assert!(none.contains("no [listen.ny]; it has mx"), "{none}");
    // What was read is told, whether or not a file can be written.
    let (code, said) = house.says(&["report", "--html", "/nowhere/r.html"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("5 sessions from "), "{said}");
    let (code, said) = house.says(&["report", "--since", "yesterday"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("24h"), "{said}");
    let none = json(&house, &["report", "--json", "--listener", "nx"]);
    assert_eq!(
        (&none["sessions"]["all"], &none["read"]["others"]),
        (&Value::from(0), &Value::from(5))
    );
}

#[test]
fn damaged_lines_are_counted_and_left_out() {
    let house = house();
    let journal = house.world.path("journal");
    fs::write(
        journal.join("sessions-20200101T000000.000Z.jsonl"),
        "{\"version\":1,\n\n{}\n{\"version\":9",
    )
    .unwrap();
    let report = json(&house, &["report", "--json"]);
    assert_eq!(report["sessions"]["all"], 5);
    assert_eq!(report["read"]["damaged"], 4);
    let text = house.ok(&["report"]);
    assert!(text.contains("4 lines could not be understood"), "{text}");
    let (code, said) = house.says(&["replay", "--verify"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("4 lines could not be understood"), "{said}");
    assert!(said.contains("some sessions are left out"), "{said}");
}

#[test]
fn replay_reproduces_every_verdict_until_the_policy_changes() {
    let mut house = house();
    let said = house.ok(&["replay", "--verify"]);
    assert!(
        said.starts_with("5 sessions with 5 decisions judged again"),
        "{said}"
    );
    assert!(said.ends_with("every verdict is reproduced\n"), "{said}");
    // Of a time without sessions nothing is shown.
    let (code, said) = house.says(&["replay", "--verify", "--until", "2020-01-01"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.ends_with("nothing was judged, so nothing is verified\n"),
        "{said}"
    );
    house.world.change(
        "answers = \"127.0.0.[2..11]\", points = 5",
        "answers = \"127.0.0.[2..11]\", points = 4",
    );
    let (code, said) = house.says(&["replay", "--verify"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("deny with 5 points, now "), "{said}");
    let report = house.ok(&["report"]);
    assert!(
        report.contains("2 of them would be judged otherwise"),
        "{report}"
    );
}

#[test]
fn replay_says_what_another_policy_would_have_done() {
    let house = house();
    let other = |points: &str| {
        let text = fs::read_to_string(house.world.path("g.toml")).unwrap();
        let text = text.replace("points = 5", points)
            + "[policy.lax]\ninherit = \"default\"\nmode = \"observe\"\n";
        fs::write(house.world.path("other.toml"), text).unwrap();
    };
    let counts = |command: &[&str]| {
        told(
            &json(
                &house,
                &[&["replay", "--policy", "other.toml", "--json"], command].concat(),
            )["changes"],
        )
    };
    let same = |pairs: &[(&str, u64)]| {
        pairs
            .iter()
            .map(|(word, count)| ((*word).to_owned(), *count))
            .collect::<BTreeMap<_, _>>()
    };
    house.ok(&["report"]);
    other("points = 50");
    assert_eq!(counts(&[]), same(&[("harsher", 2), ("same", 3)]));
    assert_eq!(
        counts(&["--name", "lax"]),
        same(&[("milder", 2), ("same", 3)])
    );
    let listed = house.ok(&["replay", "--policy", "other.toml", "--list", "harsher"]);
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(
        listed.lines().all(|line| line.ends_with("deny → drop")),
        "{listed}"
    );
    let list = ["replay", "--policy", "other.toml", "--limit", "1"];
    let (code, said) = house.says(&list);
    assert_eq!(code, Some(2), "{said}");
    let cut = house.ok(&[&list[..], &["--list", "harsher"]].concat());
    assert!(
        cut.contains("there are more; these are the first 1 of 2"),
        "{cut}"
    );
    let text = house.ok(&["replay", "--policy", "other.toml"]);
    assert!(
        text.contains("5 sessions with 5 decisions judged again"),
        "{text}"
    );
    // In doubt, and nobody asked then whether they had waited.
    other("points = 3");
    let text = house.ok(&["replay", "--policy", "other.toml"]);
    assert!(text.contains("memory of a triplet"), "{text}");
    let (code, said) = house.says(&["replay", "--policy", "other.toml", "--name", "nx"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there are default, lax"), "{said}");
    let (code, _) = house.says(&["replay"]);
    assert_eq!(code, Some(2));
    let (code, said) = house.says(&["replay", "--policy", "nowhere.toml"]);
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn history_finds_sessions_and_explain_shows_one() {
    let house = house();
    let lines = |command: &[&str]| {
        let said = house.ok(&[&["history"], command].concat());
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&[]).len(), 5);
    for (command, count) in [
        (&["--client", "203.0.113.0/24"][..], 2),
        (&["--client", CLEAN], 3),
        (&["--helo", "SCRIPT"], 2),
        (&["--from", "ada@"], 4),
        (&["--rcpt", "postmaster"], 1),
        (&["--verdict", "deny"], 2),
        (&["--verdict", "none"], 1),
        (&["--check", "dnsbl"], 2),
        (
            &[
                "--check",
                "dnsbl",
                "--rcpt",
                "postmaster",
                "--verdict",
                "deny",
            ],
            1,
        ),
        (&["--since", "1h"], 5),
        (&["--until", "2020-01-01"], 0),
        (&["--listener", "nx"], 0),
        (&["--limit", "2"], 2),
        (&["--limit", "0"], 0),
        (&["--client", "::ffff:203.0.113.66"], 2),
    ] {
        // What was left out is said on standard error, which is read together with the lines.
        let found = lines(command)
            .into_iter()
            .filter(|line| !line.starts_with("there are more"));
        assert_eq!(found.count(), count, "{command:?}");
    }
    for command in [
        &["history", "--limit", "1"][..],
        &["history", "--limit", "1", "--json"],
    ] {
        let cut = house.ok(command);
        assert!(
            cut.contains("there are more; these are the newest 1"),
            "{cut}"
        );
    }
    let newest = json(&house, &["history", "--json", "--verdict", "deny"]);
    let times: Vec<&str> = newest
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["time"].as_str().unwrap())
        .collect();
    assert!(times[0] >= times[1], "{times:?}");
    let id = newest[1]["id"].as_str().unwrap();
    let shown = house.ok(&["explain", id]);
    for part in [
        &format!("session {id} at "),
        "203.0.113.66 at listener mx, policy default",
        "EHLO <script>",
        "A 66.113.0.203.bl.test",
        "listed by bl.test",
        "verdict deny",
        "<user@example.com> deny: 550 5.7.1 Refused",
    ] {
        assert!(shown.contains(part), "no {part:?} in\n{shown}");
    }
    let record = json(&house, &["explain", id, "--json"]);
    assert_eq!(record["id"], id);
    let (code, said) = house.says(&["explain", "00000000000"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("there is no record of session 00000000000"),
        "{said}"
    );
}

#[test]
fn a_scenario_is_fitted_to_the_log_and_the_rest_is_that_of_another() {
    let house = house();
    let base = include_str!("../../config/scenarios/2026.toml");
    house.ok(&["report", "--fit-scenario", "fitted.toml"]);
    let text = fs::read_to_string(house.world.path("fitted.toml")).unwrap();
    let [base, file]: [toml::Value; 2] = [base, &text].map(|text| toml::from_str(text).unwrap());
    assert_eq!(file["name"].as_str(), Some("fitted"));
    assert_eq!(
        (&file["habits"], &file["dns"]),
        (&base["habits"], &base["dns"])
    );
    let share = |name: &str| file["class"][name]["share"].as_float().unwrap();
    // Of five sessions one looked and went, two were denied, and two had mail; each of these is shared as in the base.
    assert_eq!((share("A1"), share("G9")), (0.0, 20.0));
    let denied: f64 = ["B1", "B2", "B3", "B4", "D1", "V1", "W1", "K1"]
        .map(share)
        .iter()
        .sum();
    assert!((denied - 40.0).abs() < 0.01, "{denied}");
    assert!((share("B4") / share("B1") - 2.5).abs() < 0.01);
    assert_eq!(file["class"]["B1"]["early"], base["class"]["B1"]["early"]);
    let told = "# fitted: 2 of 5 sessions (MAIL, and refused or on a list)\nB1";
    assert!(text.contains(told), "{text}");
    // It is a scenario again, and can be fitted anew.
    house.ok(&[
        "report",
        "--fit-scenario",
        "again.toml",
        "--base-scenario",
        "fitted.toml",
    ]);
    let (code, said) = house.says(&[
        "report",
        "--fit-scenario",
        "f.toml",
        "--base-scenario",
        "g.toml",
    ]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("the scenario to begin with has no name"),
        "{said}"
    );
}

#[test]
fn a_terminal_obeys_no_session_id() {
    let mut house = house();
    let journal = house.world.path("journal");
    for file in fs::read_dir(&journal).unwrap() {
        let file = file.unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        let text = text.replace("\"id\":\"", "\"id\":\"\\u001b[31m");
        fs::write(&file, text).unwrap();
    }
    house.world.change(
        "answers = \"127.0.0.[2..11]\", points = 5",
        "answers = \"127.0.0.[2..11]\", points = 50",
    );
    let other = fs::read_to_string(house.world.path("g.toml")).unwrap();
    let other = other.replace("points = 5", "points = 50");
    fs::write(house.world.path("other.toml"), other).unwrap();
    for command in [
        &["replay", "--verify"][..],
        &["replay", "--policy", "other.toml", "--list", "harsher"],
        &["report"],
        &["history"],
    ] {
        let (_, said) = house.says(command);
        assert!(said.lines().count() > 1, "{command:?}: {said}");
        assert!(!said.contains('\u{1b}'), "{command:?}: {said:?}");
    }
}

#[test]
fn who_names_the_journal_needs_no_configuration() {
    let house = house();
    let says = |command: &[&str]| {
        let mut gatepost = gatepost(&house.world.path(""));
        gatepost.args(command).args(["--config", "/nowhere/g.toml"]);
        process::run(&mut gatepost, &[])
    };
    let with = |command: &[&str]| {
        let finished = says(&[command, &["--journal", "journal"]].concat());
        assert_eq!(finished.code, Some(0), "{}", finished.transcript);
        finished.transcript
    };
    assert_eq!(with(&["history"]).lines().count(), 5);
    assert!(with(&["report"]).contains("can not be judged again"));
    let other = with(&["replay", "--policy", "g.toml"]);
    assert!(other.starts_with("5 sessions with 5 decisions"), "{other}");
    let all: Value = serde_json::from_str(&with(&["history", "--json"])).unwrap();
    let id = all[0]["id"].as_str().unwrap();
    assert!(with(&["explain", id]).starts_with(&format!("session {id} at ")));
    assert_eq!(says(&["history"]).code, Some(1));
}
