//! A scenario: who comes to a mail server and how, as shares and habits in a file one can edit. The numbers are data, each
//! with how well it is known; `traffic` makes traces of them. What a value means stands with it here and, for people, in
//! `config/scenarios/*.toml` and `docs/measure.md`.
//!
//! A scenario knows nothing of filters: it holds behaviour and the DNS around it.

mod check;
mod habits;
mod other;
mod rows;
mod values;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

pub use habits::{Habits, Pool, Rhythm, Timetable};
pub use other::{Dns, ListPlan, Other, TroublePlan};
pub use rows::{Group, Row, Sensitivity, Trait};

use crate::config::{self, Problem};
use crate::measure::trace::{Case, Class};

/// Scenarios that are built in: name and file.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("2008", include_str!("../../config/scenarios/2008.toml")),
    ("2016", include_str!("../../config/scenarios/2016.toml")),
    ("2026", include_str!("../../config/scenarios/2026.toml")),
];

/// Who comes to a mail server, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub about: String,
    /// The file's SHA-256, hexadecimal.
    #[serde(skip)]
    pub hash: String,
    /// Virtual time from the first errand to the last; an hour to a week.
    #[serde(with = "values::duration")]
    pub span: Duration,
    /// Shares and traits: every class.
    pub class: BTreeMap<Class, Row>,
    /// What they send, how often, and how they try again: every class.
    pub habits: BTreeMap<Class, Habits>,
    /// Pools of addresses that many senders share.
    pub pool: BTreeMap<String, Pool>,
    /// When senders try again.
    pub timetable: BTreeMap<String, Timetable>,
    /// What is no column of a table.
    pub other: Other,
    /// The DNS.
    pub dns: Dns,
    /// Lists of addresses.
    pub list: Vec<ListPlan>,
    /// How many there are of each special case, on top of what is drawn.
    pub case: BTreeMap<Case, u32>,
    /// How far what is assumed might be off.
    pub sensitivity: Vec<Sensitivity>,
}

/// How well a value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// Measured, and the source was read.
    A,
    /// Measured, known from an abstract or a report about it.
    B,
    /// General knowledge, not looked up.
    C,
    /// Estimated or assumed here.
    D,
}

/// A value and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The value; percent unless the key says otherwise.
    pub value: f64,
    /// How well it is known.
    pub evidence: Evidence,
}

impl Scenario {
    /// A scenario that is built in, or a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub fn load(name: &str) -> Result<Self, Vec<Problem>> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Self::parse(Path::new(&format!("config/scenarios/{name}.toml")), text);
        }
        let path = Path::new(name);
        let hint = "name a scenario file, or one of 2008, 2016 and 2026, which are built in";
        Self::parse(path, &config::read_document(path, hint)?)
    }

    /// Reads the text of the file `name`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with line, key and what to write instead.
    pub fn parse(name: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let mut scenario: Self = config::document(name, text, check::faults)?;
        scenario.hash = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
        Ok(scenario)
    }

    /// How many rows, figures, timetables and bounds there are of each level of evidence.
    #[must_use]
    pub fn evidence(&self) -> BTreeMap<Evidence, usize> {
        let rows = self.class.values().map(|row| row.evidence);
        let habits = self.habits.values().map(|habits| habits.evidence);
        let pools = self.pool.values().map(|pool| pool.evidence);
        let timetables = self.timetable.values().map(|one| one.evidence);
        let percents = self.other.percents();
        let others = percents.iter().map(|(_, figure)| figure.evidence);
        let other = &self.other;
        let sizes = [other.size_spam, other.size_legitimate, other.size_sigma];
        let lists = self.list.iter().map(|list| list.evidence);
        let bounds = self.sensitivity.iter().map(|range| range.evidence);
        let all = rows
            .chain(habits)
            .chain(pools)
            .chain(timetables)
            .chain(others);
        let all = all.chain(sizes.map(|figure| figure.evidence));
        let mut counts = BTreeMap::new();
        for evidence in all.chain([self.dns.evidence]).chain(lists).chain(bounds) {
            *counts.entry(evidence).or_default() += 1;
        }
        counts
    }

    /// The row of the class of this name.
    fn class_row(&self, name: &str) -> Option<&Row> {
        let mut rows = self.class.iter();
        rows.find_map(|(class, row)| (class.name() == name).then_some(row))
    }

    /// The share-weighted mean of a trait over a group, percent: what the tables say, before anything is drawn.
    #[must_use]
    pub fn expected(&self, of: Trait, among: Group) -> f64 {
        let rows = self
            .class
            .iter()
            .filter(|(class, _)| among.has(class.label()) && **class != Class::M1);
        let (sum, shares) = rows.fold((0.0, 0.0), |(sum, shares), (_, row)| {
            (sum + row.share * of.percent(row), shares + row.share)
        });
        if shares > 0.0 { sum / shares } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
