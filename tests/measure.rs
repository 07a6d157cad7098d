//! What is counted over a journal, end to end: a made journal on disk, reported on, judged again, searched.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

#[path = "support/journal.rs"]
mod journal;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatepost::checks::judge;
use gatepost::checks::points::Points;
use gatepost::checks::policy::{Mode, ShieldMode};
use gatepost::checks::replay::Decision;
use gatepost::facts::{Ended, Fact, Millis, Stage};
use gatepost::journal::{Bounds, Filter, SessionRecord, Wanted as Search, read, search};
use gatepost::measure::replay::{Change, Options, replay, verify};
use gatepost::measure::report::{Report, report};
use gatepost::measure::tally::Wanted;
use gatepost::smtp::{Protocol, fault::Fault};

const SESSIONS: u64 = 1500;

/// A journal with all of its records.
fn made() -> (tempfile::TempDir, Vec<SessionRecord>) {
    let directory = tempfile::tempdir().unwrap();
    journal::write(directory.path(), &journal::policy(5), 7, SESSIONS);
    let records = read(directory.path()).unwrap().collect();
    (directory, records)
}

/// A journal of these records.
fn holding(records: &[SessionRecord]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let lines = records
        .iter()
        .map(|record| serde_json::to_string(record).unwrap() + "\n");
    let file = directory.path().join("sessions-20261121T000000.000Z.jsonl");
    std::fs::write(file, lines.collect::<String>()).unwrap();
    directory
}

/// The first made record of which this is true.
fn first(is_it: impl Fn(&SessionRecord) -> bool) -> SessionRecord {
    let policy = journal::policy(5);
    let mut maker = journal::Maker::new(&policy, 3);
    let mut all = std::iter::repeat_with(|| maker.session()).take(1000);
    all.find(|record| is_it(record)).unwrap()
}

fn is_denied(record: &SessionRecord) -> bool {
    !record.recipients.is_empty() && record.recipients.iter().all(|one| one.reply.code == 550)
}

/// The record, as if the client had said something else than SMTP behind its last recipient and was dropped for it.
fn then_dropped(mut record: SessionRecord) -> SessionRecord {
    let fault = Fact::Fault(Fault::Foreign(Protocol::Http));
    for fact in [Fact::Reset, fault] {
        record.facts.push(Stage::Rcpt, Millis(90_000), fact);
    }
    let verdict = judge(&journal::policy(5), &record.facts).verdict().clone();
    assert_eq!(verdict.enforced(), gatepost::checks::verdict::Action::Drop);
    record.decisions.push(Decision {
        seen: record.facts.entries().len(),
        verdict,
    });
    record.ended = Ended::Dropped;
    record
}

fn told(directory: &tempfile::TempDir) -> Report {
    report(
        directory.path(),
        &Wanted::default(),
        &journal::policies(5),
        |_, _| {},
    )
    .unwrap()
}

#[test]
fn the_report_adds_up_to_the_records() {
    let (directory, records) = made();
    let report = told(&directory);
    assert_eq!(report.sessions.all, SESSIONS);
    let sum = |counts: &BTreeMap<&'static str, u64>| counts.values().sum::<u64>();
    assert_eq!(sum(&report.sessions.ended), SESSIONS);
    assert_eq!(sum(&report.sessions.verdicts), SESSIONS);
    let recipients: usize = records.iter().map(|record| record.recipients.len()).sum();
    assert_eq!(sum(&report.recipients), u64::try_from(recipients).unwrap());
    let rows = report.reached.iter();
    let all: u64 = rows
        .map(|row| row.handed_on + row.cut_off + row.refused + row.put_off + row.left)
        .sum();
    assert_eq!(all, SESSIONS);
    let hours: u64 = report.hours.iter().map(|hour| hour.sessions).sum();
    assert_eq!(hours, SESSIONS);
    assert!(
        report.delay.put_off > 0 && report.delay.let_through > 0,
        "{:?}",
        report.delay
    );
    assert!(
        report
            .delay
            .p50_seconds
            .is_some_and(|seconds| seconds >= 60.0),
        "{:?}",
        report.delay
    );
}

#[test]
fn shapley_shares_add_up_to_what_is_kept_out_and_that_is_what_was_done() {
    let (directory, records) = made();
    let report = told(&directory);
    let [policy] = &report.policies[..] else {
        panic!("{:?}", report.policies)
    };
    assert_eq!(policy.judged_otherwise, 0);
    for (unit, of) in [
        (policy.connections, 0),
        (policy.transactions, 1),
        (policy.recipients, 2),
    ] {
        let shapley: f64 = policy
            .checks
            .iter()
            .map(|check| [check.connections, check.transactions, check.recipients][of].shapley)
            .sum();
        let kept_out = (unit.kept_out - unit.without_checks) as f64;
        assert!((shapley - kept_out).abs() < 1e-6, "{shapley} {kept_out}");
    }
    let recipients = records.iter().flat_map(|record| &record.recipients);
    let (all, refused): (Vec<_>, Vec<_>) = (
        recipients.clone().collect(),
        recipients
            .filter(|one| one.action > gatepost::checks::verdict::Action::Clear)
            .collect(),
    );
    assert_eq!(policy.recipients.all, u64::try_from(all.len()).unwrap());
    assert_eq!(
        policy.recipients.kept_out,
        u64::try_from(refused.len()).unwrap()
    );
    let of = |name: &str| {
        policy
            .checks
            .iter()
            .find(|check| check.check == name)
            .unwrap()
    };
    assert!(of("dnsbl").recipients.alone > 0 && of("dnsbl").recipients.unique > 0);
    assert!(of("dnsbl").dns_live > of("dnsbl").dns_cached);
    assert!(of("pregreet").held_seconds > 0.0);
    // Scanners are cut off before most checks could look.
    assert!(of("spf").not_looked > of("pregreet").not_looked);
}

#[test]
fn the_same_policy_reproduces_every_verdict_and_a_changed_one_does_not() {
    let (directory, records) = made();
    let same = verify(
        directory.path(),
        &journal::policies(5),
        &Wanted::default(),
        |_, _| {},
    )
    .unwrap();
    let decisions: usize = records.iter().map(|record| record.decisions.len()).sum();
    assert_eq!(
        (same.sessions, same.differences),
        (SESSIONS, 0),
        "{:?}",
        same.first
    );
    assert_eq!(same.decisions, u64::try_from(decisions).unwrap());
    let other = verify(
        directory.path(),
        &journal::policies(4),
        &Wanted::default(),
        |_, _| {},
    )
    .unwrap();
    assert!(other.differences > 0 && !other.first.is_empty());
    let none = verify(
        directory.path(),
        &BTreeMap::new(),
        &Wanted::default(),
        |_, _| {},
    )
    .unwrap();
    assert_eq!((none.no_such_policy, none.sessions), (SESSIONS, 0));
}

#[test]
fn another_policy_changes_sessions_and_says_which() {
    let (directory, _) = made();
    let changes = |points, list| {
        let options = Options {
            list,
            ..Options::default()
        };
        replay(
            directory.path(),
            &journal::policies(points),
            &options,
            |_, _| {},
        )
        .unwrap()
    };
    let same = changes(5, None);
    assert_eq!(
        same.changes["same"], SESSIONS,
        "{:?} {:?}",
        same.changes, same.missing
    );
    // Dropped where it was denied.
    let harsher = changes(50, Some((Change::Harsher, 10_000)));
    assert!(harsher.changes["harsher"] > 0, "{:?}", harsher.changes);
    assert_eq!(harsher.changes["milder"] + harsher.changes["went_on"], 0);
    assert_eq!(
        u64::try_from(harsher.first["harsher"].len()).unwrap(),
        harsher.changes["harsher"]
    );
    // Let through where it was denied, or put off: nobody asked for the triplet then.
    let milder = changes(1, None);
    assert!(
        milder.changes["milder"] > 0 && milder.changes["undecided"] > 0,
        "{:?}",
        milder.changes
    );
    assert!(
        milder.missing.contains_key("memory of a pass"),
        "{:?}",
        milder.missing
    );
    assert_eq!(milder.first["milder"].len(), 5);
}

#[test]
fn who_may_have_been_refused_wrongly_is_named() {
    let policy = journal::policy(5);
    let mut maker = journal::Maker::new(&policy, 3);
    let records: Vec<_> = std::iter::repeat_with(|| maker.session())
        .take(200)
        .collect();
    let client = |record: &SessionRecord| record.facts.client().unwrap().address.to_string();
    let denied = |one: &&SessionRecord| one.recipients.iter().any(|one| one.reply.code == 550);
    let denied = records.iter().find(denied).unwrap();
    let passed = |one: &&SessionRecord| {
        !one.messages.is_empty() && one.recipients.iter().all(|one| !one.exempt)
    };
    let passed = records.iter().find(passed).unwrap();
    // The same refusal again and again, an hour apart; and at last the client gets through.
    let again = (0..7).map(|hour| {
        let mut again = denied.clone();
        again.id = format!("again{hour}");
        again.started = format!("2026-11-21T{hour:02}:00:00Z").try_into().unwrap();
        serde_json::to_string(&again).unwrap() + "\n"
    });
    let mut last = passed.clone();
    last.started = "2026-11-21T09:00:00Z".to_owned().try_into().unwrap();
    let last = serde_json::to_string(&last)
        .unwrap()
        .replace(&client(passed), &client(denied));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sessions-20261121T000000.000Z.jsonl");
    std::fs::write(file, again.collect::<String>() + &last + "\n").unwrap();
    let suspects = told(&directory).suspects;
    assert_eq!(suspects.denied_then_passed, 1);
    let [first] = &suspects.denied_then_passed_first[..] else {
        panic!("{suspects:?}")
    };
    assert_eq!(
        (&*first.refused, first.then.as_deref(), first.times),
        ("again0", Some(&*passed.id), 7)
    );
    assert!(suspects.came_again >= 1, "{suspects:?}");
    assert_eq!(suspects.came_again_first[0].times, 7);
}

#[test]
fn a_drop_behind_the_recipients_takes_nothing_from_what_refused_them() {
    let record = first(|record| is_denied(record) && record.recipients.len() == 1);
    let report = told(&holding(&[then_dropped(record)]));
    let [policy] = &report.policies[..] else {
        panic!("{:?}", report.policies)
    };
    assert_eq!(
        (policy.judged_otherwise, policy.connections.kept_out),
        (0, 1)
    );
    for check in &policy.checks {
        assert_eq!(check.connections, check.recipients, "{}", check.check);
    }
}

#[test]
fn who_is_dropped_before_a_recipient_is_refused() {
    let dropped = first(|record| record.ended == Ended::Dropped && record.recipients.is_empty());
    let report = told(&holding(std::slice::from_ref(&dropped)));
    assert_eq!(report.networks.first[0].refused, 1);
    assert_eq!(report.shares.dropped.part, 1);
    assert!(report.text().contains("connections dropped"));
    let heads = report
        .text()
        .lines()
        .any(|line| line.contains("connections kept out"));
    assert!(heads, "{}", report.text());
    // The client comes again and gets through.
    let mut later = first(|record| !record.messages.is_empty());
    let client = |record: &SessionRecord| record.facts.client().unwrap().address.to_string();
    later.id = "later".to_owned();
    let text = serde_json::to_string(&later).unwrap();
    let later = serde_json::from_str(&text.replace(&client(&later), &client(&dropped))).unwrap();
    let suspects = told(&holding(&[dropped, later])).suspects;
    assert_eq!(suspects.denied_then_passed, 1, "{suspects:?}");
}

#[test]
fn what_a_shield_keeps_out_is_no_checks() {
    let mut policy = journal::policy(5);
    policy.shield.mode = ShieldMode::Tempfail;
    let directory = tempfile::tempdir().unwrap();
    journal::write(directory.path(), &policy, 7, 300);
    let policies = BTreeMap::from([("default".to_owned(), Arc::new(policy))]);
    let report = report(directory.path(), &Wanted::default(), &policies, |_, _| {}).unwrap();
    let [policy] = &report.policies[..] else {
        panic!("{:?}", report.policies)
    };
    let unit = policy.recipients;
    assert!(unit.without_checks > 0, "{unit:?}");
    let anyway = unit.kept_out - unit.without_checks;
    for check in &policy.checks {
        assert!(check.recipients.alone <= anyway, "{check:?}");
    }
    let said = format!("{} recipients", unit.without_checks);
    for told in [report.text(), report.html().unwrap()] {
        let shield = told.lines().find(|line| line.contains("by the shield"));
        assert!(shield.is_some_and(|line| line.contains(&said)), "{told}");
    }
}

#[test]
fn a_policy_that_no_longer_observes_reproduces_what_it_observed() {
    let mut observing = journal::policy(5);
    observing.mode = Mode::Observe;
    let directory = tempfile::tempdir().unwrap();
    journal::write(directory.path(), &observing, 7, 300);
    let policies = journal::policies(5);
    let verified = verify(directory.path(), &policies, &Wanted::default(), |_, _| {}).unwrap();
    assert_eq!(
        (verified.sessions, verified.differences),
        (300, 0),
        "{:?}",
        verified.first
    );
}

#[test]
fn a_policy_that_observes_is_told_and_so_is_who_it_would_have_denied() {
    let observed = |mut record: SessionRecord| {
        for one in &mut record.decisions {
            one.verdict.observed = true;
        }
        record
    };
    let denied = observed(first(is_denied));
    let mut later = observed(first(|record| !record.messages.is_empty()));
    let client = |record: &SessionRecord| record.facts.client().unwrap().address.to_string();
    later.id = "later".to_owned();
    let text = serde_json::to_string(&later).unwrap();
    let later = serde_json::from_str(&text.replace(&client(&later), &client(&denied))).unwrap();
    let report = told(&holding(&[denied, later]));
    assert_eq!(
        (report.sessions.observed, report.policies[0].observed),
        (2, 2)
    );
    let suspects = &report.suspects;
    assert_eq!(suspects.denied_then_passed, 1, "{suspects:?}");
    assert_eq!(suspects.denied_then_passed_observed, 1);
    assert!(suspects.denied_then_passed_first[0].observed);
    let text = report.text();
    assert!(
        text.contains("In 2 sessions the policy only observed"),
        "{text}"
    );
    assert!(
        text.contains("(only observed, would have been: 1)"),
        "{text}"
    );
    assert!(
        report
            .html()
            .unwrap()
            .contains("In 2 sessions the policy only observed")
    );
}

#[test]
fn who_is_on_a_list_of_good_clients_alone_is_not_listed() {
    let policy = journal::policy(5);
    let mut maker = journal::Maker::new(&policy, 3);
    let is_listed = |record: &SessionRecord| {
        let findings = record
            .decisions
            .iter()
            .flat_map(|one| &one.verdict.findings);
        let mut of_lists = findings.filter(|one| one.check == "dnsbl");
        of_lists.any(|one| one.points > Points::ZERO)
    };
    let mut all = std::iter::repeat_with(|| maker.session()).take(5000);
    let listed = all.find(|one| {
        !one.messages.is_empty() && !is_denied(one) && is_listed(one) && one.recipients.len() == 1
    });
    let mut record = listed.unwrap();
    let sorts =
        |record: &SessionRecord| told(&holding(std::slice::from_ref(record))).sorts.sessions;
    assert_eq!(sorts(&record), [0, 0, 0, 1, 0, 0]);
    for finding in record
        .decisions
        .iter_mut()
        .flat_map(|one| &mut one.verdict.findings)
    {
        if finding.check == "dnsbl" {
            finding.points = Points::new(-3);
        }
    }
    assert_eq!(sorts(&record), [0, 0, 0, 0, 1, 0]);
}

#[test]
fn each_suspect_is_named_once() {
    let client = |record: &SessionRecord| record.facts.client().unwrap().address.to_string();
    let denied = first(|record| is_denied(record) && record.recipients.len() > 1);
    let passed = first(|record| !record.messages.is_empty());
    let at = |hour: u8, record: &SessionRecord| {
        let text = serde_json::to_string(record).unwrap();
        let text = text.replace(&client(record), &client(&denied));
        let mut record: SessionRecord = serde_json::from_str(&text).unwrap();
        record.started = format!("2026-11-21T{hour:02}:00:00Z").try_into().unwrap();
        record.id = format!("hour{hour}");
        record
    };
    let hours = (0..16).map(|hour| at(hour, if hour % 4 == 3 { &passed } else { &denied }));
    let suspects = told(&holding(&hours.collect::<Vec<_>>())).suspects;
    assert_eq!(suspects.denied_then_passed, 1, "{suspects:?}");
    assert_eq!(suspects.came_again, 1, "{suspects:?}");
    assert_eq!(suspects.came_again_first.len(), 1);
}

#[test]
fn history_finds_the_sessions_that_the_report_counts() {
    let (directory, _) = made();
    let report = told(&directory);
    for row in &report.policies[0].checks {
        let wanted = Filter {
            check: Some(row.check.to_owned()),
            policies: journal::policies(5),
            ..Filter::default()
        };
        let bounds = Bounds {
            octets: u64::MAX,
            time: Duration::from_hours(1),
            hits: 10_000,
            since: None,
        };
        let hits = search(directory.path(), &Search::filtered(wanted), bounds).unwrap();
        let found = u64::try_from(hits.digests.len()).unwrap();
        let (least, most) = (row.against.max(row.in_favour), row.against + row.in_favour);
        assert!(least <= found && found <= most, "{row:?} {found}");
    }
}
