//! Postfix's postscreen before its own smtpd, as the server under test: Postfix as it is installed, or Debian's package of it,
//! unpacked into a folder and not installed (it can not be beside Exim).
//!
//! Configuration, queue, memory and log are the run's; the system's own are not touched. What Postfix can not be told by its
//! configuration it is shown in a mount namespace of its own (unshare(1)): an /etc/resolv.conf that names the run's DNS, and the
//! accounts that it asks for, where the system has none. A PID namespace ends all of it at once: postscreen leaves the
//! process group of its master.

mod account;
mod file;
mod pace;
mod program;

use std::collections::HashSet;
use std::fs::read_to_string;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::exim::clients;
use super::gate::{Asks, free_port};
use super::group::{Group, tail};
use crate::measure::trace::{Arrival, Trace};
use account::Account;
use file::Post;
pub(super) use pace::{FASTEST, Pace};
use program::Postfix;

/// How long it may take until it serves.
const START: Duration = Duration::from_secs(20);
/// How long the beginning of a greeting may take.
const TEASER: Duration = Duration::from_secs(2);
/// How long the last messages may take to be delivered.
const QUEUE: Duration = Duration::from_secs(120);
/// Where messages wait, in the queue directory.
const WAITING: [&str; 3] = ["incoming", "active", "deferred"];
/// What is shown to Postfix in the place of the system's own, then its master. Each is named by its place, so that no shell
/// reads it. The shell stays: it is the first process of the namespace, with which all others end.
const STAGE: &str = "mount --bind \"$1\" /etc/resolv.conf && mount --bind \"$2\" /etc/passwd && \
                     mount --bind \"$3\" /etc/group && shift 3 && \"$@\"; exit $?";

/// A running Postfix.
pub(super) struct Postscreen {
    pub(super) group: Group,
    pub(super) mail: SocketAddr,
    /// What was changed of Postfix's defaults so that its time goes as fast, one a line.
    pub(super) scaled: Vec<String>,
    directory: PathBuf,
}

impl Postscreen {
    /// Starts it with its files in `directory`, asking the DNS server at `dns` on port 53 for the lists of `asks`. `unpacked` is
    /// the folder of a package that is not installed.
    pub(super) async fn start(
        unpacked: Option<&Path>,
        pace: Pace,
        trace: &Trace,
        asks: &Asks,
        directory: &Path,
        dns: SocketAddr,
    ) -> anyhow::Result<Self> {
        let postfix = Postfix::find(unpacked)?;
        ensure!(
            dns.port() == 53,
            "Postfix asks this system's resolver, where the lists of the scenario are not: port 53 of no loopback \
             address was free"
        );
        let directory = directory.join("postfix");
        let (owner, group) = Account::both(&directory)?;
        let mail = free_port()?;
        let post = Post {
            postfix: &postfix,
            pace,
            domain: &trace.domain,
            host: &trace.host,
            asks,
            door: mail,
            directory: &directory,
            owner: &owner,
            group: &group,
        };
        post.write(trace)?;
        let resolv = directory.join("resolv.conf");
        let text = format!("nameserver {}\noptions timeout:1 attempts:1\n", dns.ip());
        std::fs::write(&resolv, text)?;
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .args(["--propagation", "private", "sh", "-c", STAGE, "sh"])
            .args(["resolv.conf", "passwd", "group"].map(|name| directory.join(name)))
            .arg(postfix.master())
            .arg("-c")
            .arg(directory.join("conf"))
            // It stays in the process group that it is started in.
            .arg("-d");
        if let Some(libraries) = &postfix.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let output = directory.join("output");
        let mut group = Group::start("postfix", &mut command, &output)?;
        let stands = async || greets(mail).await.is_some();
        let stood = group.wait(START, &output, stands).await;
        stood.with_context(|| {
            tail(&read_to_string(directory.join("maillog")).unwrap_or_default())
        })?;
        Ok(Self {
            group,
            mail,
            scaled: pace.scaled(),
            directory,
        })
    }

    fn connections(&self) -> Vec<String> {
        let log = read_to_string(self.directory.join("maillog")).unwrap_or_default();
        let begun = log
            .lines()
            .filter(|line| line.contains("/smtpd[") && line.contains("]: connect from "));
        begun.map(str::to_owned).collect()
    }

    /// Sessions that smtpd had.
    pub(super) fn sessions(&self) -> u64 {
        u64::try_from(self.connections().len()).unwrap_or(u64::MAX)
    }

    /// Everybody that smtpd had to do with, by address and port.
    pub(super) fn clients(&self) -> HashSet<SocketAddr> {
        self.connections()
            .iter()
            .flat_map(|line| clients(line).collect::<Vec<_>>())
            .collect()
    }

    /// Waits until all that it has taken is delivered; says whether all is.
    pub(super) async fn deliver_all(&self) -> bool {
        let deadline = Instant::now() + QUEUE;
        while Instant::now() < deadline {
            let waits = |name| has_file(&self.directory.join("queue").join(name));
            if !WAITING.into_iter().any(waits) {
                return true;
            }
            sleep(Duration::from_millis(200)).await;
        }
        false
    }

    /// What has arrived: a message for each recipient.
    pub(super) fn arrived(&self) -> anyhow::Result<Vec<Arrival>> {
        super::arrivals::read(&self.directory.join("mail/new"), "delivered-to:")
    }
}

/// Whether a greeting begins there, for a client that leaves then.
async fn greets(door: SocketAddr) -> Option<()> {
    let look = async {
        let mut stream = TcpStream::connect(door).await.ok()?;
        let header = format!("PROXY TCP4 127.0.0.1 127.0.0.1 1024 {}\r\n", door.port());
        stream.write_all(header.as_bytes()).await.ok()?;
        let mut code = [0; 4];
        stream.read_exact(&mut code).await.ok()?;
        (code == *b"220-").then_some(())
    };
    timeout(TEASER, look).await.ok()?
}

/// Whether there is a file in a folder of the queue, which may be hashed into more of them.
fn has_file(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_file = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => std::fs::read_dir(entry.path())
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .is_some(),
        Ok(_) => true,
        Err(_) => false,
    };
    entries.into_iter().any(is_file)
}

/// Whether Postfix can be started with its files below `folder`, before anything else is started.
///
/// # Errors
///
/// When there is no Postfix, without root, and when a folder above is closed to Postfix's user.
pub(super) fn check(unpacked: Option<&Path>, folder: &Path) -> anyhow::Result<()> {
    Postfix::find(unpacked)?;
    ensure!(
        nix::unistd::Uid::effective().is_root(),
        "--compare postscreen needs root: Postfix's master starts for nobody else"
    );
    let is_closed =
        |place: &&Path| std::fs::metadata(place).is_ok_and(|about| about.mode() & 0o001 == 0);
    if let Some(place) = folder.ancestors().find(is_closed) {
        bail!(
            "Postfix's user can not come to {}: {} is closed to it; name another folder (--keep, TMPDIR)",
            folder.display(),
            place.display()
        );
    }
    Ok(())
}
