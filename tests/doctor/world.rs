//! The small internet, and a configuration that knows the ways in it.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use gatepost::cli::demo::dns::{Control, Server, Zone};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::certificates::Authority;
use crate::domains::LIST;
use crate::support::exim::Exim;
use crate::support::process::{self, Finished};

/// The longest that all probes of a domain may take here.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where things are.
pub(crate) struct World {
    folder: TempDir,
    runtime: Runtime,
    /// Who vouches for certificates.
    pub(crate) authority: Authority,
    /// The resolver, which is the first name server of each domain as well.
    pub(crate) dns: Control,
    reach: BTreeMap<String, SocketAddr>,
    /// Behind gatepost.
    backend: Exim,
    listener: String,
    server: Option<SocketAddr>,
    doctor: String,
    more: String,
}

impl World {
    /// A world with this zone, and with a backend with these options.
    pub(crate) fn new(zone: Zone, backend: &str) -> Self {
        let folder = TempDir::with_prefix("gatepost-doctor-").unwrap();
        // Exim reads certificates in it as its own user.
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let runtime = Runtime::new().unwrap();
        let dns = begin(&runtime, zone);
        Self {
            authority: Authority::new(folder.path()),
            folder,
            dns,
            runtime,
            reach: BTreeMap::new(),
            backend: Exim::start_with(backend),
            listener: "127.0.0.1:0".to_owned(),
            server: None,
            doctor: String::new(),
            more: String::new(),
        }
    }

    /// One more name server.
    pub(crate) fn name_server(&self, zone: Zone) -> SocketAddr {
        begin(&self.runtime, zone).address()
    }

    /// From now on connections to an address and port are made to another.
    pub(crate) fn way(&mut self, to: &str, port: u16, by: SocketAddr) {
        self.reach.insert(format!("{to}:{port}"), by);
    }

    /// gatepost listens here, before a mail server that is told of no client.
    pub(crate) fn stand_before(&mut self, server: SocketAddr, address: SocketAddr) {
        self.listener = address.to_string();
        self.server = Some(server);
    }

    /// What stands under [doctor] beside the ways.
    pub(crate) fn doctor(&mut self, text: &str) {
        text.clone_into(&mut self.doctor);
    }

    /// More of the configuration.
    pub(crate) fn more(&mut self, text: &str) {
        text.clone_into(&mut self.more);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `gatepost COMMAND --config FILE`.
    pub(crate) fn command(&self, command: &[&str]) -> Command {
        let file = self.save();
        let mut gatepost = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        gatepost.args(command).arg("--config").arg(file);
        gatepost.current_dir(self.folder.path());
        gatepost
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, command: &[&str]) -> Finished {
        process::run_within(PATIENCE, &mut self.command(command), &[])
    }

    /// What `gatepost doctor DOMAIN --json` finds, and its exit code.
    pub(crate) fn examine(&self, arguments: &[&str]) -> (Option<i32>, Vec<Told>) {
        let Finished { code, transcript } = self.run(&[&["doctor", "--json"], arguments].concat());
        let value: Value = serde_json::from_str(&transcript)
            .unwrap_or_else(|error| panic!("{error}: {transcript}"));
        (code, told(&value["domains"][0]))
    }

    /// Writes the configuration.
    pub(crate) fn save(&self) -> PathBuf {
        let Self {
            listener,
            server,
            doctor,
            more,
            backend,
            ..
        } = self;
        let (backend_address, announced) = match server {
            Some(server) => (*server, "none"),
            None => (backend.address(), "proxy-v2"),
        };
        let reach = self.reach.iter().map(|(to, by)| format!("\"{to}={by}\""));
        let reach: Vec<String> = reach.collect();
        let text = format!(
            r#"hostname = "probe.tester.example"
user = "root"
[listen.mx]
address = "{listener}"
backend = "exim"
[backend.exim]
address = "{backend_address}"
client_address = "{announced}"
source_address = "127.0.0.2"
[resolver]
servers = ["{dns}"]
timeout = "1s"
[policy.default.checks.dnsbl]
zones = [{{ zone = "{LIST}", answers = "127.0.0.[2..11]", points = 5 }}]
[doctor]
reach = [{reach}]
ca = "{ca}"
exim = ["/usr/sbin/exim4", "-C", "{exim}"]
{doctor}
[store]
directory = "{state}/state"
[journal]
directory = "{state}/journal"
{more}
"#,
            dns = self.dns.address(),
            reach = reach.join(", "),
            ca = self.authority.file().display(),
            exim = backend.configuration().display(),
            state = self.folder.path().display(),
        );
        let file = self.path("g.toml");
        write(&file, &text);
        file
    }
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
}

fn begin(runtime: &Runtime, zone: Zone) -> Control {
    let server = runtime.block_on(Server::bind_loopback(zone)).unwrap();
    let control = server.control();
    runtime.spawn(server.serve());
    control
}

/// A finding as it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    pub(crate) probe: String,
    pub(crate) outcome: String,
    pub(crate) about: String,
    pub(crate) seen: String,
}

/// Every finding of a report.
pub(crate) fn told(report: &Value) -> Vec<Told> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all = Vec::new();
    for probed in report["probes"].as_array().unwrap() {
        for finding in probed["findings"].as_array().unwrap() {
            all.push(Told {
                probe: text(&probed["probe"]),
                outcome: text(&finding["outcome"]),
                about: text(&finding["about"]),
                seen: text(&finding["seen"]),
            });
        }
    }
    all
}
