//! `gatepost setup`: puts gatepost into the machine it stands on.

mod exim;

use std::process::ExitCode;

/// Arguments of `gatepost setup`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Put gatepost before Debian's Exim: show the change, make it, or take it back
    Exim(exim::Arguments),
}

/// Sets up what was named.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.what {
        What::Exim(arguments) => exim::run(arguments),
    }
}
