//! An Exim as others have it: its own configuration, one list in its ACL, no gatepost in sight. It takes mail for the
//! traffic's domain, for everybody but those with a hyphen in their names, whom the traffic makes up, and delivers none of it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::chown;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{process, wait};

/// A running Exim.
pub(crate) struct Exim {
    _server: process::Server,
    directory: TempDir,
    pub(crate) address: SocketAddr,
}

impl Exim {
    /// Starts it. `proxies` are the addresses that send PROXY headers, `dns` the address whose port 53 it asks, if it is
    /// to ask a list.
    pub(crate) fn start(proxies: &str, dns: Option<Ipv4Addr>) -> Self {
        Self::start_for("bench.example", proxies, dns)
    }

    /// The same for another domain.
    pub(crate) fn start_for(domain: &str, proxies: &str, dns: Option<Ipv4Addr>) -> Self {
        let directory = TempDir::with_prefix("gatepost-exim-").unwrap();
        let at = |name: &str| directory.path().join(name);
        let own = nix_user();
        for folder in ["spool", "log"] {
            fs::create_dir(at(folder)).unwrap();
            chown(
                at(folder),
                own.map(|(user, _)| user),
                own.map(|(_, group)| group),
            )
            .unwrap();
        }
        fs::set_permissions(
            directory.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let port = process::free_tcp_port();
        fs::write(
            at("exim.conf"),
            configuration(&directory, domain, port, proxies, dns.is_some()),
        )
        .unwrap();
        let nameserver = dns.unwrap_or(Ipv4Addr::LOCALHOST);
        fs::write(
            at("resolv.conf"),
            format!("nameserver {nameserver}\noptions timeout:1 attempts:1\n"),
        )
        .unwrap();
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c"]);
        command.arg("mount --bind \"$1\" /etc/resolv.conf && exec /usr/sbin/exim4 -C \"$2\" -bdf");
        command
            .arg("sh")
            .arg(at("resolv.conf"))
            .arg(at("exim.conf"));
        let server = process::Server::start(&mut command);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        wait::until(|| TcpStream::connect(address).ok())
            .unwrap_or_else(|| panic!("Exim does not start: {}", server.output()));
        Self {
            _server: server,
            directory,
            address,
        }
    }

    /// Its main log so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log/mainlog")).unwrap_or_default()
    }

    /// Messages that it has taken.
    pub(crate) fn taken(&self) -> u64 {
        self.log()
            .lines()
            .filter(|line| line.contains(" <= "))
            .count() as u64
    }
}

fn nix_user() -> Option<(u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let line = passwd
        .lines()
        .find(|line| line.starts_with("Debian-exim:"))?;
    let fields: Vec<&str> = line.split(':').collect();
    Some((fields[2].parse().unwrap(), fields[3].parse().unwrap()))
}

fn configuration(
    directory: &TempDir,
    domain: &str,
    port: u16,
    proxies: &str,
    asks: bool,
) -> String {
    let directory = directory.path().display();
    let list = match asks {
        true => "  deny dnslists = zen.spamhaus.org\n       message = listed\n",
        false => "",
    };
    format!(
        r#"keep_environment =
spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
pid_file_path = {directory}/exim.pid
local_interfaces = 127.0.0.1.{port}
primary_hostname = mail.bench.example
domainlist local_domains = {domain}
hosts_proxy = {proxies}
tls_advertise_hosts =
host_lookup =
helo_allow_chars = _
rfc1413_query_timeout = 0s
dns_retrans = 1s
dns_retry = 1
smtp_accept_max = 500
queue_only
log_selector = +proxy +smtp_connection +incoming_port
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept

begin acl

check_rcpt:
  require domains = +local_domains
  deny condition = ${{if match{{$local_part}}{{-}}}}
       message = no such user
  accept local_parts = postmaster : abuse
{list}  accept

begin routers

nowhere:
  driver = accept
  transport = nowhere

begin transports

nowhere:
  driver = appendfile
  file = /dev/null
"#
    )
}
