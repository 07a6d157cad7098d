//! Sessions to look at over HTTP, and the status page in a real browser: what clients say is shown as text, and nothing else.

use std::process::Command;

use serde_json::Value;

use crate::admin::World;
use crate::support::client::Client;
use crate::support::{process, rbldnsd, wait};

/// A name in HELO and the local part of a sender, as somebody might try them on a page that shows them.
const NAME: &str = "<script>alert(1)</script>";
const SENDER: &str = "<\"<b>x</b>\"@evil.example>";

impl World {
    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path)).unwrap()
    }

    /// Looks until `path` says something that `is` right.
    fn once(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let told = wait::until(|| Some(self.json(path)).filter(|told| is(told)));
        told.unwrap_or_else(|| panic!("{path} says {}", self.json(path)))
    }

    /// A listed client that names itself with markup is refused. Its session's id.
    fn refuse(&self) -> String {
        let mut client = Client::connect_as(self.gatepost.proxied(), rbldnsd::LISTED);
        client.reply().expect(220);
        client.command(&format!("HELO {NAME}")).expect(250);
        client.command(&format!("MAIL FROM:{SENDER}")).expect(250);
        client.command("RCPT TO:<user@example.com>").expect(550);
        client.command("QUIT").expect(221);
        let refused = self.once("/api/recent", |told| told[0]["helo"] == NAME);
        refused[0]["id"].as_str().unwrap().to_owned()
    }

    /// The page as it stands once its script has run.
    fn dom(&self, path: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let profile = format!("--user-data-dir={}", folder.path().display());
        let url = format!("http://{}{path}", self.address);
        let mut chromium = Command::new("chromium");
        chromium
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
            ])
            .args([&profile, "--virtual-time-budget=2000", "--dump-dom", &url])
            .env("HOME", folder.path());
        let finished = process::run_within(wait::PATIENCE * 3, &mut chromium, &[]);
        assert_eq!(finished.code, Some(0), "{}", finished.transcript);
        finished.transcript
    }
}

#[test]
fn who_is_here_is_shown_while_it_is() {
    let world = World::start("");
    assert_eq!(
        world.json("/api/sessions")["sessions"],
        Value::Array(Vec::new())
    );
    let mut listed = Client::greeted(world.gatepost.proxied(), rbldnsd::LISTED);
    let mut silent = Client::connect_as(world.gatepost.proxied(), "2001:db8::5");
    silent.reply().expect(220);
    listed.command("MAIL FROM:<a@example.net>").expect(250);
    listed.command("RCPT TO:<user@example.com>").expect(550);
    let here = world.once("/api/sessions", |told| {
        told["sessions"][1]["stage"] == "helo"
    });
    assert_eq!(here["open"], 2);
    let first = &here["sessions"][0];
    for (word, value) in [
        ("client", Value::from(rbldnsd::LISTED)),
        ("listener", "proxied".into()),
        ("stage", "rcpt".into()),
        ("helo", "client.example.net".into()),
        ("points", 5.into()),
    ] {
        assert_eq!(first[word], value, "{first}");
    }
    assert_eq!(here["sessions"][1]["client"], "2001:db8::5");
    assert_eq!(here["sessions"][1]["helo"], Value::Null);
    let id = first["id"].as_str().unwrap();
    assert_eq!(world.json(&format!("/api/session/{id}"))["stage"], "rcpt");
    listed.command("QUIT").expect(221);
    drop(silent);
    world.once("/api/sessions", |told| {
        told["open"] == 0 && told["sessions"] == Value::Array(Vec::new())
    });
}

#[test]
fn a_refusal_is_explained_and_found_by_what_somebody_has_at_hand() {
    let world = World::start("");
    let id = world.refuse();
    let refused = &world.json("/api/recent")[0];
    for (word, value) in [
        ("client", rbldnsd::LISTED),
        ("listener", "proxied"),
        ("sender", SENDER),
        ("recipient", "<user@example.com>"),
        ("verdict", "deny"),
        ("ended", "quit"),
    ] {
        assert_eq!(refused[word], value, "{refused}");
    }
    assert_eq!(refused["findings"][0]["check"], "dnsbl");
    assert_eq!(refused["findings"][0]["points"], 5);
    let reply = refused["reply"].as_str().unwrap();
    assert!(
        reply.starts_with("550 5.7.1 Refused: ") && reply.contains(&id),
        "{reply}"
    );
    let reason = refused["reason"].as_str().unwrap();
    assert!(reason.starts_with("dnsbl: listed by "), "{reason}");

    // Somebody who was let through is in the journal alone.
    let mut client = Client::greeted(world.gatepost.proxied(), "192.0.2.78");
    client
        .mail(&["user@example.com"], b"Subject: x\r\n\r\nx\r\n")
        .expect(250);
    client.command("QUIT").expect(221);
    for (wanted, found) in [
        (rbldnsd::LISTED, &*id),
        ("%3Cscript%3Ealert", &id),
        ("%22%3CB%3Ex", &id),
        ("EVIL.example", &id),
        (&id, &id),
    ] {
        let told = world.json(&format!("/api/search?q={wanted}"));
        assert_eq!(
            told["found"].as_array().unwrap().len(),
            1,
            "{wanted}: {told}"
        );
        assert_eq!(told["found"][0]["id"], *found, "{wanted}");
        assert_eq!(told["cut"], false);
    }
    let told = world.once("/api/search?q=192.0.2.78", |told| {
        told["found"][0]["verdict"] == "clear"
    });
    let other = told["found"][0]["id"].as_str().unwrap();
    let session = world.json(&format!("/api/session/{other}"));
    assert_eq!(
        session["messages"].as_array().unwrap().len(),
        1,
        "{session}"
    );
    // Whoever wrote to the user: both, the newest first.
    let told = world.json("/api/search?q=user@example.com");
    let ids: Vec<_> = told["found"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["id"])
        .collect();
    assert_eq!(ids, [other, &id]);
    assert_eq!(
        world.json("/api/search?q=nobody-like-that")["found"],
        Value::Array(Vec::new())
    );
    for (path, code) in [
        ("/api/search?q=a", "400"),
        ("/api/search", "400"),
        ("/api/session/00000000000", "404"),
        ("/api/session/%22%3C", "404"),
    ] {
        let answer = world.ask(&format!("GET {path}"), "Host: localhost\r\n");
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {code} ")),
            "{path}: {answer}"
        );
    }
}

#[test]
fn a_browser_shows_a_refusal_and_what_the_client_said_as_text() {
    let world = World::start("");
    let id = world.refuse();
    let page = world.ask("GET /", "Host: localhost\r\n");
    assert!(
        page.contains("content-security-policy: default-src 'none'; script-src 'sha256-"),
        "{page}"
    );
    let dom = world.dom(&format!("/?q={id}"));
    let (_, body) = dom.split_once("<main>").unwrap();
    let (body, _) = body.split_once("</main>").unwrap();
    for shown in [
        &*id,
        rbldnsd::LISTED,
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&lt;\"&lt;b&gt;x&lt;/b&gt;\"@evil.example&gt;",
        "listed by ",
        "1 session in the last 24 hours",
        "refusals said",
        rbldnsd::ZONE,
        "127.0.0.1",
        "<polyline",
    ] {
        assert!(body.contains(shown), "no {shown} in\n{body}");
    }
    for never in ["<b>x", "<script"] {
        assert!(!body.contains(never), "{never} in\n{body}");
    }
    assert!(dom.contains(">all well<"), "{dom}");
}

#[test]
fn a_browser_shows_what_the_doctor_has_found() {
    let world = World::start("[doctor]\ndomains = [\"elsewhere.example\"]\ntimeout = \"1s\"");
    world.once("/api/status", |told| !told["doctor"][0].is_null());
    let dom = world.dom("/");
    // The only name server here is one of block lists.
    for shown in [
        "Our own domains",
        "elsewhere.example",
        "could not tell",
        "no answer about its MX",
    ] {
        assert!(dom.contains(shown), "no {shown} in\n{dom}");
    }
    assert!(
        dom.contains("<section id=\"doctor\">"),
        "it is not hidden:\n{dom}"
    );
}
