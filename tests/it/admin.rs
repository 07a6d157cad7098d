//! Metrics, health and state over HTTP: counted by real sessions, read by Prometheus's own tool, closed to strangers.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use crate::support::client::Client;
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::rbldnsd::{self, Rbldnsd};
use crate::support::{process, wait};

const MESSAGE: &[u8] = b"Subject: test\r\n\r\nHello.\r\n";

pub(crate) struct World {
    pub(crate) gatepost: Gatepost,
    pub(crate) address: SocketAddr,
    _exim: Exim,
    _rbldnsd: Rbldnsd,
}

impl World {
    pub(crate) fn start(more: &str) -> Self {
        let (exim, rbldnsd) = (Exim::start(), Rbldnsd::start());
        let mut setup = Setup::new(exim.address(), rbldnsd.address()).zones(&[(
            rbldnsd::ZONE,
            "127.0.0.[2..11]",
            5,
        )]);
        let address = SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
        setup
            .checks
            .push_str(&format!("[admin]\naddress = [\"{address}\"]\n{more}\n"));
        let gatepost = Gatepost::start(&setup);
        Self {
            gatepost,
            address,
            _exim: exim,
            _rbldnsd: rbldnsd,
        }
    }

    /// The answer to a request with these lines behind the first, head and body.
    pub(crate) fn ask(&self, request: &str, headers: &str) -> String {
        ask(self.address, request, headers)
    }

    pub(crate) fn get(&self, path: &str) -> String {
        get(self.address, path)
    }

    /// The metrics, once a line of them is there.
    fn metrics_with(&self, line: &str) -> String {
        let told = wait::until(|| {
            let text = self.get("/metrics");
            text.lines().any(|told| told == line).then_some(text)
        });
        told.unwrap_or_else(|| panic!("no {line} in\n{}", self.get("/metrics")))
    }
}

fn ask(address: SocketAddr, request: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{request} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// What is at `path`.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    let answer = ask(address, &format!("GET {path}"), "Host: localhost\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    body.to_owned()
}

#[test]
fn sessions_are_counted_once_and_by_what_became_of_them() {
    let world = World::start("");
    let mut client = Client::greeted(world.gatepost.proxied(), "192.0.2.77");
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    client.command("QUIT").expect(221);
    let mut client = Client::greeted(world.gatepost.proxied(), rbldnsd::LISTED);
    client.command("MAIL FROM:<a@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(550);
    client
        .command("RCPT TO:<postmaster@example.com>")
        .expect(250);
    client.command("QUIT").expect(221);

    let text = world.metrics_with("gatepost_sessions_total{listener=\"proxied\",ended=\"quit\"} 2");
    for line in [
        "gatepost_sessions_open{listener=\"proxied\"} 0",
        "gatepost_verdicts_total{listener=\"proxied\",verdict=\"clear\"} 1",
        "gatepost_verdicts_total{listener=\"proxied\",verdict=\"deny\"} 1",
        "gatepost_findings_total{check=\"dnsbl\",outcome=\"fail\",reason=\"listed\"} 1",
        "gatepost_recipients_total{listener=\"proxied\",outcome=\"taken\"} 2",
        "gatepost_recipients_total{listener=\"proxied\",outcome=\"deny\"} 1",
        "gatepost_messages_total{listener=\"proxied\",outcome=\"delivered\"} 1",
        "gatepost_backend_up{backend=\"exim\"} 1",
        "gatepost_zone_up{zone=\"bl.test\"} 1",
    ] {
        let line = line.replace("bl.test", rbldnsd::ZONE);
        assert!(
            text.lines().any(|told| told == line),
            "no {line} in\n{text}"
        );
    }
    assert!(!text.contains(rbldnsd::LISTED), "no address in\n{text}");

    let status: serde_json::Value = serde_json::from_str(&world.get("/api/status")).unwrap();
    assert_eq!(status["sessions"]["ended"], 2);
    assert_eq!(world.get("/healthz"), "ok\n");
    assert_eq!(world.get("/readyz"), "ready\n");
}

/// The names of metrics in some text, each at the beginning of a line or between back quotes.
pub(crate) fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let words = words.filter(|word| word.starts_with("gatepost_"));
    words.map(str::to_owned).collect()
}

#[test]
fn promtool_likes_them_and_the_documentation_lists_them_all() {
    let world = World::start("");
    let mut client = Client::greeted(world.gatepost.proxied(), "192.0.2.77");
    client.command("QUIT").expect(221);
    let text = world.metrics_with("gatepost_sessions_total{listener=\"proxied\",ended=\"quit\"} 1");

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let said = promtool.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
    assert!(said.status.success(), "{words}\n{text}");

    let help = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    let told: BTreeSet<String> = help
        .filter_map(|line| names(line).into_iter().next())
        .collect();
    let listed = names(include_str!("../../docs/metrics.md"));
    let missing: Vec<_> = told.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "docs/metrics.md does not know {missing:?}"
    );
    // Those that need an event which has not happened here are known to be built by their unit tests.
    let rare = [
        "gatepost_turned_away_total",
        "gatepost_messages_total",
        "gatepost_recipients_total",
        "gatepost_tls_sessions_total",
        "gatepost_logins_total",
        "gatepost_doctor_outcome",
        "gatepost_doctor_timestamp_seconds",
    ];
    let unknown: Vec<_> = listed
        .difference(&told)
        .filter(|name| !rare.contains(&name.as_str()))
        .collect();
    assert!(unknown.is_empty(), "nobody counts {unknown:?}");

    let open = world.ask(
        "GET /metrics",
        "Host: 127.0.0.1\r\nAccept: application/openmetrics-text\r\n",
    );
    assert!(open.ends_with("# EOF\n"), "{open}");
}

#[test]
fn strangers_read_nothing_and_nobody_changes_anything() {
    let world = World::start("token = \"0123456789abcdef\"");
    let says = |request: &str, headers: &str| {
        let answer = world.ask(request, headers);
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    };
    let bearer = "Host: 127.0.0.1:8025\r\nAuthorization: Bearer 0123456789abcdef\r\n";
    assert_eq!(says("GET /metrics", bearer), "200");
    // user:0123456789abcdef
    let basic = "Host: [::1]\r\nAuthorization: Basic dXNlcjowMTIzNDU2Nzg5YWJjZGVm\r\n";
    assert_eq!(says("GET /api/status", basic), "200");
    assert_eq!(says("GET /healthz", "Host: x\r\n"), "200");
    for (request, headers, code) in [
        ("GET /metrics", "Host: localhost\r\n", "401"),
        (
            "GET /metrics",
            "Host: localhost\r\nAuthorization: Bearer 0123456789abcdeX\r\n",
            "401",
        ),
        (
            "GET /metrics",
            "Host: localhost\r\nAuthorization: Basic !!!\r\n",
            "401",
        ),
        (
            "GET /metrics",
            "Host: rebound.example\r\nAuthorization: Bearer 0123456789abcdef\r\n",
            "403",
        ),
        ("POST /api/status", bearer, "405"),
        ("GET /elsewhere", bearer, "404"),
    ] {
        assert_eq!(says(request, headers), code, "{request} {headers}");
    }
}
