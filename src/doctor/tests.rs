//! What all probes have in common; and helpers for their tests.

use std::collections::BTreeSet;

use super::*;
use crate::facts::{DnsAnswer, Record, RecordData};
use crate::smtp::reply::Reply;

/// An answer with these records.
pub(in crate::doctor) fn found(records: impl IntoIterator<Item = RecordData>) -> DnsAnswer {
    let record = |data| Record { ttl: 3600, data };
    DnsAnswer::Found(records.into_iter().map(record).collect())
}

/// An answer with these texts.
pub(in crate::doctor) fn texts(texts: &[&str]) -> DnsAnswer {
    found(texts.iter().map(|text| RecordData::Txt((*text).into())))
}

/// The outcomes of findings, in their order.
pub(in crate::doctor) fn outcomes(findings: &[Finding]) -> Vec<Outcome> {
    findings.iter().map(|finding| finding.outcome).collect()
}

/// Everything that was seen.
pub(in crate::doctor) fn seen(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| finding.seen.as_str());
    lines.collect::<Vec<_>>().join("\n")
}

/// A reply.
pub(in crate::doctor) fn reply(code: u16, text: &str) -> Reply {
    Reply::new(code, None, text.to_owned())
}

#[test]
fn names_are_labels_and_each_is_there_once() {
    let names: BTreeSet<&str> = ALL.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), ALL.len());
    for kind in ALL {
        let is_label = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(kind.name.chars().all(is_label), "{}", kind.name);
        assert!(!kind.summary.is_empty() && !kind.standard.is_empty());
    }
}

#[test]
fn a_machine_is_looked_at_where_that_is_chosen() {
    let of_machine = |chosen: &Chosen| {
        chosen
            .probes()
            .filter(|kind| kind.of == Of::Machine)
            .count()
    };
    let without = vec!["mta_sts".to_owned()];
    let stranger = Chosen {
        without,
        machine: false,
    };
    assert_eq!(of_machine(&stranger), 0);
    assert!(stranger.probes().all(|kind| kind.name != "mta_sts"));
    let own = Chosen {
        machine: true,
        ..Chosen::default()
    };
    assert_eq!(own.probes().count(), ALL.len());
}

#[test]
fn the_gravest_finding_is_the_outcome_and_comes_first() {
    let finding = |outcome| Finding::new(outcome, "d.example", "seen", "", "");
    let kind = ALL.first().unwrap();
    use Outcome::{CouldNotTell, Fault, Good};
    let findings = vec![finding(Good), finding(Fault), finding(CouldNotTell)];
    let probed = Probed::of(kind, findings).unwrap();
    assert_eq!(probed.outcome, Fault);
    assert_eq!(outcomes(&probed.findings), [Fault, CouldNotTell, Good]);
    assert_eq!(Probed::of(kind, Vec::new()), None);
}
