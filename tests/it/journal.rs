//! The form of a session record on disk: what version 1 wrote must read and write unchanged for ever.

use std::path::Path;

use gatepost::facts::{Ended, Limit};
use gatepost::journal::{self, SessionRecord};
use gatepost::smtp::fault::Fault;

use crate::support::client::Client;
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::rbldnsd::Rbldnsd;

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

#[test]
fn a_recipient_at_which_the_session_is_dropped_is_judged_once_and_has_its_outcome() {
    let (exim, rbldnsd) = (Exim::start(), Rbldnsd::start());
    let mut setup = Setup::new(exim.address(), rbldnsd.address());
    setup.checks =
        "[policy.default.checks.harvest]\nallowance = 1\npoints = 50\nat_most = 50\n".to_owned();
    let gatepost = Gatepost::start(&setup);
    let mut client = Client::greeted(gatepost.proxied(), "192.0.2.77");
    client.command("HELO client.example.net").expect(250);
    client.command("MAIL FROM:<ada@example.net>").expect(250);
    for code in [550, 550, 521] {
        client.command("RCPT TO:<nobody@example.com>").expect(code);
    }
    let record = gatepost.recorded(&["\"ended\":\"dropped\""]);
    assert_eq!(record["decisions"].as_array().unwrap().len(), 3, "{record}");
    let recipients = record["recipients"].as_array().unwrap();
    assert_eq!(recipients.len(), 3, "{record}");
    assert_eq!(recipients[2]["action"], "drop");
    assert_eq!(recipients[2]["reply"]["code"], 521);
}
