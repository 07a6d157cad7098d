//! What probes can not do themselves: test backends as sessions see them, ask Exim for its settings, find a message that has
//! arrived.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

use crate::app::{clock, tasks};
use crate::doctor::{Hands, Shown, Tested};
use crate::journal::{self, Bounds, Wanted};
use crate::session::upstream::{Server, Upstream};
use crate::session::{Relaying, self_test};

/// The longest that Exim may take to tell its settings.
const EXIM: Duration = Duration::from_secs(10);
/// Between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(10);
/// Octets of a message in which its token is looked for.
const HEAD: u64 = 64 * 1024;
/// Files of a Maildir that are listed at most in one look.
const LISTED: usize = 100_000;
/// Fresh files that are opened at most in one look.
const FILES: usize = 1000;
/// How much of the journal is looked at in one look.
const JOURNAL: Bounds = Bounds {
    octets: 64 * 1024 * 1024,
    time: Duration::from_secs(2),
    hits: 10,
    since: None,
};
/// Files that are so much older than the start may still be of the message: clocks of file systems are coarse.
const COARSE: Duration = Duration::from_secs(2);

/// Does them.
#[derive(Debug)]
pub struct Errands {
    upstreams: Vec<Arc<Upstream>>,
    exim: Vec<String>,
    maildir: Option<PathBuf>,
    journal: Option<PathBuf>,
    begun: SystemTime,
}

impl Errands {
    /// For these backends; `exim` is the command that tells Exim's settings, empty for none.
    #[must_use]
    pub fn new(upstreams: Vec<Arc<Upstream>>, exim: Vec<String>) -> Self {
        Self {
            upstreams,
            exim,
            maildir: None,
            journal: None,
            begun: clock::now(),
        }
    }

    /// Messages are looked for in this Maildir, and in the records of gatepost's sessions in this directory.
    #[must_use]
    pub fn looking_in(self, maildir: Option<PathBuf>, journal: Option<PathBuf>) -> Self {
        Self {
            maildir,
            journal,
            ..self
        }
    }
}

impl Hands for Errands {
    fn backends(&self) -> BoxFuture<'_, Vec<Tested>> {
        let each = self.upstreams.iter().flat_map(|upstream| {
            let servers = upstream.servers().iter();
            servers.map(move |server| test(upstream, server))
        });
        join_all(each).boxed()
    }

    fn exim(
        &self,
        options: &'static [&'static str],
    ) -> BoxFuture<'_, Option<Result<String, String>>> {
        let (program, arguments) = match self.exim.split_first() {
            Some((program, arguments)) if Path::new(program).exists() => {
                (program.clone(), arguments.to_vec())
            }
            _ => return async { None }.boxed(),
        };
        async move {
            let asking = tasks::on_a_thread(move || settings(&program, &arguments, options));
            let panicked = || Err("defect: it could not be asked".to_owned());
            Some(asking.await.unwrap_or_else(panicked))
        }
        .boxed()
    }

    fn arrived<'h>(&'h self, token: &'h str) -> BoxFuture<'h, Option<String>> {
        let token = token.to_owned();
        let (maildir, journal, begun) = (self.maildir.clone(), self.journal.clone(), self.begun);
        async move {
            let looking = tasks::on_a_thread(move || {
                let in_maildir = maildir.and_then(|maildir| in_maildir(&maildir, &token, begun));
                in_maildir.or_else(|| in_journal(&journal?, &token))
            });
            looking.await.flatten()
        }
        .boxed()
    }
}

async fn test(upstream: &Upstream, server: &Arc<Server>) -> Tested {
    let outcome = match self_test(upstream, server).await {
        Ok(tested) => Ok(Shown {
            relays: match tested.relaying {
                Relaying::Open => Some(true),
                Relaying::Refused => Some(false),
                Relaying::Unknown => None,
            },
            mistakes: upstream.mistakes_clients(tested),
        }),
        Err(trouble) => Err(trouble.to_string()),
    };
    Tested {
        backend: upstream.name.to_string(),
        server: server.address,
        outcome,
    }
}

fn settings(program: &str, arguments: &[String], options: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("-bP")
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let told = |error: std::io::Error| format!("{program}: {error}");
    let mut child = command.spawn().map_err(told)?;
    let deadline = Instant::now() + EXIM;
    // What it tells fits into the pipe.
    while child.try_wait().map_err(told)?.is_none() {
        if Instant::now() > deadline {
            child.kill().and_then(|()| child.wait()).map_err(told)?;
            return Err(format!("{program} -bP does not end"));
        }
        std::thread::sleep(PAUSE);
    }
    let output = child.wait_with_output().map_err(told)?;
    let said = |octets: &[u8]| String::from_utf8_lossy(octets).trim().to_owned();
    match output.status.success() {
        true => Ok(said(&output.stdout)),
        false => Err(format!(
            "{program} -bP: {} {}",
            said(&output.stdout),
            said(&output.stderr)
        )),
    }
}

/// The file with the message, where it lies in `new` or `cur` of a Maildir.
fn in_maildir(maildir: &Path, token: &str, begun: SystemTime) -> Option<String> {
    let folders = ["new", "cur"].map(|folder| fs::read_dir(maildir.join(folder)));
    let files = folders.into_iter().flatten().flatten().flatten();
    let is_fresh = |path: &PathBuf| {
        let changed = fs::metadata(path).and_then(|about| about.modified());
        changed.is_ok_and(|changed| changed + COARSE >= begun)
    };
    let listed = files.map(|file| file.path()).take(LISTED);
    let mut fresh = listed.filter(is_fresh).take(FILES);
    let holds = |path: &PathBuf| {
        let mut head = Vec::new();
        let file = fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
        file.is_ok() && memchr::memmem::find(&head, token.as_bytes()).is_some()
    };
    let found = fresh.find(holds);
    found.map(|path| path.display().to_string())
}

/// The session in which the message was delivered to the backend.
fn in_journal(directory: &Path, token: &str) -> Option<String> {
    let hits = journal::search(directory, &Wanted::new(token), JOURNAL).ok()?;
    let is_delivered =
        |digest: &&journal::Digest| digest.messages.iter().any(|reply| reply.starts_with('2'));
    let digest = hits.digests.iter().find(is_delivered)?;
    Some(format!("session {} of gatepost", digest.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_by_its_token() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["new", "cur"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let begun = clock::now();
        assert_eq!(in_maildir(folder.path(), "token1", begun), None);
        fs::write(folder.path().join("new/1"), "Subject: token2\n").unwrap();
        assert_eq!(in_maildir(folder.path(), "token1", begun), None);
        fs::write(folder.path().join("cur/2"), "Subject: token1\n").unwrap();
        let found = in_maildir(folder.path(), "token1", begun).unwrap();
        assert!(found.ends_with("cur/2"), "{found}");
        let later = begun + Duration::from_secs(60);
        assert_eq!(in_maildir(folder.path(), "token1", later), None);
    }

    #[test]
    fn exim_tells_or_says_why_not() {
        let shell = |script: &str| {
            let arguments = ["-c".to_owned(), script.to_owned()];
            settings("/bin/sh", &arguments, &["smtp_accept_max"])
        };
        assert_eq!(shell("echo \"$0 $1\"").unwrap(), "-bP smtp_accept_max");
        assert!(shell("echo no; exit 1").unwrap_err().contains("no"));
        assert!(settings("/nowhere", &[], &[]).is_err());
    }
}
