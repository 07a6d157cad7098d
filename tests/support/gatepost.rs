//! The built binary, `gatepost run` with a configuration of the test's own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{process, wait};

/// The name it gives itself.
pub(crate) const HOSTNAME: &str = "mx.example.com";

/// Listeners tell themselves apart by their loopback address, because each takes any free port.
const PROXIED: &str = "127.0.0.1";
const PROXIED_TLS: &str = "127.0.0.3";
const DIRECT: &str = "127.0.0.4";
const DIRECT_TLS: &str = "127.0.0.5";

/// What a test may want otherwise than the rest.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The backend's servers.
    pub(crate) backend: Vec<SocketAddr>,
    /// Name servers; one that does not answer is a fine setting.
    pub(crate) resolver: SocketAddr,
    /// `client_address` of the backend.
    pub(crate) client_address: &'static str,
    /// `source_address` of the backend.
    pub(crate) source_address: &'static str,
    /// More of the backend's settings.
    pub(crate) backend_settings: String,
    /// More of `[policy.default]`.
    pub(crate) policy: String,
    /// The checks' settings, as TOML under `policy.default`.
    pub(crate) checks: String,
    /// `[tls]` and `[limits]`, as TOML.
    pub(crate) more: String,
}

impl Setup {
    /// A sensible configuration, without DNSBL zones.
    pub(crate) fn new(backend: SocketAddr, resolver: SocketAddr) -> Self {
        Self {
            backend: vec![backend],
            resolver,
            client_address: "proxy-v2",
            source_address: "127.0.0.2",
            backend_settings: String::new(),
            policy: String::new(),
            checks: String::new(),
            more: String::new(),
        }
    }

    /// With DNSBL zones: name, answer filter and points of each.
    pub(crate) fn zones(mut self, zones: &[(&str, &str, i32)]) -> Self {
        let table = |(zone, answers, points): &(&str, &str, i32)| {
            format!("  {{ zone = \"{zone}\", answers = \"{answers}\", points = {points} }},\n")
        };
        let zones: String = zones.iter().map(table).collect();
        self.checks = format!("[policy.default.checks.dnsbl]\nzones = [\n{zones}]\n");
        self
    }

    fn write(&self, state: &Path) -> String {
        let Self {
            backend,
            resolver,
            client_address,
            source_address,
            backend_settings,
            policy,
            checks,
            more,
        } = self;
        let state = state.display();
        let backend: Vec<String> = backend.iter().map(ToString::to_string).collect();
        // Few tests have a DNS that knows their clients' names. One that has writes a table of `rdns`.
        let names = match checks.contains("checks.rdns]") {
            true => String::new(),
            false => ["rhsbl", "rdns", "helo", "sender_domain"]
                .map(|check| format!("checks.{check}.enabled = false"))
                .join("\n"),
        };
        format!(
            r#"
hostname = "{HOSTNAME}"
user = "root"

[listen.proxied]
address = ["{PROXIED}:0"]
tls = "starttls"
role = "mx"
policy = "default"
backend = "exim"
proxy_protocol_from = ["127.0.0.0/8"]

[listen.proxied_tls]
address = ["{PROXIED_TLS}:0"]
tls = "implicit"
role = "mx"
policy = "default"
backend = "exim"
proxy_protocol_from = ["127.0.0.0/8"]

[listen.direct]
address = ["{DIRECT}:0"]
tls = "starttls"
role = "mx"
policy = "default"
backend = "exim"

[listen.direct_tls]
address = ["{DIRECT_TLS}:0"]
tls = "implicit"
role = "mx"
policy = "default"
backend = "exim"

[backend.exim]
address = {backend:?}
client_address = "{client_address}"
source_address = "{source_address}"
{backend_settings}

[resolver]
servers = ["{resolver}"]
timeout = "1s"

[policy.default]
greet_wait = "100ms"
{policy}
{names}

{checks}

{more}

[store]
directory = "{state}/store"

[journal]
directory = "{state}/journal"

[log]
format = "text"
level = "info"
"#
        )
    }
}

/// A running gatepost.
#[derive(Debug)]
pub(crate) struct Gatepost {
    server: process::Server,
    listening: Vec<SocketAddr>,
    state: TempDir,
}

impl Gatepost {
    /// Starts it and waits until all listeners are open.
    pub(crate) fn start(setup: &Setup) -> Self {
        let state = TempDir::with_prefix("gatepost-").expect("the temporary directory works");
        let (server, listening) = run(setup, state.path());
        Self {
            server,
            listening,
            state,
        }
    }

    /// How it ends that does not start, and what it says.
    pub(crate) fn refusal(setup: &Setup) -> process::Finished {
        let state = TempDir::with_prefix("gatepost-").expect("the temporary directory works");
        process::run(&mut command(setup, state.path()), &[])
    }

    /// Ends it as systemd would, and starts it again with what it has kept.
    pub(crate) fn restart(&mut self, setup: &Setup) {
        self.server.terminate();
        (self.server, self.listening) = run(setup, self.state.path());
    }

    /// Its process id.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn process(&self) -> u32 {
        self.server.id()
    }

    /// Every record that it has written.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn records(&self) -> Vec<serde_json::Value> {
        let journal = self.journal();
        let lines = journal.lines();
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// Sends it SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.server.signal("HUP");
    }

    /// Writes another configuration in place of the one it has, and sends it SIGHUP.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn reconfigure(&self, setup: &Setup) {
        let state = self.state.path();
        fs::write(state.join("gatepost.toml"), setup.write(state)).expect("the directory is ours");
        self.hang_up();
    }

    /// What `gatepost status --json` says of it.
    pub(crate) fn status(&self) -> serde_json::Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command.args(["status", "--json", "--config"]);
        command.arg(self.state.path().join("gatepost.toml"));
        let output = command.output().expect("it is there");
        serde_json::from_slice(&output.stdout).expect("it answers")
    }

    /// What `gatepost check-config` says of its configuration.
    pub(crate) fn check_config(&self, options: &[&str]) -> process::Finished {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        command.arg("check-config").args(options).arg("--config");
        process::run(command.arg(self.state.path().join("gatepost.toml")), &[])
    }

    /// STARTTLS; takes the client's address from a PROXY header.
    pub(crate) fn proxied(&self) -> SocketAddr {
        self.listener(PROXIED)
    }

    /// Implicit TLS; takes the client's address from a PROXY header.
    pub(crate) fn proxied_tls(&self) -> SocketAddr {
        self.listener(PROXIED_TLS)
    }

    /// STARTTLS; the client is who connects.
    pub(crate) fn direct(&self) -> SocketAddr {
        self.listener(DIRECT)
    }

    /// Implicit TLS; the client is who connects.
    pub(crate) fn direct_tls(&self) -> SocketAddr {
        self.listener(DIRECT_TLS)
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        self.server.output()
    }

    /// Waits until a line of its log contains all of `parts`, and returns it.
    pub(crate) fn logged(&self, parts: &[&str]) -> String {
        let find = || {
            let log = self.log();
            let line = log
                .lines()
                .find(|line| parts.iter().all(|part| line.contains(part)));
            line.map(str::to_owned)
        };
        wait::until(find).unwrap_or_else(|| panic!("no line with {parts:?}:\n{}", self.log()))
    }

    /// Waits until the journal holds a record that contains all of `parts`, and returns it.
    pub(crate) fn recorded(&self, parts: &[&str]) -> serde_json::Value {
        let find = || {
            let journal = self.journal();
            let line = journal
                .lines()
                .find(|line| parts.iter().all(|part| line.contains(part)))?;
            serde_json::from_str(line).ok()
        };
        wait::until(find).unwrap_or_else(|| panic!("no record with {parts:?}:\n{}", self.journal()))
    }

    pub(crate) fn journal(&self) -> String {
        let Ok(files) = fs::read_dir(self.state.path().join("journal")) else {
            return String::new();
        };
        files
            .filter_map(|file| fs::read_to_string(file.ok()?.path()).ok())
            .collect()
    }

    /// A listener of the test's own, by its loopback address.
    pub(crate) fn listener(&self, address: &str) -> SocketAddr {
        let is_it = |listener: &&SocketAddr| listener.ip().to_string() == address;
        *self
            .listening
            .iter()
            .find(is_it)
            .expect("all listeners are open")
    }
}

/// The addresses in the lines that say `listening`, as in `listening address=127.0.0.1:2525`.
fn listening(log: &str) -> Vec<SocketAddr> {
    let plain = without_colours(log);
    // The last line may not be written to its end yet.
    let whole = plain.rfind('\n').map_or("", |end| &plain[..end]);
    let lines = whole.lines().filter(|line| line.contains("listening"));
    let address = |line: &str| {
        let value = line.split_once("address=")?.1.split_whitespace().next()?;
        value.trim_matches('"').parse().ok()
    };
    lines.filter_map(address).collect()
}

/// Without the escape sequences of ECMA-48 that colour a terminal.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |out, part| {
        out + part.split_once('m').map_or("", |(_, rest)| rest)
    })
}

/// `gatepost run` with its files in `state`.
fn command(setup: &Setup, state: &Path) -> Command {
    let config = state.join("gatepost.toml");
    fs::write(&config, setup.write(state)).expect("the directory is ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command
        .arg("run")
        .arg("--config")
        .arg(&config)
        .current_dir(state);
    command
}

/// Starts it, and waits until it listens.
fn run(setup: &Setup, state: &Path) -> (process::Server, Vec<SocketAddr>) {
    let mut server = process::Server::start(&mut command(setup, state));
    let listeners = 4 + setup.more.matches("[listen.").count();
    let open = wait::until(|| {
        let open = listening(&server.output());
        (open.len() == listeners || server.ended().is_some()).then_some(open)
    });
    let open = open.unwrap_or_default();
    let log = server.output();
    assert_eq!(open.len(), listeners, "gatepost does not start:\n{log}");
    (server, open)
}
