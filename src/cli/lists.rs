//! `gatepost allow` and `gatepost deny`: entries of the lists of the running process, beside those of the configuration.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, UNIX_EPOCH};

use crate::app::control::LONGEST;
use crate::app::control::message::{Answer, Request};
use crate::checks::access;
use crate::cli::ask::{Where, amiss, ask};
use crate::cli::output::{self, Usage};
use crate::store::Entry;

/// Arguments of `gatepost allow` and `gatepost deny`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A network or address; a name in HELO (.example.org: every name below); a sender (@example.org: the whole domain)
    #[arg(
        value_name = "NETWORK|HELO-NAME|SENDER",
        required_unless_present = "list"
    )]
    subject: Option<String>,
    /// How long it holds, such as 7d or 12h; for good if not given
    #[arg(long = "for", value_name = "TIME", value_parser = lifetime)]
    lifetime: Option<Duration>,
    /// Why, for people; clients do not see it
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Show what was added by command
    #[arg(long, conflicts_with_all = ["subject", "lifetime", "comment"])]
    list: bool,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Adds an entry, or lists them.
pub(in crate::cli) fn run(allow: bool, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let request = match &arguments.subject {
        None => Request::Entries {},
        Some(subject) => {
            access::subject(subject).map_err(Usage)?;
            Request::Keep {
                allow,
                subject: subject.clone(),
                seconds: arguments.lifetime.map(|lifetime| lifetime.as_secs()),
                comment: arguments.comment.clone(),
            }
        }
    };
    let snapshot = match output::load(&arguments.place.config) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let mut out = std::io::stdout().lock();
    match ask(&snapshot, &request)? {
        Answer::Entries(mut entries) => {
            entries.retain(|entry| entry.allow == allow);
            entries.sort_by_key(|entry| entry.created);
            list(&mut out, &entries, arguments.json)?;
        }
        Answer::Kept { entry, notes } => {
            for note in notes {
                output::complain(&format!("note: {note}"));
            }
            if arguments.json {
                serde_json::to_writer_pretty(&mut out, &entry)?;
                writeln!(out)?;
            } else {
                writeln!(out, "{}", sentence(&entry))?;
            }
        }
        _ => return amiss(),
    }
    Ok(ExitCode::SUCCESS)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    match time.as_secs() {
        0 => Err("an entry holds for a second at least".to_owned()),
        _ if time > LONGEST => Err("leave it out for an entry that holds for good".to_owned()),
        _ => Ok(time),
    }
}

fn sentence(entry: &Entry) -> String {
    let word = match entry.allow {
        true => "allowed",
        false => "denied",
    };
    format!("{} is {word} {}", entry.subject, until(entry))
}

fn until(entry: &Entry) -> String {
    match entry.expires {
        Some(expires) => format!("until {}", time(expires)),
        None => "until forgotten".to_owned(),
    }
}

fn time(seconds: u64) -> String {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .map_or_else(
            || seconds.to_string(),
            |time| humantime::format_rfc3339_seconds(time).to_string(),
        )
}

fn list(out: &mut impl Write, entries: &[Entry], json: bool) -> anyhow::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, entries)?;
        writeln!(out)?;
        return Ok(());
    }
    for entry in entries {
        let comment = entry.comment.escape_debug();
        let line = format!(
            "{:<30} {:<27} since {}  {comment}",
            entry.subject.to_string(),
            until(entry),
            time(entry.created)
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    if entries.is_empty() {
        writeln!(out, "nothing was added by command")?;
    }
    Ok(())
}
