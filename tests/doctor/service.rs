//! The probes inside a running gatepost: in `status`, in the metrics, in the log.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use gatepost::cli::demo::dns::Zone;
use serde_json::Value;

use crate::domains::{HEALTHY, MX1, MX2, Writer};
use crate::healthy::Healthy;
use crate::servers::Gate;
use crate::support::{process, wait};
use crate::world::World;

/// A whole round has a pause in it for each try.
const ROUND: Duration = Duration::from_secs(60);

fn status(world: &World) -> Value {
    let finished = world.run(&["status", "--json"]);
    serde_json::from_str(&finished.transcript).unwrap_or_default()
}

fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn outcomes_stand_in_status_metrics_and_log() {
    let mut healthy = Healthy::start();
    let admin = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    let ident = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    let world = &mut healthy.world;
    world.way(MX1, 113, ident);
    world.more(&format!(
        "[ident]\naddress = [\"{ident}\"]\n[admin]\naddress = [\"{admin}\"]\n[log]\nformat = \"text\""
    ));
    let server = process::Server::start(&mut world.command(&["run"]));
    let first = wait::until_within(ROUND, || {
        let status = status(world);
        status["doctor"][0]["report"]["probes"].as_array().cloned()
    });
    let first = first.unwrap_or_else(|| panic!("no report:\n{}", server.output()));
    let bad: Vec<_> = first
        .iter()
        .filter(|probed| probed["outcome"] != "good")
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert_eq!(first.len(), gatepost::doctor::ALL.len());
    let of_ident = first
        .iter()
        .find(|probed| probed["probe"] == "ident")
        .unwrap();
    let seen = &of_ident["findings"][0]["seen"];
    assert_eq!(seen, "port 113 answers: 25, 25 : ERROR : HIDDEN-USER");
    assert!(
        !server.output().contains("an outcome has changed"),
        "{}",
        server.output()
    );
    let metrics = get(admin, "/metrics").unwrap();
    for probe in ["spf", "backup_mx", "certificate"] {
        let line = format!("gatepost_doctor_outcome{{probe=\"{probe}\",domain=\"{HEALTHY}\"}} 0");
        assert!(metrics.contains(&line), "no {line} in\n{metrics}");
    }
    let shown = world.run(&["status"]).transcript;
    assert!(
        shown.contains("healthy.example") && shown.contains("23 good"),
        "{shown}"
    );

    // A section that has changed begins a new round; a backup has gone meanwhile.
    world.way(MX2, 25, healthy.refusing.address);
    world.doctor(&format!(
        "domains = [\"{HEALTHY}\"]\noutgoing = [\"{MX1}\"]\nwithout = [\"ident\"]\ntimeout = \"5s\""
    ));
    world.save();
    server.signal("HUP");
    let changed = wait::until_within(ROUND, || {
        let log = server.output();
        let mut lines = log
            .lines()
            .filter(|line| line.contains("doctor: an outcome has changed"));
        lines
            .find(|line| line.contains("probe=greeting"))
            .map(str::to_owned)
    });
    let line = changed.unwrap_or_else(|| panic!("no line:\n{}", server.output()));
    assert!(
        line.contains("ERROR") && line.contains("was=good") && line.contains(HEALTHY),
        "{line}"
    );
    let known = wait::until(|| {
        let metrics = get(admin, "/metrics")?;
        let line = format!("gatepost_doctor_outcome{{probe=\"greeting\",domain=\"{HEALTHY}\"}} 4");
        metrics.contains(&line).then_some(metrics)
    });
    let metrics = known.unwrap();
    assert!(
        !metrics.contains("probe=\"ident\""),
        "what is left out is not told:\n{metrics}"
    );
    let shown = world.run(&["status"]).transcript;
    assert!(shown.contains("fault"), "{shown}");
}

/// The domains in `status`, and which of them this machine was looked at with.
fn examined(world: &World) -> Vec<(String, bool)> {
    let status = status(world);
    let reports = status["doctor"].as_array().cloned().unwrap_or_default();
    let one = |examined: &Value| {
        let report = &examined["report"];
        let mut probes = report["probes"].as_array().unwrap().iter();
        let domain = report["domain"].as_str().unwrap().to_owned();
        (domain, probes.any(|probed| probed["probe"] == "backend"))
    };
    reports.iter().map(one).collect()
}

#[test]
fn a_round_that_is_interrupted_goes_on_where_it_was() {
    let mut zone = Zone::new();
    let mut write = Writer(&mut zone);
    for (domain, exchanger, address) in [
        ("one.example", "mx.one.example", MX1),
        ("two.example", "mx.two.example", MX2),
    ] {
        write.mx(domain, 10, exchanger);
        write.address(exchanger, address);
    }
    let mut world = World::new(zone, "");
    let (one, two) = (Gate::start("mx.one.example"), Gate::start("mx.two.example"));
    world.way(MX1, 25, one.address);
    world.way(MX2, 25, two.address);
    let admin = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    world.more(&format!("[admin]\naddress = [\"{admin}\"]"));
    let settings = "timeout = \"2m\"\nwithout = [\"ident\"]\noutgoing = [\"203.0.113.99\"]";
    world.doctor(&format!(
        "domains = [\"one.example\", \"two.example\"]\n{settings}"
    ));
    let server = process::Server::start(&mut world.command(&["run"]));
    let known = |what: &str, is_so: &dyn Fn() -> bool| {
        let known = wait::until_within(ROUND, || is_so().then_some(()));
        assert!(known.is_some(), "not {what}:\n{}", server.output());
    };
    let reload = |times: usize| {
        server.signal("HUP");
        let taken = "the configuration is taken up";
        known(taken, &|| server.output().matches(taken).count() == times);
    };
    known("called", &|| one.came() == 1);
    reload(1);
    one.open();
    known("at the second", &|| two.came() == 1);
    assert_eq!(examined(&world), [("one.example".to_owned(), true)]);
    reload(2);
    reload(3);
    two.open();
    known("at the end", &|| examined(&world).len() == 2);
    assert_eq!((one.came(), two.came()), (1, 1), "{}", server.output());

    // What is no longer looked at is not told of; the machine is looked at with who is left.
    world.doctor(&format!("domains = [\"two.example\"]\n{settings}"));
    world.save();
    reload(4);
    let metrics = get(admin, "/metrics").unwrap();
    assert!(!metrics.contains("domain=\"one.example\""), "{metrics}");
    known("with this machine", &|| {
        examined(&world) == [("two.example".to_owned(), true)]
    });
    assert_eq!((one.came(), two.came()), (1, 2), "{}", server.output());
}

#[test]
fn a_probe_that_is_none_is_named_by_check_config() {
    let mut healthy = Healthy::start();
    healthy.world.doctor("without = [\"mtasts\"]");
    let checked = healthy.world.run(&["check-config"]);
    assert_eq!(checked.code, Some(1), "{}", checked.transcript);
    assert!(
        checked.transcript.contains("\"mtasts\" is no probe"),
        "{}",
        checked.transcript
    );
}
