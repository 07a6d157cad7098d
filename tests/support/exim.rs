//! A real Exim as the backend, with the recipe of `config/exim4/` in its configuration.
//!
//! It takes mail for example.com and example.org into one Maildir, refuses nobody@ with 550, lets loopback relay as
//! Debian always does, and refuses to relay for everybody else. It writes lines with CRLF, so that a message can
//! be compared octet by octet. It runs as root gives it away (Debian-exim) or, without root, as the caller.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::{process, wait};

/// The first address gatepost's connections come from, in the recipe.
pub(crate) const SOURCE: &str = "127.0.0.2";

/// The longest a queue may take to be delivered.
#[allow(dead_code, reason = "for the soak")]
const QUEUE: Duration = Duration::from_secs(600);

/// A running Exim.
#[derive(Debug)]
pub(crate) struct Exim {
    server: process::Server,
    directory: Directory,
    port: u16,
}

/// A message as it was delivered to one recipient.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    /// Whom it was delivered to.
    pub(crate) recipient: String,
    /// The whole stored file, lines ended by CRLF.
    pub(crate) octets: Vec<u8>,
}

impl Delivered {
    /// The octets behind the header section.
    pub(crate) fn body(&self) -> &[u8] {
        let end = self.octets.windows(4).position(|four| four == b"\r\n\r\n");
        end.map_or(&[], |end| &self.octets[end + 4..])
    }

    /// The header section and body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.octets).into_owned()
    }
}

impl Exim {
    /// Starts it and waits until it answers.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// The same with more main options; `DIRECTORY` and `GATEPOST_PORT` stand for its own.
    pub(crate) fn start_with(options: &str) -> Self {
        // Between choosing a port and taking it somebody else may take it: then another.
        for _ in 0..5 {
            let directory = directory();
            let port = process::free_tcp_port();
            let config = directory.path().join("exim.conf");
            let text = configuration(directory.path(), port, options);
            fs::write(&config, text).expect("the directory is ours");
            let mut command = Command::new("/usr/sbin/exim4");
            command.arg("-C").arg(&config).arg("-bdf");
            let mut exim = Self {
                server: process::Server::start(&mut command),
                directory,
                port,
            };
            if exim.answers() {
                return exim;
            }
        }
        panic!("Exim does not start; is exim4-daemon-heavy installed?");
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The file with its configuration.
    #[allow(dead_code, reason = "for the doctor")]
    pub(crate) fn configuration(&self) -> PathBuf {
        self.path("exim.conf")
    }

    /// Its main log so far.
    pub(crate) fn log(&self) -> String {
        read(&self.path("log/mainlog"))
    }

    /// Waits until a line of the main log contains all of `parts`, and returns it.
    pub(crate) fn logged(&self, parts: &[&str]) -> String {
        let find = || {
            let log = self.log();
            let line = log
                .lines()
                .find(|line| parts.iter().all(|part| line.contains(part)));
            line.map(str::to_owned)
        };
        wait::until(find).unwrap_or_else(|| {
            panic!(
                "Exim's log has no line with {parts:?}:\n{}\n{}",
                self.log(),
                self.panic_log()
            )
        })
    }

    /// How many messages it has accepted, whether or not they are delivered yet.
    pub(crate) fn accepted(&self) -> usize {
        self.log()
            .lines()
            .filter(|line| line.contains(" <= "))
            .count()
    }

    /// Waits until `count` messages are delivered, one for each recipient, and returns them by recipient.
    pub(crate) fn delivered(&self, count: usize) -> Vec<Delivered> {
        let enough = || Some(self.delivered_now()).filter(|all| all.len() >= count);
        let all = wait::until(enough).unwrap_or_else(|| {
            panic!(
                "Exim has not delivered {count} messages:\n{}\n{}",
                self.log(),
                self.panic_log()
            )
        });
        assert_eq!(all.len(), count, "more messages than expected: {all:#?}");
        all
    }

    /// What is delivered at this moment.
    pub(crate) fn delivered_now(&self) -> Vec<Delivered> {
        let Ok(entries) = fs::read_dir(self.path("mail/new")) else {
            return Vec::new();
        };
        let mut all: Vec<Delivered> = entries
            .filter_map(|entry| fs::read(entry.ok()?.path()).ok())
            .map(|octets| Delivered {
                recipient: recipient(&octets),
                octets,
            })
            .collect();
        all.sort_by(|a, b| a.recipient.cmp(&b.recipient));
        all
    }

    /// Ends it, as a machine that loses its mail server.
    pub(crate) fn stop(&mut self) {
        self.server.kill();
    }

    /// Ends it with all sessions under way, as a machine that loses its power.
    pub(crate) fn kill(&mut self) {
        process::end_all("exim4", self.directory.path());
        self.server.kill();
    }

    /// Starts it again where it was, after [`Exim::stop`] or [`Exim::kill`].
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn start_again(&mut self) {
        let mut command = Command::new("/usr/sbin/exim4");
        command.arg("-C").arg(self.path("exim.conf")).arg("-bdf");
        self.server = process::Server::start(&mut command);
        assert!(self.answers(), "{}", self.panic_log());
    }

    /// Delivers what it has accepted and not delivered yet.
    #[allow(dead_code, reason = "for the soak")]
    pub(crate) fn run_queue(&self) {
        let mut command = Command::new("/usr/sbin/exim4");
        command.arg("-C").arg(self.path("exim.conf")).arg("-qff");
        let finished = process::run_within(QUEUE, &mut command, &[]);
        assert_eq!(finished.code, Some(0), "{}", finished.transcript);
    }

    /// Makes it silent: connections are accepted, and nothing is said.
    pub(crate) fn freeze(&self) {
        process::freeze_all("exim4", self.directory.path());
    }

    fn answers(&mut self) -> bool {
        let ready = wait::until(|| {
            if self.server.ended().is_some() {
                return Some(false);
            }
            // "SMTPS" where TLS begins at once; ports of one address may stand together.
            let log = self.log();
            let port = self.port.to_string();
            let mut lines = log
                .lines()
                .filter(|line| line.contains("listening for SMTP"));
            let up = lines.any(|line| line.contains(&port))
                && TcpStream::connect(self.address()).is_ok();
            up.then_some(true)
        });
        ready.unwrap_or(false)
    }

    fn panic_log(&self) -> String {
        format!(
            "{}\n{}",
            read(&self.path("log/paniclog")),
            self.server.output()
        )
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A directory of Exim's. Before it goes, the processes that the daemon began have ended: they would make its spool and
/// its log anew.
#[derive(Debug)]
pub(crate) struct Directory(TempDir);

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        process::end_all("exim4", self.path());
    }
}

/// A directory that the user Exim runs as can write to.
pub(crate) fn directory() -> Directory {
    let directory = TempDir::with_prefix("gatepost-exim-").expect("the temporary directory works");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.path(), open).expect("the directory is ours");
    for name in ["spool", "log", "mail"] {
        let path = directory.path().join(name);
        fs::create_dir(&path).expect("the directory is ours");
        if let Some((user, group)) = exim_user() {
            chown(&path, Some(user), Some(group)).expect("root may give files away");
        }
    }
    Directory(directory)
}

/// The user Exim gives root up for; `None` when we are not root, and Exim runs as ourselves.
fn exim_user() -> Option<(u32, u32)> {
    if uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("every system has a list of users");
    let line = users
        .lines()
        .find(|line| line.starts_with("Debian-exim:"))?;
    let mut fields = line.split(':').skip(2);
    let user = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    Some((user, group))
}

fn uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").map_or(0, |metadata| metadata.uid())
}

fn read(path: &Path) -> String {
    match fs::read(path) {
        Ok(octets) => String::from_utf8_lossy(&octets).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Whom the transport says it delivered to.
fn recipient(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Envelope-to: "));
    line.unwrap_or("").to_owned()
}

fn configuration(directory: &Path, port: u16, options: &str) -> String {
    let user = if uid() == 0 { "user = Debian-exim" } else { "" };
    format!(
        r#"
keep_environment =
GATEPOST_PORT = {port}
DIRECTORY = {directory}
{options}
MAIN_LOG_SELECTOR = +smtp_connection +smtp_incomplete_transaction +smtp_protocol_error \
                    +smtp_syntax_error +proxy +received_recipients
.include {root}/config/exim4/gatepost.conf
log_selector = MAIN_LOG_SELECTOR

spool_directory = {directory}/spool
log_file_path = {directory}/log/%slog
pid_file_path = {directory}/exim.pid
.ifdef USERS
local_interfaces = 127.0.0.1.{port} : 127.0.0.1.GATEPOST_SUBMISSION_PORT
.else
local_interfaces = 127.0.0.1.{port}
.endif
primary_hostname = mail.example.com
qualify_domain = example.com
domainlist local_domains = example.com : example.org
hostlist relay_from_hosts = 127.0.0.1 : ::1
acl_smtp_rcpt = check_rcpt
.ifndef OWN_ACL_DATA
acl_smtp_data = accept
.endif
deliver_drop_privilege = true
message_size_limit = 20M
# Names are looked up whatever one sets, behind PROXY; without a network that shall be over soon.
host_lookup =
dns_retrans = 1s
dns_retry = 1
rfc1413_query_timeout = 0s

begin acl

check_rcpt:
  deny    domains     = +local_domains
          local_parts = nobody
          message     = no such user
.ifdef OPEN_RELAY
  accept
.endif
.ifdef SLOW_RCPT
  warn    condition   = ${{if !eq{{$sender_host_address}}{{192.0.2.1}}}}
          logwrite    = at rcpt
          delay       = 20s
.endif
  accept  hosts       = +relay_from_hosts
  accept  authenticated = *
  require message     = relay not permitted
          domains     = +local_domains
  accept

begin routers

.ifdef USERS
elsewhere:
  driver = accept
  domains = elsewhere.example
  transport = store
.endif

everyone:
  driver = accept
  domains = +local_domains
  transport = store

begin transports

store:
  driver = appendfile
  directory = {directory}/mail
  maildir_format
  use_crlf
  envelope_to_add
  return_path_add
  {user}

.ifdef USERS
begin authenticators

plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{ann}}}}{{eq{{$auth3}}{{USERS}}}}}}}}
  server_set_id = $auth2

login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if and{{{{eq{{$auth1}}{{ann}}}}{{eq{{$auth2}}{{USERS}}}}}}}}
  server_set_id = $auth1

cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{ann}}{{USERS}}fail}}
  server_set_id = $auth1
.endif
"#,
        root = env!("CARGO_MANIFEST_DIR"),
        directory = directory.display(),
    )
}
