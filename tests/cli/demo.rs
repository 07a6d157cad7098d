//! `gatepost demo`: six sessions with their verdicts, hints that work as printed, and no trace left.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::process::{self, Server};
use crate::support::wait;
use crate::world::gatepost;

/// A demo whose temporary folder is in `folder`.
fn demo(folder: &Path, arguments: &[&str]) -> Command {
    let mut demo = gatepost(folder);
    demo.arg("demo").args(arguments).env("TMPDIR", folder);
    demo
}

fn is_empty(folder: &TempDir) -> bool {
    folder.path().read_dir().unwrap().next().is_none()
}

#[test]
fn six_sessions_are_played_and_judged_as_they_should() {
    let folder = TempDir::new().unwrap();
    let any = ["--once", "--port", "0", "--tls-port", "0"];
    let finished = process::run(&mut demo(folder.path(), &any), &[]);
    let text = &finished.transcript;
    assert_eq!(finished.code, Some(0), "{text}");

    let sessions: Vec<&str> = text.split("\n  verdict ").collect();
    let expected = [
        ("1  a clean sender", "clear, 0 points, 1 delivered", "354 "),
        (
            "2  an early talker",
            "deny, 6 points, 0 delivered",
            "550 5.7.1 ",
        ),
        (
            "3  a pipelining bot",
            "deny, 5 points, 0 delivered",
            "550 5.7.1 ",
        ),
        (
            "4  a listed client",
            "deny, 5 points, 0 delivered",
            "550 5.7.1 ",
        ),
        (
            "5  the same listed client, to postmaster@",
            "clear (exempt recipient), 5 points, 1 delivered",
            "354 ",
        ),
        (
            "6  one transaction with both",
            "deny, 5 points, 1 delivered",
            "550 5.7.1 ",
        ),
    ];
    assert_eq!(sessions.len(), expected.len() + 1, "{text}");
    for ((dialogue, judged), (title, verdict, reply)) in
        sessions.iter().zip(&sessions[1..]).zip(expected)
    {
        assert!(dialogue.contains(title), "{title}:\n{dialogue}");
        assert!(
            dialogue.contains(&format!("S: {reply}")),
            "{title}:\n{dialogue}"
        );
        assert!(judged.starts_with(verdict), "{title}:\n{judged}");
    }
    assert!(
        text.ends_with(
            "All six went as they should: 3 messages arrived, 3 attempts were refused.\n\n"
        ),
        "{text}"
    );
    // Each finding says once what was seen.
    for line in [
        "     5  pregreet      spoke before the greeting (after ",
        "     5  dnsbl         listed by bl.demo.example (127.0.0.2)",
        "     0  dnsbl         not listed by bl.demo.example\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(is_empty(&folder));
}

/// A running demo that has played all its sessions.
fn serving(folder: &TempDir) -> Server {
    let mut command = Command::new("sh");
    let demo = demo(folder.path(), &["--port", "0", "--tls-port", "0"]);
    command
        .args(["-c", "echo id=$$; exec \"$0\" \"$@\""])
        .arg(demo.get_program())
        .args(demo.get_args())
        .current_dir(folder.path())
        .env("TMPDIR", folder.path());
    let server = Server::start(&mut command);
    let serves = wait::until(|| server.output().contains("records are in").then_some(()));
    assert!(serves.is_some(), "{}", server.output());
    server
}

/// The hint that begins so, as printed.
fn hint(text: &str, parts: &[&str]) -> String {
    let is_it =
        |line: &&str| line.starts_with("  ") && parts.iter().all(|part| line.contains(part));
    let line = text.lines().find(is_it);
    line.unwrap_or_else(|| panic!("no {parts:?}:\n{text}"))
        .trim()
        .to_owned()
}

fn shell(line: &str, script: &[(&str, &str)]) -> String {
    let finished = process::run(Command::new("sh").args(["-c", line]), script);
    assert_eq!(finished.code, Some(0), "{line}\n{}", finished.transcript);
    finished.transcript
}

#[test]
fn the_hints_work_as_printed_and_a_signal_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let mut server = serving(&folder);
    let text = server.output();

    let said = shell(&hint(&text, &["swaks", "--from"]), &[]);
    assert!(said.contains("<-  250 2.0.0 Stored"), "{said}");
    let shown = wait::until(|| {
        let more = server.output()[text.len()..].to_owned();
        (more.contains("session ") && more.contains("verdict clear, 0 points, 1 delivered\n"))
            .then_some(more)
    });
    let shown = shown.unwrap_or_else(|| panic!("{}", server.output()));
    assert!(shown.contains(", from 127.0.0.1\n"), "{shown}");

    let said = shell(&hint(&text, &["gatepost explain"]), &[]);
    assert!(said.contains("verdict  deny"), "{said}");

    let starttls = hint(&text, &["openssl", "-starttls"]);
    let said = shell(
        &starttls,
        &[("250 STARTTLS", "EHLO me.example\n"), ("250 ENH", "QUIT\n")],
    );
    assert!(said.contains("\n221 "), "{said}");

    let tls = text.lines().filter(|line| line.contains("openssl")).nth(1);
    let said = shell(tls.unwrap().trim(), &[("\n220 ", "QUIT\n")]);
    assert!(said.contains("\n221 "), "{said}");

    let id = text.split_once("id=").unwrap().1.lines().next().unwrap();
    let sent = Command::new("kill").args(["-TERM", id]).status().unwrap();
    assert!(sent.success());
    let ended = wait::until(|| server.ended()).unwrap();
    assert_eq!(ended.code(), Some(0), "{}", server.output());
    assert!(is_empty(&folder));
}

#[test]
fn a_port_in_use_is_said_with_the_option_that_helps() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (option, other) in [("--port", "--tls-port"), ("--tls-port", "--port")] {
        let folder = TempDir::new().unwrap();
        let arguments = ["--once", option, &port, other, "0"];
        let finished = process::run(&mut demo(folder.path(), &arguments), &[]);
        assert_eq!(finished.code, Some(1));
        assert_eq!(
            finished.transcript,
            format!(
                "gatepost: cannot listen on 127.0.0.1:{port}: the address is in use; \
                 choose another port with {option}, or {option} 0 for any free one\n"
            )
        );
        assert!(is_empty(&folder));
    }

    let folder = TempDir::new().unwrap();
    let same = ["--once", "--port", "2526", "--tls-port", "2526"];
    let finished = process::run(&mut demo(folder.path(), &same), &[]);
    assert_eq!(finished.code, Some(1));
    assert_eq!(
        finished.transcript,
        "gatepost: --port and --tls-port are both 2526; choose two\n"
    );
}
