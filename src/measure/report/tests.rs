//! The report over hand-made records, of whose policy nothing is known. Over made journals: `tests/measure.rs`; over those of
//! a process: `tests/cli/records.rs`.

use std::collections::BTreeMap;
use std::fs;

use super::*;

/// Records as they are on disk.
const RECORDS: &str = include_str!("../../../tests/records/v1.jsonl");

fn told(lines: &str) -> Report {
    let journal = tempfile::tempdir().unwrap();
    fs::write(
        journal.path().join("sessions-20261121T120000.000Z.jsonl"),
        lines,
    )
    .unwrap();
    report(
        journal.path(),
        &Wanted::default(),
        &BTreeMap::new(),
        |_, _| {},
    )
    .unwrap()
}

#[test]
fn records_of_an_unknown_policy_are_counted_and_not_judged() {
    let report = told(RECORDS);
    let sessions = u64::try_from(RECORDS.lines().count()).unwrap();
    assert_eq!(report.sessions.all, sessions);
    assert_eq!(report.read.damaged, 0);
    assert_eq!(report.sessions.ended.values().sum::<u64>(), sessions);
    assert!(
        report
            .policies
            .iter()
            .all(|policy| !policy.known && policy.checks.is_empty())
    );
    assert!(report.text().contains("can not be judged again"));
    assert!(
        report
            .html()
            .unwrap()
            .contains("is not in the configuration")
    );
}

#[test]
fn recipients_that_were_only_counted_are_counted() {
    let line = RECORDS.lines().next().unwrap();
    let beyond = r#","beyond":{"recipients":{"deny":40,"taken":2},"messages":{"delivered":3}}}"#;
    let more = format!("{}{beyond}\n", line.strip_suffix('}').unwrap());
    let (plain, long) = (told(&format!("{line}\n")), told(&more));
    assert_eq!(long.read.damaged, 0);
    assert_eq!(long.recipients["deny"], plain.recipients["deny"] + 40);
    assert_eq!(long.recipients["taken"], plain.recipients["taken"] + 2);
    assert_eq!(long.messages["delivered"], plain.messages["delivered"] + 3);
}

#[test]
fn counts_beyond_all_measure_do_not_overflow() {
    let line = RECORDS.lines().next().unwrap();
    let beyond =
        r#","beyond":{"recipients":{"deny":18446744073709551615,"taken":18446744073709551615}}}"#;
    let more = format!("{}{beyond}\n", line.strip_suffix('}').unwrap());
    let report = told(&more.repeat(2));
    assert_eq!(report.recipients["deny"], 2 << 32);
    assert!(report.text().contains("recipients"));
}

#[test]
fn no_sessions_are_a_report_too() {
    let report = told("");
    assert!(report.text().starts_with("no sessions\n"));
    assert!(report.html().unwrap().ends_with("</html>"));
    assert_eq!(report.shares.refused.share, 0.0);
}

#[test]
fn a_terminal_obeys_no_session_id() {
    let suspect = Suspect {
        client: "192.0.2.1".to_owned(),
        times: 1,
        first: Timestamp::try_from("2026-11-21T00:00:00Z".to_owned()).unwrap(),
        last: Timestamp::try_from("2026-11-21T00:00:00Z".to_owned()).unwrap(),
        refused: "\u{1b}[2J".into(),
        then: Some("\u{1b}[31m".into()),
        observed: false,
    };
    let mut report = told("");
    report.suspects.came_again_first = vec![suspect];
    let text = report.text();
    assert!(text.contains("192.0.2.1 in \\u{1b}[2J, then"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn none_and_all_of_ten_networks_are_not_sure() {
    for (hits, low, high) in [(0, 0.0, 0.3), (500, 0.7, 1.0)] {
        let part = sum::part(&[(hits, 500); 10]);
        assert!(part.networks);
        let Interval {
            low: is_low,
            high: is_high,
        } = part.interval;
        assert!(
            (is_low - low).abs() < 1e-9 && (is_high - high).abs() < 1e-9,
            "{part:?}"
        );
    }
    let text = text::part_text(sum::part(&[(500, 500); 10]));
    assert_eq!(text, "5000 of 5000 are 100.0% (70.0% to 100.0%)");
    // Of one network nothing can be said.
    assert!(!sum::part(&[(5, 5)]).networks);
}

#[test]
fn short_sessions_last_a_while_together() {
    let line = RECORDS.lines().next().unwrap();
    let mut record: serde_json::Value = serde_json::from_str(line).unwrap();
    record["duration_ms"] = 700.into();
    record["recipients"] = serde_json::json!([]);
    record["ended"] = "quit".into();
    let report = told(&format!("{record}\n").repeat(10));
    assert_eq!((report.spared.sessions, report.spared.seconds), (10, 7));
}
