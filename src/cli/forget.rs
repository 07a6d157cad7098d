//! `gatepost forget`: takes away an entry that was added by command, and what is remembered of a client.

use std::io::Write;
use std::process::ExitCode;

use crate::app::control::message::{Answer, Request};
use crate::checks::access;
use crate::cli::ask::{Where, amiss, ask};
use crate::cli::output::{self, Usage};
use crate::facts::Identity;

/// Arguments of `gatepost forget`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// An address or network, a name that vouched for clients (spf:example.org, name:example.org), or what was allowed or
    /// denied by command
    #[arg(value_name = "IDENTITY")]
    what: String,
    #[command(flatten)]
    place: Where,
}

/// Forgets; exit code 1 if there was nothing to forget.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let what = arguments.what.trim();
    let is_named = matches!(what.parse(), Ok(Identity::Spf(_) | Identity::Name(_)));
    if !is_named {
        access::subject(what).map_err(Usage)?;
    }
    let snapshot = match output::load(&arguments.place.config) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let request = Request::Forget {
        what: what.to_owned(),
    };
    let Answer::Forgotten { entry, client } = ask(&snapshot, &request)? else {
        return amiss();
    };
    let done = match (entry, client) {
        (true, true) => "the entry is removed, and what was remembered is forgotten",
        (true, false) => "the entry is removed",
        (false, true) => "what was remembered is forgotten",
        (false, false) => {
            output::complain(&format!("gatepost: nothing is known of {what}"));
            return Ok(ExitCode::from(1));
        }
    };
    writeln!(std::io::stdout(), "{what}: {done}")?;
    Ok(ExitCode::SUCCESS)
}
