//! A real DNSBL server, with zones of the test's own.
//!
//! The zones hold the test entries of RFC 5782 section 5 (127.0.0.2 listed, 127.0.0.1 not; for IPv6 ::FFFF:7F00:2
//! and ::FFFF:7F00:1), addresses of the documentation networks, and reasons as TXT.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{process, wait};

/// The zone of addresses.
pub(crate) const ZONE: &str = "bl.example.net";

/// A second zone of addresses, which answers 127.0.0.10: what some lists call a policy listing.
pub(crate) const POLICY_ZONE: &str = "policy.example.net";

/// Listed in [`ZONE`] as 127.0.0.2.
pub(crate) const LISTED: &str = "192.0.2.66";

/// Listed in [`ZONE`] as 127.0.0.2, with its whole network.
pub(crate) const LISTED_V6: &str = "2001:db8:bad::25";

/// Listed in [`POLICY_ZONE`] only.
pub(crate) const POLICY_LISTED: &str = "192.0.2.67";

/// Listed in [`ZONE`], but as 127.255.255.254: the list's way to say that it does not answer us.
pub(crate) const ERROR_CODE: &str = "192.0.2.68";

/// What TXT says about a listed address, before the address itself.
pub(crate) const REASON: &str = "Sent mail to a trap, see https://bl.example.net/";

/// Start of authority and name server of each zone: without them a negative answer has no time to live.
const AUTHORITY: &str =
    "$SOA 60 ns.example.net hostmaster.example.net 1 60 60 60 60\n$NS 60 ns.example.net\n$TTL 60\n";

/// A running rbldnsd.
#[derive(Debug)]
pub(crate) struct Rbldnsd {
    server: process::Server,
    port: u16,
    _directory: TempDir,
}

impl Rbldnsd {
    /// Starts it and waits until it answers.
    pub(crate) fn start() -> Self {
        // Between choosing a port and taking it somebody else may take it: then another.
        for _ in 0..5 {
            let directory = zones();
            let port = process::free_udp_port();
            let mut command = Command::new("/usr/sbin/rbldnsd");
            command
                .args(["-n", "-4", "-c", "0", "-l", "+-", "-b"])
                .arg(format!("127.0.0.1/{port}"))
                .arg("-w")
                .arg(directory.path())
                .arg(format!("{ZONE}:ip4set:bl4"))
                .arg(format!("{ZONE}:ip6trie:bl6"))
                .arg(format!("{POLICY_ZONE}:ip4set:policy"));
            let mut rbldnsd = Self {
                server: process::Server::start(&mut command),
                port,
                _directory: directory,
            };
            if rbldnsd.answers() {
                return rbldnsd;
            }
        }
        panic!("rbldnsd does not start; is it installed?");
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// How often it was asked for `name` with the type `kind` (`A`, `TXT`). A resolver may write the name in any
    /// mixture of upper and lower case, to make forging an answer harder.
    pub(crate) fn asked(&self, name: &str, kind: &str) -> usize {
        let question = format!(" {name} {kind} IN:").to_ascii_lowercase();
        let log = self.server.output().to_ascii_lowercase();
        log.lines().filter(|line| line.contains(&question)).count()
    }

    /// Ends it, as a list that goes away.
    pub(crate) fn stop(&mut self) {
        self.server.kill();
    }

    /// Makes it silent.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn freeze(&self) {
        self.server.signal("STOP");
    }

    /// Lets it go on.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn thaw(&self) {
        self.server.signal("CONT");
    }

    fn answers(&mut self) -> bool {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("not zero");
        let ready = wait::until(|| {
            if self.server.ended().is_some() {
                return Some(false);
            }
            let sent = socket.send_to(&test_query(), self.address());
            let mut answer = [0; 512];
            (sent.is_ok() && socket.recv(&mut answer).is_ok()).then_some(true)
        });
        ready.unwrap_or(false)
    }
}

/// The question for the address record of the test entry of [`ZONE`] (RFC 1035 section 4.1).
fn test_query() -> Vec<u8> {
    let mut query = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in format!("1.0.0.127.{ZONE}").split('.') {
        query.push(u8::try_from(label.len()).expect("labels are short"));
        query.extend_from_slice(label.as_bytes());
    }
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    query
}

/// Writes the zones into a directory that rbldnsd, which gives root up, can read.
fn zones() -> TempDir {
    let directory =
        TempDir::with_prefix("gatepost-rbldnsd-").expect("the temporary directory works");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), open).expect("the directory is ours");
    let write = |name: &str, entries: &str| {
        let path = directory.path().join(name);
        fs::write(path, format!("{AUTHORITY}{entries}")).expect("the directory is ours");
    };
    write(
        "bl4",
        &format!(
            ":127.0.0.2:{REASON}$\n127.0.0.2\n{LISTED}\n\
             {ERROR_CODE} :127.255.255.254:Query refused, see https://bl.example.net/limits\n"
        ),
    );
    write(
        "bl6",
        &format!(":127.0.0.2:{REASON}$\n::ffff:127.0.0.2\n2001:db8:bad::/48\n"),
    );
    write(
        "policy",
        &format!(":127.0.0.10:Not a mail server $\n127.0.0.2\n{POLICY_LISTED}\n"),
    );
    directory
}
