//! The result as one page with plots.

mod figures;
mod parts;

use super::result::{Results, Server};
use crate::measure::page::{Cell, Page, Section};
use crate::measure::plot::{self, Bar, PlotError, Stack, Unit};
use crate::measure::score::{Comparison, Paired, Part};
use figures::{costs, shares};
use parts::{bands, checks};

/// The page.
pub(super) fn page(results: &Results) -> Result<String, PlotError> {
    let mut page = Page {
        title: "What a mail server makes of simulated traffic".to_owned(),
        about: vec![
            format!(
                "Simulated traffic: scenario {}, seed {}, {} clients in {} h of virtual time.",
                results.scenario,
                results.seed,
                results.errands,
                results.span.div_ceil(3600)
            ),
            format!("Scenario's hash {}.", results.hash),
            format!(
                "gatepost {}; virtual time {} times as fast, sessions {} times.",
                results.version, results.clock, results.session_clock
            ),
        ],
        sections: vec![main_shares(results)?],
    };
    for server in &results.servers {
        page.sections.push(server_section(server)?);
        page.sections.push(shares(server));
        page.sections.push(costs(server));
        page.sections.push(cases(server));
        page.sections.extend(checks(server)?);
        page.sections.extend(bands(server)?);
    }
    page.sections
        .extend(results.comparisons.iter().map(comparison));
    page.sections.push(limits(results));
    Ok(page.html())
}

fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// The three shares at every server, with their intervals.
fn main_shares(results: &Results) -> Result<Section, PlotError> {
    let mut section = Section::new("In short");
    let one = |server: &Server, part: &Part, what: &str| Bar {
        label: match results.servers.len() {
            1 => what.to_owned(),
            _ => format!("{}: {what}", server.score.target),
        },
        value: part.share,
        interval: Some(part.interval()),
    };
    let mut stopped = Vec::new();
    let mut harmed = Vec::new();
    for server in &results.servers {
        let score = &server.score;
        stopped.push(one(server, &score.spam_stopped, "spam stopped"));
        stopped.extend(
            score
                .hostile_stopped
                .iter()
                .map(|part| one(server, part, "unwanted connections kept out")),
        );
        stopped.extend(
            score
                .with_mail_stopped
                .iter()
                .map(|part| one(server, part, "of them, those with mail")),
        );
        harmed.push(one(
            server,
            &score.legitimate_rejected,
            "legitimate refused or lost",
        ));
        harmed.push(one(server, &score.legitimate_delayed, "legitimate delayed"));
    }
    let says = "Share of spam messages and of unwanted connections that did not come through, with 95 % intervals over senders";
    section = section.plot(&plot::bars(Unit::Share, &stopped)?, says);
    let says = "Share of legitimate messages that were refused, lost, or delivered late";
    Ok(section.plot(&plot::bars(Unit::Share, &harmed)?, says))
}

fn server_section(server: &Server) -> Result<Section, PlotError> {
    let score = &server.score;
    let mut figures = vec![
        (
            percent(score.spam_stopped.share),
            "spam messages stopped".to_owned(),
        ),
        (
            percent(score.legitimate_rejected.share),
            "legitimate messages refused or lost".to_owned(),
        ),
        (
            percent(score.legitimate_delayed.share),
            "legitimate messages delayed".to_owned(),
        ),
    ];
    if let Some(spared) = score.cost.sessions_spared {
        figures.push((
            percent(spared),
            "connections the mail server did not see".to_owned(),
        ));
    }
    let series = [
        "delivered",
        "refused",
        "put off, and not delivered by the last try",
    ];
    let stacks: Vec<Stack> = score
        .classes
        .iter()
        .filter(|counts| counts.offered > 0)
        .map(|counts| Stack {
            label: format!("{} {}", counts.name, counts.about),
            parts: vec![
                (counts.delivered + counts.partly) as f64,
                counts.rejected as f64,
                counts.lost as f64,
            ],
        })
        .collect();
    let cut = &score.cut;
    let stages = [
        ("before the end of the greeting", cut.greeting),
        ("before MAIL", cut.helo),
        ("at MAIL", cut.mail),
        ("at RCPT", cut.rcpt),
        ("at the mail data", cut.data),
        ("went by themselves", cut.left),
        ("came through", cut.taken),
    ];
    let stages = stages.map(|(label, count)| Bar {
        label: label.to_owned(),
        value: count as f64,
        interval: None,
    });
    let mut section = Section::new(&format!("At {}", score.target))
        .figures(&figures)
        .plot(
            &plot::stacked(Unit::Count, &series, &stacks)?,
            "What became of the messages to those who exist, by who sent them",
        )
        .plot(
            &plot::bars(Unit::Count, &stages)?,
            "Where unwanted connections ended",
        );
    let integrity = &score.integrity;
    section = match (integrity.known, integrity.holds()) {
        (false, _) => section.text("What arrived behind the server can not be seen."),
        (true, true) => section.text(&format!(
            "{} messages were taken; each arrived once.",
            integrity.taken
        )),
        (true, false) => section.text(&format!(
            "Messages were lost or doubled: {}",
            integrity.faults.join("; ")
        )),
    };
    Ok(server
        .notes
        .iter()
        .fold(section, |section, note| section.note(note)))
}

fn cases(server: &Server) -> Section {
    let rows: Vec<Vec<Cell>> = server
        .score
        .cases
        .iter()
        .map(|case| {
            let number = |count: u64| Cell::Number(count.to_string());
            let passed = match (case.sent, case.known, case.passed) {
                (0, ..) => Cell::Text("none came".to_owned()),
                (_, false, _) => Cell::Text("not known".to_owned()),
                (_, true, true) => Cell::Good("pass".to_owned()),
                (_, true, false) => Cell::Bad(format!("fail: {}", case.why.join("; "))),
            };
            vec![
                Cell::Text(format!("{} ({})", case.about, case.rule)),
                passed,
                number(case.sent),
                number(case.delivered),
                number(case.delayed),
            ]
        })
        .collect();
    Section::new(&format!("Special cases at {}", server.score.target))
        .text("Legitimate mail that breaks naive filters, put in on purpose and in none of the shares.")
        .table(&["case, and what passes", "", "sent", "delivered", "delayed"], &rows)
}

fn comparison(comparison: &Comparison) -> Section {
    let Comparison { first, second, .. } = comparison;
    let mut rows = Vec::new();
    let mut row = |what: &str, paired: &Paired| {
        rows.push(vec![
            Cell::Text(what.to_owned()),
            Cell::Number(format!("{:+.2}", paired.difference * 100.0)),
            Cell::Number(paired.only_first.to_string()),
            Cell::Number(paired.only_second.to_string()),
            Cell::Number(format!("{:.3}", paired.p)),
        ]);
    };
    row("spam stopped", &comparison.spam_stopped);
    if let Some(hostile) = &comparison.hostile_stopped {
        row("unwanted connections kept out", hostile);
    }
    row(
        "legitimate refused or lost",
        &comparison.legitimate_rejected,
    );
    let (alone, other_alone) = (format!("{first} alone"), format!("{second} alone"));
    Section::new(&format!("{first} and {second}"))
        .text("The same messages at both, pair by pair: McNemar's test.")
        .table(
            &["", "difference, points", &alone, &other_alone, "p"],
            &rows,
        )
}

fn limits(results: &Results) -> Section {
    let section = Section::new("Is everything as it must be?");
    match results.broken.as_slice() {
        [] => section.text("Yes."),
        broken => broken
            .iter()
            .fold(section, |section, line| section.text(line)),
    }
}
