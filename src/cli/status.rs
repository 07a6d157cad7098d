//! `gatepost status`: how the running process is doing.

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use crate::app::control::message::{
    Answer, Backend, Certificate, Examined, Reload, Request, Server, Status, Zone,
};
use crate::cli::ask::{Where, amiss, ask};
use crate::cli::output::{self, Paint};
use crate::doctor::Outcome;

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

/// Arguments of `gatepost status`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Write JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    place: Where,
}

/// Shows it.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let snapshot = match output::load(&arguments.place.config) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let Answer::Status(status) = ask(&snapshot, &Request::Status {})? else {
        return amiss();
    };
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &status)?;
        writeln!(out)?;
    } else {
        show(&mut out, &status, Paint::stdout())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show(out: &mut impl Write, status: &Status, paint: Paint) -> std::io::Result<()> {
    let up = humantime::format_duration(Duration::from_secs(status.uptime));
    let title = format!("gatepost {}", status.version);
    writeln!(out, "{}, up {up}", paint.bold(&title))?;
    if let Some(reload) = &status.reload {
        show_reload(out, reload, paint)?;
    }
    writeln!(out, "\n{}", paint.dim("listeners"))?;
    for listener in &status.listeners {
        writeln!(
            out,
            "  {:<14} {:<28} policy {} ({}), backend {}",
            listener.name,
            listener.address.to_string(),
            listener.policy,
            listener.mode,
            listener.backend
        )?;
    }
    writeln!(out, "\n{}", paint.dim("backends"))?;
    for backend in &status.backends {
        let Backend {
            connections,
            max_connections,
            ..
        } = backend;
        let (name, up) = (&backend.name, said(backend.up, paint));
        writeln!(
            out,
            "  {name:<14} {up}, {connections} of {max_connections} connections in use"
        )?;
        for server in &backend.servers {
            let address = server.address.to_string();
            writeln!(out, "    {address:<26} {}", server_health(server, paint))?;
        }
    }
    if !status.certificates.is_empty() {
        writeln!(out, "\n{}", paint.dim("certificates"))?;
    }
    let now = status.started + status.uptime;
    for certificate in &status.certificates {
        show_certificate(out, certificate, now, paint)?;
    }
    writeln!(out, "\n{}", paint.dim("DNS"))?;
    for zone in std::iter::once(&status.resolver).chain(&status.zones) {
        writeln!(out, "  {:<30} {}", zone.name, health(zone, paint))?;
    }
    doctor(out, status, paint)?;
    let sessions = &status.sessions;
    writeln!(out, "\n{}", paint.dim("sessions"))?;
    writeln!(
        out,
        "  {} open, {} ended; {} messages delivered, {} recipients refused",
        sessions.open, sessions.ended, sessions.delivered, sessions.refused
    )?;
    writeln!(out, "\n{}", paint.dim("memory"))?;
    memory(out, status, paint)?;
    writeln!(out, "\n{}", paint.dim("log and records"))?;
    records(out, status, paint)
}

fn show_reload(out: &mut impl Write, reload: &Reload, paint: Paint) -> std::io::Result<()> {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(reload.at);
    let at = humantime::format_rfc3339_seconds(at);
    match reload.taken {
        true => writeln!(out, "configuration taken up {at}")?,
        false => {
            let refused = paint.bad("the changed configuration is refused");
            writeln!(out, "{refused}, {at}; the one before holds:")?;
        }
    }
    for problem in &reload.problems {
        writeln!(out, "  {problem}")?;
    }
    if !reload.restart.is_empty() {
        writeln!(out, "waits for a restart: {}", reload.restart.join(", "))?;
    }
    Ok(())
}

fn said(up: Option<bool>, paint: Paint) -> String {
    match up {
        Some(true) => paint.good("up"),
        Some(false) => paint.bad("down"),
        None => "not asked yet".to_owned(),
    }
}

fn server_health(server: &Server, paint: Paint) -> String {
    let (up, connections) = (said(server.up, paint), server.connections);
    let down = server.down.map(Duration::from_secs);
    let since = down.map_or_else(String::new, |down| {
        let down = humantime::format_duration(down);
        format!(" for {down}: {}", server.why.as_deref().unwrap_or_default())
    });
    format!(
        "{up}{since}, {connections} connections, {}",
        last_test(server, paint)
    )
}

fn last_test(server: &Server, paint: Paint) -> String {
    let (Some(test), Some(ago)) = (&server.test, server.tested) else {
        return "not tested yet".to_owned();
    };
    let ago = humantime::format_duration(Duration::from_secs(ago));
    let test = test.replace('_', " ");
    let test = match test.as_str() {
        "relays for strangers" => paint.bad(&test),
        _ => test,
    };
    let clients = match server.takes_client_for.as_deref() {
        Some("client") => "knows clients by their address".to_owned(),
        Some(address) => paint.bad(&format!("takes every client for {address}")),
        None => "could not tell whether it knows clients by their address".to_owned(),
    };
    format!("{test} and {clients} (tested {ago} ago)")
}

fn show_certificate(
    out: &mut impl Write,
    certificate: &Certificate,
    now: u64,
    paint: Paint,
) -> std::io::Result<()> {
    let names = match certificate.names.as_slice() {
        [] => "no name".to_owned(),
        [first] => first.clone(),
        [first, more @ ..] => format!("{first} and {} more", more.len()),
    };
    let date = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(certificate.expires));
    let date = date.map_or_else(String::new, |date| {
        humantime::format_rfc3339_seconds(date).to_string()
    });
    let expiry = match certificate.expires.checked_sub(now).map(|left| left / DAY) {
        None => paint.bad(&format!("expired on {date}")),
        Some(days @ ..=14) => paint.bad(&format!("expires on {date}, in {days} days")),
        Some(days) => format!("expires on {date}, in {days} days"),
    };
    let own = match certificate.self_signed {
        true => ", self-signed",
        false => "",
    };
    let (key, chain) = (&certificate.key, certificate.chain.display());
    writeln!(out, "  {names:<30} {key}{own}, {expiry}, {chain}")?;
    match &certificate.trouble {
        Some(trouble) => writeln!(
            out,
            "  {:<30} {}",
            "",
            paint.bad(&format!("its files are not taken up: {trouble}"))
        ),
        None => Ok(()),
    }
}

fn health(zone: &Zone, paint: Paint) -> String {
    let state = match zone {
        zone if zone.suspended => paint.bad("suspended"),
        zone if zone.failed_in_a_row > 0 => {
            paint.bad(&format!("failed {} times in a row", zone.failed_in_a_row))
        }
        zone if zone.answered == 0 => "not asked yet".to_owned(),
        _ => paint.good("answers"),
    };
    let trouble = match zone.trouble {
        0 => String::new(),
        trouble => format!(", {trouble} answers that no list may give"),
    };
    let test = match zone.tested {
        Some(_) => format!(", {}", zone.test.replace('_', " ")),
        None => String::new(),
    };
    let (answered, failed) = (zone.answered, zone.failed);
    format!("{state}, {answered} lookups answered, {failed} failed{trouble}{test}")
}

/// Each domain, and what is not good about it.
fn doctor(out: &mut impl Write, status: &Status, paint: Paint) -> std::io::Result<()> {
    if status.doctor.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", paint.dim("doctor"))?;
    let now = status.started + status.uptime;
    for Examined { at, report } in &status.doctor {
        let ago = Duration::from_secs(now.saturating_sub(*at));
        let ago = humantime::format_duration(ago);
        writeln!(
            out,
            "  {:<30} {} ({ago} ago)",
            report.domain,
            report.counted()
        )?;
        let probes = report.probes.iter();
        for probed in probes.filter(|probed| probed.outcome > Outcome::CouldNotTell) {
            let outcome = match probed.outcome {
                Outcome::Notice => probed.outcome.label().to_owned(),
                outcome => paint.bad(outcome.label()),
            };
            let first = probed.findings.first();
            let seen = first.map(|one| format!("{}: {}", one.about, one.seen));
            writeln!(
                out,
                "    {:<14} {outcome}: {}",
                probed.probe,
                seen.unwrap_or_default()
            )?;
        }
    }
    Ok(())
}

fn memory(out: &mut impl Write, status: &Status, paint: Paint) -> std::io::Result<()> {
    let Some(memory) = &status.memory else {
        return writeln!(out, "  none");
    };
    let place = match memory.on_disk {
        true => "on disk".to_owned(),
        false => paint.bad("not on disk: gone after a restart"),
    };
    let kept = memory.kept.iter();
    let kept: Vec<String> = kept
        .map(|(table, count)| format!("{count} {table}"))
        .collect();
    writeln!(out, "  {place}; {}", kept.join(", "))?;
    if memory.dropped + memory.failures > 0 {
        writeln!(
            out,
            "  {} changes lost, {} failures of the disk",
            memory.dropped, memory.failures
        )?;
    }
    let entries = &status.entries;
    writeln!(
        out,
        "  by command: {} allowed, {} denied",
        entries.allow, entries.deny
    )
}

fn records(out: &mut impl Write, status: &Status, paint: Paint) -> std::io::Result<()> {
    let log = &status.log;
    let by_command = match &log.configured {
        Some(configured) => format!(", by command (the configuration says {configured})"),
        None => String::new(),
    };
    let lost = |count: u64, what: &str| match count {
        0 => String::new(),
        count => format!(", {}", paint.bad(&format!("{count} {what}"))),
    };
    let lines = lost(log.lost, "lines lost");
    writeln!(out, "  level {}{by_command}{lines}", log.level)?;
    let Some(journal) = &status.journal else {
        return writeln!(out, "  no records: the journal is switched off");
    };
    let (written, directory) = (journal.written, journal.directory.display());
    let (dropped, failures) = (
        lost(journal.dropped, "lost"),
        lost(journal.failures, "failures of the disk"),
    );
    writeln!(
        out,
        "  {written} records written to {directory}{dropped}{failures}"
    )
}
