//! Reads the source and proves that the house stands as DESIGN says: floors, purity, who spawns, who prints.
//!
//! `source` cuts a file into tokens, `rules` holds one function for each rule. That the rules find what they look
//! for is proved below on planted breaches, one and more for each rule, and on look-alikes that are none.

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use rules::{Rule, breaches};
use source::Source;

/// The package's directory.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below `directory`.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory is readable");
    let paths = entries.map(|entry| entry.expect("the entry is readable").path());
    let found = paths.flat_map(|path| match path.extension() {
        _ if path.is_dir() => rust_files(&path),
        Some(extension) if extension == "rs" => vec![path],
        _ => Vec::new(),
    });
    found.collect()
}

#[test]
fn the_house_is_tidy() {
    let src = root().join("src");
    let mut found = Vec::new();
    let files = rust_files(&src);
    assert!(files.len() > 20, "the source is there");
    for path in files {
        let text = fs::read_to_string(&path).expect("the source is text");
        let name = path.strip_prefix(&src).expect("it is below src");
        found.extend(breaches(&Source::new(&name.to_string_lossy(), &text)));
    }
    let list: String = found.iter().map(|breach| format!("\n  {breach}")).collect();
    assert!(found.is_empty(), "{} breaches:{list}", found.len());
}

#[test]
fn every_check_has_its_cases() {
    assert!(!gatepost::checks::ALL.is_empty());
    for kind in gatepost::checks::ALL {
        let cases = root()
            .join("tests/verdicts")
            .join(format!("{}.toml", kind.name));
        assert!(
            cases.is_file(),
            "the check {:?} has no cases: {}",
            kind.name,
            cases.display()
        );
    }
}

/// A file's path, what stands in it, and the rule that it breaks.
const PLANTED: &[(&str, &str, Rule)] = &[
    (
        "checks/helo.rs",
        "use crate::config::Snapshot;",
        Rule::Floors,
    ),
    (
        "checks/helo.rs",
        "fn f(s: &crate::session::Session) {}",
        Rule::Floors,
    ),
    (
        "checks/helo.rs",
        "use crate::{facts::Facts, gather};",
        Rule::Floors,
    ),
    ("net/tls.rs", "use crate::journal::Journal;", Rule::Floors),
    (
        "journal/write.rs",
        "use crate::{net as sockets};",
        Rule::Floors,
    ),
    (
        "store/passes.rs",
        "fn f() { crate::net::listen(); }",
        Rule::Floors,
    ),
    ("net/tls.rs", "use gatepost::session;", Rule::Floors),
    ("net/tls.rs", "use crate as house;", Rule::Floors),
    ("net/tls.rs", "use crate::*;", Rule::Floors),
    ("net/tls.rs", "use super::super::app;", Rule::Floors),
    ("net/mod.rs", "use super::app;", Rule::Floors),
    ("net/mod.rs", "use self::super::app;", Rule::Floors),
    ("net/tls.rs", "use crate::cellar;", Rule::Floors),
    ("cellar/mod.rs", "", Rule::Floors),
    ("smtp/line.rs", "use tokio::net::TcpStream;", Rule::Purity),
    (
        "smtp/line.rs",
        "fn f(io: &mut ::tokio::net::TcpStream) {}",
        Rule::Purity,
    ),
    ("smtp/line.rs", "pub async fn read() {}", Rule::Purity),
    (
        "facts/dns.rs",
        "fn f() { let x = std::net::UdpSocket::bind(\"127.0.0.1:0\"); }",
        Rule::Purity,
    ),
    (
        "facts/dns.rs",
        "use std::{net::{IpAddr, TcpListener}, fmt};",
        Rule::Purity,
    ),
    (
        "checks/rdns.rs",
        "use std::{fmt, fs as disk};",
        Rule::Purity,
    ),
    ("checks/rdns.rs", "use std::env;", Rule::Purity),
    ("checks/rdns.rs", "use std as s;", Rule::Purity),
    (
        "checks/rdns.rs",
        "fn f() -> std::time::Instant { std::time::Instant::now() }",
        Rule::Purity,
    ),
    (
        "checks/rdns.rs",
        "use std::time::SystemTime as Clock;",
        Rule::Purity,
    ),
    (
        "checks/rdns.rs",
        "fn f() -> u8 { rand::random() }",
        Rule::Purity,
    ),
    (
        "checks/rdns.rs",
        "fn f() { tracing::info!(\"seen\"); }",
        Rule::Purity,
    ),
    (
        "checks/rdns.rs",
        "fn f() { let quote = '\"'; tokio::task::yield_now(); }",
        Rule::Purity,
    ),
    ("net/pump.rs", "fn f() { tokio::spawn(g()); }", Rule::Spawn),
    ("session/mod.rs", "use tokio::spawn as start;", Rule::Spawn),
    (
        "app/accept.rs",
        "fn f() { std::thread::spawn(|| ()); }",
        Rule::Spawn,
    ),
    (
        "app/mod.rs",
        "fn f() { tokio::task::spawn_blocking(|| ()); }",
        Rule::Spawn,
    ),
    (
        "app/mod.rs",
        "fn f() { let mut set = JoinSet::new(); }",
        Rule::Spawn,
    ),
    (
        "session/mod.rs",
        "fn f(tasks: &T) { tasks.spawn(g()); }",
        Rule::Spawn,
    ),
    ("session/mod.rs", "fn f() { println!(\"x\"); }", Rule::Print),
    (
        "config/load.rs",
        "fn f() { std::eprintln!(\"x\"); }",
        Rule::Print,
    ),
    (
        "app/mod.rs",
        "fn f() { std::process::exit(1); }",
        Rule::Print,
    ),
    (
        "app/mod.rs",
        "use std::process::{self, exit as leave};",
        Rule::Print,
    ),
    (
        "app/mod.rs",
        "use std::process; fn f() { process::exit(1); }",
        Rule::Print,
    ),
    ("net/tls.rs", "// TODO: check it", Rule::Unfinished),
    ("net/tls.rs", "/* FIXME */", Rule::Unfinished),
    ("net/tls.rs", "/// XXX this", Rule::Unfinished),
    ("net/tls.rs", "fn f() { todo!() }", Rule::Unfinished),
    (
        "net/tls.rs",
        "fn f() { unimplemented!() }",
        Rule::Unfinished,
    ),
];

#[test]
fn a_planted_breach_is_found() {
    for (path, text, rule) in PLANTED {
        let source = Source::new(path, &format!("//! Head.\n\n{text}\n"));
        let found = breaches(&source);
        assert!(!found.is_empty(), "not found: {path}: {text}");
        for breach in found {
            assert_eq!(breach.rule, *rule, "{path}: {text}: {breach}");
        }
    }
}

#[test]
fn a_missing_head_is_found() {
    for text in [
        "",
        "use std::fmt;\n",
        "/// No head.\nfn f() {}\n",
        "\n//! Late.\n",
    ] {
        let found = breaches(&Source::new("net/tls.rs", text));
        assert_eq!(
            found.iter().map(|breach| breach.rule).collect::<Vec<_>>(),
            [Rule::Head]
        );
    }
}

#[test]
fn a_file_too_long_to_read_is_found() {
    let long = format!("//! Head.\n{}", "\n".repeat(rules::LONGEST));
    let found = breaches(&Source::new("net/tls.rs", &long));
    assert_eq!(
        found.iter().map(|breach| breach.rule).collect::<Vec<_>>(),
        [Rule::Length]
    );

    let just_right = format!("//! Head.\n{}", "\n".repeat(rules::LONGEST - 1));
    assert!(breaches(&Source::new("net/tls.rs", &just_right)).is_empty());
}

#[test]
fn a_breach_tells_where() {
    let source = Source::new(
        "checks/helo.rs",
        "//! Head.\n\nuse std::fmt;\nuse crate::app::Tasks;\n",
    );
    let found = breaches(&source);
    assert_eq!(found.len(), 1);
    assert!(
        found[0].to_string().starts_with("src/checks/helo.rs:4: "),
        "{}",
        found[0]
    );
}

/// Files that look like breaches and are none.
const CLEAN: &[(&str, &str)] = &[
    (
        "checks/helo.rs",
        "use crate::{facts::Facts, smtp::fault::Fault};\nuse crate::checks::Check;",
    ),
    (
        "checks/helo.rs",
        "use super::finding::Finding;\npub(crate) fn f() {}\npub(in crate::checks) fn g() {}",
    ),
    (
        "checks/helo.rs",
        "// use tokio::net; async, std::fs, crate::app\n/* tracing /* rand:: */ Instant */",
    ),
    (
        "checks/helo.rs",
        "const A: &str = \"tokio::spawn(async {}) // \";\nconst B: &str = r#\"\" std::fs \"#;",
    ),
    (
        "checks/helo.rs",
        "const C: char = '\"';\nfn f<'a>(x: &'a str) -> &'a str { x }\nconst D: u8 = b'\\'';",
    ),
    (
        "checks/helo.rs",
        "use std::net::{IpAddr, Ipv4Addr};\nuse std::time::Duration;\nstruct Strand;",
    ),
    (
        "checks/helo.rs",
        "#[cfg(test)]\nmod tests {\n use std::fs;\n fn f() { println!(\"}\"); }\n}\n",
    ),
    (
        "smtp/line/tests.rs",
        "use super::super::line;\nuse std::env;",
    ),
    (
        "app/tasks.rs",
        "fn f() { tokio::spawn(g()); self.tracker.spawn(h()); }\nuse tokio_util::task::TaskTracker;",
    ),
    (
        "app/accept.rs",
        "fn f(tasks: &Tasks) { tasks.spawn(async move {}); }",
    ),
    (
        "cli/demo.rs",
        "fn f() { println!(\"x\"); std::process::exit(1); Command::new(\"x\").spawn(); }",
    ),
    (
        "main.rs",
        "use gatepost::cli;\nfn main() { std::process::exit(cli::main()) }",
    ),
    ("lib.rs", "pub mod smtp;"),
    (
        "net/tls.rs",
        "use crate::smtp;\nuse crate::net::stream;\nconst A: &str = \"fn exit\";\nfn exit() {}",
    ),
];

#[test]
fn look_alikes_are_no_breaches() {
    for (path, text) in CLEAN {
        let found = breaches(&Source::new(path, &format!("//! Head.\n\n{text}\n")));
        assert!(found.is_empty(), "{path}: {text}: {}", found[0]);
    }
}
