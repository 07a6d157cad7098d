//! What is read word by word is what serde reads, of whatever line.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

const RECORDS: &str = include_str!("../../../tests/records/v1.jsonl");

fn by_serde(line: &[u8]) -> Option<SessionRecord> {
    serde_json::from_slice(line).ok()
}

fn quickly(line: &[u8]) -> Option<SessionRecord> {
    parse_as(line)
}

#[test]
fn what_the_writer_writes_needs_no_second_look() {
    for line in RECORDS.lines() {
        let (entries, decisions, rest) = cut(line, Keep::All).unwrap();
        assert!(rest.contains("\"facts\":[],\"decisions\":[]"), "{rest}");
        let record = by_serde(line.as_bytes()).unwrap();
        assert_eq!(Facts::from(entries), record.facts);
        assert_eq!(decisions, record.decisions);
        assert_eq!(quickly(line.as_bytes()), Some(record));
    }
}

#[test]
fn every_kind_of_answer_is_read() {
    for answer in [
        r#"{"dns":"no_name"}"#,
        r#"{"dns":"no_data"}"#,
        r#"{"memory":"nothing"}"#,
        r#"{"count":"within"}"#,
        r#"{"silence":{"silent":{"watched":6000}}}"#,
        r#"{"dns":{"failed":"serv_fail"}}"#,
        r#"{"dns":{"found":[]}}"#,
        r#"{"dns":{"found":[{"ttl":0,"data":{"A":"192.0.2.1"}},{"ttl":60,"data":{"AAAA":"2001:db8::1"}}]}}"#,
        r#"{"dns":{"found":[{"ttl":4294967295,"data":{"CNAME":"a.example"}},{"ttl":1,"data":{"PTR":"b.example"}}]}}"#,
        r#"{"dns":{"found":[{"ttl":1,"data":{"MX":[65535,"c.example"]}},{"ttl":1,"data":{"TXT":"v=spf1 ä"}}]}}"#,
    ] {
        let mut reader = Reader { rest: answer };
        let read = reader.answer().unwrap();
        assert_eq!(reader.rest, "");
        assert_eq!(serde_json::to_string(&read).unwrap(), answer);
        assert_eq!(read, serde_json::from_str(answer).unwrap());
    }
}

#[test]
fn every_usual_question_is_read() {
    for question in [
        r#"{"dns":{"name":"1.2.0.192.zen.example","kind":"AAAA"}}"#,
        r#"{"memory":{"pass":"spf:example.org"}}"#,
        r#"{"memory":{"harvest":"192.0.2.0/24"}}"#,
        r#"{"silence":{"wait":6000,"teaser":true}}"#,
        r#"{"silence":{"wait":0,"teaser":false}}"#,
        r#"{"count":{"recipient":1,"quotas":[]}}"#,
        r#"{"count":{"recipient":2,"quotas":[{"of":{"address":"192.0.2.1/32"},"rate":"5000/h"},{"of":{"network":"2001:db8::/56"},"rate":"5/s"},{"of":{"sender":{"network":"192.0.2.0/24","mailbox":"a@example.org"}},"rate":"300/min"}]}}"#,
    ] {
        let mut reader = Reader { rest: question };
        let read = reader.question().unwrap();
        assert_eq!(reader.rest, "");
        assert_eq!(serde_json::to_string(&read).unwrap(), question);
        assert_eq!(read, serde_json::from_str(question).unwrap());
    }
}

#[test]
fn points_are_read_as_they_are_written() {
    for (points, rest) in [
        ("0", ","),
        ("5", "}"),
        ("1000", ","),
        ("1.5", ","),
        ("-3", ","),
        ("-0.25", "}"),
        ("1e2", ","),
    ] {
        let text = format!("{points}{rest}");
        let mut reader = Reader { rest: &text };
        assert_eq!(
            reader.points(),
            serde_json::from_str(points).ok(),
            "{points}"
        );
        assert_eq!(reader.rest, rest);
    }
    for no_points in ["1001,", "01,", "-,", "\"5\",", ""] {
        assert_eq!(Reader { rest: no_points }.points(), None, "{no_points}");
    }
}

/// Lines that differ from the writer's, each in its own way.
#[test]
fn what_is_written_otherwise_is_read_by_serde_or_by_nobody() {
    let line = RECORDS.lines().next().unwrap();
    let facts = &line[line.find(FACTS).unwrap()..];
    let (entries, ..) = cut(line, Keep::All).unwrap();
    let behind = serde_json::to_string(&entries).unwrap().len() + FACTS.len() - 1;
    let (facts, behind) = facts.split_at(behind);
    let front = line.strip_suffix(&format!("{facts}{behind}")).unwrap();
    for other in [
        // Facts elsewhere, twice, in something else, or none.
        format!("{{{facts},{}{}", &front[1..front.len() - 1], behind),
        format!("{front}{facts},{facts}{behind}"),
        format!("{front}\"more\":{{{facts}}},{facts}{behind}"),
        format!("{front}{}{behind}", &facts[..FACTS.len() - 1]),
        format!("{front}\"facts\":[]{behind}"),
        format!("{front}\"facts\":[null]{behind}"),
        format!("{front}\"facts\":[,]{behind}"),
        line.replace("\"policy\":\"", "\"policy\":\"\\\"facts\\\":["),
        line.replace(',', " , ").replace(':', " :"),
        line.replace("\"at\":", "\"at\":0"),
        line.replace("\"at\":", "\"at\":-"),
        line.replace("\"took\":", "\"took\":9999999999"),
        line.replace("\"kind\":\"A\"", "\"kind\":\"B\""),
        line.replace("\"points\":", "\"points\":1e2"),
        line.replace("\"points\":", "\"points\":1.5e"),
        line.replace("\"points\":", "\"points\":-"),
        line.replace("\"points\":", "\"points\":0"),
        line.replace("\"points\":", "\"points\":999"),
        line.replace("\"findings\":", "\"exempt\":false,\"findings\":"),
        line.replace("example", "ex\\u0061mple"),
        line.replace("example", "ex\u{1}mple"),
        format!("{line} "),
        format!("{line}x"),
        line[..line.len() / 2].to_owned(),
    ] {
        assert_eq!(
            quickly(other.as_bytes()),
            by_serde(other.as_bytes()),
            "{other}"
        );
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Gone(Index, usize),
    Put(Index, &'static str),
    Octet(Index, u8),
    Twice(Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let pieces = vec![
        "\"", "\\", "\\\"", "{", "}", "[", "]", ",", ":", " ", "0", "9", "-", ".", "e", "null",
        "é", "\u{0}", "\n", FACTS, "[]", "{}",
    ];
    prop_oneof![
        (any::<Index>(), 1..40_usize).prop_map(|(at, count)| Damage::Gone(at, count)),
        (any::<Index>(), prop::sample::select(pieces)).prop_map(|(at, what)| Damage::Put(at, what)),
        (any::<Index>(), any::<u8>()).prop_map(|(at, octet)| Damage::Octet(at, octet)),
        (any::<Index>(), 1..200_usize).prop_map(|(at, count)| Damage::Twice(at, count)),
    ]
}

fn damaged(line: &mut Vec<u8>, damage: &Damage) {
    let at = |index: &Index| index.index(line.len().max(1)).min(line.len());
    let until = |at: usize, count: usize| (at + count).min(line.len());
    match damage {
        Damage::Gone(index, count) => {
            let at = at(index);
            line.drain(at..until(at, *count));
        }
        Damage::Put(index, what) => {
            let at = at(index);
            line.splice(at..at, what.bytes());
        }
        Damage::Octet(index, octet) => {
            let at = at(index);
            line.splice(at..until(at, 1), [*octet]);
        }
        Damage::Twice(index, count) => {
            let at = at(index);
            let again = line[at..until(at, *count)].to_vec();
            line.splice(at..at, again);
        }
    }
}

proptest! {
    #[test]
    fn a_damaged_line_is_what_serde_makes_of_it(
        number in any::<Index>(),
        damages in prop::collection::vec(damage(), 0..4),
    ) {
        let lines: Vec<&str> = RECORDS.lines().collect();
        let mut line = number.get(&lines).as_bytes().to_vec();
        for damage in &damages {
            damaged(&mut line, damage);
        }
        prop_assert_eq!(quickly(&line), by_serde(&line), "{}", String::from_utf8_lossy(&line));
    }
}
