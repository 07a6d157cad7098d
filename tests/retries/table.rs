//! The delays as a table, for people and for `docs/checks.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::Case;
use crate::sender::Sender;
use crate::situation::{SITUATIONS, Situation, TOLD};

/// Around the table in the documentation.
const BEGIN: &str = "<!-- delays: UPDATE=1 cargo test --test retries writes this table -->\n";
const END: &str = "<!-- end of delays -->\n";

/// One sender: its name, and the worst delay of all starts, for each situation.
type Row<'a> = (&'a str, Vec<String>);

fn rows<'a>(senders: &[&'a Sender], situations: &[Situation], cases: &[Case]) -> Vec<Row<'a>> {
    let row = |sender: &&'a Sender| {
        let cells = situations.iter();
        let cells = cells.map(|situation| cell(sender, situation, cases));
        (sender.name.as_str(), cells.collect())
    };
    senders.iter().map(row).collect()
}

/// Clean, or in doubt where only that is worth a look.
fn cell(sender: &Sender, situation: &Situation, cases: &[Case]) -> String {
    let is_it = |case: &&Case| {
        let usual = case.doubt == situation.doubts()[0] && case.situation == situation;
        usual && case.sender.name == sender.name
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

/// Prints all of it.
#[allow(clippy::print_stdout, reason = "on demand")]
pub(crate) fn show(senders: &[Sender], cases: &[Case]) {
    let line = |name: &str, cells: &[String]| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>24}")).collect();
        println!("{name:<72}{cells}");
    };
    let names = SITUATIONS.iter().map(|situation| situation.name.to_owned());
    line("", &names.collect::<Vec<_>>());
    let senders: Vec<&Sender> = senders.iter().collect();
    for (name, cells) in rows(&senders, SITUATIONS, cases) {
        line(name, &cells);
    }
}

/// Real senders' delays in the documentation are those that were measured; `UPDATE=1` makes them so.
pub(crate) fn compare_with_documentation(senders: &[Sender], cases: &[Case]) {
    let real: Vec<&Sender> = senders.iter().filter(|sender| sender.is_real()).collect();
    let names: Vec<&str> = TOLD.iter().map(|situation| situation.name).collect();
    let mut measured = format!("| sender | {} |\n", names.join(" | "));
    let _ = writeln!(measured, "|---|{}", "--:|".repeat(names.len()));
    for (name, cells) in rows(&real, TOLD, cases) {
        let _ = writeln!(measured, "| {name} | {} |", cells.join(" | "));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        let page = [before, BEGIN, &measured, END, after].concat();
        return std::fs::write(path, page).unwrap();
    }
    assert_eq!(
        written, measured,
        "docs/checks.md is old: UPDATE=1 cargo test --test retries"
    );
}
