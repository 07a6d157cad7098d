//! A scenario file with the shares of a real log: what a log can tell is set, the rest stays as it stands in the file one
//! begins with, and comments say which is which.
//!
//! A log does not say who a client was. What it did tells guessers (no MAIL, passwords or early talk), scanners (no SMTP, or
//! nothing), those who look and go (monitoring), users who log in, mail that was refused or came from a listed address, and
//! other mail. The last two are several classes each, whose shares among each other stay as they were. Retries, dialects,
//! recipients and the DNS stay as they were, too.

use serde::Serialize;
use toml_edit::{DocumentMut, Item, Table, value};

use crate::measure::stats::share;
use crate::measure::tally::look::{Looked, Sort};

/// Sessions of a kind from which on its traits are believed.
const ENOUGH: u64 = 100;
/// Digits behind the point of a percentage.
const DIGITS: f64 = 1e4;

/// The classes that a kind of session stands for, as scenarios name them (docs/measure.md, "Who comes").
const KINDS: [(Sort, &[&str], &str); 6] = [
    (
        Sort::Guesser,
        &["A1"],
        "no MAIL, and AUTH tried or spoken early",
    ),
    (Sort::Scanner, &["A2"], "no SMTP, or nothing said"),
    (Sort::Looker, &["G9"], "no MAIL, otherwise in order"),
    (
        Sort::Refused,
        &["B1", "B2", "B3", "B4", "D1", "V1", "W1", "K1"],
        "MAIL, and refused or on a list",
    ),
    (
        Sort::Mail,
        &[
            "P1", "E1", "G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G10",
        ],
        "MAIL, neither refused nor on a list",
    ),
    (Sort::User, &["M1"], "users, on top of the others"),
];

/// A file that no scenario can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// It can not be read.
    #[error("the scenario to begin with can not be read: {0}")]
    Unreadable(String),
    /// Something is not in it.
    #[error("the scenario to begin with has no {0}")]
    Missing(String),
    /// There is nothing to fit to.
    #[error("there are no sessions of mail servers to fit to")]
    Empty,
}

/// Sessions by what they did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sorts {
    /// By the kinds of sessions: guessers, scanners, those who look, refused mail, other mail, users.
    pub sessions: [u64; 6],
    #[serde(skip)]
    traits: [Traits; 6],
}

/// How many of a kind have a trait, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Traits {
    listed: (u64, u64),
    early: (u64, u64),
    no_ptr: (u64, u64),
    dynamic: (u64, u64),
    bad_helo: (u64, u64),
    no_quit: (u64, u64),
}

impl Sorts {
    pub(super) fn add(&mut self, looked: &Looked) {
        let kinds = KINDS.iter().position(|(sort, ..)| *sort == looked.sort);
        let Some(at) = kinds else { return };
        if let Some(sessions) = self.sessions.get_mut(at) {
            *sessions += 1;
        }
        let Some(traits) = self.traits.get_mut(at) else {
            return;
        };
        let of = |check: &'static str| looked.found.iter().filter(move |found| &*found.0 == check);
        let says = |check: &'static str, reason: &str| of(check).any(|found| &*found.2 == reason);
        let bad_helo =
            |reason: &str| reason != "unresolvable" && reason != "plausible" && reason != "failed";
        let names = of("rdns").next().is_some();
        let (asked, _) = looked.zones;
        note(&mut traits.listed, looked.listed, asked != 0);
        note(
            &mut traits.early,
            says("pregreet", "spoke"),
            of("pregreet").next().is_some(),
        );
        note(&mut traits.no_ptr, says("rdns", "no_name"), names);
        note(&mut traits.dynamic, says("rdns", "dynamic"), names);
        note(
            &mut traits.bad_helo,
            of("helo").any(|found| bad_helo(&found.2)),
            of("helo").next().is_some(),
        );
        note(&mut traits.no_quit, looked.ended != "quit", true);
    }

    /// The text of a scenario file, made of `base` and of what was counted; `about` says of which log.
    ///
    /// # Errors
    ///
    /// When `base` is no scenario file, or nothing was counted.
    pub fn scenario(&self, base: &str, about: &str) -> Result<String, FitError> {
        let mut file: DocumentMut = base.parse().map_err(|error: toml_edit::TomlError| {
            FitError::Unreadable(error.message().to_owned())
        })?;
        let all: u64 = self.sessions.iter().take(5).sum();
        if all == 0 {
            return Err(FitError::Empty);
        }
        set(&mut file, "name", "fitted")?;
        set(&mut file, "about", about)?;
        let classes = file.get_mut("class").and_then(Item::as_table_mut);
        let classes = classes.ok_or_else(|| FitError::Missing("table class".to_owned()))?;
        let mut left = 100.0;
        for (at, (_, names, what)) in KINDS.iter().enumerate() {
            let sessions = self.sessions.get(at).copied().unwrap_or_default();
            let percent = rounded(share(sessions, all) * 100.0);
            let told = format!("fitted: {sessions} of {all} sessions ({what})");
            let sum: f64 = names
                .iter()
                .map(|name| share_of(classes, name))
                .sum::<Result<f64, FitError>>()?;
            for name in *names {
                let part = match sum > 0.0 {
                    true => rounded(percent * share_of(classes, name)? / sum),
                    false => rounded(percent / names.len() as f64),
                };
                left -= if *name == "M1" { 0.0 } else { part };
                set_share(classes, name, part, &told)?;
            }
            if let ([name], true) = (names, sessions >= ENOUGH) {
                self.set_traits(classes, name, at);
            }
        }
        // What rounding has left over, so that they make 100.
        let last = share_of(classes, "G3")?;
        put(classes, "G3", "share", rounded(last + left));
        Ok(file.to_string())
    }

    fn set_traits(&self, classes: &mut Table, name: &str, at: usize) {
        let Some(traits) = self.traits.get(at) else {
            return;
        };
        for (key, (part, whole)) in [
            ("listed", traits.listed),
            ("early", traits.early),
            ("no_ptr", traits.no_ptr),
            ("dynamic", traits.dynamic),
            ("bad_helo", traits.bad_helo),
            ("no_quit", traits.no_quit),
        ] {
            if whole >= ENOUGH {
                put(classes, name, key, rounded(share(part, whole) * 100.0));
            }
        }
    }
}

fn note((part, whole): &mut (u64, u64), has: bool, known: bool) {
    *part += u64::from(has && known);
    *whole += u64::from(known);
}

fn set(file: &mut DocumentMut, key: &str, text: &str) -> Result<(), FitError> {
    let item = file
        .get_mut(key)
        .ok_or_else(|| FitError::Missing(key.to_owned()))?;
    *item = value(text);
    Ok(())
}

fn share_of(classes: &Table, name: &str) -> Result<f64, FitError> {
    let share = classes.get(name).and_then(|row| row.get("share"));
    let number = share.and_then(|share| {
        share
            .as_float()
            .or_else(|| share.as_integer().map(|whole| whole as f64))
    });
    number.ok_or_else(|| FitError::Missing(format!("class.{name}.share")))
}

fn set_share(classes: &mut Table, name: &str, part: f64, told: &str) -> Result<(), FitError> {
    let mut key = classes
        .key_mut(name)
        .ok_or_else(|| FitError::Missing(format!("class {name}")))?;
    let decor = key.leaf_decor_mut();
    let before = decor
        .prefix()
        .and_then(|prefix| prefix.as_str())
        .unwrap_or_default()
        .to_owned();
    decor.set_prefix(format!("{before}# {told}\n"));
    put(classes, name, "share", part);
    Ok(())
}

fn put(classes: &mut Table, name: &str, key: &str, number: f64) {
    let row = classes.get_mut(name).and_then(Item::as_table_like_mut);
    if let Some(item) = row.and_then(|row| row.get_mut(key)) {
        let decor = item.as_value().map(|was| was.decor().clone());
        *item = value(number);
        if let (Some(is), Some(decor)) = (item.as_value_mut(), decor) {
            *is.decor_mut() = decor;
        }
    }
}

fn rounded(percent: f64) -> f64 {
    (percent * DIGITS).round() / DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"# A scenario.
name = "2026"
about = "now"
[class]
# guessers
A1 = { share = 26, listed = 50, early = 35, no_ptr = 40, dynamic = 8, bad_helo = 92, no_quit = 90 }
A2 = { share = 9, listed = 35 }
G9 = { share = 5 }
B1 = { share = 6 }
B2 = { share = 2 }
B3 = { share = 0 }
B4 = { share = 0 }
D1 = { share = 0 }
V1 = { share = 0 }
W1 = { share = 0 }
K1 = { share = 0 }
P1 = { share = 20 }
E1 = { share = 0 }
G1 = { share = 0 }
G2 = { share = 0 }
G3 = { share = 32 }
G4 = { share = 0 }
G5 = { share = 0 }
G6 = { share = 0 }
G7 = { share = 0 }
G8 = { share = 0 }
G10 = { share = 0 }
M1 = { share = 2 }
[other]
kept = 1
"#;

    fn sorts() -> Sorts {
        let mut sorts = Sorts {
            sessions: [300, 0, 100, 400, 199, 10],
            ..Sorts::default()
        };
        sorts.traits[0].listed = (150, 300);
        sorts.traits[0].early = (9, 50);
        sorts
    }

    #[test]
    fn shares_are_the_logs_and_the_rest_stays() {
        let text = sorts().scenario(BASE, "a \"log\"").unwrap();
        let file: DocumentMut = text.parse().unwrap();
        let classes = file["class"].as_table().unwrap();
        let of = |name: &str| share_of(classes, name).unwrap();
        let expected = [
            ("A1", 30.03),
            ("A2", 0.0),
            ("G9", 10.01),
            ("B1", 30.03),
            ("B2", 10.01),
            ("M1", 1.001),
        ];
        for (name, share) in expected {
            assert!((of(name) - share).abs() < 0.001, "{name} {}", of(name));
        }
        let all: f64 = classes
            .iter()
            .filter(|(name, _)| *name != "M1")
            .map(|(name, _)| of(name))
            .sum();
        assert!((all - 100.0).abs() < 1e-3, "{all}");
        // A trait of which enough was seen, and one of which too little was.
        let guessers = file["class"]["A1"].as_inline_table().unwrap();
        assert_eq!(guessers["listed"].as_float(), Some(50.0));
        assert_eq!(guessers["early"].as_integer(), Some(35));
        assert_eq!(file["about"].as_str(), Some("a \"log\""));
        assert!(text.contains("# guessers\n# fitted: 300 of 999 sessions (no MAIL, and AUTH tried or spoken early)\nA1 = { share = 30.03"), "{text}");
        assert!(text.ends_with("[other]\nkept = 1\n"));
    }

    #[test]
    fn what_is_no_scenario_or_no_log_is_told() {
        assert_eq!(Sorts::default().scenario(BASE, ""), Err(FitError::Empty));
        assert!(matches!(
            sorts().scenario("class = [", ""),
            Err(FitError::Unreadable(_))
        ));
        for (without, missing) in [("name", "name"), ("A2", "class.A2.share")] {
            let lines: Vec<&str> = BASE
                .lines()
                .filter(|line| !line.starts_with(without))
                .collect();
            let error = sorts().scenario(&lines.join("\n"), "").unwrap_err();
            assert_eq!(error, FitError::Missing(missing.to_owned()));
        }
    }
}
