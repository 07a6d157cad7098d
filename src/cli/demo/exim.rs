//! `gatepost demo --exim`: a real Exim in the mail store's place, found on this machine and run with a configuration of
//! its own, in a folder of its own. The system's Exim, its configuration and its queue are not touched.
//!
//! The recipe is that of `config/exim4/`: an own port, a PROXY header believed from one loopback address only, and
//! whatever comes without a good header refused.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

/// Where Debian and others keep it.
const PLACES: &[&str] = &["/usr/sbin/exim4", "/usr/sbin/exim", "/usr/local/sbin/exim"];

/// How long Exim may take to listen.
const START: Duration = Duration::from_secs(10);

/// A running Exim; ended when dropped.
pub(in crate::cli) struct Exim {
    child: Child,
    directory: PathBuf,
}

impl Exim {
    /// Starts it on `address` with its folders below `directory`.
    pub(in crate::cli) async fn start(
        address: SocketAddr,
        domain: &str,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let program = PLACES
            .iter()
            .map(Path::new)
            .find(|place| place.exists())
            .with_context(|| {
                "no Exim on this machine: install exim4-daemon-heavy, or leave --exim out"
                    .to_owned()
            })?;
        let directory = directory.join("exim");
        for folder in ["spool", "log", "mail"] {
            std::fs::create_dir_all(directory.join(folder))?;
        }
        let user = own_user(&directory)?;
        let file = directory.join("exim.conf");
        std::fs::write(
            &file,
            configuration(address, domain, &directory, user.as_deref()),
        )?;
        let log = std::fs::File::create(directory.join("output"))?;
        let child = Command::new(program)
            .arg("-C")
            .arg(&file)
            .arg("-bdf")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("can not start {}", program.display()))?;
        let mut exim = Self { child, directory };
        exim.wait(address).await?;
        Ok(exim)
    }

    async fn wait(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + START;
        while tokio::time::Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                let said =
                    std::fs::read_to_string(self.directory.join("output")).unwrap_or_default();
                if said.contains("permission denied") && !nix::unistd::Uid::effective().is_root() {
                    bail!("--exim needs root: Exim lets nobody else start it as a server");
                }
                bail!("Exim ended at once ({status}): {}", said.trim());
            }
            if tokio::net::TcpStream::connect(address).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("Exim does not listen on {address}")
    }

    /// The line of Exim's main log that tells of a message's arrival from `client`.
    pub(in crate::cli) fn arrival(&self, client: std::net::IpAddr) -> Option<String> {
        let log = std::fs::read_to_string(self.directory.join("log/mainlog")).ok()?;
        let address = format!("[{client}]");
        log.lines()
            .rev()
            .find(|line| line.contains(" <= ") && line.contains(&address))
            .map(str::to_owned)
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Started by root, Exim becomes its own user, who must be able to write to the folders.
fn own_user(directory: &Path) -> anyhow::Result<Option<String>> {
    if !nix::unistd::Uid::effective().is_root() {
        return Ok(None);
    }
    let Some(user) = ["Debian-exim", "exim"]
        .iter()
        .find_map(|name| nix::unistd::User::from_name(name).ok().flatten())
    else {
        return Ok(None);
    };
    for folder in ["", "spool", "log", "mail"] {
        nix::unistd::chown(&directory.join(folder), Some(user.uid), Some(user.gid))?;
    }
    Ok(Some(user.name))
}

fn configuration(
    address: SocketAddr,
    domain: &str,
    directory: &Path,
    user: Option<&str>,
) -> String {
    let directory = directory.display();
    let port = address.port();
    let user = user
        .map(|user| format!("user = {user}"))
        .unwrap_or_default();
    format!(
        "keep_environment =\n\
         spool_directory = {directory}/spool\n\
         log_file_path = {directory}/log/%slog\n\
         pid_file_path = {directory}/exim.pid\n\
         local_interfaces = 127.0.0.1.{port}\n\
         primary_hostname = mail.{domain}\n\
         qualify_domain = {domain}\n\
         domainlist local_domains = {domain}\n\
         hostlist relay_from_hosts = 127.0.0.1 : ::1\n\
         hosts_proxy = 127.0.0.2\n\
         tls_advertise_hosts =\n\
         pipelining_connect_advertise_hosts =\n\
         chunking_advertise_hosts =\n\
         smtp_accept_max = 200\n\
         deliver_drop_privilege = true\n\
         host_lookup =\n\
         dns_retrans = 1s\n\
         dns_retry = 1\n\
         rfc1413_query_timeout = 0s\n\
         log_selector = +proxy +received_recipients\n\
         acl_smtp_connect = check_connect\n\
         acl_smtp_rcpt = check_rcpt\n\
         acl_smtp_data = accept\n\
         \n\
         begin acl\n\
         check_connect:\n\
         \x20 drop message = this port is for the gate\n\
         \x20      condition = ${{if !eq{{$proxy_session}}{{yes}}}}\n\
         \x20 drop message = this port is for the gate\n\
         \x20      hosts = 127.0.0.0/8 : ::1\n\
         \x20 accept\n\
         check_rcpt:\n\
         \x20 accept hosts = +relay_from_hosts\n\
         \x20 require message = relay not permitted\n\
         \x20         domains = +local_domains\n\
         \x20 accept\n\
         \n\
         begin routers\n\
         everyone:\n\
         \x20 driver = accept\n\
         \x20 domains = +local_domains\n\
         \x20 transport = store\n\
         \n\
         begin transports\n\
         store:\n\
         \x20 driver = appendfile\n\
         \x20 directory = {directory}/mail\n\
         \x20 maildir_format\n\
         \x20 envelope_to_add\n\
         \x20 return_path_add\n\
         \x20 {user}\n"
    )
}
