//! A folder with a configuration in it, and servers for it to speak to.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use gatepost::app::tasks::Tasks;
use gatepost::cli::demo::backend::MailStore;
use gatepost::cli::demo::dns;
use gatepost::facts::RecordData;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::process::{self, Finished};

/// The zone of the block list.
pub(crate) const ZONE: &str = "bl.test";
/// A client in it.
pub(crate) const LISTED: &str = "203.0.113.66";
/// Nobody listens there: the port of a service that is long dead (RFC 863).
pub(crate) const NOBODY: &str = "127.0.0.1:9";

/// A folder with a configuration; it goes with the handle.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
    text: String,
}

impl World {
    /// A good configuration whose resolver and backend are not there.
    pub(crate) fn new() -> Self {
        let folder = TempDir::with_prefix("gatepost-cli-").unwrap();
        let place = folder.path().display();
        let text = format!(
            r#"hostname = "mx.example.com"
user = "root"
[listen.mx]
address = "127.0.0.1:0"
backend = "store"

[backend.store]
address = "{NOBODY}"
source_address = "127.0.0.2"

[resolver]
servers = ["{NOBODY}"]
timeout = "1s"

[policy.default]
greet_wait = "100ms"
checks.rhsbl.enabled = false
checks.rdns.enabled = false
checks.helo.enabled = false
checks.sender_domain.enabled = false

[policy.default.checks.dnsbl]
zones = [{{ zone = "{ZONE}", answers = "127.0.0.[2..11]", points = 5 }}]

[store]
directory = "{place}/state"

[journal]
directory = "{place}/journal"
"#
        );
        Self { folder, text }
    }

    /// The same with something else in one place.
    pub(crate) fn with(mut self, old: &str, new: &str) -> Self {
        self.change(old, new);
        self
    }

    /// Says something else in one place.
    pub(crate) fn change(&mut self, old: &str, new: &str) {
        assert_eq!(self.text.matches(old).count(), 1, "{old} in\n{}", self.text);
        self.text = self.text.replace(old, new);
    }

    /// The same with more behind it.
    pub(crate) fn and(mut self, more: &str) -> Self {
        self.text.push('\n');
        self.text.push_str(more);
        self
    }

    /// The same with a resolver.
    pub(crate) fn resolver(self, address: SocketAddr) -> Self {
        self.with(
            &format!("servers = [\"{NOBODY}\"]"),
            &format!("servers = [\"{address}\"]"),
        )
    }

    /// The same with a backend.
    pub(crate) fn backend(self, address: SocketAddr) -> Self {
        self.with(
            &format!("[backend.store]\naddress = \"{NOBODY}\""),
            &format!("[backend.store]\naddress = \"{address}\""),
        )
    }

    /// The same with a listener that stands behind front proxies of this network.
    pub(crate) fn behind(self, network: &str) -> Self {
        let backend = "backend = \"store\"\n";
        self.with(
            backend,
            &format!("{backend}proxy_protocol_from = [\"{network}\"]\n"),
        )
    }

    /// A file or folder in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `gatepost COMMAND --config FILE`, in the folder.
    pub(crate) fn command(&self, command: &[&str]) -> Command {
        self.save();
        let mut gatepost = gatepost(self.folder.path());
        gatepost.args(command).args(["--config", "g.toml"]);
        gatepost
    }

    /// Writes the configuration.
    pub(crate) fn save(&self) {
        fs::write(self.path("g.toml"), &self.text).unwrap();
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, command: &[&str]) -> Finished {
        process::run(&mut self.command(command), &[])
    }
}

/// The binary, without a configuration, in `folder`.
pub(crate) fn gatepost(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.current_dir(folder).env_remove("GATEPOST_CONFIG");
    command
}

/// A small DNS server with a block list that lists [`LISTED`], and a sender, `sender.test`, with SPF records.
#[derive(Debug)]
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

impl Dns {
    pub(crate) fn start() -> Self {
        let mut zone = dns::Zone::new();
        for reversed in ["66.113.0.203", "2.0.0.127"] {
            let name = format!("{reversed}.{ZONE}");
            let listed = RecordData::A(Ipv4Addr::new(127, 0, 0, 2));
            zone.add(&name, 300, &listed).unwrap();
            zone.add(&name, 300, &RecordData::Txt("sends spam".into()))
                .unwrap();
        }
        for (name, record) in [
            ("sender.test", "v=spf1 include:_spf.sender.test -all"),
            ("_spf.sender.test", "v=spf1 ip4:192.0.2.0/24 -all"),
        ] {
            zone.add(name, 300, &RecordData::Txt(record.into()))
                .unwrap();
        }
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(dns::Server::bind_loopback(zone)).unwrap();
        let address = server.control().address();
        runtime.spawn(server.serve());
        Self {
            address,
            _runtime: runtime,
        }
    }
}

/// A mail store for `example.com`.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

impl Store {
    pub(crate) fn start(world: &World, address: SocketAddr) -> Self {
        Self::start_for("example.com", world, address)
    }

    /// The same for another domain.
    pub(crate) fn start_for(domain: &str, world: &World, address: SocketAddr) -> Self {
        let store = MailStore::new(domain, &world.path("Maildir")).unwrap();
        let runtime = Runtime::new().unwrap();
        let socket = runtime
            .block_on(tokio::net::TcpListener::bind(address))
            .unwrap();
        let address = socket.local_addr().unwrap();
        runtime.spawn(store.serve(socket, Tasks::default()));
        Self {
            address,
            _runtime: runtime,
        }
    }
}
