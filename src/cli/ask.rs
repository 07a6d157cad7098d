//! Asks the running process, over its control socket.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::app::control::message::{Answer, Request};
use crate::app::control::path;
use crate::config::Snapshot;

/// A process that serves answers within five seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// Octets of an answer: more than the most entries take.
const ANSWER: u64 = 32 * 1024 * 1024;

/// Where to find the process.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Where {
    /// The configuration file of the running gatepost
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/gatepost/gatepost.toml",
        env = "GATEPOST_CONFIG"
    )]
    pub(in crate::cli) config: PathBuf,
}

/// The answer of the process with this configuration.
///
/// # Errors
///
/// When there is none, or it says that it has not done it.
pub(in crate::cli) fn ask(snapshot: &Snapshot, request: &Request) -> anyhow::Result<Answer> {
    let path = path(&snapshot.config.store);
    let mut stream = UnixStream::connect(&path).map_err(|error| unreached(&path, error))?;
    let answer = exchange(&mut stream, request)
        .with_context(|| format!("no answer from the running gatepost ({})", path.display()))?;
    match answer {
        Answer::Refused(why) => bail!(why),
        answer => Ok(answer),
    }
}

/// An answer to something that was not asked.
pub(in crate::cli) fn amiss<T>() -> anyhow::Result<T> {
    bail!("the running gatepost answers something else: it is of another version")
}

fn exchange(stream: &mut UnixStream, request: &Request) -> anyhow::Result<Answer> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = Vec::new();
    BufReader::new(stream.take(ANSWER)).read_until(b'\n', &mut answer)?;
    if answer.is_empty() {
        bail!("it closed the connection; only root and the user it runs as may ask");
    }
    Ok(serde_json::from_slice(&answer)?)
}

fn unreached(path: &Path, error: std::io::Error) -> anyhow::Error {
    let path = path.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            anyhow::anyhow!("it is not running: nobody answers on {path}")
        }
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "no permission to use {path}: run this as root or as the user that gatepost runs as"
        ),
        _ => anyhow::Error::new(error).context(format!("can not use {path}")),
    }
}
