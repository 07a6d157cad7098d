//! The tables of the result: who came, the special cases, what the checks brought.

use std::fmt::Write as _;

use crate::cli::bench::result::Server;
use crate::cli::output::Paint;
use crate::measure::credit::Credit;
use crate::measure::trace::Label;

pub(super) fn classes(server: &Server, paint: Paint) -> String {
    let head = [
        "",
        "connections",
        "offered",
        "delivered",
        "refused",
        "lost",
        "delayed",
    ];
    let counts = server.score.labels.iter().chain(&server.score.classes);
    let rows = counts.map(|counts| {
        let numbers = [
            counts.connections,
            counts.offered,
            counts.delivered + counts.partly,
            counts.rejected,
            counts.lost,
            counts.delayed,
        ];
        let mut row = vec![format!(
            "{} {}",
            counts.name,
            about(&counts.name, &counts.about)
        )];
        row.extend(numbers.iter().map(u64::to_string));
        row
    });
    table(
        "who came, messages to those who exist",
        &head,
        &rows.collect::<Vec<_>>(),
        paint,
    )
}

/// Labels say it with their name.
fn about<'a>(name: &str, about: &'a str) -> &'a str {
    match name.starts_with(|letter: char| letter.is_ascii_uppercase()) {
        true => about,
        false => "",
    }
}

pub(super) fn cases(server: &Server, paint: Paint) -> String {
    let head = ["", "sent", "delivered", "delayed", ""];
    let rows = server.score.cases.iter().map(|case| {
        let passed = match (case.sent, case.known, case.passed) {
            (0, ..) => "none came",
            (_, false, _) => "not known",
            (_, true, true) => "pass",
            (_, true, false) => "FAIL",
        };
        vec![
            case.about.trim_end_matches('.').to_owned(),
            case.sent.to_string(),
            case.delivered.to_string(),
            case.delayed.to_string(),
            passed.to_owned(),
        ]
    });
    let mut out = table("special cases", &head, &rows.collect::<Vec<_>>(), paint);
    for case in server.score.cases.iter().filter(|case| !case.passed) {
        for why in &case.why {
            let _ = writeln!(out, "  {}", paint.bad(&format!("{}: {why}", case.case)));
        }
    }
    out
}

/// What each check brought, for the three labels that matter.
pub(super) fn checks(credits: &[Credit], paint: Paint) -> String {
    let of = |label| credits.iter().find(|credit| credit.label == label);
    let credits: Vec<&Credit> = [Label::Spam, Label::Hostile, Label::Legitimate]
        .into_iter()
        .filter_map(of)
        .collect();
    let Some(first) = credits.first() else {
        return String::new();
    };
    let mut out = String::new();
    for credit in &credits {
        let _ = writeln!(out, "\n  {}", stopped(credit));
    }
    let mut head = vec![String::new()];
    for credit in &credits {
        head.extend(
            ["alone", "unique", "Shapley"]
                .map(|account| format!("{} {account}", word(credit.label))),
        );
    }
    let rows = first.checks.iter().enumerate().filter_map(|(at, check)| {
        let shares: Vec<_> = credits
            .iter()
            .filter_map(|credit| credit.checks.get(at))
            .collect();
        let brings = shares
            .iter()
            .any(|brought| brought.share.alone > 0 || brought.share.shapley != 0.0);
        let mut row = vec![check.check.clone()];
        for brought in shares {
            let share = &brought.share;
            row.extend([
                share.alone.to_string(),
                share.unique.to_string(),
                format!("{:.1}", share.shapley),
            ]);
        }
        brings.then_some(row)
    });
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let title = match first.observed {
        true => "what the checks would have brought, connections kept out",
        false => "what the checks brought, connections kept out",
    };
    out + &table(title, &head, &rows.collect::<Vec<_>>(), paint)
}

/// How many were kept out, and how many of these the checks had nothing to do with.
pub(in crate::cli::bench) fn stopped(credit: &Credit) -> String {
    let what = match credit.observed {
        true => "would have been refused or put off then, had the policy not only observed",
        false => "refused or put off then",
    };
    let anyway = match credit.anyway {
        0 => String::new(),
        count => format!(
            ", {count} of them by the secondary's shield whatever the checks say; the checks share the other {}",
            credit.stopped.saturating_sub(count)
        ),
    };
    format!(
        "{} connections that asked for something: {} of {}; {what}: {}{anyway}",
        word(credit.label),
        credit.asked,
        credit.connections,
        credit.stopped
    )
}

pub(in crate::cli::bench) const fn word(label: Label) -> &'static str {
    match label {
        Label::Spam => "spam",
        Label::Hostile => "hostile",
        Label::Legitimate => "good",
        Label::Monitoring => "monitoring",
    }
}

/// Columns that stand below each other: the first to the left, the others to the right.
fn table(title: &str, head: &[&str], rows: &[Vec<String>], paint: Paint) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain([head.get(column).map_or(0, |name| name.chars().count())])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &[String]| {
        cells.iter().zip(&widths).enumerate().fold(
            String::from("  "),
            |line, (at, (cell, width))| match at {
                0 => line + &format!("{cell:<width$}"),
                _ => line + &format!("  {cell:>width$}"),
            },
        )
    };
    let names: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let mut out = format!("\n  {}\n{}\n", paint.bold(title), paint.dim(&line(&names)));
    for row in rows {
        out.push_str(line(row).trim_end());
        out.push('\n');
    }
    out
}
