//! A connection kept for the next transaction that turns out to be of no use: it is replaced, once, and unseen by the
//! client, as long as no reply of the transaction came from it.

use std::time::Duration;

use gatepost::facts::Ended;

use crate::backend::{Act, ONE_BY_ONE, PIPELINING, Script, Stage};
use crate::run::Run;

const KEYWORDS: [&[&str]; 2] = [PIPELINING, ONE_BY_ONE];
const TAKEN: &str = "250 2.0.0 taken";
const FIRST: &[u8] = b"Subject: first\r\n\r\nfirst\r\n";
const SECOND: &[u8] = b"Subject: second\r\n\r\nsecond\r\n";

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Two transactions; the first goes well, and `spoil` is what its connection does then.
#[track_caller]
fn replaced(spoil: &Script) {
    let good = Script::new(spoil.keywords);
    let mut run = Run::start(spoil.keywords, vec![spoil.clone(), good], |_| ());
    run.client.open("first@example.com");
    run.client.message(FIRST).expect(TAKEN);
    second(run, spoil);
}

/// As [`replaced`], with a first transaction that is given up, so that RSET is due.
#[track_caller]
fn replaced_at_rset(spoil: &Script) {
    let good = Script::new(spoil.keywords);
    let mut run = Run::start(spoil.keywords, vec![spoil.clone(), good], |_| ());
    run.client.open("first@example.com");
    run.client.command("RSET").expect("250");
    second(run, spoil);
}

#[track_caller]
fn second(mut run: Run, spoil: &Script) {
    run.client.mail();
    let reply = run.client.rcpt("second@example.com");
    assert!(reply.class() == '2', "{spoil:?}: {reply:?}");
    run.client.message(SECOND).expect(TAKEN);
    let (seen, record) = run.quit(2);
    let [message] = &seen[1].messages[..] else {
        panic!("{spoil:?}: {seen:?}");
    };
    assert_eq!(message.recipients, ["second@example.com"], "{spoil:?}");
    assert_eq!(record.ended, Ended::Quit);
}

/// Gone before the second transaction: closed, reset, or with a farewell that waits to be read.
#[test]
fn gone_in_between() {
    let taken = "250 2.0.0 taken\r\n";
    let farewell = "421 4.4.2 idle for too long\r\n";
    for keywords in KEYWORDS {
        for act in [
            Act::SayAndClose(bytes(taken)),
            Act::SayAndReset(bytes(taken)),
            Act::SayAndClose(bytes(&format!("{taken}{farewell}"))),
            Act::Say(bytes(&format!("{taken}{farewell}"))),
        ] {
            let spoil = Script::new(keywords).with(Stage::Dot, act);
            replaced(&spoil);
        }
    }
}

/// What can go wrong with one command. That it takes no 4xx or 5xx for trouble is tested elsewhere.
fn troubles() -> Vec<Act> {
    vec![
        Act::Close,
        Act::Reset,
        Act::SayAndClose(bytes("421 4.3.2 going down\r\n")),
        Act::SayAndClose(bytes("250 half a rep")),
    ]
}

#[test]
fn lost_at_the_first_command() {
    for keywords in KEYWORDS {
        for act in troubles() {
            let spoil = Script::new(keywords).with(Stage::Mail, act.clone());
            replaced(&spoil.when(1..2));
            let spoil = Script::new(keywords).with(Stage::Rset, act);
            replaced_at_rset(&spoil);
        }
    }
}

/// The client has had its 250 to MAIL from gatepost, not from the backend: the first RCPT may still be asked anew.
#[test]
fn lost_at_the_first_recipient() {
    for keywords in KEYWORDS {
        for act in troubles() {
            let spoil = Script::new(keywords).with(Stage::Rcpt, act);
            replaced(&spoil.when(1..2));
        }
    }
}

/// Once: a second failure is told.
#[test]
fn replaced_only_once() {
    for keywords in KEYWORDS {
        for (stage, reply) in [
            (Stage::Greeting, "451 4.4.2"),
            (Stage::Ehlo, "451 4.4.2"),
            (Stage::Mail, "451 4.4.2"),
            (Stage::Rcpt, "451 4.4.2"),
        ] {
            let taken = Act::SayAndClose(bytes("250 2.0.0 taken\r\n"));
            let scripts = vec![
                Script::new(keywords).with(Stage::Dot, taken),
                Script::new(keywords).with(stage, Act::Close),
                Script::new(keywords),
            ];
            let mut run = Run::start(keywords, scripts, |_| ());
            run.client.open("first@example.com");
            run.client.message(FIRST).expect(TAKEN);
            run.client.mail();
            run.client.rcpt("second@example.com").expect(reply);
            run.client.rcpt("another@example.com").expect(reply);
            run.client.command("DATA").expect("503");
            run.client.command("RSET").expect("250");
            // The next transaction is free to try again.
            run.client.open("third@example.com");
            run.client.message(SECOND).expect(TAKEN);
            run.quit(3);
        }
    }
}

/// A recipient was accepted in the backend's name: whatever becomes of the connection then is told, and nobody is asked
/// again in this transaction.
#[test]
fn not_replaced_once_a_reply_depended_on_it() {
    for keywords in KEYWORDS {
        for act in [Act::Close, Act::Reset, Act::Say(bytes("nonsense\r\n"))] {
            let spoil = Script::new(keywords).with(Stage::Rcpt, act).when(2..3);
            let scripts = vec![spoil, Script::new(keywords)];
            let mut run = Run::start(keywords, scripts, |_| ());
            run.client.open("first@example.com");
            run.client.message(FIRST).expect(TAKEN);
            run.client.open("second@example.com");
            run.client.rcpt("another@example.com").expect("451 4.");
            run.client.rcpt("third@example.com").expect("451 4.");
            run.client.command("DATA").expect("451 4.");
            run.client.command("RSET").expect("250");
            run.client.open("fourth@example.com");
            run.client.message(SECOND).expect(TAKEN);
            let (seen, _) = run.quit(2);
            assert_eq!(seen[0].messages.len(), 1);
            assert_eq!(seen[1].messages[0].recipients, ["fourth@example.com"]);
        }
    }
}

/// A fresh connection has nothing stale about it: its trouble is told at once.
#[test]
fn a_fresh_one_is_not_replaced() {
    for keywords in KEYWORDS {
        for stage in [Stage::Ehlo, Stage::Mail, Stage::Rcpt] {
            let spoil = Script::new(keywords).with(stage, Act::Close);
            let mut run = Run::start(keywords, vec![spoil], |_| ());
            run.client.mail();
            run.client.rcpt("first@example.com").expect("451 4.4.2");
            run.quit(1);
        }
    }
}

/// A verdict is no trouble: the backend is not asked twice in the hope of a better one.
#[test]
fn a_refusal_stands() {
    for keywords in KEYWORDS {
        for stage in [Stage::Mail, Stage::Rcpt] {
            for refusal in ["451 4.7.1 later\r\n", "550 5.7.1 never\r\n"] {
                for act in [Act::Say(bytes(refusal)), Act::SayAndClose(bytes(refusal))] {
                    let script = Script::new(keywords).with(stage, act).when(1..2);
                    let mut run = Run::start(keywords, vec![script], |_| ());
                    run.client.open("first@example.com");
                    run.client.message(FIRST).expect(TAKEN);
                    run.client.mail();
                    let reply = run.client.rcpt("second@example.com");
                    reply.expect(refusal.trim_end());
                    run.quit(1);
                }
            }
        }
    }
}

/// Trouble of any kind, not only a connection that is gone.
#[test]
fn any_trouble_with_a_reused_one() {
    let kinds = [
        Act::Say(bytes("nonsense\r\n")),
        Act::Say(bytes("250-mixed\r\n550 codes\r\n")),
        Act::Say(bytes("354 what\r\n")),
    ];
    for keywords in KEYWORDS {
        for act in &kinds {
            for stage in [Stage::Mail, Stage::Rcpt] {
                let spoil = Script::new(keywords).with(stage, act.clone());
                replaced(&spoil.when(1..2));
            }
            let spoil = Script::new(keywords).with(Stage::Rset, act.clone());
            replaced_at_rset(&spoil);
        }
        // Something that nobody asked for waits behind the reply to the first message, or to RSET.
        let extra = Act::Add(bytes("250 2.0.0 and another\r\n"));
        replaced(&Script::new(keywords).with(Stage::Dot, extra.clone()));
        replaced_at_rset(&Script::new(keywords).with(Stage::Rset, extra));
    }
}

/// Silence has cost the client a whole deadline: it is told, rather than made to wait for another one.
#[test]
fn silence_of_a_reused_one() {
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Rset] {
        let turn = usize::from(stage != Stage::Rset);
        let spoil = Script::new(PIPELINING).with(stage, Act::Hold);
        let scripts = vec![spoil.when(turn..turn + 1), Script::new(PIPELINING)];
        let mut run = Run::start(PIPELINING, scripts, |config| {
            for timers in config.backend.values_mut() {
                timers.command_timeout = Duration::from_millis(400);
            }
        });
        run.client.open("first@example.com");
        if stage == Stage::Rset {
            run.client.command("RSET").expect("250");
        } else {
            run.client.message(FIRST).expect(TAKEN);
        }
        run.client.mail();
        run.client.rcpt("second@example.com").expect("451 4.4.2");
        run.client.command("RSET").expect("250");
        run.client.open("third@example.com");
        run.client.message(SECOND).expect(TAKEN);
        let (seen, _) = run.quit(2);
        assert_eq!(seen[1].messages[0].recipients, ["third@example.com"]);
    }
}

/// Without its 250 to RSET the old recipients may still stand: that connection is of no use.
#[test]
fn rset_refused() {
    for keywords in KEYWORDS {
        for refusal in ["500 5.5.1 what\r\n", "451 4.3.0 not now\r\n"] {
            let spoil = Script::new(keywords).with(Stage::Rset, Act::Say(bytes(refusal)));
            replaced_at_rset(&spoil);
        }
    }
}

/// The backend is told the client's own name, so a new name needs a new connection; the same name does not.
#[test]
fn a_client_that_changes_its_name() {
    for keywords in KEYWORDS {
        for given_up in [false, true] {
            let mut run = Run::start(keywords, vec![Script::new(keywords)], |_| ());
            run.client.open("first@example.com");
            if !given_up {
                run.client.message(FIRST).expect(TAKEN);
            }
            run.client.command("EHLO other.example.net").expect("250");
            run.client.open("second@example.com");
            run.client.message(SECOND).expect(TAKEN);
            run.client.command("EHLO other.example.net").expect("250");
            run.client.open("third@example.com");
            run.client
                .message(b"Subject: third\r\n\r\nthird\r\n")
                .expect(TAKEN);
            let (seen, _) = run.quit(2);
            assert_eq!(seen[0].commands[0], "EHLO client.example.net");
            assert_eq!(seen[1].commands[0], "EHLO other.example.net");
            assert_eq!(seen[1].messages.len(), 2);
        }
    }
}
