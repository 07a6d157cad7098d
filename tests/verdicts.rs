//! Verdict tables: what a session is, and what is made of it, as a mail administrator writes it.
//!
//! Each file in `tests/verdicts/` is one check's table. A case says what happened in a session, what
//! the DNS would have answered, and what is to come out; the runner plays the world, stage by stage,
//! as the session does. A name that a case does not list does not exist in its DNS; `"pending"`
//! never answers.
//!
//! ```toml
//! [[case]]
//! name = "a listed client is denied"
//! policy.checks.dnsbl.zones = [{ zone = "list.example", points = 5 }]   # keys of [policy.NAME]
//! session.client = "192.0.2.1"            # helo, from, rcpt (one or several), faults, silence, started, logins, login
//! session.dns."1.2.0.192.list.example A" = ["127.0.0.2"]   # A, AAAA, TXT, PTR; MX as "10 mx.example"
//! expect.verdict = "deny 5"               # one for each recipient; "drop 50" may come before any
//! expect.findings = ["dnsbl fail 5 listed: listed by list.example (127.0.0.2)"]
//! expect.asked = [...]                    # optional: every question, in order
//! expect.waits = [...]                    # optional: questions that still hold the session up
//! expect.reply = "550 5.7.1 ..."          # optional: how the refusal begins; "" for none
//! ```

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

#[path = "support/verdicts.rs"]
mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gatepost::checks::ALL;
use support::{Case, Table};

fn tables() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    files
}

fn cases(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap();
    let table: Table =
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert!(!table.case.is_empty(), "{} has no cases", file.display());
    table.case
}

#[test]
fn every_case_comes_out_as_its_table_says() {
    let mut wrong = Vec::new();
    for file in tables() {
        let table = file.file_stem().unwrap().to_string_lossy().into_owned();
        for case in cases(&file) {
            wrong.extend(
                case.run()
                    .err()
                    .map(|error| format!("{table}: {}\n{error}", case.name)),
            );
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_check_has_a_table_of_its_own() {
    let tables: BTreeSet<String> = tables()
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    for kind in ALL {
        assert!(
            tables.contains(kind.name),
            "tests/verdicts/{}.toml is missing",
            kind.name
        );
    }
}

#[test]
fn legitimate_traffic_is_denied_only_where_that_is_said() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verdicts");
    for case in cases(&directory.join("legitimate.toml")) {
        assert_eq!(
            case.refuses(),
            case.name.starts_with("DENIED"),
            "{}",
            case.name
        );
    }
}

#[test]
fn a_case_that_is_wrong_is_found_wrong() {
    let case = |expect: &str| -> Case {
        let text = format!(
            "[[case]]\nname = \"planted\"\nsession.client = \"192.0.2.1\"\nsession.rcpt = \"<b@example.com>\"\n{expect}"
        );
        toml::from_str::<Table>(&text).unwrap().case.remove(0)
    };
    let findings = "expect.findings = [\"pregreet pass 0 silent\"]";
    let only = "policy.checks.pregreet = {}\n";
    assert_eq!(
        case(&format!("{only}expect.verdict = \"clear 0\"\n{findings}")).run(),
        Ok(())
    );
    assert!(
        case(&format!("{only}expect.verdict = \"deny 0\"\n{findings}"))
            .run()
            .is_err()
    );
    assert!(
        case(&format!(
            "{only}expect.verdict = \"clear 0\"\nexpect.findings = []"
        ))
        .run()
        .is_err()
    );
    assert!(
        case(&format!("{only}expect.verdict = []\n{findings}"))
            .run()
            .is_err()
    );
}

#[test]
fn samples_say_the_defaults() {
    for kind in ALL {
        let sample: serde_json::Value = toml::from_str(kind.sample).unwrap();
        let keys = sample.as_object().unwrap().len();
        assert!(keys > 0, "{}", kind.name);
        let comments = kind
            .sample
            .lines()
            .filter(|line| line.starts_with('#'))
            .count();
        assert!(
            comments >= keys,
            "{}: every key has a comment above",
            kind.name
        );
        let written = (kind.build)(sample).unwrap();
        let default = (kind.build)(serde_json::json!({})).unwrap();
        assert_eq!(
            format!("{written:?}"),
            format!("{default:?}"),
            "{}",
            kind.name
        );
        assert!(written.is_none_or(|check| check.name() == kind.name));
    }
}
