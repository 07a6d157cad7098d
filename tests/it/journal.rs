//! The form of a session record on disk: what version 1 wrote must read and write unchanged for ever.

use std::path::Path;

use gatepost::facts::{Ended, Limit};
use gatepost::journal::{self, SessionRecord};
use gatepost::smtp::fault::Fault;

fn golden() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/v1.jsonl")
}

#[test]
fn records_of_version_1_read_and_write_unchanged() {
    let text = std::fs::read_to_string(golden()).unwrap();
    let mut records = 0;
    for line in text.lines() {
        let record: SessionRecord = serde_json::from_str(line).unwrap();
        assert_eq!(record.version, journal::VERSION);
        assert_eq!(serde_json::to_string(&record).unwrap(), line);
        records += 1;
    }
    assert_eq!(records, 3);
}

#[test]
fn records_of_version_1_say_what_they_said() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sessions-20261121T120007.223Z.jsonl");
    std::fs::copy(golden(), file).unwrap();
    let records: Vec<SessionRecord> = journal::read(directory.path()).unwrap().collect();
    let [judged, foreign, refused] = &records[..] else {
        panic!("{records:?}")
    };
    assert_eq!(judged.ended_at().to_string(), "2026-11-21T12:00:07.223Z");
    assert_eq!(judged.facts.client().unwrap().ip().to_string(), "192.0.2.1");
    assert_eq!(
        judged.decisions[0].verdict.governing().unwrap().evidence,
        "listed by dnsbl.example"
    );
    assert!(!judged.recipients[0].accepted() && judged.recipients[1].accepted());
    assert!(judged.recipients[1].exempt);
    assert!(judged.messages[0].accepted());
    assert!(matches!(foreign.ended, Ended::Fault(Fault::Foreign(_))));
    assert_eq!(refused.ended, Ended::Refused(Limit::PerNetwork));
    let found = journal::find(directory.path(), &foreign.id).unwrap();
    assert_eq!(found.as_ref(), Some(foreign));
}
