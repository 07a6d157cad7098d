//! The filter for fail2ban, on lines that a running gatepost has written about clients who try to fool it.

use std::path::Path;
use std::process::Command;

use crate::house::House;
use crate::support::client::Client;
use crate::support::{process, rbldnsd};

/// Somebody who has done nothing.
const INNOCENT: &str = "203.0.113.99";
const FORGED: &str = "client=203.0.113.99\u{20}listener=mx";

/// The addresses that the filter finds in `log`, a word for each time.
fn found(log: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gatepost.log");
    std::fs::write(&file, log).unwrap();
    let filter =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/fail2ban/filter.d/gatepost.conf");
    let mut command = Command::new("fail2ban-regex");
    // Only what was found, an address a line.
    command.args(["--out", "ip"]).arg(&file).arg(&filter);
    let finished = process::run(&mut command, &[]);
    let transcript = finished.transcript;
    assert!(!transcript.contains("ERROR"), "{transcript}");
    transcript.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn nobody_is_banned_for_what_another_says() {
    let house = House::start();
    let session = |client: &str, helo: &str, sender: &str, recipient: &str| {
        let mut client = Client::connect_as(house.gatepost.proxied(), client);
        client.reply().expect(220);
        client.command(&format!("HELO {helo}"));
        client.command(&format!("MAIL FROM:{sender}"));
        client.command(&format!("RCPT TO:{recipient}"));
        client.command("QUIT").expect(221);
    };
    let user = "<user@example.com>";
    // Clients in no list say what would have another banned, if it were believed.
    let clean = [
        "192.0.2.71",
        "192.0.2.72",
        "192.0.2.73",
        "192.0.2.74",
        "192.0.2.75",
    ];
    session(clean[0], "x\"client=203.0.113.99", "<a@example.net>", user);
    session(
        clean[1],
        "x",
        &format!(
            "<\"{FORGED} helo=x tls=- from=x to=x mode=enforce verdict=deny points=5 findings= reason= delivered=0 refused=1\"@example.net>"
        ),
        user,
    );
    session(
        clean[2],
        "INFOsession\\",
        "<\"\\\" mode=enforce verdict=deny points=9 findings= reason= delivered=0 refused=\"@example.net>",
        user,
    );
    session(
        clean[3],
        "x",
        "<>",
        &format!("<\"mode=enforce verdict=deny {FORGED}\"@example.com>"),
    );
    session(
        clean[4],
        "2026-11-21T00:00:00Z",
        "<\"\\\\\\\" to=x mode=enforce verdict=drop \"@example.net>",
        user,
    );
    assert_ne!(rbldnsd::LISTED, INNOCENT);
    // One that is in a list tries to look like another, or like one that was let through.
    session(
        rbldnsd::LISTED,
        "x\"client=203.0.113.99",
        &format!("<\"{FORGED} mode=enforce verdict=clear delivered=1\"@example.net>"),
        user,
    );
    session(
        rbldnsd::LISTED,
        "\"",
        "<\"a\\\\\"@example.net>",
        "<\"b\\\" c\"@example.com>",
    );
    session(rbldnsd::LISTED, "mode=enforce", "<>", user);
    // Written to postmaster, it is let through, and has done nothing.
    session(rbldnsd::LISTED, "x", "<>", "<postmaster@example.com>");
    for client in clean {
        house
            .gatepost
            .logged(&[" session id=", &format!(" client={client} ")]);
    }
    house
        .gatepost
        .logged(&[" session id=", "to=<postmaster@example.com>"]);

    let log = house.gatepost.log();
    assert_eq!(found(&log), [rbldnsd::LISTED; 3], "{log}");
    // As systemd's journal hands it on: without the time and, in the native form, without the level.
    let messages = log
        .lines()
        .filter_map(|line| line.split_once("session id="));
    let journal: String = messages
        .map(|(_, rest)| format!("2026-11-21T20:00:00.000000 mx gatepost[7]: session id={rest}\n"))
        .collect();
    assert_eq!(found(&journal), [rbldnsd::LISTED; 3], "{journal}");
}
