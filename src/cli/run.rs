//! `gatepost run`: serve until told to stop.
//!
//! SIGTERM and SIGINT drain: no more is accepted, messages under way are finished, the rest hears 421. SIGHUP has the files
//! of the certificates looked at.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::output;
use crate::{app, telemetry};

/// Arguments of `gatepost run`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/gatepost/gatepost.toml",
        env = "GATEPOST_CONFIG"
    )]
    config: PathBuf,
}

/// Serves.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let snapshot = match output::load(&arguments.config) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let log = telemetry::log::start(snapshot.config.log.format, &snapshot.config.log.level);
    for note in snapshot.notes.iter().chain(&app::remarks::notes(&snapshot)) {
        tracing::warn!("{note}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("can not start the runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let running = match app::start(&snapshot).await {
            Ok(running) => running,
            Err(problem) => {
                output::complain(&format!("gatepost: {problem}"));
                return Ok(ExitCode::from(1));
            }
        };
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => {
                    tracing::info!("SIGHUP: a changed configuration takes a restart, which lets sessions finish; certificates are looked at now");
                    running.look_at_certificates();
                }
            }
        }
        running.stop(app::DRAIN_DEADLINE).await;
        if log.lost() > 0 {
            tracing::warn!(
                lines = log.lost(),
                "log lines were lost because the log was read too slowly"
            );
        }
        Ok(ExitCode::SUCCESS)
    })
}
