//! The parts of the page about the checks, and about what is assumed.

use super::percent;
use crate::cli::bench::result::Server;
use crate::cli::bench::text::{among, stopped, weighed, word};
use crate::measure::page::{Cell, Section};
use crate::measure::plot::{self, Bar, PlotError, Unit};
use crate::measure::score::Reweighed;
use crate::measure::trace::Label;

/// One plot for each label: what each check adds on average.
pub(super) fn checks(server: &Server) -> Result<Option<Section>, PlotError> {
    let mut section = Section::new(&format!(
        "What the checks brought at {}",
        server.score.target
    ));
    let mut any = false;
    for label in [Label::Spam, Label::Hostile, Label::Legitimate] {
        let Some(credit) = server.checks.iter().find(|credit| credit.label == label) else {
            continue;
        };
        let mut bars: Vec<Bar> = credit
            .checks
            .iter()
            .filter(|brought| brought.share.shapley.abs() > 0.05)
            .map(|brought| Bar {
                label: brought.check.clone(),
                value: brought.share.shapley,
                interval: None,
            })
            .collect();
        bars.sort_by(|one, other| other.value.total_cmp(&one.value));
        let what = word(label);
        section = section.text(&format!("{}.", stopped(credit)));
        if !bars.is_empty() {
            any = true;
            let says = format!(
                "Shapley shares of the checks, {what} connections: they sum to what all keep out together, without what the secondary's shield keeps out anyway"
            );
            section = section.plot(&plot::bars(Unit::Count, &bars)?, &says);
        }
        let rows: Vec<Vec<Cell>> = credit
            .checks
            .iter()
            .filter(|brought| brought.share.alone > 0 || brought.share.shapley != 0.0)
            .map(|brought| {
                vec![
                    Cell::Text(brought.check.clone()),
                    Cell::Number(brought.share.alone.to_string()),
                    Cell::Number(brought.share.unique.to_string()),
                    Cell::Number(format!("{:.1}", brought.share.shapley)),
                ]
            })
            .collect();
        section = section.table(&["check", "alone", "unique", "Shapley"], &rows);
    }
    Ok(any.then_some(section))
}

/// How far the result hangs on what is assumed.
pub(super) fn bands(server: &Server) -> Result<Option<Section>, PlotError> {
    let Some(bands) = &server.bands else {
        return Ok(None);
    };
    let rows: Vec<Vec<Cell>> = bands
        .bands
        .iter()
        .map(|band| {
            let both = |of: fn(&Reweighed) -> f64| {
                let bounds = [band.at_low.as_ref(), band.at_high.as_ref()];
                let shown = bounds.map(|result| {
                    result.map_or_else(|| "–".to_owned(), |result| percent(of(result)))
                });
                Cell::Number(shown.join(" to "))
            };
            vec![
                Cell::Text(format!("{} among {}", band.of.about(), among(band.among))),
                Cell::Number(format!("{} to {} %", band.low, band.high)),
                both(|result| result.spam_stopped),
                both(|result| result.legitimate_rejected),
            ]
        })
        .collect();
    let section = Section::new(&format!("If the scenario is wrong, at {}", server.score.target))
        .text("The result with one trait of the traffic at the low and at the high end of its range; errands are weighed anew, nothing is played again.")
        .text(&format!("The band goes {}.", weighed(bands)))
        .table(&["trait", "range", "spam stopped", "legitimate refused"], &rows);
    Ok(Some(section))
}
