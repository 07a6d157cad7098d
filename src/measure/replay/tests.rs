//! What a session's change is, and how questions are grouped.

use super::*;
use crate::facts::{DnsName, Millis, RecordType};

#[test]
fn the_most_telling_change_is_the_sessions() {
    let mut all = Change::ALL;
    all.sort_unstable();
    let words = all.map(Change::label);
    assert_eq!(words, ["same", "milder", "went_on", "undecided", "harsher"]);
}

#[test]
fn questions_are_told_without_whom_they_are_about() {
    let dns = |name: &str| Question::Dns {
        name: DnsName::new(name),
        kind: RecordType::A,
    };
    let zones = ["zen.example".to_owned(), "own.zen.example".to_owned()];
    for (question, told) in [
        (dns("1.2.0.192.zen.example"), "A in zen.example"),
        (dns("1.2.0.192.own.zen.example"), "A in own.zen.example"),
        (dns("xzen.example"), "A of a name"),
        (
            Question::Silence {
                wait: Millis(6000),
                teaser: true,
            },
            "silence of 6.000s with a first line",
        ),
        (
            Question::Memory(Recall::Pass("192.0.2.1/32".parse().unwrap())),
            "memory of a pass",
        ),
    ] {
        assert_eq!(kind(&question, &zones), told);
    }
}
