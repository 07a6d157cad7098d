//! Whether real senders come through, and what it costs them: their timetables of retries, played to the gate.
//!
//! `retries/senders.toml` says when each sender tries and from where. Each is played in several situations ([`SITUATIONS`]):
//! before a primary that greylists, and before a primary and a secondary with each kind of shield. Session, judge, memory and
//! mail store are real; DNS and the wall clock are the test's, so that hours take no time.
//!
//! `SHOW=1 cargo test --test retries -- --nocapture` prints all delays; `UPDATE=1 cargo test --test retries` writes those of real
//! senders into `docs/checks.md`.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

#[path = "retries/dns.rs"]
mod dns;
#[path = "retries/play.rs"]
mod play;
#[path = "retries/sender.rs"]
mod sender;
#[path = "retries/situation.rs"]
mod situation;
#[path = "retries/table.rs"]
mod table;
#[path = "retries/world.rs"]
mod world;

use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use play::{Play, Played};
use sender::{InDoubt, Sender, senders};
use situation::{GREYLIST, SITUATIONS, STRICT, Situation, VARIANTS};
use world::Stage;

/// A message of one sender in one situation, and what became of it.
struct Case {
    sender: &'static Sender,
    situation: &'static Situation,
    doubt: bool,
    start: i64,
    played: Played,
}

fn all_senders() -> &'static [Sender] {
    static SENDERS: OnceLock<Vec<Sender>> = OnceLock::new();
    SENDERS.get_or_init(senders)
}

/// Everybody in every situation, played once for all tests.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let (first, second) = all_senders().split_at(all_senders().len() / 2);
        let second = thread::spawn(|| play_all(second));
        let mut cases = play_all(first);
        cases.extend(second.join().unwrap());
        cases
    })
}

fn play_all(senders: &'static [Sender]) -> Vec<Case> {
    let stage = Stage::new();
    let mut cases = Vec::new();
    for sender in senders {
        for situation in SITUATIONS.iter().chain(VARIANTS) {
            for doubt in situation.doubts().iter().copied() {
                if !fits(sender, doubt) {
                    continue;
                }
                for start in situation.starts.iter().copied() {
                    let mut play = Play::begin(&stage, sender, situation, doubt);
                    let played = stage.block_on(play.message(1, "b@example.com", start));
                    cases.push(Case {
                        sender,
                        situation,
                        doubt,
                        start,
                        played,
                    });
                }
            }
        }
    }
    cases
}

/// Whether the situation can be had: who is in doubt by nature is never clean.
fn fits(sender: &Sender, doubt: bool) -> bool {
    doubt || sender.in_doubt == InDoubt::Listed
}

#[test]
fn every_sender_comes_through_when_its_row_says_so() {
    let wrong: Vec<String> = cases()
        .iter()
        .filter_map(|case| {
            let compared = case
                .played
                .compare(case.sender, case.situation, case.doubt, case.start);
            compared.err()
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// A pass where nothing of three points speaks against the client, else the triplet.
#[test]
fn the_second_message_is_not_put_off() {
    let later = Duration::from_secs(300);
    let stage = Stage::new();
    let mut wrong = Vec::new();
    for (sender, situation) in all_senders()
        .iter()
        .flat_map(|sender| [(sender, &GREYLIST), (sender, &STRICT)])
    {
        let doubt = situation.doubts()[0];
        if !fits(sender, doubt) || sender.is_lost_in(situation) || sender.spam {
            continue;
        }
        let mut play = Play::begin(&stage, sender, situation, doubt);
        let start = situation.starts[0];
        let first = stage.block_on(play.message(1, "b@example.com", start));
        let start = start + seconds(first.delay.unwrap() + later);
        let same = stage.block_on(play.message(2, "b@example.com", start));
        let other = stage.block_on(play.message(3, "c@example.com", start + 1));
        let mut expect = |what: &str, played: &Played, at_once: bool| {
            if (played.delay == Some(Duration::ZERO)) != at_once {
                let (name, situation) = (&sender.name, situation.name);
                wrong.push(format!("{name}, {situation}: {what}: {:?}", played.delay));
            }
        };
        expect("to the same recipient", &same, true);
        expect("to another", &other, sender.earns_pass(doubt));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Whoever was at the primary is known at the secondary to have tried it, for an hour.
#[test]
fn a_visit_to_the_primary_is_remembered() {
    let mut senders = all_senders().iter();
    let postfix = senders.find(|sender| sender.name == "Postfix").unwrap();
    let (stage, busy) = (Stage::new(), situation::tempfail_while_busy());
    let mut play = Play::begin(&stage, postfix, &busy, false);
    assert!(!stage.block_on(play.has_tried()));
    let played = stage.block_on(play.message(1, "b@example.com", 0));
    // 451 of the primary, then of the secondary, to which it went on at once; and at last the primary took it.
    let codes: Vec<u16> = played.replies.iter().map(|reply| reply.code).collect();
    assert_eq!(codes, [451, 451, 250], "{:?}", played.replies);
    assert_eq!(played.delay, Some(Duration::from_secs(300)));
    assert!(stage.block_on(play.has_tried()));
    play.advance_to(300 + 3600 - 1);
    assert!(stage.block_on(play.has_tried()));
    play.advance_to(300 + 3600);
    assert!(!stage.block_on(play.has_tried()));
}

#[test]
fn the_table_in_the_documentation_is_true() {
    if std::env::var_os("SHOW").is_some() {
        table::show(all_senders(), cases());
    }
    table::compare_with_documentation(all_senders(), cases());
}

fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap()
}
