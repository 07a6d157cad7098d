//! The parts of the page that are numbers: each share with its interval and of how many, how long good mail waited, and
//! what it cost.

use super::percent;
use crate::cli::bench::result::Server;
use crate::cli::bench::text::{cost, rule_of_three, spread_text};
use crate::measure::page::{Cell, Section};
use crate::measure::score::{Part, Range, Spread};

/// The shares.
pub(super) fn shares(server: &Server) -> Section {
    let (score, bands) = (&server.score, server.bands.as_ref());
    let mut rows = Vec::new();
    let mut row = |what: &str, part: &Part, band: Option<Range>| {
        let interval = part.interval();
        let band = band.map_or_else(String::new, |band| range(band.low, band.high));
        rows.push(vec![
            Cell::Text(what.to_owned()),
            Cell::Number(part.part.to_string()),
            Cell::Number(part.whole.to_string()),
            Cell::Number(percent(part.share)),
            Cell::Number(range(interval.low, interval.high) + &rule_of_three(part)),
            Cell::Number(band),
            Cell::Number(part.clusters.to_string()),
        ]);
    };
    let spam = bands.map(|bands| bands.spam_stopped);
    row("spam messages stopped", &score.spam_stopped, spam);
    if let Some(part) = &score.hostile_stopped {
        let band = bands.and_then(|bands| bands.hostile_stopped);
        row("unwanted connections kept out", part, band);
    }
    if let Some(part) = &score.with_mail_stopped {
        row("of them, those with mail", part, None);
    }
    let rejected = bands.map(|bands| bands.legitimate_rejected);
    let legitimate = &score.legitimate_rejected;
    row("legitimate messages refused or lost", legitimate, rejected);
    let delayed = &score.legitimate_delayed;
    row("legitimate messages delayed", delayed, None);
    let exempt = &score.exempt;
    row("delivered to postmaster and abuse", exempt, None);
    let head = [
        "",
        "part",
        "of",
        "share",
        "95 % interval",
        "band",
        "senders and networks",
    ];
    Section::new(&format!("Shares at {}", score.target)).table(&head, &rows)
}

/// Waits and costs.
pub(super) fn costs(server: &Server) -> Section {
    let times = &server.score.times;
    let waits = [
        ("delay, known senders", times.delivery_known, true),
        ("delay, new senders", times.delivery_new, true),
        ("greeting, known", times.greeting_known, false),
        ("greeting, new", times.greeting_new, false),
    ];
    let waits = waits.into_iter().filter_map(|(what, spread, is_virtual)| {
        let said = |spread: Spread| spread_text(&spread, is_virtual);
        Some((what, spread.map(said)?))
    });
    let rows: Vec<Vec<Cell>> = waits
        .chain(cost(server))
        .map(|(what, said)| vec![Cell::Text(what.to_owned()), Cell::Text(said)])
        .collect();
    let heading = format!("Waits and costs at {}", server.score.target);
    Section::new(&heading).table(&["", ""], &rows)
}

fn range(low: f64, high: f64) -> String {
    format!("{} to {}", percent(low), percent(high))
}
