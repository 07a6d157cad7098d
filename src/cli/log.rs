//! `gatepost log`: the level of the running process's log, until it ends.

use std::io::Write;
use std::process::ExitCode;

use crate::app::control::message::{Answer, Request};
use crate::cli::ask::{Where, amiss, ask};
use crate::cli::output::{self, Usage};
use crate::config;

/// Arguments of `gatepost log`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// off, error, warn, info, debug or trace, or levels of parts (info,gatepost::gather=debug); says which it is if there
    /// is none
    #[arg(value_name = "LEVEL", conflicts_with = "reset")]
    level: Option<String>,
    /// Log again as the configuration says
    #[arg(long)]
    reset: bool,
    #[command(flatten)]
    place: Where,
}

/// Sets or says it.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Some(word) = arguments.level.as_deref().and_then(config::Log::no_level) {
        return Err(Usage(format!("{word:?} is no level")).into());
    }
    let snapshot = match output::load(&arguments.place.config) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let level = match arguments.reset {
        true => Some(String::new()),
        false => arguments.level.clone(),
    };
    let Answer::Log(log) = ask(&snapshot, &Request::Log { level })? else {
        return amiss();
    };
    let configured = log.configured.map_or_else(String::new, |configured| {
        format!(" (until it ends; the configuration says {configured})")
    });
    writeln!(std::io::stdout(), "{}{configured}", log.level)?;
    Ok(ExitCode::SUCCESS)
}
