//! A server that a run starts: a child process in a process group of its own, what it costs, and its end.
//!
//! CPU time is that of the living processes of the group, of those that descend from its first (postscreen leaves the group of its
//! master), and of those that they have waited for (proc(5), `stat`: utime, stime, cutime, cstime), so that a server
//! that forks is counted whole as long as it waits for its children.
//!
//! Beside it in the group waits a shell that ends the group when this process is gone, killed though it may be: it reads from
//! a pipe whose other end is here. (PR_SET_PDEATHSIG would not do: Exim loses it when it changes its user, and its children
//! have none.)

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

/// How long a server may take to end when it is asked to.
const END: Duration = Duration::from_secs(40);
/// The pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// The longest line of descent that is followed.
const GENERATIONS: usize = 16;

/// What waits for the end of this process.
const WATCH: &str = "read _; kill -s KILL 0";

/// A process group; ended when dropped.
pub(super) struct Group {
    child: Child,
    watch: Option<Child>,
    name: String,
}

impl Group {
    /// Starts `command` with its output in `log`.
    pub(super) fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| log.display().to_string())?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("{name} can not be started ({:?})", command.get_program()))?;
        let mut group = Self {
            child,
            watch: None,
            name: name.to_owned(),
        };
        group.watch = Some(
            group
                .watch()
                .with_context(|| format!("{name} can not be watched"))?,
        );
        Ok(group)
    }

    fn watch(&self) -> std::io::Result<Child> {
        Command::new("sh")
            .args(["-c", WATCH])
            .process_group(self.group().as_raw())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }

    /// Waits until `stands` says so.
    pub(super) async fn wait(
        &mut self,
        within: Duration,
        log: &Path,
        mut stands: impl AsyncFnMut() -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + within;
        while Instant::now() < deadline {
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once ({status}): {}", self.name, tail(&said()));
            }
            if stands().await {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        let said = std::fs::read_to_string(log).unwrap_or_default();
        bail!(
            "{} does not serve after {within:?}: {}",
            self.name,
            tail(&said)
        )
    }

    /// CPU time of the whole group so far, seconds.
    pub(super) fn cpu(&self) -> f64 {
        let Ok(all) = std::fs::read_dir("/proc") else {
            return 0.0;
        };
        let stats = all.flatten().filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            Some((number, Spent::of(&stat)?))
        });
        let ticks = ticks(&stats.collect(), self.child.id());
        // A hundred a second: what every Linux of today tells programs (sysconf(3), _SC_CLK_TCK).
        ticks as f64 / 100.0
    }

    /// Asks it to end and waits until it has.
    pub(super) async fn end(mut self) {
        let _ = killpg(self.group(), Signal::SIGTERM);
        let deadline = Instant::now() + END;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(LOOK).await;
        }
    }

    fn group(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap_or(i32::MAX))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What it began is in the group and goes with it.
        let _ = killpg(self.group(), Signal::SIGKILL);
        let _ = self.child.wait();
        if let Some(watch) = &mut self.watch {
            let _ = watch.wait();
        }
    }
}

/// A process: whose child it is, its group, and the ticks that it and the children it has waited for have used.
struct Spent {
    parent: u32,
    group: u32,
    ticks: u64,
}

impl Spent {
    fn of(stat: &str) -> Option<Self> {
        // The name is in parentheses and may hold anything.
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            parent: number(1)?.try_into().ok()?,
            group: number(2)?.try_into().ok()?,
            ticks: (11..15).filter_map(number).sum(),
        })
    }
}

/// Ticks of the processes of a group and of those that descend from its first one.
fn ticks(all: &HashMap<u32, Spent>, group: u32) -> u64 {
    let belongs = |process: &&Spent| {
        let mut process = *process;
        // Processes are read one after the other, so that a number may stand for two: no way is endless.
        for _ in 0..GENERATIONS {
            if process.group == group || process.parent == group {
                return true;
            }
            match all.get(&process.parent) {
                Some(parent) => process = parent,
                None => return false,
            }
        }
        false
    };
    let of_group = all.values().filter(belongs);
    of_group.map(|process| process.ticks).sum()
}

/// The last lines, on one.
pub(super) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(5);
    lines.get(from..).unwrap_or_default().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_is_waited_for_and_what_runs_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        for command in ["exit 0", "exec sleep 1000"] {
            let mut shell = Command::new("sh");
            shell.args(["-c", command]);
            let group = Group::start("sh", &mut shell, &folder.path().join("log")).unwrap();
            drop(group);
        }
    }

    #[test]
    fn ticks_are_those_of_the_group() {
        let process = |number: u32, parent: u32, group: u32| {
            let stat = format!(
                "{number} (a) b (c) S {parent} {group} 7 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5"
            );
            (number, Spent::of(&stat).unwrap())
        };
        // 42 has left the group of 7 and is a grandchild of it; 50 is nobody's.
        let all = [
            process(7, 1, 7),
            process(8, 7, 7),
            process(42, 8, 42),
            process(50, 1, 50),
        ];
        let all = HashMap::from(all);
        assert_eq!(ticks(&all, 7), 300);
        assert_eq!(ticks(&all, 50), 100);
        assert_eq!(ticks(&all, 51), 0);
        assert!(Spent::of("").is_none());
    }
}
