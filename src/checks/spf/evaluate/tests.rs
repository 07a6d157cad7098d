//! What the suite of the RFC (tests/spf.rs) does not ask: what is asked when, and the odd corners.

use std::collections::BTreeMap;

use super::*;
use crate::checks::spf::{check_host, explanation};
use crate::facts::{Failure, Record};

/// A zone: `name TYPE` and its records, separated by `|`; `fails` for a failure.
struct Zone(BTreeMap<String, DnsAnswer>);

impl Zone {
    fn new(entries: &[(&str, &str)]) -> Self {
        let read = |(name, records): &(&str, &str)| {
            let (_, kind) = name.split_once(' ').unwrap();
            let record = |text: &str| Record {
                ttl: 60,
                data: match kind {
                    "A" => RecordData::A(text.parse().unwrap()),
                    "AAAA" => RecordData::Aaaa(text.parse().unwrap()),
                    "MX" => RecordData::Mx(10, text.into()),
                    "PTR" => RecordData::Ptr(text.into()),
                    _ => RecordData::Txt(text.into()),
                },
            };
            let answer = match *records {
                "fails" => DnsAnswer::Failed(Failure::ServFail),
                records => DnsAnswer::Found(records.split('|').map(record).collect()),
            };
            ((*name).to_owned(), answer)
        };
        Self(entries.iter().map(read).collect())
    }
}

/// Result, reason, and the questions in rounds: those that were asked together.
fn rounds(query: &Query<'_>, zone: &Zone) -> (String, Vec<Vec<String>>) {
    let no_name = DnsAnswer::NoName;
    let mut known: Vec<String> = Vec::new();
    let mut rounds = Vec::new();
    loop {
        let mut missing: Vec<String> = Vec::new();
        let evaluation = check_host(query, &mut |name, kind| {
            let asked = format!("{name} {}", kind.as_str());
            if !known.contains(&asked) {
                if !missing.contains(&asked) {
                    missing.push(asked);
                }
                return None;
            }
            Some(zone.0.get(&asked).unwrap_or(&no_name))
        });
        if let Some(found) = evaluation {
            assert!(missing.is_empty() || found.result != SpfResult::None);
            return (
                format!("{} {}", found.result.label(), found.because),
                rounds,
            );
        }
        known.extend(missing.iter().cloned());
        rounds.push(missing);
    }
}

fn query<'q>(ip: &str, local_part: &'q str) -> Query<'q> {
    Query {
        ip: ip.parse().unwrap(),
        local_part,
        domain: "example.org",
        helo: "mx.example.net",
        started: None,
    }
}

fn result(record: &str, zone: &[(&str, &str)]) -> String {
    let all = [&[("example.org TXT", record)], zone].concat();
    rounds(&query("192.0.2.1", "a"), &Zone::new(&all)).0
}

#[test]
fn the_terms_of_a_record_ask_together() {
    let zone = Zone::new(&[
        (
            "example.org TXT",
            "v=spf1 mx a:www.example.org include:i.example exists:%{i}.x.example redirect=r.example",
        ),
        ("example.org MX", "mx1.example.org|mx2.example.org"),
        ("mx1.example.org A", "198.51.100.1"),
        ("mx2.example.org A", "198.51.100.2"),
        ("www.example.org A", "198.51.100.3"),
        ("i.example TXT", "v=spf1 a ip4:203.0.113.0/24 -all"),
        ("i.example A", "198.51.100.4"),
        ("r.example TXT", "v=spf1 ptr -all"),
    ]);
    let (result, rounds) = rounds(&query("192.0.2.1", "a"), &zone);
    assert_eq!(result, "fail -all");
    assert_eq!(
        rounds,
        [
            vec!["example.org TXT"],
            vec![
                "example.org MX",
                "www.example.org A",
                "i.example TXT",
                "192.0.2.1.x.example A",
                "r.example TXT",
            ],
            vec!["mx1.example.org A", "mx2.example.org A"],
            vec!["i.example A"],
            vec!["1.2.0.192.in-addr.arpa PTR"],
        ]
    );
}

#[test]
fn nothing_is_asked_behind_a_sure_match() {
    let zone = Zone::new(&[(
        "example.org TXT",
        "v=spf1 a ip4:192.0.2.0/24 mx include:i.example -all",
    )]);
    let (result, rounds) = rounds(&query("192.0.2.1", "a"), &zone);
    assert_eq!(result, "pass ip4:192.0.2.0/24");
    assert_eq!(rounds, [vec!["example.org TXT"], vec!["example.org A"]]);
}

#[test]
fn what_is_asked_ahead_stays_within_the_limits() {
    let many: String = (0..30).map(|at| format!(" a:h{at}.example")).collect();
    let zone = Zone::new(&[("example.org TXT", &format!("v=spf1{many} -all"))]);
    let (result, rounds) = rounds(&query("192.0.2.1", "a"), &zone);
    assert_eq!(result, "permerror more than 2 names without records");
    assert_eq!(rounds[1].len(), 10);

    // Each record includes two more: a tree of thousands, of which ten are asked for.
    let wide = |at: usize| {
        format!(
            "v=spf1 include:n{}.example include:n{}.example -all",
            2 * at,
            2 * at + 1
        )
    };
    let mut entries = vec![("example.org TXT".to_owned(), wide(1))];
    entries.extend((2..4000).map(|at| (format!("n{at}.example TXT"), wide(at))));
    let entries: Vec<_> = entries
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let (result, rounds) = self::rounds(&query("192.0.2.1", "a"), &Zone::new(&entries));
    assert_eq!(result, "permerror more than 10 terms that ask the DNS");
    let asked: usize = rounds.iter().map(Vec::len).sum();
    assert!(asked <= 30, "{asked}");
}

#[test]
fn a_match_of_one_exchange_outweighs_the_failure_of_another() {
    let zone = [
        ("example.org MX", "mx1.example.org|.|mx2.example.org"),
        ("mx1.example.org A", "fails"),
        ("mx2.example.org A", "192.0.2.1"),
    ];
    assert_eq!(result("v=spf1 mx -all", &zone), "pass mx");
    assert_eq!(
        result("v=spf1 mx -all", &zone[..2]),
        "temperror server failure"
    );
}

#[test]
fn failures_end_where_they_stand() {
    for (record, zone, expected) in [
        (
            "v=spf1 a -all",
            ("example.org A", "fails"),
            "temperror server failure",
        ),
        (
            "v=spf1 ip4:192.0.2.1 a -all",
            ("example.org A", "fails"),
            "pass ip4:192.0.2.1",
        ),
        (
            "v=spf1 ptr -all",
            ("1.2.0.192.in-addr.arpa PTR", "fails"),
            "fail -all",
        ),
        (
            "v=spf1 include:i.example -all",
            ("i.example TXT", "fails"),
            "temperror server failure",
        ),
        (
            "v=spf1 include:i.example -all",
            ("x.example A", "fails"),
            "permerror no record at i.example",
        ),
        (
            "v=spf1 redirect=%{l}..example",
            ("x.example A", "fails"),
            "permerror no record at %{l}..example",
        ),
        (
            "v=spf1 include:i.example -all",
            ("i.example TXT", "v=spf1 moo"),
            "permerror wrong term moo",
        ),
        (
            "v=spf1 a:x..example ?all",
            ("x.example A", "fails"),
            "neutral ?all",
        ),
        (
            "v=spf1 ip4:999.1.1.1 -all",
            ("x.example A", "fails"),
            "permerror wrong term ip4:999.1.1.1",
        ),
    ] {
        assert_eq!(result(record, &[zone]), expected, "{record}");
    }
    assert_eq!(
        result("v=spf1 -all|v=spf1 +all", &[]),
        "permerror more than one record"
    );
    assert_eq!(result("hello", &[]), "none no record");
}

#[test]
fn a_record_whose_end_may_be_missing_is_not_believed() {
    let start = "v=spf1 -all";
    let room = TXT_MAX - start.len();
    assert_eq!(
        result(&format!("{start}{}", " ".repeat(room)), &[]),
        "permerror too long"
    );
    assert_eq!(
        result(&format!("{start}{}", " ".repeat(room - 1)), &[]),
        "fail -all"
    );
}

#[test]
fn local_parts_that_are_not_ascii_match_nothing() {
    let zone = Zone::new(&[
        (
            "example.org TXT",
            "v=spf1 exists:%{l}.users.example exists:%{d}.all.example ?all",
        ),
        ("example.org.all.example A", "127.0.0.2"),
    ]);
    let (result, rounds) = rounds(&query("192.0.2.1", "ä"), &zone);
    assert_eq!(result, "pass exists:%{d}.all.example");
    assert_eq!(rounds[1], ["example.org.all.example A"]);
}

#[test]
fn clients_of_both_families_are_compared_with_their_own() {
    let zone = Zone::new(&[
        ("example.org TXT", "v=spf1 a mx -all"),
        ("example.org A", "192.0.2.1"),
        ("example.org MX", "mx.example.org"),
        ("mx.example.org AAAA", "2001:db8::1"),
    ]);
    for (ip, expected) in [
        ("192.0.2.1", "pass a"),
        ("::ffff:192.0.2.1", "pass a"),
        ("2001:db8::1", "pass mx"),
        ("2001:db8::2", "fail -all"),
    ] {
        assert_eq!(rounds(&query(ip, "a"), &zone).0, expected, "{ip}");
    }
}

#[test]
fn an_explanation_is_one_text_without_faults() {
    for (texts, expected) in [
        (
            "Go to %{d} at %{t}, %{c}.",
            Some("Go to example.org at 0, 192.0.2.1."),
        ),
        ("one|two", None),
        ("100%", None),
        ("ha\u{fffd}", None),
        ("fails", None),
    ] {
        let zone = Zone::new(&[
            ("example.org TXT", "v=spf1 exp=e.%{d} -all"),
            ("e.example.org TXT", texts),
        ]);
        let query = query("192.0.2.1", "a");
        let mut look_up =
            |name: &str, kind: RecordType| zone.0.get(&format!("{name} {}", kind.as_str()));
        let evaluation = check_host(&query, &mut look_up).unwrap();
        let words = explanation(&query, &evaluation, &mut look_up).unwrap();
        assert_eq!(words.as_deref(), expected, "{texts}");
        assert_eq!(explanation(&query, &evaluation, &mut |_, _| None), None);
    }
}
