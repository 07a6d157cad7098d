//! How reports are shown: a line for what is good; for the rest what was seen, why it matters and what to do.

use std::io::{self, Write};

use crate::cli::output::Paint;
use crate::doctor::{Finding, Outcome, Probed, Report};

/// Where the text behind outcome and probe begins.
const INDENT: usize = 34;
/// The width that long texts are broken at.
const WIDTH: usize = 110;

/// For programs.
pub(super) fn json(out: &mut dyn Write, reports: &[Report]) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &serde_json::json!({ "domains": reports }))?;
    writeln!(out)?;
    Ok(())
}

/// For people; `all` shows each good finding, too.
pub(super) fn reports(
    out: &mut dyn Write,
    reports: &[Report],
    all: bool,
    paint: Paint,
) -> io::Result<()> {
    for (index, report) in reports.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        writeln!(
            out,
            "{}: {}\n",
            paint.bold(&report.domain),
            report.counted()
        )?;
        for probed in &report.probes {
            show(out, probed, all, paint)?;
        }
    }
    out.flush()
}

fn show(out: &mut dyn Write, probed: &Probed, all: bool, paint: Paint) -> io::Result<()> {
    let is_told = |finding: &&Finding| all || finding.outcome != Outcome::Good;
    let mut told: Vec<&Finding> = probed.findings.iter().filter(is_told).collect();
    let hidden = probed.findings.len() - told.len();
    if told.is_empty() {
        told.extend(probed.findings.first());
        let more = match hidden {
            0 | 1 => String::new(),
            hidden => format!(" (and {} more)", hidden - 1),
        };
        for finding in told {
            head(out, finding, &probed.probe, &more, paint)?;
        }
        return Ok(());
    }
    for finding in told {
        head(out, finding, &probed.probe, "", paint)?;
        for (word, text) in [("why", &finding.why), ("do", &finding.advice)] {
            if !text.is_empty() && finding.outcome != Outcome::Good {
                let lines = wrapped(text, WIDTH - INDENT - 4);
                for (index, line) in lines.iter().enumerate() {
                    let word = if index == 0 { word } else { "" };
                    let word = paint.dim(&format!("{word:<4}"));
                    writeln!(out, "{:INDENT$}{word}{line}", "")?;
                }
            }
        }
    }
    Ok(())
}

fn head(
    out: &mut dyn Write,
    finding: &Finding,
    probe: &str,
    more: &str,
    paint: Paint,
) -> io::Result<()> {
    let outcome = format!("{:<16}", finding.outcome.label());
    let outcome = match finding.outcome {
        Outcome::Good => paint.good(&outcome),
        Outcome::Fault | Outcome::Warning => paint.bad(&outcome),
        Outcome::Notice => paint.bold(&outcome),
        Outcome::CouldNotTell => paint.dim(&outcome),
    };
    let Finding { about, seen, .. } = finding;
    let text = format!("{about}: {seen}{more}");
    for (index, line) in wrapped(&text, WIDTH - INDENT).iter().enumerate() {
        match index {
            0 => writeln!(out, "  {outcome}{probe:<14}  {line}")?,
            _ => writeln!(out, "{:INDENT$}{line}", "")?,
        }
    }
    Ok(())
}

/// Lines of whole words, each of at most `width` characters where words are no longer.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(
            wrapped("incomprehensibilities are long", 9),
            ["incomprehensibilities", "are long"]
        );
        assert_eq!(wrapped("", 9), [""]);
    }
}
