//! The report as text. What a client said is escaped: nobody's terminal obeys a HELO name.

use std::fmt::Write;

use crate::measure::report::{CheckRow, Part, PolicyPart, Report, Suspect, TopList, Unit};
use crate::measure::stats::share;

/// The longest name in a list.
const NAME: usize = 44;

pub(super) fn text(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a text does not fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    head(out, report)?;
    outcomes(out, report)?;
    kept(out, report)?;
    for policy in &report.policies {
        checks(out, policy)?;
    }
    cost(out, report)?;
    delay(out, report)?;
    list(out, "networks", &report.networks)?;
    list(out, "HELO names", &report.helo_names)?;
    zones(out, report)?;
    suspects(out, report)
}

fn head(out: &mut String, report: &Report) -> std::fmt::Result {
    match (report.first, report.last) {
        (Some(first), Some(last)) => writeln!(
            out,
            "{} sessions from {first} to {last}",
            report.sessions.all
        )?,
        _ => writeln!(out, "no sessions")?,
    }
    for (what, name) in [("listener", &report.listener), ("policy", &report.policy)] {
        if let Some(name) = name {
            writeln!(out, "only {what} {name}")?;
        }
    }
    if report.read.damaged > 0 {
        writeln!(
            out,
            "{} lines could not be understood and are left out",
            report.read.damaged
        )?;
    }
    if let Some(observed) = observed(report) {
        writeln!(out, "{observed}")?;
    }
    writeln!(
        out,
        "No record says what was spam: this tells what was refused, put off and handed on."
    )
}

/// In how many sessions nothing was done in fact, if there are any.
pub(super) fn observed(report: &Report) -> Option<String> {
    let observed = report.sessions.observed;
    (observed > 0).then(|| {
        format!("In {observed} sessions the policy only observed: verdicts tell what would have been, outcomes what was.")
    })
}

fn outcomes(out: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(out)?;
    let words = |counts: &mut dyn Iterator<Item = (&str, u64)>| {
        let words = counts
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{word} {count}"));
        words.collect::<Vec<_>>().join(", ")
    };
    let sum = |counts: &std::collections::BTreeMap<&'static str, u64>| counts.values().sum::<u64>();
    let sessions = &report.sessions;
    row(
        out,
        "sessions",
        sessions.all,
        &words(&mut sessions.ended.iter().map(|(word, count)| (*word, *count))),
    )?;
    row(
        out,
        "  gravest verdict",
        sessions.all,
        &words(
            &mut sessions
                .verdicts
                .iter()
                .map(|(word, count)| (*word, *count)),
        ),
    )?;
    row(out, "transactions", report.transactions, "")?;
    row(
        out,
        "recipients",
        sum(&report.recipients),
        &words(
            &mut report
                .recipients
                .iter()
                .map(|(word, count)| (*word, *count)),
        ),
    )?;
    row(
        out,
        "messages",
        sum(&report.messages),
        &words(&mut report.messages.iter().map(|(word, count)| (*word, *count))),
    )
}

fn row(out: &mut String, name: &str, count: u64, words: &str) -> std::fmt::Result {
    writeln!(out, "{:<18}{count:>10}  {words}", name)?;
    Ok(())
}

fn kept(out: &mut String, report: &Report) -> std::fmt::Result {
    let shares = report.shares;
    writeln!(out)?;
    for (what, part) in [
        ("sessions kept from the backend", shares.kept_from_backend),
        ("connections dropped", shares.dropped),
        ("recipients refused", shares.refused),
        ("recipients put off", shares.put_off),
    ] {
        writeln!(out, "{what:<32}{}", part_text(part))?;
    }
    let spared = report.spared;
    writeln!(
        out,
        "{:<32}{} received there, {} announced and never sent",
        "octets spared the backend",
        size(spared.received_bytes),
        size(spared.announced_bytes)
    )?;
    writeln!(
        out,
        "\nhow far sessions came  handed on   cut off   refused   put off  left by themselves"
    )?;
    for row in &report.reached {
        writeln!(
            out,
            "  {:<19}{:>11}{:>10}{:>10}{:>10}{:>10}",
            row.reached, row.handed_on, row.cut_off, row.refused, row.put_off, row.left
        )?;
    }
    Ok(())
}

pub(super) fn part_text(part: Part) -> String {
    let Part {
        part: hits,
        whole,
        share,
        interval,
        ..
    } = part;
    if whole == 0 {
        return "none".to_owned();
    }
    format!(
        "{} of {whole} are {} ({} to {})",
        hits,
        percent(share),
        percent(interval.low),
        percent(interval.high)
    )
}

fn checks(out: &mut String, policy: &PolicyPart) -> std::fmt::Result {
    write!(
        out,
        "\npolicy {}, {} sessions",
        printable(&policy.name),
        policy.sessions
    )?;
    match policy.observed {
        0 => writeln!(out)?,
        observed => writeln!(out, "; only observed in {observed} of them")?,
    }
    if !policy.known {
        return writeln!(
            out,
            "  the configuration has no such policy: its sessions can not be judged again"
        );
    }
    if policy.judged_otherwise > 0 {
        writeln!(
            out,
            "  {} of them would be judged otherwise by the policy as it is now (gatepost replay --verify)",
            policy.judged_otherwise
        )?;
    }
    writeln!(
        out,
        "  kept out (refused or put off), judged again: {}",
        units(policy)
    )?;
    if let Some(shield) = shield(policy) {
        writeln!(out, "  {shield}")?;
    }
    writeln!(
        out,
        "  {:<14}{:>8}{:>8}{:>7}{:>8} |{:>7}{:>7}{:>9} |{:>7}{:>7}{:>9}",
        "check",
        "looked",
        "against",
        "share",
        "not",
        "alone",
        "unique",
        "Shapley",
        "alone",
        "unique",
        "Shapley"
    )?;
    writeln!(
        out,
        "  {:<14}{:>8}{:>8}{:>7}{:>8} |{:>23} |{:>23}",
        "", "sessions", "", "", "looked", "recipients kept out", "connections kept out"
    )?;
    for check in policy
        .checks
        .iter()
        .filter(|check| check.looked + check.against > 0)
    {
        check_row(out, check)?;
    }
    Ok(())
}

fn units(policy: &PolicyPart) -> String {
    let unit = |unit: Unit, name: &str| format!("{} of {} {name}", unit.kept_out, unit.all);
    format!(
        "{}, {}, {}",
        unit(policy.connections, "connections"),
        unit(policy.transactions, "transactions"),
        unit(policy.recipients, "recipients")
    )
}

/// What a secondary keeps out whatever its checks say, if it keeps out any.
pub(super) fn shield(policy: &PolicyPart) -> Option<String> {
    let [connections, transactions, recipients] =
        [policy.connections, policy.transactions, policy.recipients]
            .map(|unit| unit.without_checks);
    (connections + transactions + recipients > 0).then(|| {
        format!(
            "of these by the shield, whatever the checks say: {connections} connections, {transactions} transactions, \
             {recipients} recipients"
        )
    })
}

fn check_row(out: &mut String, check: &CheckRow) -> std::fmt::Result {
    write!(
        out,
        "  {:<14}{:>8}{:>8}{:>7}{:>8}",
        check.check,
        check.looked,
        check.against,
        percent(check.against_share),
        check.not_looked
    )?;
    for brought in [check.recipients, check.connections] {
        write!(
            out,
            " |{:>7}{:>7}{:>9.1}",
            brought.alone, brought.unique, brought.shapley
        )?;
    }
    writeln!(out)
}

fn cost(out: &mut String, report: &Report) -> std::fmt::Result {
    let dns = report.dns;
    writeln!(
        out,
        "\nDNS questions: {} asked ({:.2} a session), {} answered by the cache",
        dns.live, dns.live_per_session, dns.cached
    )?;
    for policy in report.policies.iter().filter(|policy| policy.known) {
        writeln!(out, "policy {}", printable(&policy.name))?;
        writeln!(
            out,
            "  {:<14}{:>10}{:>10}{:>14}{:>14}",
            "check", "asked", "cached", "waited", "held greeting"
        )?;
        let costs =
            |check: &&CheckRow| check.dns_live + check.dns_cached > 0 || check.held_seconds > 0.0;
        for check in policy.checks.iter().filter(costs) {
            let (waited, held) = (
                format!("{:.1} s", check.waited_seconds),
                format!("{:.1} s", check.held_seconds),
            );
            writeln!(
                out,
                "  {:<14}{:>10}{:>10}{waited:>14}{held:>14}",
                check.check, check.dns_live, check.dns_cached
            )?;
        }
    }
    Ok(())
}

fn delay(out: &mut String, report: &Report) -> std::fmt::Result {
    let (delay, greeting) = (report.delay, report.greeting);
    let came = percent(share(delay.let_through, delay.put_off));
    writeln!(
        out,
        "\ngreylisting: {} recipients put off, {} ({came}) came again and were let through",
        delay.put_off, delay.let_through
    )?;
    if let (Some(p50), Some(p90), Some(most)) =
        (delay.p50_seconds, delay.p90_seconds, delay.most_seconds)
    {
        writeln!(
            out,
            "  half within {}, nine of ten within {}, the last after {}",
            span(p50),
            span(p90),
            span(most)
        )?;
    }
    if delay.may_still_come > 0 {
        writeln!(
            out,
            "  {} were put off in the last 24 hours and may still come",
            delay.may_still_come
        )?;
    }
    if delay.not_watched > 0 {
        writeln!(
            out,
            "  {} more were not watched: too many",
            delay.not_watched
        )?;
    }
    writeln!(
        out,
        "greeting: of {} sessions that delivered, {} were made to wait, {:.1} s on average",
        greeting.delivered, greeting.waited, greeting.mean_seconds
    )
}

fn list(out: &mut String, what: &str, list: &TopList) -> std::fmt::Result {
    if list.first.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{what}, the most often refused first{:>12}{:>12}",
        "refused in", "sessions"
    )?;
    for row in list.first.iter().take(10) {
        writeln!(
            out,
            "  {:<NAME$}{:>10}{:>10}",
            printable(&row.what),
            row.refused,
            row.sessions
        )?;
    }
    match list.short_by {
        0 => Ok(()),
        short => writeln!(
            out,
            "  too many to count all: a count may be {short} too small"
        ),
    }
}

fn zones(out: &mut String, report: &Report) -> std::fmt::Result {
    let zones = &report.zones;
    if zones.zones.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\nzones: of the sessions that one lists, how many the others list too"
    )?;
    write!(out, "     {:<36}{:>9}{:>9}", "", "answered", "lists")?;
    for number in 1..=zones.zones.len() {
        write!(out, "{:>6}", format!("({number})"))?;
    }
    writeln!(out)?;
    for (at, zone) in zones.zones.iter().enumerate() {
        let of = |counts: &[u64]| counts.get(at).copied().unwrap_or_default();
        let number = format!("({})", at + 1);
        write!(
            out,
            "{number:>4} {:<36}{:>9}{:>9}",
            printable(zone),
            of(&zones.answered),
            of(&zones.listing)
        )?;
        for given in zones.given.get(at).into_iter().flatten() {
            write!(
                out,
                "{:>6}",
                given.map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0))
            )?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn suspects(out: &mut String, report: &Report) -> std::fmt::Result {
    let suspects = &report.suspects;
    writeln!(
        out,
        "\nperhaps refused wrongly (gatepost explain ID shows a session)"
    )?;
    for kind in suspects.kinds() {
        writeln!(out, "  {:>6}  {}", kind.count, kind.says())?;
        for suspect in kind.first.iter().take(5) {
            writeln!(out, "          {}", suspect_text(suspect))?;
        }
    }
    match suspects.not_watched {
        0 => Ok(()),
        more => writeln!(out, "  {more:>6}  refusals were not watched: too many"),
    }
}

fn suspect_text(suspect: &Suspect) -> String {
    let then = suspect
        .then
        .as_ref()
        .map_or_else(String::new, |then| format!(", then {}", printable(then)));
    format!(
        "{} in {}{then}",
        suspect.client,
        printable(&suspect.refused)
    )
}

pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent != 0.0 && percent < 0.1 => format!("{percent:.3}%"),
        percent => format!("{percent:.1}%"),
    }
}

pub(super) fn size(octets: u64) -> String {
    bytesize::ByteSize::b(octets).to_string()
}

pub(super) fn span(seconds: f64) -> String {
    let span = std::time::Duration::try_from_secs_f64(seconds.max(0.0).round()).unwrap_or_default();
    humantime::format_duration(span).to_string()
}

/// What a client or a file said, on one line and without what a terminal would obey, cut.
pub(super) fn printable(text: &str) -> String {
    let escaped = text.escape_debug().to_string();
    match escaped.char_indices().nth(NAME - 1) {
        Some((end, _)) => format!("{}…", escaped.get(..end).unwrap_or_default()),
        None => escaped,
    }
}
