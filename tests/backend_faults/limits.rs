//! Limits that a session meets with a backend behind it: sizes to the octet, patience with what brings no mail, and what is
//! sent before its time.

use bytesize::ByteSize;
use gatepost::facts::Ended;
use gatepost::smtp::fault::Fault;
use gatepost::smtp::verb::Verb;

use crate::backend::{Act, ONE_BY_ONE, PIPELINING, Script, Stage};
use crate::run::Run;

const TAKEN: &str = "250 2.0.0 taken";

/// RFC 1870 §3: line ends count, the dots that are stuffed and the final one do not.
#[test]
fn a_message_may_be_as_large_as_is_offered_to_the_octet() {
    let dots = "..\r\n".repeat(327);
    for (rest, told) in [("\r\n", TAKEN), ("x\r\n", "552 5.3.4")] {
        let mut run = Run::start(PIPELINING, vec![Script::new(PIPELINING)], |config| {
            config.limits.message_size = ByteSize::b(1000);
        });
        run.client.mail_with(" SIZE=1000");
        run.client.rcpt("user@example.com").expect("250");
        let message = format!("Subject: dots\r\n\r\n{dots}{rest}");
        run.client.message(message.as_bytes()).expect(told);
        let (seen, record) = run.quit(1);
        assert_eq!(seen[0].messages[0].dotted, told == TAKEN);
        assert_eq!(record.messages[0].size, 998 + rest.len() as u64);
    }
}

/// Whether the backend refuses it or was lost before it.
#[test]
fn data_refused_again_and_again_ends_the_session() {
    for act in [
        Act::Say(b"451 4.3.1 no room\r\n".to_vec()),
        Act::Say(b"554 5.5.1 no\r\n".to_vec()),
        Act::Close,
    ] {
        let script = Script::new(PIPELINING).with(Stage::Data, act.clone());
        let mut run = Run::start(PIPELINING, vec![script], |config| {
            // The EHLO counts as well.
            config.limits.commands_without_mail = 4;
        });
        run.client.open("user@example.com");
        let told = match act {
            Act::Say(told) => String::from_utf8(told).unwrap().trim_end().to_owned(),
            _ => "451 4.4.2".to_owned(),
        };
        for _ in 0..4 {
            run.client.command("DATA").expect(&told);
        }
        run.client.reply().expect("421 4.7.0 Too many errors");
        let (_, record) = run.closed(1);
        assert_eq!(record.ended, Ended::Fault(Fault::TooManyErrors));
    }
}

/// What comes with RCPT says something about that recipient, and is noted once.
#[test]
fn what_comes_with_rcpt_is_judged_before_it() {
    for keywords in [PIPELINING, ONE_BY_ONE] {
        let mut run = Run::start(keywords, vec![Script::new(keywords)], |_| ());
        run.client.mail();
        run.client.send("RCPT TO:<user@example.com>\r\nDATA\r\n");
        run.client.reply().expect("550 5.7.1");
        run.client.reply().expect("503 5.5.1");
        let (_, record) = run.quit(0);
        let faults: Vec<_> = record.facts.faults().collect();
        assert_eq!(faults, [Fault::Pipelining, Fault::OutOfOrder(Verb::Data)]);
        assert_eq!(record.recipients.len(), 1);
    }
}

/// A recipient that was taken before stays taken.
#[test]
fn who_was_taken_before_the_haste_gets_the_message() {
    let mut run = Run::start(PIPELINING, vec![Script::new(PIPELINING)], |_| ());
    run.client.open("first@example.com");
    run.client.send("RCPT TO:<second@example.com>\r\nDATA\r\n");
    run.client.reply().expect("550 5.7.1");
    run.client.reply().expect("354");
    run.client.body(b"Subject: x\r\n\r\nx\r\n");
    run.client.end();
    run.client.verdict().expect(TAKEN);
    let (seen, record) = run.quit(1);
    assert_eq!(seen[0].messages[0].recipients, ["first@example.com"]);
    let faults: Vec<_> = record.facts.faults().collect();
    assert_eq!(faults, [Fault::Pipelining]);
}

/// However much of what it says is not read any more.
#[test]
fn the_last_word_is_not_taken_away_by_a_reset() {
    let mut run = Run::start(PIPELINING, vec![Script::new(PIPELINING)], |config| {
        config.limits.errors = 2;
    });
    run.client.send("NOOP\r\n".repeat(2000));
    run.client.reply().expect("250");
    run.client.reply().expect("421 4.7.0");
    run.client.closed_in_good_order();
    let (_, record) = run.closed(0);
    assert!(record.bytes_in < 10_000, "there was something unread");
}

/// The pauses between its chunks count as well: else a chunk now and then would hold the backend for hours.
#[test]
fn a_message_in_chunks_is_held_to_the_least_rate() {
    let mut run = Run::start(PIPELINING, vec![Script::new(PIPELINING)], |config| {
        config.limits.data_timeout = std::time::Duration::from_secs(1);
    });
    run.client.open("user@example.com");
    run.client.send("BDAT 1\r\n");
    run.client.body(b"a");
    run.client.reply().expect("250 2.0.0 1 octets received");
    // Well within the time for a command.
    run.client.reply().expect("421 4.4.2");
    let (_, record) = run.closed(1);
    assert_eq!(record.ended, Ended::ClientTimeout);
}
