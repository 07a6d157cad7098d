//! A real Exim as a mail exchanger that the internet speaks to: primary, backup, or one that is set up badly.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use crate::certificates::Pair;
use crate::support::exim::{Directory, directory};
use crate::support::{process, wait};

/// What an exchanger is to be.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// Its name.
    pub(crate) name: &'static str,
    /// The domain it is for.
    pub(crate) domain: &'static str,
    /// What it does with mail for the domain.
    pub(crate) role: Role,
    /// Its certificate.
    pub(crate) pair: Option<Pair>,
    /// More main options.
    pub(crate) options: &'static str,
    /// The conditions at RCPT that come first.
    pub(crate) acl: &'static str,
}

/// What an exchanger does with mail for its domain.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Delivers it into a Maildir.
    Primary,
    /// Hands it on to the primary.
    Backup(SocketAddr),
    /// Takes it and lets it fall.
    Loses,
    /// Is for other domains.
    Stranger,
}

/// A running exchanger.
#[derive(Debug)]
pub(crate) struct Exchanger {
    server: process::Server,
    directory: Directory,
    pub(crate) address: SocketAddr,
}

impl Exchanger {
    /// Starts it and waits until it answers.
    pub(crate) fn start(setup: &Setup) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), setup)
    }

    /// The same on another address of loopback.
    pub(crate) fn start_at(here: IpAddr, setup: &Setup) -> Self {
        for _ in 0..5 {
            let directory = directory();
            let address = SocketAddr::new(here, process::free_tcp_port());
            let file = directory.path().join("exim.conf");
            fs::write(&file, setup.text(&directory, address)).unwrap();
            let mut command = Command::new("/usr/sbin/exim4");
            command.arg("-C").arg(&file).arg("-bdf");
            let mut exchanger = Self {
                server: process::Server::start(&mut command),
                directory,
                address,
            };
            if exchanger.answers() {
                return exchanger;
            }
        }
        panic!("Exim does not start; is exim4-daemon-heavy installed?");
    }

    /// Where it delivers to.
    pub(crate) fn maildir(&self) -> PathBuf {
        self.directory.path().join("mail")
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.directory.path().join("log/mainlog"));
        let panic = fs::read_to_string(self.directory.path().join("log/paniclog"));
        log.unwrap_or_default() + &panic.unwrap_or_default() + &self.server.output()
    }

    fn answers(&mut self) -> bool {
        let ready = wait::until(|| {
            if self.server.ended().is_some() {
                return Some(false);
            }
            let log = self.log();
            let up = log.contains("listening for SMTP") && TcpStream::connect(self.address).is_ok();
            up.then_some(true)
        });
        ready.unwrap_or(false)
    }
}

impl Setup {
    fn text(&self, directory: &Directory, address: SocketAddr) -> String {
        let Self {
            name,
            domain,
            role,
            pair,
            options,
            acl,
        } = self;
        let directory = directory.path().display();
        let tls = match pair {
            None => "tls_advertise_hosts =".to_owned(),
            Some(pair) => format!(
                "tls_advertise_hosts = *\ntls_certificate = {}\ntls_privatekey = {}",
                pair.chain.display(),
                pair.key.display()
            ),
        };
        let domains = match role {
            Role::Stranger => "elsewhere.example",
            _ => domain,
        };
        let (router, port_of_primary) = match role {
            Role::Primary | Role::Stranger => {
                ("driver = accept\n  transport = store".to_owned(), 25)
            }
            Role::Loses => ("driver = redirect\n  data = :blackhole:".to_owned(), 25),
            Role::Backup(primary) => {
                let router = format!(
                    "driver = manualroute\n  route_list = {domain} {}\n  transport = on\n  self = send",
                    primary.ip()
                );
                (router, primary.port())
            }
        };
        format!(
            r#"
keep_environment =
spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
pid_file_path = {directory}/exim.pid
local_interfaces = <; [{ip}]:{port}
primary_hostname = {name}
qualify_domain = {domain}
domainlist taken_domains = {domains}
{tls}
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept
message_size_limit = 50M
deliver_drop_privilege = true
host_lookup =
dns_retrans = 1s
dns_retry = 1
rfc1413_query_timeout = 0s
smtp_accept_max_nonmail = 50
log_selector = +smtp_connection +smtp_protocol_error
{options}

begin acl

check_rcpt:
{acl}
  require message = relay not permitted
          domains = +taken_domains
  accept

begin routers

everyone:
  domains = +taken_domains
  {router}

begin transports

store:
  driver = appendfile
  directory = {directory}/mail
  maildir_format
  envelope_to_add
  {user}

on:
  driver = smtp
  port = {port_of_primary}
  allow_localhost
  hosts_try_fastopen =
"#,
            ip = address.ip(),
            port = address.port(),
            user = match fs::metadata("/proc/self").is_ok_and(|about| {
                use std::os::unix::fs::MetadataExt;
                about.uid() == 0
            }) {
                true => "user = Debian-exim",
                false => "",
            },
        )
    }
}
