//! Floor 9: the command line. One file per subcommand; the only floor that prints and exits.
//!
//! Exit codes: 0 fine, 1 found problems, 2 usage.

mod check_config;
pub mod demo;
mod explain;
mod output;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// SMTP filtering proxy that stands in front of an existing MTA.
#[derive(Debug, Parser)]
#[command(name = "gatepost", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve: accept mail, judge it, hand clean sessions to the backend
    Run(run::Arguments),
    /// Check the configuration and say everything that is wrong with it
    CheckConfig(check_config::Arguments),
    /// Say what a client would get, and why, by asking the live questions
    Explain(explain::Arguments),
    /// Show the gate at work: an embedded DNS server and mail store, and six short sessions
    Demo(demo::Arguments),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    // `--help` and usage errors exit in here, with 0 and 2.
    let outcome = match Cli::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        // Whoever reads our output has closed it: nothing to complain about.
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&format!("gatepost: {}", output::in_one_line(&error)));
            ExitCode::from(if error.is::<output::Usage>() { 2 } else { 1 })
        }
    }
}
