//! Whole sessions as they look on the wire: `tests/dialogues/*.smtp`, each file a page of conversations.
//!
//! What a file may say stands in `dialogues/script.rs`. A dialogue is exact: every line the server says is told, at the
//! moment it is said, and how the session ended; what is not told must not happen.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

#[path = "dialogues/play.rs"]
mod play;
#[path = "dialogues/script.rs"]
mod script;
#[path = "dialogues/users.rs"]
mod users;
#[path = "dialogues/wire.rs"]
mod wire;
#[path = "dialogues/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use script::Dialogue;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues");
    let entries = std::fs::read_dir(folder).expect("the folder is readable");
    let paths = entries.map(|entry| entry.expect("the entry is readable").path());
    let mut files: Vec<_> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "smtp")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_dialogue_goes_as_it_is_written() {
    let mut played = 0;
    let mut wrong = Vec::new();
    for path in files() {
        let text = std::fs::read_to_string(&path).expect("a dialogue is text");
        let dialogues = script::read(&path, &text).unwrap_or_else(|error| panic!("{error}"));
        for dialogue in &dialogues {
            played += 1;
            if let Err(error) = play::play(dialogue) {
                wrong.push(format!("{}\n  {error}", dialogue.name));
            }
        }
    }
    assert!(played > 100, "only {played} dialogues");
    assert!(
        wrong.is_empty(),
        "{} of {played} go otherwise:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// A dialogue of the lines given, with a title and an end.
fn dialogue(lines: &str) -> Dialogue {
    let text = format!("== planted\n{lines}\nE: quit\n");
    script::read(Path::new("planted"), &text).unwrap().remove(0)
}

const GREETING: &str = "S: 220 mx.example.com ESMTP gatepost";
const BYE: &str = "C: QUIT\nS: 221 2.0.0 mx.example.com closing connection\nS! closed";

#[test]
fn what_goes_otherwise_is_found() {
    play::play(&dialogue(&format!("{GREETING}\n{BYE}"))).unwrap();
    for (lines, error) in [
        (
            format!("S: 220 else\n{BYE}"),
            "line 2: expected \"220 else\"",
        ),
        (format!("S~ 221*\n{BYE}"), "line 2: expected \"221*\""),
        // More is said than told.
        (BYE.to_owned(), "line 2: the server has said more: \"220 mx"),
        // Less is said than told.
        (
            format!("{GREETING}\nS: 250 OK"),
            "line 3: expected \"250 OK\", but the server says nothing",
        ),
        // Said, but later.
        (
            format!("# greet_wait 6s\nS~ 220-*\n{GREETING}"),
            "line 4: expected",
        ),
        // Said, but earlier.
        (
            format!("# greet_wait 6s\nS~ 220-*\n+ 7s\n{GREETING}\n{BYE}"),
            "too early: the server has said more",
        ),
        (format!("{GREETING}\nS! closed"), "has not closed"),
        (GREETING.to_owned(), "line 3: the session goes on"),
        (format!("{GREETING}\n{BYE}\nS! open"), "has ended"),
        (format!("{GREETING}\nC! leaves"), "\"client_left\""),
        (
            format!("# tsl none\n{GREETING}\n{BYE}"),
            "# tsl none: not a setting",
        ),
    ] {
        let heard = play::play(&dialogue(&lines)).expect_err(&lines);
        assert!(heard.contains(error), "{lines}\n{heard}");
    }
}

/// Of very many recipients not all are remembered; each is counted.
#[test]
fn very_many_recipients_are_counted_one_by_one() {
    let accepted = "C: RCPT TO:<a@example.com>\nS: 250 2.0.0 Recipient accepted\n".repeat(120);
    let said = format!(
        "# backend store\n# clock still\n# rate recipients_per_address=120/h\n{GREETING}\n\
         C: HELO client.example.net\nS: 250 mx.example.com\n\
         C: MAIL FROM:<>\nS: 250 2.1.0 Sender noted\n{accepted}\
         C: RCPT TO:<a@example.com>\nS~ 450 4.7.1 Too many recipients *, try again in 30s (s1)\n\
         + 30s\n\
         C: RCPT TO:<a@example.com>\nS: 250 2.0.0 Recipient accepted\n\
         C: RCPT TO:<a@example.com>\nS~ 450 4.7.1 Too many recipients *, try again in 30s (s1)\n{BYE}"
    );
    play::play(&dialogue(&said)).unwrap();
}

#[test]
fn what_can_not_be_read_is_refused() {
    for (text, error) in [
        ("C: EHLO a", "no title yet"),
        ("== a\nC: EHLO a", "no E: line"),
        ("== a\nX: EHLO a\nE: quit", ":2: not a step"),
        ("== a\nC< \\q\nE: quit", "not an escape"),
        ("== a\n+ soon\nE: quit", ":2:"),
    ] {
        let read = script::read(Path::new("planted"), text).expect_err(text);
        assert!(read.contains(error), "{text}\n{read}");
    }
}

#[test]
fn escapes_and_patterns() {
    let read = |line: &str| dialogue(line).steps.remove(0).1;
    assert_eq!(
        read("C< a\\x00\\x62{3}\\r\\n\\\\"),
        script::Step::Say(b"a\0bbb\r\n\\".to_vec())
    );
    assert_eq!(read("C: a\\n"), script::Step::Say(b"a\\n\r\n".to_vec()));
    for (pattern, text, fits) in [
        ("a*c", "abc", true),
        ("a*c", "ac", true),
        ("a*c", "abd", false),
        ("a", "ab", false),
        ("*b*d", "abcd", true),
        ("*b*d", "acbd", true),
        ("*d*b", "abcd", false),
    ] {
        assert_eq!(script::fits(pattern, text), fits, "{pattern} {text}");
    }
}
