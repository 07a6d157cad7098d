//! What a session remembers is bounded, and what it remembers can be judged again.

use gatepost::checks::replay::{Change, replay};
use gatepost::config::Config;
use gatepost::facts::{Ended, Fact};
use gatepost::journal::SessionRecord;

use crate::backend::{PIPELINING, Script};
use crate::client::Client;
use crate::run::Run;

/// Decisions and recipients kept at most.
const KEPT: usize = 100;

fn patient(config: &mut Config) {
    config.limits.commands_without_mail = u32::MAX;
}

fn start() -> Run {
    Run::start(PIPELINING, vec![Script::new(PIPELINING)], patient)
}

/// An address about as long as one may be.
fn long(number: usize) -> String {
    let label = "x".repeat(58);
    format!("{number:060}@{label}.{label}.{label}")
}

fn rcpts(record: &SessionRecord) -> usize {
    let facts = record.facts.entries().iter();
    facts
        .filter(|entry| matches!(entry.fact, Fact::Rcpt(_)))
        .count()
}

/// Replays the record under the policy it was made with: every decision must come out as it is.
#[track_caller]
fn replays(policy: &gatepost::checks::policy::Policy, record: &SessionRecord) {
    let replayed = replay(policy, &record.facts, &record.decisions);
    assert_eq!(replayed.len(), record.decisions.len());
    for (again, decision) in replayed.iter().zip(&record.decisions) {
        assert_eq!(again.change, Change::Same);
        assert_eq!(again.verdict, decision.verdict);
    }
}

/// Gives up so many transactions, none refused; then one that is opened may be.
#[track_caller]
fn give_up(client: &mut Client, transactions: usize) {
    for _ in 0..transactions {
        client.mail();
        client.command("RSET").expect("250");
        client.sent.clear();
    }
}

/// How many transactions until the session has had its share.
fn share() -> usize {
    let mut run = start();
    let mut begun = 0;
    let last = loop {
        let reply = run.client.command("MAIL FROM:<sender@example.net>");
        if reply.class() != '2' {
            break reply;
        }
        begun += 1;
        run.client.command("RSET").expect("250");
    };
    last.expect("421 4.7.0 This session has had its share");
    let (_, record) = run.closed(0);
    assert_eq!(record.ended, Ended::SessionLimit);
    begun
}

/// Beyond the whole nothing is added to the record, but mail that is under way goes on.
#[test]
fn a_full_session_goes_on_and_keeps_no_more() {
    let share = share();
    assert!((100..2000).contains(&share), "{share} transactions");
    let mut run = start();
    let policy = run.gate.policy.clone();
    // Denials say more than acceptances do.
    run.client.send("NOOP\r\nNOOP\r\n");
    run.client.reply().expect("250");
    run.client.reply().expect("250");
    give_up(&mut run.client, share - 1);
    run.client.mail();
    for number in 0..KEPT {
        run.client.rcpt(&long(number)).expect("550 5.7.1");
    }
    run.client.rcpt("postmaster@example.com").expect("250");
    run.client
        .message(b"Subject: x\r\n\r\nx\r\n")
        .expect("250 2.0.0 taken");
    let next = run.client.command("MAIL FROM:<sender@example.net>");
    next.expect("421 4.7.0 This session has had its share");
    let (_, record) = run.closed(1);
    assert_eq!(record.ended, Ended::SessionLimit);
    let kept = record.recipients.len();
    assert!((10..KEPT).contains(&kept), "{kept} recipients kept");
    assert!(record.decisions.len() < KEPT, "{}", record.decisions.len());
    assert!(record.replies.len() < KEPT, "{}", record.replies.len());
    assert!(record.messages.is_empty(), "a message was kept");
    assert_eq!(rcpts(&record), record.decisions.len() + 1);
    replays(&policy, &record);
}

/// Of very many recipients not each is kept, and those that are not take no room.
#[test]
fn recipients_that_are_forgotten_give_their_room_back() {
    let mut run = start();
    let policy = run.gate.policy.clone();
    run.client.mail();
    for number in 0..KEPT {
        let recipient = format!("{number}@example.com");
        run.client.rcpt(&recipient).expect("250");
    }
    for number in 0..400 {
        run.client.rcpt(&long(number)).expect("250");
    }
    run.client
        .message(b"Subject: many\r\n\r\nx\r\n")
        .expect("250 2.0.0 taken");
    // There is room for more.
    run.client.open("other@example.com");
    run.client
        .message(b"Subject: one more\r\n\r\nx\r\n")
        .expect("250 2.0.0 taken");
    let (seen, record) = run.quit(1);
    assert_eq!(seen[0].messages[0].recipients.len(), KEPT + 400);
    assert_eq!(record.recipients.len(), KEPT);
    assert_eq!(record.decisions.len(), KEPT);
    // The last of each transaction stays, for what comes behind it is judged with it.
    assert_eq!(rcpts(&record), KEPT + 2);
    replays(&policy, &record);
}

/// The word that ends the session is kept in any case, and comes out the same.
#[test]
fn the_last_decision_is_always_kept() {
    let mut run = start();
    let policy = run.gate.policy.clone();
    run.client.mail();
    for number in 0..300 {
        run.client.rcpt(&long(number)).expect("250");
    }
    run.client.command("GET / HTTP/1.1").expect("521");
    let (_, record) = run.closed(1);
    assert_eq!(record.ended, Ended::Dropped);
    assert_eq!(record.decisions.len(), KEPT + 1);
    replays(&policy, &record);
}
