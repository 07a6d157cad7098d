//! The result for people.

mod tables;

use std::fmt::Write as _;

use super::result::{Results, Server};
use crate::cli::output::Paint;
use crate::measure::scenario::Group;
use crate::measure::score::{Bands, Comparison, Paired, Part, Range, Spread};
use tables::{cases, checks, classes};
pub(super) use tables::{stopped, word};

/// The whole of it.
pub(super) fn text(results: &Results, paint: Paint) -> String {
    let mut out = head(results, paint);
    for server in &results.servers {
        out.push_str(&one(server, paint));
    }
    for comparison in &results.comparisons {
        out.push_str(&compared(comparison, paint));
    }
    match results.broken.as_slice() {
        [] => out + "\n" + &paint.good("everything is as it must be") + "\n",
        broken => broken.iter().fold(out + "\n", |out, line| {
            out + &paint.bad("not as it must be: ") + line + "\n"
        }),
    }
}

fn head(results: &Results, paint: Paint) -> String {
    let title = paint.bold(&format!(
        "simulated traffic: scenario {}, seed {}",
        results.scenario, results.seed
    ));
    format!(
        "{title}\nscenario's hash {}\n{} clients in {} h of virtual time; clock {}, session clock {}; gatepost {}\n",
        results.hash,
        results.errands,
        results.span.div_ceil(3600),
        results.clock,
        results.session_clock,
        results.version
    )
}

fn one(server: &Server, paint: Paint) -> String {
    let score = &server.score;
    let bands = server.bands.as_ref();
    let mut out = format!("\n{}, {:.0} s\n", paint.bold(&score.target), score.took);
    let mut line = |what: &str, text: String| {
        let _ = writeln!(out, "  {what:<22} {text}");
    };
    line(
        "spam stopped",
        share(
            &score.spam_stopped,
            "messages",
            bands.map(|bands| bands.spam_stopped),
        ),
    );
    if let Some(part) = &score.hostile_stopped {
        let band = bands.and_then(|bands| bands.hostile_stopped);
        line("unwanted kept out", share(part, "connections", band));
    }
    if let Some(part) = &score.with_mail_stopped {
        let others = score.hostile_stopped.as_ref();
        let others = others.map_or(0, |all| all.whole.saturating_sub(part.whole));
        let text = share(part, "connections", None);
        line(
            "  those with mail",
            format!("{text}; the other {others} guess passwords, look or scan"),
        );
    }
    let band = bands.map(|bands| bands.legitimate_rejected);
    line(
        "legitimate refused",
        share(&score.legitimate_rejected, "messages", band),
    );
    line(
        "legitimate delayed",
        share(&score.legitimate_delayed, "messages", None),
    );
    if let Some(bands) = bands {
        line("band", weighed(bands));
    }
    line(
        "to postmaster, abuse",
        format!("{} of {} delivered", score.exempt.part, score.exempt.whole),
    );
    line("integrity", integrity(server, paint));
    for (what, spread) in [
        ("delay, known senders", score.times.delivery_known),
        ("delay, new senders", score.times.delivery_new),
        ("greeting, known", score.times.greeting_known),
        ("greeting, new", score.times.greeting_new),
    ] {
        if let Some(spread) = spread {
            line(what, spread_text(&spread, what.starts_with("delay")));
        }
    }
    for (what, text) in cost(server) {
        line(what, text);
    }
    line("players", players(server));
    out.push_str(&classes(server, paint));
    out.push_str(&cases(server, paint));
    out.push_str(&checks(&server.checks, paint));
    for note in &server.notes {
        let _ = writeln!(out, "  {}", paint.dim(note));
    }
    out
}

/// A share with its interval, and with the band where there is one.
fn share(part: &Part, what: &str, band: Option<Range>) -> String {
    let percent = |share: f64| format!("{:.2}", share * 100.0);
    let interval = part.interval();
    let band = band.map_or_else(String::new, |band| {
        format!("; band {} to {}", percent(band.low), percent(band.high))
    });
    let three = rule_of_three(part);
    format!(
        "{} % of {} {what} ({} to {}{band}{three})",
        percent(part.share),
        part.whole,
        percent(interval.low),
        percent(interval.high)
    )
}

/// For none and for all: what is unlikely.
pub(super) fn rule_of_three(part: &Part) -> String {
    let bound = match (part.at_most, part.at_least) {
        _ if part.whole == 0 => return String::new(),
        (Some(most), _) => format!("at most {:.2} %", most * 100.0),
        (None, Some(least)) => format!("at least {:.2} %", least * 100.0),
        (None, None) => return String::new(),
    };
    format!("; rule of three over {} senders: {bound}", part.clusters)
}

/// What the bands above rest on.
pub(super) fn weighed(bands: &Bands) -> String {
    let all = bands.bands.len();
    let not: Vec<String> = bands
        .not_weighed()
        .map(|band| format!("{} among {}", band.of.about(), among(band.among)))
        .collect();
    match not.len() {
        0 => format!("over all {all} assumptions of the scenario, one moved at a time"),
        count => format!(
            "over {} of {all} assumptions; {count} could not be weighed, since none or all had the trait: {}",
            all - count,
            not.join(", ")
        ),
    }
}

/// A group, in words.
pub(super) const fn among(group: Group) -> &'static str {
    match group {
        Group::Unwanted => "unwanted connections",
        Group::Spam => "spam",
        Group::Legitimate => "legitimate mail",
    }
}

fn integrity(server: &Server, paint: Paint) -> String {
    let integrity = &server.score.integrity;
    match (integrity.known, integrity.holds()) {
        (false, _) => "what arrived can not be seen".to_owned(),
        (true, true) => format!(
            "{} messages taken, {}",
            integrity.taken,
            paint.good("each arrived once")
        ),
        (true, false) => {
            let told = format!(
                "{} messages taken, {} recipients lost, {} served twice, {} against what was answered",
                integrity.taken, integrity.lost, integrity.duplicates, integrity.invented
            );
            integrity
                .faults
                .iter()
                .fold(paint.bad(&told), |told, fault| told + "\n    " + fault)
        }
    }
}

/// Times of virtual time in minutes, of sessions in seconds.
pub(super) fn spread_text(spread: &Spread, is_virtual: bool) -> String {
    let time = |seconds: f64| match is_virtual {
        true => format!("{:.1} min", seconds / 60.0),
        false => format!("{seconds:.3} s"),
    };
    format!(
        "half within {}, 9 of 10 within {}, 99 of 100 within {}, all {} within {}",
        time(spread.p50),
        time(spread.p90),
        time(spread.p99),
        spread.count,
        time(spread.max)
    )
}

pub(super) fn cost(server: &Server) -> Vec<(&'static str, String)> {
    let cost = &server.score.cost;
    let mut lines = Vec::new();
    if let (Some(sessions), Some(spared)) = (cost.backend_sessions, cost.sessions_spared) {
        let text = format!(
            "{sessions} for {} connections: {:.1} % spared",
            cost.connections,
            spared * 100.0
        );
        lines.push(("backend sessions", text));
    }
    let cpu = [("server", cost.server_cpu), ("backend", cost.backend_cpu)];
    let cpu = cpu
        .into_iter()
        .filter_map(|(who, cpu)| Some(format!("{who} {:.2} s", cpu?)));
    let cpu: Vec<String> = cpu.collect();
    if !cpu.is_empty() {
        lines.push(("CPU, 1000 connections", cpu.join(", ")));
    }
    if let Some(dns) = cost.dns {
        lines.push(("DNS questions", format!("{dns:.2} for each connection")));
    }
    lines
}

fn players(server: &Server) -> String {
    let [median, most] = server.late;
    let cut = match server.cut_short {
        0 => String::new(),
        count => format!("; {count} had tries left at the end"),
    };
    let troubled = match server.score.troubled {
        0 => String::new(),
        count => format!(
            "; {count} had trouble of their own: {}",
            server.score.troubles.join(", ")
        ),
    };
    format!(
        "{} connections, half late by {median:.3} s, 99 of 100 by less than {most:.2} s{cut}{troubled}",
        server.connections
    )
}

fn compared(comparison: &Comparison, paint: Paint) -> String {
    let Comparison { first, second, .. } = comparison;
    let mut out = format!(
        "\n{}\n",
        paint.bold(&format!("{first} and {second}, message by message"))
    );
    let mut line = |what: &str, paired: &Paired| {
        let interval = paired.by_cluster.map_or_else(String::new, |interval| {
            format!(
                " ({:+.2} to {:+.2})",
                interval.low * 100.0,
                interval.high * 100.0
            )
        });
        let _ = writeln!(
            out,
            "  {what:<22} {:+.2} points{interval}; at {first} alone {}, at {second} alone {}; p = {:.3}",
            paired.difference * 100.0,
            paired.only_first,
            paired.only_second,
            paired.p
        );
    };
    line("spam stopped", &comparison.spam_stopped);
    if let Some(hostile) = &comparison.hostile_stopped {
        line("unwanted kept out", hostile);
    }
    line("legitimate refused", &comparison.legitimate_rejected);
    if let Some([one, other]) = comparison.cpu {
        let _ = writeln!(out, "  {:<22} {one:.1} s, {other:.1} s", "CPU, all of it");
    }
    if let Some([one, other]) = comparison.backend_sessions {
        let _ = writeln!(out, "  {:<22} {one}, {other}", "mail server's sessions");
    }
    out
}
