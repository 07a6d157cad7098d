//! What probes can not do themselves: test backends as sessions see them, ask Exim for its settings, find a message that has
//! arrived.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

use crate::app::{clock, tasks};
use crate::doctor::{Hands, Shown, Tested};
use crate::journal::{self, Bounds, Wanted};
use crate::session::upstream::{Server, Upstream};
use crate::session::{Relaying, self_test};

/// The longest that Exim may take to tell its settings.
const EXIM: Duration = Duration::from_secs(10);
/// Between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(10);
/// Octets of what it says that are read.
const SAID: u64 = 64 * 1024;
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

    fn exim<'h>(
        &'h self,
        options: &'h [&'static str],
    ) -> BoxFuture<'h, Option<Result<String, String>>> {
        let (program, arguments) = match self.exim.split_first() {
            Some((program, arguments)) if Path::new(program).exists() => {
                (program.clone(), arguments.to_vec())
            }
            _ => return async { None }.boxed(),
        };
        async move {
            let settings = settings(&program, &arguments, options);
            Some(settings.await)
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

/// Asks without a thread: a runtime that ends waits for its threads, and Exim may take what time it likes.
async fn settings(program: &str, arguments: &[String], options: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("-bP")
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let told = |error: io::Error| format!("{program}: {error}");
    let mut asked = Asked(command.spawn().map_err(told)?);
    let (mut out, mut error) = (asked.0.stdout.take(), asked.0.stderr.take());
    for pipe in [
        out.as_ref().map(AsFd::as_fd),
        error.as_ref().map(AsFd::as_fd),
    ] {
        let set = pipe.map(|pipe| fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)));
        set.transpose().map_err(|errno| told(errno.into()))?;
    }
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let deadline = Instant::now() + EXIM;
    let status = loop {
        // First: whatever it had to say is in the pipes when it has ended. What it leaves behind may hold them open.
        let status = asked.0.try_wait().map_err(told)?;
        read_on(out.as_mut(), &mut said);
        read_on(error.as_mut(), &mut complained);
        if let Some(status) = status {
            break status;
        }
        if Instant::now() > deadline {
            return Err(format!("{program} -bP does not end"));
        }
        sleep(PAUSE).await;
    };
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).trim().to_owned();
    match status.success() {
        true => Ok(text(&said)),
        false => Err(format!(
            "{program} -bP: {} {}",
            text(&said),
            text(&complained)
        )),
    }
}

/// Takes what is in the pipe now, up to [`SAID`] in all.
fn read_on(pipe: Option<&mut impl Read>, into: &mut Vec<u8>) {
    let room = SAID.saturating_sub(into.len() as u64);
    if let Some(pipe) = pipe {
        // The end, or nothing more at the moment; what has come is kept either way.
        let _ = pipe.take(room).read_to_end(into);
    }
}

/// A process that does not outlive the question, nor does its group.
struct Asked(Child);

impl Drop for Asked {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.0.try_wait() {
            return;
        }
        // Exim is set-uid root and may not be ours to kill: then it is not waited for either.
        let group = self.0.id().try_into().map(Pid::from_raw);
        if group.is_ok_and(|group| killpg(group, Signal::SIGKILL).is_ok()) {
            let _ = self.0.wait();
        }
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

    async fn shell(script: &str) -> Result<String, String> {
        let arguments = ["-c".to_owned(), script.to_owned()];
        settings("/bin/sh", &arguments, &["smtp_accept_max"]).await
    }

    #[tokio::test]
    async fn exim_tells_or_says_why_not() {
        let told = shell("echo \"$0 $1\"").await;
        assert_eq!(told.unwrap(), "-bP smtp_accept_max");
        let refused = shell("echo no; exit 1").await;
        assert!(refused.unwrap_err().contains("no"));
        assert!(settings("/nowhere", &[], &[]).await.is_err());
    }

    #[tokio::test]
    async fn what_exim_leaves_behind_is_not_waited_for() {
        let begun = Instant::now();
        assert_eq!(shell("sleep 40 & echo told").await.unwrap(), "told");
        assert!(begun.elapsed() < EXIM, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn exim_is_not_asked_beyond_the_end_of_the_question() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script = format!(
            "echo $$ > {0}.new; mv {0}.new {0}; exec sleep 40",
            file.display()
        );
        let known = async {
            while !file.exists() {
                sleep(PAUSE).await;
            }
        };
        tokio::select! {
            told = shell(&script) => panic!("{told:?}"),
            () = known => {}
        }
        let pid = Pid::from_raw(fs::read_to_string(&file).unwrap().trim().parse().unwrap());
        assert_eq!(killpg(pid, None), Err(nix::errno::Errno::ESRCH));
    }
}
