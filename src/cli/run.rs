//! `gatepost run`: serve until told to stop.
//!
//! SIGTERM and SIGINT drain: no more is accepted, messages under way are finished, the rest hears 421. SIGHUP has the
//! configuration read anew, and the files of the certificates looked at. systemd is told of all of it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use crate::app::sockets::{Passed, Sockets};
use crate::app::{Running, notify, user};
use crate::cli::config_file::ConfigFile;
use crate::cli::output;
use crate::config::Snapshot;
use crate::net::pace;
use crate::{app, telemetry};

/// SIGHUPs that come so soon after another are one: systemd sends one for the reload, and one for `ExecReload=`.
const AT_ONCE: Duration = Duration::from_millis(100);
/// So many of them at most.
const SIGNALS: usize = 10;

/// Arguments of `gatepost run`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    config: ConfigFile,
    /// Take each second for so many in all that is remembered: for measurements
    #[arg(long, hide = true, value_name = "TIMES", default_value_t = 1)]
    pace: u32,
}

/// Serves.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let passed = Passed::from_environment();
    if arguments.pace > 1 {
        pace::set(arguments.pace);
    }
    let snapshot = match output::load(&arguments.config) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let log = telemetry::log::start(snapshot.config.log.format, &snapshot.config.log.level);
    for note in snapshot.notes.iter().chain(&app::remarks::notes(&snapshot)) {
        tracing::warn!("{note}");
    }
    // Before there are threads: what root is needed for.
    let sockets = match Sockets::open(&snapshot, passed) {
        Ok(sockets) => sockets,
        Err(problem) => return Ok(refuse(&problem)),
    };
    if let Err(problem) = user::become_it(&snapshot) {
        return Ok(refuse(&problem));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("can not start the runtime")?;
    let code = runtime.block_on(serve(&arguments.config, snapshot, sockets))?;
    if log.lost() > 0 {
        tracing::warn!(
            lines = log.lost(),
            "log lines were lost because the log was read too slowly"
        );
    }
    Ok(code)
}

/// Says why it does not start.
fn refuse(problem: &dyn std::fmt::Display) -> ExitCode {
    output::complain(&format!("gatepost: {problem}"));
    ExitCode::from(1)
}

async fn serve(file: &Path, snapshot: Snapshot, sockets: Sockets) -> anyhow::Result<ExitCode> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut running = match app::start_on(&snapshot, sockets).await {
        Ok(running) => running,
        Err(problem) => return Ok(refuse(&problem)),
    };
    drop(snapshot);
    user::remark();
    notify::ready();
    loop {
        tokio::select! {
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            () = reload(&mut hangup, &mut running, file) => {}
        }
    }
    running.stop(app::DRAIN_DEADLINE).await;
    Ok(ExitCode::SUCCESS)
}

/// Waits for SIGHUP, and reloads.
async fn reload(hangup: &mut Signal, running: &mut Running, file: &Path) {
    hangup.recv().await;
    notify::reloading();
    tracing::info!("SIGHUP: the configuration is read anew");
    for _ in 0..SIGNALS {
        if timeout(AT_ONCE, hangup.recv()).await.is_err() {
            break;
        }
    }
    running.reload(file).await;
    notify::ready();
}
