//! `gatepost replay`: recorded sessions judged again, under another policy or under the same.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::output::{self, Paint, Usage};
use crate::cli::progress::Progress;
use crate::cli::report::{Which, no_records};
use crate::config::Snapshot;
use crate::measure::replay::{Change, Changes, Options, Row, Verified, replay, verify};

/// Arguments of `gatepost replay`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A configuration file with the policy to judge by
    #[arg(long, value_name = "FILE", required_unless_present = "verify")]
    policy: Option<PathBuf>,
    /// The policy in that file; by default the one that has the name under which a session was judged
    #[arg(long, value_name = "NAME", requires = "policy")]
    name: Option<String>,
    /// Judge by the same policies instead, and say which verdicts are not reproduced; exit code 1 if there are some, or if sessions could not be judged
    #[arg(long, conflicts_with = "policy")]
    verify: bool,
    /// List the sessions that would have gone this way: same, harsher, milder, went-on or undecided
    #[arg(
        long,
        value_name = "CHANGE",
        value_enum,
        hide_possible_values = true,
        conflicts_with = "verify"
    )]
    list: Option<Listed>,
    /// The most sessions that are listed
    #[arg(long, value_name = "NUMBER", default_value_t = 100, requires = "list")]
    limit: usize,
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Listed {
    /// As it went
    Same,
    /// More would have been done against the client
    Harsher,
    /// Less would have been done against the client
    Milder,
    /// It was dropped, and would have gone on
    WentOn,
    /// It hangs on a question that was not asked
    Undecided,
}

impl From<Listed> for Change {
    fn from(listed: Listed) -> Self {
        match listed {
            Listed::Same => Self::Same,
            Listed::Harsher => Self::Harsher,
            Listed::Milder => Self::Milder,
            Listed::WentOn => Self::WentOn,
            Listed::Undecided => Self::Undecided,
        }
    }
}

/// Judges again.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let wanted = arguments.which.wanted()?;
    let place = match arguments.which.place() {
        Ok(place) => place,
        Err(code) => return Ok(code),
    };
    let directory = &place.directory;
    let progress = Progress::new("judging");
    let tell = |done, all| progress.tell(done, all);
    let Some(file) = &arguments.policy else {
        let verified = verify(directory, &place.policies, &wanted, tell);
        drop(progress);
        return show_verified(
            &verified.with_context(|| no_records(directory))?,
            arguments.json,
        );
    };
    let other = match output::load(file) {
        Ok(other) => other,
        Err(code) => return Ok(code),
    };
    let options = Options {
        wanted,
        name: chosen(arguments.name.as_deref(), &other)?,
        list: arguments
            .list
            .map(|change| (change.into(), arguments.limit)),
    };
    let changes = replay(directory, &other.policies, &options, tell);
    drop(progress);
    show(&changes.with_context(|| no_records(directory))?, arguments)
}

fn chosen(name: Option<&str>, other: &Snapshot) -> anyhow::Result<Option<String>> {
    let Some(name) = name else { return Ok(None) };
    if other.policies.contains_key(name) {
        return Ok(Some(name.to_owned()));
    }
    let names: Vec<&str> = other.policies.keys().map(String::as_str).collect();
    Err(Usage(format!(
        "there is no [policy.{name}]; there are {}",
        names.join(", ")
    ))
    .into())
}

fn show(changes: &Changes, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, changes)?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(listed) = arguments.list {
        let word = Change::from(listed).label();
        let rows = changes.first.get(word).map_or(&[][..], Vec::as_slice);
        for row in rows {
            writeln!(out, "{}", line(row))?;
        }
        let all = changes.changes.get(word).copied().unwrap_or_default();
        if u64::try_from(rows.len()).is_ok_and(|shown| shown < all) {
            output::complain(&format!(
                "there are more; these are the first {} of {all} (--limit)",
                rows.len()
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    write_changes(&mut out, changes)?;
    Ok(ExitCode::SUCCESS)
}

fn write_changes(out: &mut impl Write, changes: &Changes) -> std::io::Result<()> {
    let paint = Paint::stdout();
    let Changes {
        sessions,
        decisions,
        ..
    } = changes;
    writeln!(
        out,
        "{sessions} sessions with {decisions} decisions judged again"
    )?;
    left_out(
        out,
        changes.read.damaged,
        changes.no_such_policy,
        &changes.policies_missing,
    )?;
    writeln!(out)?;
    for change in Change::ALL {
        let count = changes
            .changes
            .get(change.label())
            .copied()
            .unwrap_or_default();
        let share = crate::measure::stats::share(count, *sessions) * 100.0;
        writeln!(
            out,
            "{}  {:>10}  {share:5.1}%  {}",
            paint.bold(&format!("{:<9}", change.label())),
            count,
            about(change)
        )?;
        let first = changes.first.get(change.label());
        for row in first.into_iter().flatten() {
            writeln!(out, "             {}", line(row))?;
        }
    }
    if !changes.missing.is_empty() {
        writeln!(
            out,
            "\nnot asked then, and what that leaves undecided, in sessions"
        )?;
        for (question, sessions) in &changes.missing {
            writeln!(out, "  {sessions:>10}  {question}")?;
        }
    }
    writeln!(
        out,
        "\n{}",
        paint.dim("--list harsher lists the first 100 of them, more with --limit; gatepost explain ID shows one")
    )
}

const fn about(change: Change) -> &'static str {
    match change {
        Change::Same => "as it went",
        Change::Harsher => "more would have been done against the client",
        Change::Milder => "less would have been done against the client",
        Change::WentOn => "was dropped, and would have gone on",
        Change::Undecided => "hangs on questions that were not asked",
    }
}

fn line(row: &Row) -> String {
    format!(
        "{}  {}  {} → {}",
        row.id.escape_debug(),
        row.time,
        row.was.label(),
        row.would_be.label()
    )
}

fn show_verified(verified: &Verified, json: bool) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let left_some_out = verified.read.damaged > 0 || verified.no_such_policy > 0;
    let is_good = verified.differences == 0 && verified.sessions > 0 && !left_some_out;
    let code = if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    };
    if json {
        serde_json::to_writer_pretty(&mut out, verified)?;
        writeln!(out)?;
        return Ok(code);
    }
    let Verified {
        sessions,
        decisions,
        differences,
        ..
    } = verified;
    writeln!(
        out,
        "{sessions} sessions with {decisions} decisions judged again by the same policies"
    )?;
    left_out(
        &mut out,
        verified.read.damaged,
        verified.no_such_policy,
        &verified.policies_missing,
    )?;
    if *differences == 0 {
        let says = match (sessions, left_some_out) {
            (0, _) => "nothing was judged, so nothing is verified",
            (_, true) => {
                "every verdict that could be judged is reproduced, but some sessions are left out"
            }
            (_, false) => "every verdict is reproduced",
        };
        writeln!(out, "{says}")?;
        return Ok(code);
    }
    writeln!(
        out,
        "{differences} verdicts come out otherwise; if the policy was changed since, that is why. The first:"
    )?;
    for one in &verified.first {
        writeln!(
            out,
            "  {}  decision {}: {}, now {}",
            one.id.escape_debug(),
            one.decision,
            one.was,
            one.is
        )?;
    }
    Ok(code)
}

fn left_out(
    out: &mut impl Write,
    damaged: u64,
    no_policy: u64,
    names: &[Box<str>],
) -> std::io::Result<()> {
    if damaged > 0 {
        writeln!(
            out,
            "{damaged} lines could not be understood and are left out"
        )?;
    }
    if no_policy > 0 {
        let names: Vec<String> = names
            .iter()
            .map(|name| name.escape_debug().to_string())
            .collect();
        writeln!(
            out,
            "{no_policy} sessions are left out: there is no policy {}",
            names.join(", ")
        )?;
    }
    Ok(())
}
