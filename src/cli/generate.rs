//! `gatepost generate DIRECTORY`: man pages and shell completions, for whoever makes a package. Not shown to users.
//!
//! The pages of the commands come from the command line's own description, `gatepost.toml(5)` from the reference
//! configuration, so that neither can say something else than the program does.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use time::OffsetDateTime;

use crate::cli::Cli;
use crate::config::reference;

/// What the pages say they belong to.
const VERSION: &str = concat!("gatepost ", env!("CARGO_PKG_VERSION"));

/// Arguments of `gatepost generate`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Where `man/` and `completions/` are written
    directory: PathBuf,
}

/// Writes them.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let man = arguments.directory.join("man");
    let completions = arguments.directory.join("completions");
    for directory in [&man, &completions] {
        fs::create_dir_all(directory)
            .with_context(|| format!("can not make {}", directory.display()))?;
    }
    let date = date();
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    commands(&command, &man, &date).context("can not write the man pages")?;
    fs::write(
        man.join("gatepost.toml.5"),
        settings(&reference::text(), &date),
    )
    .context("can not write gatepost.toml.5")?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "gatepost", &completions)
            .with_context(|| format!("can not write the completions for {shell}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A page for a command and for each below it.
fn commands(command: &clap::Command, directory: &Path, date: &str) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let page = Man::new(command.clone())
        .title(name)
        .date(date)
        .source(VERSION)
        .manual("gatepost");
    page.generate_to(directory)?;
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| commands(below, directory, date))
}

/// The day of the pages: that of the source where it is told (`SOURCE_DATE_EPOCH`), so that a package can be made twice alike.
fn date() -> String {
    let told = std::env::var("SOURCE_DATE_EPOCH").ok();
    let told =
        told.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds.parse().ok()?).ok());
    told.unwrap_or_else(OffsetDateTime::now_utc)
        .date()
        .to_string()
}

/// A piece of the reference configuration.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// A table's head, and what stands before it.
    Table(String, String),
    /// A key with its value, which may take several lines, and what stands before it.
    Key(Vec<String>, String),
    /// Text that belongs to neither.
    Text(String),
}

/// The reference configuration as a man page.
fn settings(reference: &str, date: &str) -> String {
    let mut page = Roff::new();
    page.control("TH", ["gatepost.toml", "5", date, VERSION, "gatepost"])
        .control("SH", ["NAME"])
        .text([roman("gatepost.toml - the configuration of gatepost(1)")])
        .control("SH", ["DESCRIPTION"]);
    for piece in pieces(reference) {
        match piece {
            Piece::Text(text) => {
                page.text([roman(text)]);
            }
            Piece::Table(name, text) => {
                page.control("SH", [name.as_str()]).text([roman(text)]);
            }
            Piece::Key(lines, text) => {
                page.control("TP", []);
                let value: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
                page.text([bold(value.join(" "))]).text([roman(text)]);
            }
        }
    }
    page.control("SH", ["FILES"])
        .text([roman("/etc/gatepost/gatepost.toml")])
        .control("SH", ["SEE ALSO"])
        .text([roman(
            "gatepost(1), gatepost-check-config(1), gatepost-setup-exim(1)",
        )]);
    page.render()
}

/// Cuts the reference configuration: comments belong to what stands below them.
fn pieces(reference: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut lines = reference.lines();
    while let Some(line) = lines.next() {
        let told = line.strip_prefix('#').map(str::trim_start);
        let text = |comment: &mut Vec<&str>| std::mem::take(comment).join(" ");
        if line.is_empty() {
            if !comment.is_empty() {
                pieces.push(Piece::Text(text(&mut comment)));
            }
        } else if let Some(told) = told {
            match is_setting(told) {
                true => pieces.push(Piece::Key(vec![told.to_owned()], text(&mut comment))),
                false => comment.push(told),
            }
        } else if line.starts_with('[') {
            pieces.push(Piece::Table(line.to_owned(), text(&mut comment)));
        } else {
            let mut value = vec![line.to_owned()];
            if line.ends_with('[') {
                value.extend(take_list(&mut lines));
            }
            pieces.push(Piece::Key(value, text(&mut comment)));
        }
    }
    pieces
}

/// The rest of a list that is written over several lines.
fn take_list<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut list = Vec::new();
    for line in lines {
        list.push(line.to_owned());
        if line.starts_with(']') {
            break;
        }
    }
    list
}

/// Whether a comment is a key that is not set: `hostname = "mx.example.com"`.
fn is_setting(told: &str) -> bool {
    told.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty()
            && key
                .bytes()
                .all(|octet| octet.is_ascii_lowercase() || octet == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_belong_to_what_stands_below_them() {
        let found = pieces(
            "# Head.\n\n# Not set.\n# name = 1\n\n# A table,\n# in two lines.\n[a]\n# A key.\nkey = [\n  1,\n]\nbare = 2\n",
        );
        let key = |lines: &[&str], text: &str| {
            Piece::Key(
                lines.iter().map(ToString::to_string).collect(),
                text.to_owned(),
            )
        };
        let wanted = [
            Piece::Text("Head.".to_owned()),
            key(&["name = 1"], "Not set."),
            Piece::Table("[a]".to_owned(), "A table, in two lines.".to_owned()),
            key(&["key = [", "  1,", "]"], "A key."),
            key(&["bare = 2"], ""),
        ];
        assert_eq!(found, wanted);
    }

    #[test]
    fn every_key_of_the_reference_stands_in_the_page() {
        let page = settings(&reference::text(), "2026-01-01");
        for line in reference::text().lines() {
            let Some((key, _)) = line.split_once(" = ") else {
                continue;
            };
            if is_setting(line) {
                assert!(page.contains(&format!("\\fB{key} = ")), "{key}");
            }
        }
    }
}
