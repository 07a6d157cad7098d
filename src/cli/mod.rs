//! Floor 9: the command line. One file per subcommand; the only floor that prints and exits.
//!
//! Exit codes: 0 fine, 1 found problems, 2 usage.

mod ask;
mod bench;
mod check_config;
mod config_file;
pub mod demo;
mod doctor;
mod explain;
mod forget;
mod generate;
mod history;
mod lists;
mod log;
mod name_server;
mod output;
mod progress;
mod replay;
mod report;
mod run;
mod setup;
mod status;
mod when;

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
    /// List recorded sessions, the newest first: who came, from where, and what became of it
    History(history::Arguments),
    /// Say what recorded sessions tell: how much was refused, by which check, at what cost
    Report(report::Arguments),
    /// Judge recorded sessions again, under another policy or under the same
    Replay(replay::Arguments),
    /// Say whether the mail of a domain is in good health: DNS, mail exchangers, policies, backend
    Doctor(doctor::Arguments),
    /// Show how the running gatepost is doing
    Status(status::Arguments),
    /// Let a client in, whatever the checks say; counts at once, and after a restart
    Allow(lists::Arguments),
    /// Refuse a client at RCPT, whatever the checks say; counts at once, and after a restart
    Deny(lists::Arguments),
    /// Take away what was allowed or denied by command, and what is remembered of a client
    Forget(forget::Arguments),
    /// Say at which level the running gatepost logs, or set it until it ends
    Log(log::Arguments),
    /// Put gatepost into the machine it stands on
    Setup(setup::Arguments),
    /// Show the gate at work: an embedded DNS server and mail store, and six short sessions
    Demo(demo::Arguments),
    /// Play made traffic, spam and good mail, at gatepost or another server, and measure what becomes of it
    Bench(Box<bench::Arguments>),
    /// Write man pages and shell completions
    #[command(hide = true)]
    Generate(generate::Arguments),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    // `--help` and usage errors exit in here, with 0 and 2.
    let outcome = match Cli::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::History(arguments) => history::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Allow(arguments) => lists::run(true, &arguments),
        Command::Deny(arguments) => lists::run(false, &arguments),
        Command::Forget(arguments) => forget::run(&arguments),
        Command::Log(arguments) => log::run(&arguments),
        Command::Setup(arguments) => setup::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Generate(arguments) => generate::run(&arguments),
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
