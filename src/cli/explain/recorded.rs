//! A recorded session as it went: what was asked, what was found, what became of each recipient. Nothing is judged again.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;

use crate::checks::verdict::Verdict;
use crate::cli::explain::show;
use crate::cli::output::{self, Paint};
use crate::cli::report::no_records;
use crate::facts::Fact;
use crate::journal::{SessionRecord, find};

/// Shows the session `id`; exit code 1 if there is no record of it.
pub(super) fn run(directory: &Path, id: &str, json: bool) -> anyhow::Result<ExitCode> {
    let record = find(directory, id).with_context(|| no_records(directory))?;
    let Some(record) = record else {
        output::complain(&format!(
            "gatepost: there is no record of session {id} in {}",
            directory.display()
        ));
        return Ok(ExitCode::from(1));
    };
    let mut out = std::io::stdout().lock();
    match json {
        true => {
            serde_json::to_writer_pretty(&mut out, &record)?;
            writeln!(out)?;
        }
        false => session(&mut out, &record)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn session(out: &mut impl Write, record: &SessionRecord) -> std::io::Result<()> {
    let paint = Paint::stdout();
    let facts = &record.facts;
    let client = facts.client();
    let address = client.map_or_else(|| "-".to_owned(), |client| client.ip().to_string());
    writeln!(
        out,
        "session {} at {}, {} long, ended: {}",
        paint.bold(&shown(&record.id)),
        record.started,
        record.duration_ms,
        record.ended.label()
    )?;
    let listener = client.map_or("-", |client| &client.listener);
    writeln!(
        out,
        "{} at listener {}, policy {}",
        paint.bold(&address),
        shown(listener),
        shown(&record.policy)
    )?;
    said(out, record)?;
    writeln!(out, "\n{}", paint.dim("asked"))?;
    for answered in facts.answers() {
        show::asked(out, answered, paint)?;
    }
    let gravest = record
        .decisions
        .iter()
        .map(|one| &one.verdict)
        .max_by_key(|one| one.action);
    if let Some(verdict) = gravest {
        found(out, verdict, paint)?;
    }
    became(out, record, paint)
}

/// What the client said, in order.
fn said(out: &mut impl Write, record: &SessionRecord) -> std::io::Result<()> {
    for entry in record.facts.entries() {
        let words = match &entry.fact {
            Fact::Tls(tls) => format!("TLS  {} {}", tls.version, tls.cipher),
            Fact::Helo(helo) if helo.extended => format!("EHLO {}", helo.name.as_str()),
            Fact::Helo(helo) => format!("HELO {}", helo.name.as_str()),
            Fact::Mail(mail) => format!("MAIL {}", mail.path),
            Fact::Rcpt(rcpt) => format!("RCPT {}", rcpt.path),
            Fact::Rejected => "     refused by the backend".to_owned(),
            Fact::Reset => "     transaction ended".to_owned(),
            Fact::Fault(fault) => format!("     fault: {}", fault.label()),
            Fact::Client(_) | Fact::Login(_) | Fact::Answered(_) | Fact::Listed(_) => continue,
        };
        writeln!(out, "  {:>9}  {}", entry.at.to_string(), shown(&words))?;
    }
    Ok(())
}

fn found(out: &mut impl Write, verdict: &Verdict, paint: Paint) -> std::io::Result<()> {
    writeln!(out, "\n{}", paint.dim("found"))?;
    for finding in &verdict.findings {
        writeln!(out, "  {}", show::row(finding, paint))?;
    }
    let observed = if verdict.observed {
        " (observed only: nothing was refused)"
    } else {
        ""
    };
    writeln!(
        out,
        "\ntotal    {} points, verdict {}{observed}",
        verdict.points,
        verdict.action.label()
    )
}

fn became(out: &mut impl Write, record: &SessionRecord, paint: Paint) -> std::io::Result<()> {
    if !record.recipients.is_empty() {
        writeln!(out, "\n{}", paint.dim("recipients"))?;
    }
    for one in &record.recipients {
        let exempt = if one.exempt {
            ", exempt from filtering"
        } else {
            ""
        };
        let reply = one.reply.to_string();
        writeln!(
            out,
            "  {} {}{exempt}: {}",
            shown(&one.path.to_string()),
            one.action.label(),
            shown(&reply)
        )?;
    }
    for message in &record.messages {
        writeln!(
            out,
            "message of {} octets: {}",
            message.size,
            shown(&message.reply.to_string())
        )?;
    }
    if record.recipients.is_empty() {
        for reply in &record.replies {
            writeln!(out, "reply    {}", shown(reply))?;
        }
    }
    Ok(())
}

/// What a client or a backend said: a terminal obeys none of it.
fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}
