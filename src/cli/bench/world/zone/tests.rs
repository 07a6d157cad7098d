//! What a world answers at what time.

use hickory_resolver::proto::op::{MessageType, OpCode};

use super::*;
use crate::measure::trace::Listing;
use crate::measure::trace::Lists;

const SECOND: Duration = Duration::from_secs(1);

fn world() -> World {
    let records = [
        ("mail.a.example", RecordData::A(Ipv4Addr::new(192, 0, 2, 1))),
        ("www.a.example", RecordData::Cname("mail.a.example".into())),
        ("a.example", RecordData::Mx(10, "mail.a.example".into())),
        (
            "1.2.0.192.in-addr.arpa",
            RecordData::Ptr("mail.a.example".into()),
        ),
    ];
    let listing = |address: &str, from: u32| Listing {
        address: address.parse().unwrap(),
        from: SECOND * from,
        answer: Ipv4Addr::new(127, 0, 0, 4),
    };
    World {
        records: records.map(|(name, data)| (name.to_owned(), data)).into(),
        lists: vec![List {
            zone: "bl.example".to_owned(),
            lists: Lists::Listed,
            listings: vec![listing("192.0.2.1", 100), listing("2001:db8::1", 0)],
            troubles: vec![
                (SECOND * 200..SECOND * 300, Trouble::Dead),
                (
                    SECOND * 300..SECOND * 400,
                    Trouble::Says(Ipv4Addr::new(127, 255, 255, 254)),
                ),
            ],
        }],
        latency: Latency::default(),
    }
}

/// The answer at that time: what was found, or the code; nothing if there is none.
fn ask(names: &Names, name: &str, kind: RecordType, at: u32) -> Option<String> {
    let mut answer = Message::new(1, MessageType::Response, OpCode::Query);
    answer.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    if !names.fill(&mut answer, SECOND * at) {
        return None;
    }
    let of_kind = answer
        .answers
        .iter()
        .filter(|record| record.record_type() == kind);
    let found: Vec<String> = of_kind.map(|record| record.data.to_string()).collect();
    Some(match found.is_empty() {
        true => format!("{:?}", answer.metadata.response_code),
        false => found.join(" "),
    })
}

#[test]
fn lists_list_late_and_have_their_troubles() {
    let names = Names::new(&world(), 1).unwrap();
    let listed = |name: &str, at| ask(&names, name, RecordType::A, at);
    let client = "1.2.0.192.bl.example";
    assert_eq!(listed(client, 99).unwrap(), "NXDomain");
    assert_eq!(listed(client, 100).unwrap(), "127.0.0.4");
    assert_eq!(listed("1.2.0.192.BL.example.", 199).unwrap(), "127.0.0.4");
    assert_eq!(listed(client, 200), None);
    assert_eq!(
        listed("9.9.9.9.bl.example", 300).unwrap(),
        "127.255.255.254"
    );
    assert_eq!(listed("9.9.9.9.bl.example", 400).unwrap(), "NXDomain");
    let six = format!("1.{}8.b.d.0.1.0.0.2.bl.example", "0.".repeat(23));
    assert_eq!(listed(&six, 0).unwrap(), "127.0.0.4");
    // RFC 5782 §5.
    assert_eq!(listed("2.0.0.127.bl.example", 0).unwrap(), "127.0.0.2");
    assert_eq!(listed("1.0.0.127.bl.example", 0).unwrap(), "NXDomain");
    let reason = ask(&names, client, RecordType::TXT, 100).unwrap();
    assert_eq!(reason, "listed (simulated)");
}

#[test]
fn names_are_found_and_others_are_not_there() {
    let names = Names::new(&world(), 1).unwrap();
    let ask = |name, kind| ask(&names, name, kind, 0).unwrap();
    assert_eq!(ask("MAIL.a.example", RecordType::A), "192.0.2.1");
    assert_eq!(ask("www.a.example", RecordType::A), "192.0.2.1");
    assert_eq!(ask("a.example", RecordType::MX), "10 mail.a.example.");
    assert_eq!(
        ask("1.2.0.192.in-addr.arpa", RecordType::PTR),
        "mail.a.example."
    );
    assert_eq!(ask("mail.a.example", RecordType::AAAA), "NoError");
    // RFC 8020: something stands below it.
    assert_eq!(ask("2.0.192.in-addr.arpa", RecordType::PTR), "NoError");
    assert_eq!(ask("b.example", RecordType::A), "NXDomain");
}

#[test]
fn luck_follows_from_seed_question_and_number() {
    let mut world = world();
    world.latency = Latency {
        median: 0.02,
        sigma: 0.8,
        lost: 0.3,
    };
    let draw = |seed| -> Vec<Option<Duration>> {
        let names = Names::new(&world, seed).unwrap();
        let query = Query::query(Name::from_ascii("a.example").unwrap(), RecordType::A);
        (0..1000).map(|_| names.delay(&query)).collect()
    };
    let first = draw(1);
    assert_eq!(first, draw(1));
    assert_ne!(first, draw(2));
    let lost = first.iter().filter(|delay| delay.is_none()).count();
    assert!((200..400).contains(&lost), "{lost} of 1000 at 0.3");
    let mut late: Vec<Duration> = first.into_iter().flatten().collect();
    late.sort_unstable();
    let median = late[late.len() / 2];
    assert!((15..26).contains(&median.as_millis()), "{median:?}");
}
