//! `gatepost setup exim`: puts gatepost before Debian's Exim by the recipe of `config/exim4/`, or takes it away again.
//!
//! Shows the change; `--apply` makes it, whole or not at all, after Exim itself has read the outcome in a copy; `--undo` takes
//! it back. Nothing is restarted without `--restart`. What can not be known, such as a configuration that is not as
//! Debian makes it, is refused with the reason.

mod debian;
mod front;
mod holders;
mod ledger;
mod plan;
mod sockets;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use self::debian::{Debian, run as execute};
use self::ledger::Backup;
use self::plan::Plan;
use crate::cli::output;

/// What the mail system is restarted with, in this order.
const FORWARD: [&[&str]; 2] = [&["restart", "exim4"], &["enable", "--now", "gatepost"]];
/// What holds the port for gatepost, if it is used: it would start gatepost anew for the next client.
const SOCKET: &str = "gatepost.socket";

/// How long gatepost may take to listen, with the self-test of its backend.
const START: Duration = Duration::from_secs(45);

/// Arguments of `gatepost setup exim`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Make the change that is shown without it; a backup is kept
    #[arg(long, conflicts_with = "undo")]
    apply: bool,
    /// Take back what --apply has changed
    #[arg(long)]
    undo: bool,
    /// Then restart Exim and start gatepost, or the other way round with --undo
    #[arg(long)]
    restart: bool,
    /// The machine's files, if not those of this machine
    #[arg(long, value_name = "DIRECTORY", default_value = "/")]
    root: PathBuf,
    /// gatepost's configuration, below the root
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/gatepost/gatepost.toml"
    )]
    config: String,
}

impl Arguments {
    /// Whether it is about the machine this runs on.
    fn is_here(&self) -> bool {
        self.root == Path::new("/")
    }
}

/// Shows the change, makes it or takes it back.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.restart && !(arguments.is_here() && (arguments.apply || arguments.undo)) {
        let wrong = "--restart goes with --apply or --undo, and not with --root";
        return Err(output::Usage(wrong.to_owned()).into());
    }
    ensure!(
        !arguments.is_here() || nix::unistd::Uid::effective().is_root(),
        "run it as root: Exim tells nobody else about its configuration"
    );
    let outcome = match arguments.undo {
        true => undo(arguments),
        false => set_up(arguments),
    };
    outcome.map(|()| ExitCode::SUCCESS)
}

fn set_up(arguments: &Arguments) -> anyhow::Result<()> {
    let debian = Debian::find(&arguments.root)?;
    let plan = Plan::make(&debian, &arguments.root, &arguments.config)?;
    let mut out = io::stdout().lock();
    for note in &plan.notes {
        writeln!(out, "note: {note}")?;
    }
    for change in &plan.changes {
        write!(out, "{}", plan::difference(change))?;
    }
    if plan.changes.is_empty() {
        writeln!(
            out,
            "Exim is set up for gatepost already; nothing to change."
        )?;
    } else if !arguments.apply {
        writeln!(
            out,
            "\nNothing has been changed. Exim has read the outcome in a copy, and takes it. To make the change:\n  \
             gatepost setup exim --apply\nand to change over at once:\n  gatepost setup exim --apply --restart"
        )?;
        return Ok(());
    }
    if !arguments.apply {
        return Ok(());
    }
    if arguments.restart {
        own_configuration(&arguments.config)?;
    }
    let backup = match plan.changes.is_empty() {
        true => None,
        false => Some(ledger::make(&arguments.root, &plan.changes, || {
            debian.update()
        })?),
    };
    if let Some(backup) = &backup {
        writeln!(
            out,
            "\nChanged. What was there before is in {}.",
            backup.folder.display()
        )?;
    }
    if !arguments.restart {
        writeln!(
            out,
            "Nothing is restarted yet; mail goes to Exim as before. To change over:\n  \
             runuser -u gatepost -- gatepost check-config && systemctl restart exim4 && systemctl enable --now gatepost\n\
             To take it back:\n  gatepost setup exim --undo"
        )?;
        return Ok(());
    }
    if let Err(error) = systemctl(&FORWARD).and_then(|()| serves()) {
        let Some(backup) = backup else {
            return Err(error);
        };
        // Better an Exim without gatepost than no mail.
        backup.take_back(|| debian.update())?;
        back().context(format!("{error:#}, and back again"))?;
        return Err(error.context("all is as it was before"));
    }
    writeln!(
        out,
        "Exim is restarted, and gatepost is started. `gatepost status` shows it at work; to take it back:\n  \
         gatepost setup exim --undo --restart"
    )?;
    Ok(())
}

fn undo(arguments: &Arguments) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let backups = Backup::all(&arguments.root)?;
    if backups.is_empty() {
        writeln!(out, "There is nothing to take back.")?;
        return Ok(());
    }
    let update = || Debian::find(&arguments.root)?.update();
    for backup in backups {
        let files = backup.files().join(", ");
        backup.take_back(update)?;
        writeln!(out, "As before: {files}")?;
    }
    if arguments.restart {
        back()?;
        writeln!(out, "gatepost is stopped, and Exim restarted.")?;
    } else if arguments.is_here() {
        writeln!(
            out,
            "Nothing is restarted yet. To change over:\n  systemctl disable --now {} && systemctl restart exim4",
            units().join(" ")
        )?;
    }
    Ok(())
}

/// gatepost must be able to start before Exim leaves port 25: asked as its own user, for the keys are that user's to read.
fn own_configuration(file: &str) -> anyhow::Result<()> {
    let mut check = Command::new("runuser");
    check
        .args(["-u", "gatepost", "--"])
        .arg(std::env::current_exe()?);
    execute(check.args(["check-config", "--config", file])).map(drop)
}

/// Waits until gatepost has its port: systemd calls it started before that.
fn serves() -> anyhow::Result<()> {
    let deadline = Instant::now() + START;
    while !holders::of(sockets::SMTP).contains(&"gatepost".to_owned()) {
        ensure!(
            Instant::now() < deadline,
            "gatepost does not listen on port 25; `journalctl -u gatepost` says why"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Changes back to Exim alone: gatepost must leave the port first.
fn back() -> anyhow::Result<()> {
    let gone = [&["disable", "--now"][..], units()].concat();
    systemctl(&[&gone, &["restart", "exim4"]])
}

/// gatepost's units, as far as they are installed.
fn units() -> &'static [&'static str] {
    let known = execute(Command::new("systemctl").args(["cat", SOCKET])).is_ok();
    match known {
        true => &[SOCKET, "gatepost"],
        false => &["gatepost"],
    }
}

fn systemctl(steps: &[&[&str]]) -> anyhow::Result<()> {
    steps
        .iter()
        .try_for_each(|step| execute(Command::new("systemctl").args(*step)).map(drop))
}
