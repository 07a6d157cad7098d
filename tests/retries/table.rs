//! The delays as a table, for people and for `docs/checks.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::Case;
use crate::sender::Sender;
use crate::situation::{SITUATIONS, Situation};

/// Around the table in the documentation.
const BEGIN: &str = "<!-- delays: UPDATE=1 cargo test --test retries writes this table -->\n";
const END: &str = "<!-- end of delays -->\n";

/// One sender: the worst delay of all starts, for each situation.
pub(crate) struct Row<'a> {
    sender: &'a Sender,
    cells: Vec<String>,
}

/// The rows of all senders.
pub(crate) fn rows<'a>(senders: &'a [Sender], cases: &[Case]) -> Vec<Row<'a>> {
    let row = |sender: &'a Sender| Row {
        sender,
        cells: SITUATIONS
            .iter()
            .map(|situation| cell(sender, situation, cases))
            .collect(),
    };
    senders.iter().map(row).collect()
}

/// Clean, or in doubt where only that is worth a look.
fn cell(sender: &Sender, situation: &Situation, cases: &[Case]) -> String {
    let is_it = |case: &&Case| {
        let usual = case.doubt == case.situation.doubts()[0] && !case.situation.asks_who_tried;
        usual && case.sender.name == sender.name && case.situation.name == situation.name
    };
    let delays = cases.iter().filter(is_it).map(|case| case.played.delay);
    // Lost is worse than any time.
    match delays.max_by_key(|delay| (delay.is_none(), *delay)) {
        None => "–".to_owned(),
        Some(None) => "lost".to_owned(),
        Some(Some(Duration::ZERO)) => "0".to_owned(),
        Some(Some(delay)) => short(delay),
    }
}

/// The first two units are enough.
fn short(delay: Duration) -> String {
    let text = humantime::format_duration(delay).to_string();
    let words: Vec<&str> = text.split(' ').take(2).collect();
    words.join(" ").replace("days", "d").replace("day", "d")
}

fn text<'a>(rows: impl IntoIterator<Item = &'a Row<'a>>) -> String {
    let names = SITUATIONS.iter().map(|situation| situation.name);
    let names: Vec<&str> = names.collect();
    let mut text = format!("| sender | {} |\n", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "--:|".repeat(names.len()));
    for row in rows {
        let _ = writeln!(text, "| {} | {} |", row.sender.name, row.cells.join(" | "));
    }
    text
}

/// Prints all of it.
#[allow(clippy::print_stdout, reason = "on demand")]
pub(crate) fn show(rows: &[Row<'_>]) {
    let lines = text(rows);
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    };
    for line in lines.lines().filter(|line| !line.starts_with("|--")) {
        let cells = cells(line);
        let (name, rest) = cells.split_first().unwrap();
        let rest: String = rest.iter().map(|cell| format!("{cell:>24}")).collect();
        println!("{name:<72}{rest}");
    }
}

/// The table in the documentation is the one that was measured, without spam; `UPDATE=1` makes it so.
pub(crate) fn compare_with_documentation(rows: &[Row<'_>]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let measured = text(rows.iter().filter(|row| !row.sender.spam));
    if std::env::var_os("UPDATE").is_some() {
        let page = [before, BEGIN, &measured, END, after].concat();
        return std::fs::write(path, page).unwrap();
    }
    assert_eq!(
        written, measured,
        "docs/checks.md is old: UPDATE=1 cargo test --test retries"
    );
}
