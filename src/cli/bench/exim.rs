//! A real Exim, found on this machine: behind the gate as its backend, or as the server under test itself, with DNSBLs in
//! its own ACL as its manual has them (specification, "Access control lists", `dnslists`).
//!
//! Configuration, spool and log are the run's. Messages are delivered by queue runs, so that the daemon waits for all that it
//! costs. Exim asks the system's resolver: started by root it gets an /etc/resolv.conf of its own in a mount namespace of its
//! own (unshare(1)); else the system's stays, and what it says about made-up addresses costs time and nothing more.

mod file;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::gate::free_port;
use super::group::Group;
use crate::measure::trace::{Arrival, List, Trace};
use file::Post;
pub(super) use file::write_certificate;

/// Where Debian and others keep it.
const PLACES: &[&str] = &["/usr/sbin/exim4", "/usr/sbin/exim", "/usr/local/sbin/exim"];
/// How long it may take until it listens.
const START: Duration = Duration::from_secs(20);
/// How long the last messages may take to be delivered.
const QUEUE: Duration = Duration::from_secs(120);

/// What it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Behind the gate: takes what comes, for those who exist.
    Backend,
    /// In the gate's place: asks these lists itself.
    Front,
}

/// A running Exim.
pub(super) struct Exim {
    pub(super) group: Group,
    /// For mail, and for users.
    pub(super) mail: SocketAddr,
    pub(super) users: SocketAddr,
    /// In the place of a secondary.
    pub(super) secondary: SocketAddr,
    program: &'static Path,
    directory: PathBuf,
    /// Whether it asks the run's DNS.
    pub(super) asks_us: bool,
}

/// Exim, if it is on this machine.
pub(super) fn program() -> Option<&'static Path> {
    PLACES.iter().map(Path::new).find(|place| place.exists())
}

/// Whether Exim, which gives up root, can come as far as `folder`.
///
/// # Errors
///
/// When one of the folders above is closed to its user.
pub(super) fn reaches(folder: &Path) -> anyhow::Result<()> {
    let user = file::user().filter(|_| nix::unistd::Uid::effective().is_root());
    let Some(user) = user else {
        return Ok(());
    };
    let is_closed = |place: &&Path| {
        std::fs::metadata(place).is_ok_and(|about| {
            let owners = (about.uid(), about.gid());
            !may_pass(about.mode(), owners, (user.uid.as_raw(), user.gid.as_raw()))
        })
    };
    match folder.ancestors().find(is_closed) {
        None => Ok(()),
        Some(place) => bail!(
            "Exim's user {} can not come to {}: {} is closed to it; name another folder (--keep, TMPDIR)",
            user.name,
            folder.display(),
            place.display()
        ),
    }
}

/// Whether a user, with the own group, may go through a folder with this mode and these owners.
const fn may_pass(mode: u32, owners: (u32, u32), user: (u32, u32)) -> bool {
    let bit = match () {
        () if owners.0 == user.0 => 0o100,
        () if owners.1 == user.1 => 0o010,
        () => 0o001,
    };
    mode & bit != 0
}

impl Exim {
    /// Starts it with its files in `directory`, asking the DNS server at `dns`, which stands on port 53 of some loopback
    /// address if its questions are to come there.
    pub(super) async fn start(
        part: Part,
        trace: &Trace,
        lists: &[&List],
        directory: &Path,
        dns: SocketAddr,
    ) -> anyhow::Result<Self> {
        let program = program().context(
            "no Exim on this machine: install exim4-daemon-heavy, or use --backend store",
        )?;
        if !nix::unistd::Uid::effective().is_root() {
            bail!("Exim needs root: it lets nobody else start it as a server");
        }
        let directory = directory.join("exim");
        for folder in ["spool", "log", "mail"] {
            std::fs::create_dir_all(directory.join(folder))?;
        }
        file::write_tables(trace, &directory)?;
        write_certificate(&directory)?;
        let user = file::own_user(&directory)?;
        let (mail, secondary, users) = (free_port()?, free_port()?, free_port()?);
        let post = Post {
            part,
            domain: &trace.domain,
            host: &trace.host,
            lists,
            ports: [mail.port(), secondary.port(), users.port()],
            directory: &directory,
            user: user.as_deref(),
        };
        let configuration = directory.join("exim.conf");
        std::fs::write(&configuration, post.text())?;
        let asks_us = nix::unistd::Uid::effective().is_root() && dns.port() == 53;
        let mut command = daemon(program, &configuration, &directory, asks_us.then_some(dns))?;
        let log = directory.join("output");
        let mut group = Group::start("exim", &mut command, &log)?;
        let stands = async || {
            let mut all = true;
            for address in [mail, secondary, users] {
                all &= TcpStream::connect(address).await.is_ok();
            }
            all
        };
        group.wait(START, &log, stands).await?;
        Ok(Self {
            group,
            mail,
            users,
            secondary,
            program,
            directory,
            asks_us,
        })
    }

    /// Sessions that it had, without those of whoever sent no PROXY header.
    pub(super) fn sessions(&self) -> u64 {
        let log = std::fs::read_to_string(self.directory.join("log/mainlog")).unwrap_or_default();
        let begun = log.lines().filter(|line| {
            line.contains("SMTP connection from") && line.contains("TCP/IP connection count")
        });
        u64::try_from(begun.count()).unwrap_or(u64::MAX)
    }

    /// Everybody it had to do with, by address and port.
    pub(super) fn clients(&self) -> HashSet<SocketAddr> {
        let log = std::fs::read_to_string(self.directory.join("log/mainlog")).unwrap_or_default();
        log.lines().flat_map(clients).collect()
    }

    /// Waits until all that it has taken is delivered; says whether all is.
    pub(super) async fn deliver_all(&self) -> bool {
        let deadline = Instant::now() + QUEUE;
        while Instant::now() < deadline {
            let waiting = Command::new(self.program)
                .arg("-C")
                .arg(self.directory.join("exim.conf"))
                .arg("-bpc")
                .output();
            let count = waiting
                .ok()
                .and_then(|output| String::from_utf8(output.stdout).ok());
            if count.is_some_and(|count| count.trim() == "0") {
                return true;
            }
            sleep(Duration::from_millis(200)).await;
        }
        false
    }

    /// What has arrived.
    pub(super) fn arrived(&self) -> anyhow::Result<Vec<Arrival>> {
        super::arrivals::read(&self.directory.join("mail/new"), "envelope-to:")
    }
}

/// The daemon, in a name space where /etc/resolv.conf names `dns`.
fn daemon(
    program: &Path,
    configuration: &Path,
    directory: &Path,
    dns: Option<SocketAddr>,
) -> anyhow::Result<Command> {
    let arguments = ["-bdf", "-q2s"];
    let Some(dns) = dns else {
        let mut command = Command::new(program);
        command.arg("-C").arg(configuration).args(arguments);
        return Ok(command);
    };
    let resolv = directory.join("resolv.conf");
    std::fs::write(
        &resolv,
        format!("nameserver {}\noptions timeout:1 attempts:1\n", dns.ip()),
    )?;
    let mut command = Command::new("unshare");
    // The file is named by its place among the arguments, so that no shell reads it.
    command.args(["--mount", "--propagation", "private", "sh", "-c"]);
    command
        .arg("mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"")
        .arg("sh");
    command
        .arg(&resolv)
        .arg(program)
        .arg("-C")
        .arg(configuration)
        .args(arguments);
    Ok(command)
}

/// The clients that a line of a log names, as `[192.0.2.1]:1025`.
pub(super) fn clients(line: &str) -> impl Iterator<Item = SocketAddr> {
    line.split('[').skip(1).filter_map(|rest| {
        let (address, rest) = rest.split_once("]:")?;
        let port = rest.split(|letter: char| !letter.is_ascii_digit()).next()?;
        Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
    })
}

/// Accounts by name: those that the trace's users log in with.
fn accounts(trace: &Trace) -> HashMap<&str, &str> {
    let logins = trace
        .errands
        .iter()
        .filter_map(|errand| errand.speech.login.as_ref());
    logins
        .map(|(user, password)| (user.as_str(), password.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_folders_are_told_by_their_mode() {
        let (owners, exim) = ((0, 0), (101, 104));
        assert!(may_pass(0o755, owners, exim) && !may_pass(0o700, owners, exim));
        assert!(may_pass(0o710, (0, 104), exim) && !may_pass(0o705, (0, 104), exim));
        assert!(may_pass(0o700, (101, 0), exim));
    }

    #[test]
    fn clients_are_read_from_the_log() {
        let line = "SMTP connection from mail.example (helo) [192.0.2.1]:1025 I=[127.0.0.1]:25 closed by QUIT";
        let found: Vec<String> = clients(line).map(|client| client.to_string()).collect();
        assert_eq!(found, ["192.0.2.1:1025", "127.0.0.1:25"]);
        let found: Vec<SocketAddr> =
            clients("rejected [2001:db8::1]:7 [x]:1 [192.0.2.1]").collect();
        assert_eq!(found, ["[2001:db8::1]:7".parse().unwrap()]);
    }
}
