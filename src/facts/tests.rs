//! Facts as they grow, end and are written to records.

use super::*;
use crate::smtp::path::{ForwardPath, ReversePath};

fn client() -> Client {
    Client {
        address: "192.0.2.1:2525".parse().unwrap(),
        local: "198.51.100.1:25".parse().unwrap(),
        listener: "mx".into(),
        via: None,
        started: Some(1_798_761_599),
        logins: Logins::None,
    }
}

fn rcpt(path: &str) -> Fact {
    Fact::Rcpt(Box::new(Rcpt {
        path: ForwardPath::parse(path).unwrap(),
    }))
}

fn mail(path: &str) -> Fact {
    Fact::Mail(Box::new(Mail {
        path: ReversePath::parse(path).unwrap(),
        size: None,
    }))
}

#[test]
fn a_reset_closes_the_transaction_and_erases_nothing() {
    let mut facts = Facts::new(client());
    facts.push(Stage::Mail, Millis(1), mail("<a@example.org>"));
    facts.push(Stage::Rcpt, Millis(2), rcpt("<b@example.com>"));
    assert!(facts.mail().is_some() && facts.rcpt().is_some());
    facts.push(Stage::Rcpt, Millis(3), Fact::Reset);
    assert!(facts.mail().is_none() && facts.rcpt().is_none());
    assert_eq!(facts.entries().len(), 4);
    facts.push(Stage::Mail, Millis(4), mail("<>"));
    assert_eq!(facts.mail().unwrap().path, ReversePath::Null);
    assert_eq!(facts.up_to(3), facts.clone().into_up_to(3));
    assert_eq!(
        facts.up_to(3).rcpt().unwrap().path.to_string(),
        "<b@example.com>"
    );
}

#[test]
fn a_recipient_is_forgotten_with_its_count_alone() {
    let mut facts = Facts::new(client());
    facts.push(Stage::Mail, Millis(1), mail("<a@example.org>"));
    for number in 1..=2 {
        facts.push(Stage::Rcpt, Millis(2), rcpt("<b@example.com>"));
        assert_eq!(facts.recipients(), number);
        let counting = Counting {
            recipient: number,
            quotas: Box::default(),
        };
        let answered = Answered {
            question: Question::Count(Box::new(counting)),
            answer: Answer::Count(Room::Within),
            took: Millis(0),
            source: Source::Memory,
        };
        facts.push(Stage::Rcpt, Millis(2), Fact::Answered(Box::new(answered)));
        facts.push(Stage::Rcpt, Millis(2), Fact::Rejected);
    }
    let octets = |facts: &Facts| -> usize {
        let entries = facts.entries().iter();
        entries.map(|entry| entry.fact.octets()).sum()
    };
    let before = octets(&facts);
    let given_back = facts.forget_rcpt();
    assert_eq!(before - given_back, octets(&facts));
    assert_eq!((facts.recipients(), facts.rejected()), (1, 2));
    assert_eq!(facts.answers().count(), 1);
    facts.push(Stage::Rcpt, Millis(3), Fact::Reset);
    // The transaction is over: its recipients stay.
    assert_eq!(facts.forget_rcpt(), 0);
    assert_eq!(facts.recipients(), 1);
}

#[test]
fn a_recipient_that_does_not_fit_is_not_taken_for_the_one_before() {
    let mut facts = Facts::new(client());
    facts.push(Stage::Mail, Millis(1), mail("<a@example.org>"));
    while !facts.is_full() {
        assert!(facts.push(Stage::Rcpt, Millis(2), rcpt("<postmaster>")));
    }
    assert!(!facts.push(Stage::Rcpt, Millis(3), Fact::Fault(Fault::Pipelining)));
    assert!(facts.rcpt().is_some());
    assert!(!facts.push(Stage::Rcpt, Millis(3), rcpt("<b@example.com>")));
    assert_eq!(facts.entries().len(), MAX_ENTRIES);
    assert!(facts.rcpt().is_none());
}

#[test]
fn a_record_reads_back_as_it_was_and_keeps_secrets() {
    let mut facts = Facts::new(client());
    let name = DnsName::secret("1.2.0.192.key.example", "1.2.0.192.list");
    let record = Record {
        ttl: 60,
        data: RecordData::A("127.0.0.2".parse().unwrap()),
    };
    let answered = Answered {
        question: Question::Dns {
            name,
            kind: RecordType::A,
        },
        answer: Answer::Dns(DnsAnswer::Found(vec![record])),
        took: Millis(12),
        source: Source::Live,
    };
    facts.push(
        Stage::Connect,
        Millis(12),
        Fact::Answered(Box::new(answered)),
    );
    facts.push(Stage::Connect, Millis(13), Fact::Fault(Fault::Pipelining));
    facts.push(Stage::Mail, Millis(14), mail("<\"a b\"@example.org>"));
    let json = serde_json::to_string(&facts).unwrap();
    assert!(!json.contains("key"), "{json}");
    assert_eq!(serde_json::from_str::<Facts>(&json).unwrap(), facts);
}

#[test]
fn what_a_secret_name_hides_is_found_in_texts() {
    let name = DnsName::secret("1.2.0.192.key4711.zen.dq.example", "1.2.0.192.zen");
    for told in [
        "https://list.example/?k=KEY4711",
        "see 1.2.0.192.key4711.zen.dq.example",
    ] {
        assert!(name.is_told_in(told), "{told}");
    }
    assert!(!name.is_told_in("https://list.example/?ip=192.0.2.1, zen"));
    // Where the shown name begins like the secret one.
    let name = DnsName::secret("1.2.0.192.keyed.example", "1.2.0.192.key");
    assert!(name.is_told_in("KEYED"));
    assert!(!DnsName::new("1.2.0.192.zen.example").is_told_in("zen.example"));
}
