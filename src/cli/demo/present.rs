//! Shows the demo: each session as it is spoken, what the gate made of it, and then what else to try.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};

use super::exim::Exim;
use super::play::{self, PLAYS, Play, Spoken};
use super::{DOMAIN, HOSTNAME, ZONE};
use crate::app::Running;
use crate::checks::finding::Finding;
use crate::checks::verdict::Verdict;
use crate::cli::output::Paint;
use crate::journal::{self, SessionRecord};

/// Where the gate listens.
pub(super) struct Doors {
    pub(super) starttls: SocketAddr,
    pub(super) tls: SocketAddr,
    pub(super) players: SocketAddr,
}

/// Plays and shows all sessions.
///
/// # Errors
///
/// One that did not go as it should, or standard output can not be written.
pub(super) async fn plays(folder: &Path, doors: &Doors, exim: Option<&Exim>) -> anyhow::Result<()> {
    let paint = Paint::stdout();
    let Doors {
        starttls,
        tls,
        players,
    } = doors;
    let behind = if exim.is_some() {
        "a real Exim"
    } else {
        "an embedded mail store"
    };
    say(&format!(
        "gatepost stands on {starttls} (STARTTLS) and {tls} (TLS), before {behind}."
    ))?;
    say(&format!(
        "Its DNS server has a block list, {ZONE}, that lists 203.0.113.66. Six clients come:\n"
    ))?;
    let connector = play::connector(&folder.join("state/self-signed.pem"))?;
    let mut as_expected = true;
    for (number, scene) in PLAYS.iter().enumerate() {
        let title = format!("{}  {}, from {}", number + 1, scene.title, scene.client);
        say(&paint.bold(&title))?;
        let seen = journal_ids(folder);
        let spoken = play::play(scene, *players, &connector, HOSTNAME).await?;
        for line in &spoken {
            say(&dialogue_line(line, paint))?;
        }
        let record = wait_for_record(folder, &seen).await?;
        as_expected &= judged(scene, &record, exim, paint)?;
    }
    if !as_expected {
        bail!("a session did not go as it should");
    }
    say(&format!(
        "{} as they should: 3 messages arrived, 3 attempts were refused.\n",
        paint.good("All six went")
    ))?;
    Ok(())
}

/// Says what can be tried while it serves. Each line works as it stands.
pub(super) fn hints(folder: &Path, doors: &Doors, exim: Option<&Exim>) -> std::io::Result<()> {
    let Doors { starttls, tls, .. } = doors;
    let folder = folder.display();
    let program = std::env::args_os().next().unwrap_or("gatepost".into());
    let program = program.to_string_lossy();
    let envelope = format!("--from you@sender.example --to alice@{DOMAIN}");
    let kept = if exim.is_some() {
        "exim/mail/new"
    } else {
        "Maildir/new"
    };
    say(&format!(
        "It keeps serving until Ctrl-C, and shows each session when it has ended. Talk to it, for example:

  swaks --server {starttls} {envelope}
  openssl s_client -quiet -crlf -starttls smtp -connect {starttls}
  openssl s_client -quiet -crlf -connect {tls}
  {program} explain 203.0.113.66 --config {folder}/gatepost.toml

With TLS swaks needs Perl's Net::SSLeay (libnet-ssleay-perl):

  swaks --server {starttls} --tls {envelope}

Mail is in {folder}/{kept}, records are in {folder}/journal."
    ))
}

/// Prints what the gate made of a session and says whether it was what was expected.
fn judged(
    scene: &Play,
    record: &SessionRecord,
    exim: Option<&Exim>,
    paint: Paint,
) -> anyhow::Result<bool> {
    let Some(verdict) = verdict_of(record) else {
        bail!("session {} has no verdict in its record", record.id)
    };
    let delivered = delivered_in(record);
    outcome(record, paint)?;
    if let (Some(exim), true) = (exim, delivered > 0) {
        let line = exim
            .arrival(scene.client.into())
            .context("Exim's log does not show the client's address")?;
        say(&format!("    Exim: {line}"))?;
    }
    say("")?;
    let expected = verdict.action.label() == scene.verdict && delivered == scene.delivered;
    if !expected {
        say(&paint.bad(&format!(
            "  expected: {}, {} delivered\n",
            scene.verdict, scene.delivered
        )))?;
    }
    Ok(expected)
}

/// The verdict, points and findings of a session.
fn outcome(record: &SessionRecord, paint: Paint) -> std::io::Result<()> {
    let delivered = delivered_in(record);
    let title = paint.bold("verdict");
    let Some(verdict) = verdict_of(record) else {
        return say(&format!("  {title} none, nobody was named as recipient"));
    };
    let word = match verdict.action.label() {
        label @ "clear" => paint.good(label),
        label => paint.bad(label),
    };
    let exempt = if verdict.exempt {
        " (exempt recipient)"
    } else {
        ""
    };
    say(&format!(
        "  {title} {word}{exempt}, {} points, {delivered} delivered",
        verdict.points
    ))?;
    for finding in &verdict.findings {
        let line = format!(
            "    {:>5}  {:<13} {}",
            finding.points,
            finding.check,
            told(finding)
        );
        say(&paint.dim(line.trim_end()))?;
    }
    Ok(())
}

/// What a finding says: what was seen, or, where that says it all, the reason.
fn told(finding: &Finding) -> &str {
    match finding.evidence.as_str() {
        "" => &finding.reason,
        evidence => evidence,
    }
}

fn verdict_of(record: &SessionRecord) -> Option<&Verdict> {
    let verdicts = record.decisions.iter().map(|decision| &decision.verdict);
    verdicts.max_by_key(|verdict| verdict.action)
}

fn delivered_in(record: &SessionRecord) -> u64 {
    let messages = record.messages.iter();
    messages.filter(|message| message.accepted()).count() as u64
}

/// Shows each session that others have with the gate, once it has ended; it goes on until it is dropped.
pub(super) async fn visitors(folder: &Path, gate: &Running) -> anyhow::Result<()> {
    let paint = Paint::stdout();
    let mut seen = records(folder).len();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        // The journal is read only when there is something new in it.
        if gate.tally().totals().0 <= seen as u64 {
            continue;
        }
        for record in records(folder).into_iter().skip(seen) {
            seen += 1;
            let client = record.facts.client().map(|client| client.ip().to_string());
            let title = format!("session {}, from {}", record.id, client.unwrap_or_default());
            say(&format!("\n{}", paint.bold(&title)))?;
            outcome(&record, paint)?;
        }
    }
}

fn dialogue_line(spoken: &Spoken, paint: Paint) -> String {
    let at = paint.dim(&format!("{:>5.2}s", spoken.at.as_secs_f64()));
    match spoken.by_client {
        true => format!("  {at}  C: {}", spoken.line),
        false => format!("  {at}  {}", paint.dim(&format!("S: {}", spoken.line))),
    }
}

fn journal_ids(folder: &Path) -> Vec<String> {
    records(folder)
        .into_iter()
        .map(|record| record.id)
        .collect()
}

fn records(folder: &Path) -> Vec<SessionRecord> {
    journal::read(&folder.join("journal"))
        .map(Iterator::collect)
        .unwrap_or_default()
}

/// The record of the session that has just been played.
async fn wait_for_record(folder: &Path, seen: &[String]) -> anyhow::Result<SessionRecord> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while tokio::time::Instant::now() < deadline {
        if let Some(record) = records(folder)
            .into_iter()
            .find(|record| !seen.contains(&record.id))
        {
            return Ok(record);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("the session's record was not written")
}

fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "{line}")
}
