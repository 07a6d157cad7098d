//! `gatepost bench` as it is run: real sockets, real processes, a real Exim where the test says so. Small runs with a fixed
//! seed; each plays some hours in half a minute.
//!
//! What is held to exact figures is what does not depend on the speed of the machine: which clients come, what must arrive,
//! and that each message that was answered 2xx arrived once.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]
#![allow(clippy::print_stdout, reason = "the seed is for people")]
#![allow(dead_code, reason = "the support of other tests is only partly needed")]

mod exim;
mod postscreen;
#[path = "../support/mod.rs"]
mod support;
mod targets;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::process::{self, Finished};
use tempfile::TempDir;

/// A run may take this long on a busy machine.
const RUN: Duration = Duration::from_secs(240);
const SEED: &str = "20261121";

/// The built-in scenario of 2026, shorter.
fn scenario(folder: &Path) -> String {
    let text = include_str!("../../config/scenarios/2026.toml");
    assert_eq!(text.matches("\nspan = \"24h\"\n").count(), 1);
    let file = folder.join("quick.toml");
    fs::write(
        &file,
        text.replace("\nspan = \"24h\"\n", "\nspan = \"3h\"\n"),
    )
    .unwrap();
    file.display().to_string()
}

fn bench(folder: &Path, arguments: &[&str]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.arg("bench").args(arguments).current_dir(folder);
    command.env("TMPDIR", folder).env_remove("GATEPOST_CONFIG");
    process::run_within(RUN, &mut command, &[])
}

/// A quick run; its result.
fn run(folder: &Path, arguments: &[&str]) -> (Finished, Value) {
    println!("seed {SEED}");
    let scenario = scenario(folder);
    let quick = [
        "--scenario",
        &scenario,
        "--seed",
        SEED,
        "--after",
        "2h",
        "--json",
    ];
    let finished = bench(folder, &[&quick[..], arguments].concat());
    // Standard error comes before the result, and there is none in a run without trouble.
    let from = finished.transcript.find('{').unwrap_or_default();
    let result = serde_json::from_str(&finished.transcript[from..]);
    let result = result.unwrap_or_else(|error| panic!("{error}:\n{}", finished.transcript));
    (finished, result)
}

fn server(result: &Value, at: usize) -> &Value {
    &result["servers"][at]
}

/// Each message that was answered 2xx arrived once, and nothing else did.
fn is_whole(server: &Value) {
    let integrity = &server["score"]["integrity"];
    assert_eq!(integrity["known"], true);
    for fault in ["lost", "duplicates", "invented"] {
        assert_eq!(integrity[fault], 0, "{integrity:#}");
    }
    assert!(integrity["taken"].as_u64().unwrap() > 100, "{integrity:#}");
}

fn class<'r>(server: &'r Value, name: &str) -> &'r Value {
    let classes = server["score"]["classes"].as_array().unwrap();
    let of = |class: &&Value| class["name"] == name;
    classes
        .iter()
        .find(of)
        .unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn the_default_policy_passes_all_special_cases_and_no_message_is_lost() {
    let folder = TempDir::new().unwrap();
    let page = folder.path().join("page.html");
    let page = page.display().to_string();
    let arguments = [
        "--errands",
        "300",
        "--keep",
        "kept",
        "--html",
        &page,
        "--max-legit-rejected",
        "10",
    ];
    let (finished, result) = run(folder.path(), &arguments);
    let gatepost = server(&result, 0);
    for case in gatepost["score"]["cases"].as_array().unwrap() {
        assert_eq!(case["passed"], true, "{case:#}");
        assert!(case["sent"].as_u64().unwrap() >= 3, "{case:#}");
    }
    assert_eq!(
        result["broken"],
        Value::Array(Vec::new()),
        "{}",
        result["broken"]
    );
    assert_eq!(finished.code, Some(0), "{}", finished.transcript);
    assert_eq!(result["simulated"], true);
    assert_eq!(result["seed"].to_string(), SEED);
    is_whole(gatepost);
    assert_eq!(
        gatepost["score"]["troubled"], 0,
        "{}",
        gatepost["score"]["troubles"]
    );

    // Who never sends mail never reaches the mail server, and users are never kept waiting.
    for nobody in ["A1", "A2"] {
        let class = class(gatepost, nobody);
        assert!(class["connections"].as_u64().unwrap() > 0, "{class:#}");
        assert_eq!(class["reached"], 0, "{class:#}");
    }
    let users = class(gatepost, "M1");
    assert_eq!(users["offered"], users["delivered"], "{users:#}");
    assert_eq!(users["delayed"], 0, "{users:#}");
    let exempt = &gatepost["score"]["exempt"];
    assert_eq!(exempt["part"], exempt["whole"], "{exempt:#}");

    // The records of the run know every connection, and none of them a label.
    let kept = folder.path().join("kept");
    let credit = gatepost["checks"].as_array().unwrap();
    let with_record: u64 = credit
        .iter()
        .map(|one| one["connections"].as_u64().unwrap())
        .sum();
    let classes = gatepost["score"]["classes"].as_array().unwrap();
    let made: u64 = classes
        .iter()
        .map(|one| one["connections"].as_u64().unwrap())
        .sum();
    assert_eq!(with_record, made);
    let records = fs::read_dir(kept.join("gatepost/journal")).unwrap();
    let records: String = records
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    for label in ["\"spam\"", "hostile", "\"B1\""] {
        assert!(!records.contains(label), "{label}");
    }
    for file in [
        "trace.json",
        "played.json",
        "gatepost/gatepost.toml",
        "gatepost/gatepost.log",
    ] {
        assert!(kept.join(file).is_file(), "{file}");
    }

    let page = fs::read_to_string(page).unwrap();
    for part in ["95 % interval", "DNS questions", "CPU, 1000 connections"] {
        assert!(page.contains(part), "{part}");
    }
    assert!(page.contains("Simulated traffic: scenario 2026") && page.contains("<svg"));
    assert!(!page.contains("<script"));
}

#[test]
fn a_plain_exim_is_measured_by_the_same_traffic_and_a_limit_that_is_broken_is_said() {
    let folder = TempDir::new().unwrap();
    let arguments = [
        "--errands",
        "120",
        "--compare",
        "exim",
        "--min-spam-stopped",
        "100",
    ];
    let (finished, result) = run(folder.path(), &arguments);
    let exim = server(&result, 0);
    assert_eq!(exim["score"]["target"], "exim");
    is_whole(exim);
    // Nothing stands before it: whoever connects is a session of the mail server.
    assert_eq!(exim["score"]["cost"]["server_cpu"], 0.0);
    assert!(exim["score"]["cost"]["backend_cpu"].as_f64().unwrap() > 0.0);
    assert!(exim["checks"].as_array().unwrap().is_empty());
    // It asks the lists of the scenario.
    let stopped = exim["score"]["spam_stopped"]["part"].as_u64().unwrap();
    assert!(stopped > 0, "{:#}", exim["score"]["spam_stopped"]);
    assert_eq!(finished.code, Some(1));
    let broken: Vec<&str> = result["broken"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        broken
            .iter()
            .any(|line| line.starts_with("--min-spam-stopped: ")),
        "{broken:?}"
    );
}

#[test]
fn servers_go_with_a_run_that_is_killed() {
    let folder = TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command
        .args(["bench", "--keep", "kept"])
        .current_dir(folder.path());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut bench = command.env_remove("GATEPOST_CONFIG").spawn().unwrap();
    let kept = folder.path().join("kept").display().to_string();
    let wait_until = |such: &dyn Fn(&[String]) -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !such(&running(&kept)) {
            assert!(Instant::now() < deadline, "{:#?}", running(&kept));
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let is_gate = |line: &String| line.contains(" run ");
    wait_until(&|lines| lines.iter().any(is_gate));
    bench.kill().unwrap();
    bench.wait().unwrap();
    wait_until(&|lines| lines.is_empty());
}

/// The command lines of processes that name `folder`.
fn running(folder: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder)).collect()
}

#[test]
fn what_a_killed_run_has_left_goes_with_the_next_one() {
    let folder = TempDir::new().unwrap();
    let left = || {
        let entries = fs::read_dir(folder.path()).unwrap().flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names
            .filter(|name| name.starts_with("gatepost-bench-"))
            .collect::<Vec<_>>()
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command
        .args(["bench", "--backend", "store"])
        .env("TMPDIR", folder.path());
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir(folder.path());
    let mut killed = command.env_remove("GATEPOST_CONFIG").spawn().unwrap();
    let inside = folder.path().display().to_string();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !running(&inside).iter().any(|line| line.contains(" run ")) {
        assert!(Instant::now() < deadline, "{:#?}", running(&inside));
        std::thread::sleep(Duration::from_millis(20));
    }
    let during = bench(
        folder.path(),
        &["--target", "127.0.0.1:9", "--errands", "1"],
    );
    assert_eq!(during.code, Some(1), "{}", during.transcript);
    assert_eq!(left().len(), 1, "what is in use stays");
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert_eq!(left().len(), 1);
    // Its servers, which go with it, write into it as long as they are there.
    while !running(&inside).is_empty() {
        assert!(Instant::now() < deadline, "{:#?}", running(&inside));
        std::thread::sleep(Duration::from_millis(20));
    }
    let next = bench(
        folder.path(),
        &["--target", "127.0.0.1:9", "--errands", "1"],
    );
    assert_eq!(next.code, Some(1), "{}", next.transcript);
    assert_eq!(left(), [""; 0]);
}

#[test]
fn what_is_written_wrong_is_said_before_anything_starts() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("wrong.toml");
    let text = include_str!("../../config/scenarios/2026.toml");
    fs::write(
        &file,
        text.replace("B1 = { share = 2, listed", "B1 = { share = 3, lsted"),
    )
    .unwrap();
    let wrong = bench(folder.path(), &["--scenario", "wrong.toml"]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.transcript);
    for part in ["wrong.toml:", "lsted", "listed"] {
        assert!(wrong.transcript.contains(part), "{}", wrong.transcript);
    }
    let missing = bench(folder.path(), &["--scenario", "2027"]);
    assert_eq!(missing.code, Some(1), "{}", missing.transcript);
    assert!(
        missing.transcript.contains("2008, 2016 and 2026"),
        "{}",
        missing.transcript
    );
    let nobody = bench(folder.path(), &["--compare", "gatepost,nobody"]);
    assert_eq!(nobody.code, Some(2), "{}", nobody.transcript);
    assert!(
        nobody.transcript.contains("\"nobody\""),
        "{}",
        nobody.transcript
    );
    let twice = bench(folder.path(), &["--compare", "exim,gatepost,exim"]);
    assert_eq!(twice.code, Some(2), "{}", twice.transcript);
    let said = "--compare names exim twice";
    assert!(twice.transcript.contains(said), "{}", twice.transcript);
    let no_place = bench(folder.path(), &["--html", "nowhere/page.html"]);
    assert_eq!(no_place.code, Some(1), "{}", no_place.transcript);
    let said = "--html nowhere/page.html can not be written";
    assert!(
        no_place.transcript.contains(said),
        "{}",
        no_place.transcript
    );
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
}
