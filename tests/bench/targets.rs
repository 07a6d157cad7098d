//! `--target`: servers that stand already, of which bench sees no more than a client does. A real Exim and a real gatepost, started
//! here, that know nothing of bench; with PROXY headers, and with clients that are addresses of 127.0.0.0/8.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;
use tempfile::TempDir;

use crate::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::process;
use crate::{bench, run, server};

/// Of a run of some twenty seconds: servers keep their own time.
const TIMES: [&str; 4] = ["--clock", "600", "--session-clock", "1"];

fn play(folder: &TempDir, target: SocketAddr, arguments: &[&str]) -> (process::Finished, Value) {
    let target = target.to_string();
    let common = ["--target", &target];
    let errands = match arguments.contains(&"--errands") {
        true => &[][..],
        false => &["--errands", "120"],
    };
    run(
        folder.path(),
        &[&common[..], &TIMES, errands, arguments].concat(),
    )
}

fn case<'r>(result: &'r Value, name: &str) -> &'r Value {
    let cases = server(result, 0)["score"]["cases"].as_array().unwrap();
    cases.iter().find(|case| case["case"] == name).unwrap()
}

/// What only the server's owner could know stands nowhere.
fn is_seen_from_outside(result: &Value) {
    let score = &server(result, 0)["score"];
    assert_eq!(score["integrity"]["known"], false);
    for unknown in [
        "server_cpu",
        "backend_cpu",
        "backend_sessions",
        "sessions_spared",
    ] {
        assert_eq!(score["cost"][unknown], Value::Null, "{unknown}");
    }
    assert_eq!(score["hostile_stopped"], Value::Null);
    assert_eq!(server(result, 0)["checks"], Value::Array(Vec::new()));
    for unknown in ["good_secondary", "listed_user"] {
        let case = case(result, unknown);
        assert_eq!(case["known"], false, "{case:#}");
        assert_eq!(case["passed"], false, "{case:#}");
    }
}

fn notes(result: &Value) -> String {
    server(result, 0)["notes"].to_string()
}

fn part(result: &Value, share: &str) -> u64 {
    server(result, 0)["score"][share]["part"].as_u64().unwrap()
}

#[test]
fn an_exim_that_takes_proxy_headers_is_measured_from_outside() {
    let folder = TempDir::new().unwrap();
    let dns = Ipv4Addr::new(127, 77, 0, 1);
    let exim = Exim::start("127.0.0.1", Some(dns));
    let (finished, result) = play(&folder, exim.address, &["--dns", "127.77.0.1:53"]);
    is_seen_from_outside(&result);

    // It refuses who is listed, and nobody else who is meant for somebody.
    assert!(part(&result, "spam_stopped") > 0);
    assert_eq!(part(&result, "legitimate_rejected"), 0);
    assert!(server(&result, 0)["score"]["cost"]["dns"].as_f64().unwrap() > 0.0);
    let refused = exim
        .log()
        .lines()
        .filter(|line| line.contains(": listed"))
        .count();
    assert!(refused > 0);
    // What the players were told is what Exim has done.
    let taken = server(&result, 0)["score"]["integrity"]["taken"].as_u64();
    assert_eq!(taken, Some(exim.taken()));

    // It offers no TLS; all else that it could be shown passes.
    for case in server(&result, 0)["score"]["cases"].as_array().unwrap() {
        let needs_tls = case["case"] == "needs_tls";
        assert_eq!(case["failed"].as_u64() > Some(0), needs_tls, "{case:#}");
        assert_eq!(case["passed"] == case["known"], !needs_tls, "{case:#}");
    }
    assert_eq!(case(&result, "forwarder")["passed"], true);
    assert_eq!(finished.code, Some(1), "{}", finished.transcript);
    assert_eq!(
        result["broken"].as_array().unwrap().len(),
        1,
        "{}",
        result["broken"]
    );
}

#[test]
fn an_exim_without_proxy_headers_sees_addresses_of_loopback() {
    let folder = TempDir::new().unwrap();
    let exim = Exim::start("", None);
    let (_, result) = play(&folder, exim.address, &["--proxy", "none"]);
    is_seen_from_outside(&result);
    // Each client is an address of its own, and none of it is listed anywhere.
    let clients = |line: &&str| line.contains("SMTP connection from ") && line.contains("[127.64.");
    assert!(exim.log().lines().filter(clients).count() > 100);
    assert_eq!(part(&result, "legitimate_rejected"), 0);
    assert_eq!(server(&result, 0)["score"]["cost"]["dns"], Value::Null);
    let taken = server(&result, 0)["score"]["integrity"]["taken"].as_u64();
    assert_eq!(taken, Some(exim.taken()));
    // What hangs on addresses and the DNS was not put to the test, and that is said.
    for unknown in [
        "pool_retry",
        "changing_ipv6",
        "bad_names",
        "forwarder",
        "listed_to_postmaster",
    ] {
        assert_eq!(case(&result, unknown)["known"], false, "{unknown}");
    }
    for known in ["no_retry", "spelling", "null_sender", "slight_pipelining"] {
        assert_eq!(case(&result, known)["passed"], true, "{known}");
    }
    assert!(notes(&result).contains("(--dns)") && notes(&result).contains("without PROXY headers"));

    // With headers that it does not want nothing is played.
    let target = exim.address.to_string();
    let refused = bench(folder.path(), &["--target", &target, "--errands", "10"]);
    assert_eq!(refused.code, Some(1), "{}", refused.transcript);
    assert!(
        refused.transcript.contains("--proxy none"),
        "{}",
        refused.transcript
    );
}

#[test]
fn a_gatepost_is_measured_like_any_other_server() {
    let folder = TempDir::new().unwrap();
    let exim = Exim::start("127.0.0.2", None);
    let dns = SocketAddr::from((Ipv4Addr::LOCALHOST, process::free_udp_port()));
    let mut setup =
        Setup::new(exim.address, dns).zones(&[("zen.spamhaus.org", "127.0.0.[2..11]", 5)]);
    // Clients that no header names come from this machine.
    "loopback_clients = true".clone_into(&mut setup.backend_settings);
    // It counts minutes as they are, in which nobody here comes back.
    setup.checks += "\n[policy.default.checks.greylist]\nenabled = false\n";
    let gatepost = Gatepost::start(&setup);
    let (_, result) = play(&folder, gatepost.proxied(), &["--dns", &dns.to_string()]);
    is_seen_from_outside(&result);
    assert!(part(&result, "spam_stopped") > 0);
    assert_eq!(part(&result, "legitimate_rejected"), 0);
    assert!(server(&result, 0)["score"]["cost"]["dns"].as_f64().unwrap() > 0.0);
    for passes in [
        "listed_to_postmaster",
        "postmaster_among_others",
        "spelling",
        "needs_tls",
        "short_patience",
    ] {
        assert_eq!(
            case(&result, passes)["passed"],
            true,
            "{:#}",
            case(&result, passes)
        );
    }
    let taken = |result: &Value| server(result, 0)["score"]["integrity"]["taken"].as_u64();
    assert_eq!(taken(&result), Some(exim.taken()));

    // Its listener for clients that come by themselves: to a gatepost each of them is nearby, and in no list.
    let before = exim.taken();
    let (_, result) = play(
        &folder,
        gatepost.direct(),
        &["--proxy", "none", "--errands", "40"],
    );
    is_seen_from_outside(&result);
    assert_eq!(part(&result, "legitimate_rejected"), 0);
    assert_eq!(taken(&result), Some(exim.taken() - before));
    assert_eq!(case(&result, "listed_to_postmaster")["known"], false);
    assert_eq!(case(&result, "needs_tls")["passed"], true);
}

#[test]
fn what_serves_nobody_is_said_before_anything_is_played() {
    let folder = TempDir::new().unwrap();
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, process::free_tcp_port())).to_string();
    let refused = bench(folder.path(), &["--target", &nobody, "--errands", "10"]);
    assert_eq!(refused.code, Some(1), "{}", refused.transcript);
    assert!(
        refused.transcript.contains("takes no connection"),
        "{}",
        refused.transcript
    );

    // A server for another domain.
    let exim = Exim::start_for("other.example", "", None);
    let target = exim.address.to_string();
    let refused = bench(
        folder.path(),
        &["--target", &target, "--proxy", "none", "--errands", "10"],
    );
    assert_eq!(refused.code, Some(1), "{}", refused.transcript);
    assert!(
        refused.transcript.contains("domain and users"),
        "{}",
        refused.transcript
    );
}
