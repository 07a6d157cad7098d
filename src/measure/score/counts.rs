//! Counts by class and by label.

use serde::Serialize;

use super::outcome::{Fate, Outcome, is_positive};
use crate::measure::trace::{Class, Label};

/// Counts of a class or a label, the special cases left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// The class's or label's name.
    pub name: String,
    /// What it is.
    pub about: String,
    /// Errands.
    pub errands: u64,
    /// Sender hosts and networks that are independent of each other.
    pub clusters: u64,
    /// Connections that were made.
    pub connections: u64,
    /// Of them, those that reached the backend, where it is known.
    pub reached: u64,
    /// Transactions that were begun.
    pub transactions: u64,
    /// Recipients that were named.
    pub recipients: u64,
    /// Of them, those that were accepted (2xx).
    pub accepted: u64,
    /// Messages (and callouts) meant for somebody who exists.
    pub offered: u64,
    /// Of them, those that were delivered to everybody they were meant for.
    pub delivered: u64,
    /// Delivered to some.
    pub partly: u64,
    /// Refused for good (5xx).
    pub rejected: u64,
    /// Not delivered by the last try.
    pub lost: u64,
    /// Delivered, though not at the first try.
    pub delayed: u64,
}

pub(super) fn by_class(drawn: &[&Outcome<'_>]) -> Vec<Counts> {
    let of = |class: &Class| {
        let such: Vec<&Outcome<'_>> = drawn
            .iter()
            .copied()
            .filter(|one| one.errand.class == *class)
            .collect();
        Counts::of(class.name(), class.about(), &such)
    };
    Class::ALL
        .iter()
        .map(of)
        .filter(|counts| counts.errands > 0)
        .collect()
}

pub(super) fn by_label(drawn: &[&Outcome<'_>]) -> Vec<Counts> {
    let labels = [
        (Label::Spam, "spam", "Mail nobody asked for"),
        (
            Label::Hostile,
            "hostile",
            "Guessers, scanners, harvesters, backscatter",
        ),
        (Label::Legitimate, "legitimate", "Mail that must arrive"),
        (
            Label::Monitoring,
            "monitoring",
            "Looks whether the server is there",
        ),
    ];
    let of = |(label, name, about)| {
        let such: Vec<&Outcome<'_>> = drawn
            .iter()
            .copied()
            .filter(|one| one.errand.class.label() == label)
            .collect();
        Counts::of(name, about, &such)
    };
    labels
        .into_iter()
        .map(of)
        .filter(|counts| counts.errands > 0)
        .collect()
}

impl Counts {
    fn of(name: &str, about: &str, outcomes: &[&Outcome<'_>]) -> Self {
        let mut counts = Self {
            name: name.to_owned(),
            about: about.to_owned(),
            ..Self::default()
        };
        let mut clusters: Vec<u32> = outcomes.iter().map(|one| one.errand.cluster).collect();
        clusters.sort_unstable();
        clusters.dedup();
        counts.clusters = clusters.len() as u64;
        outcomes.iter().for_each(|outcome| counts.add(outcome));
        counts
    }

    fn add(&mut self, outcome: &Outcome<'_>) {
        self.errands += 1;
        for tried in outcome.tries() {
            self.connections += 1;
            self.reached += u64::from(tried.reached == Some(true));
            self.transactions += tried.envelopes.len() as u64;
            for code in tried.envelopes.iter().flat_map(|sent| &sent.rcpt) {
                self.recipients += 1;
                self.accepted += u64::from(is_positive(*code));
            }
        }
        if outcome.trouble().is_some() {
            return;
        }
        for message in outcome.messages() {
            self.offered += 1;
            match message.fate {
                Fate::Delivered => self.delivered += 1,
                Fate::Partly => self.partly += 1,
                Fate::Rejected => self.rejected += 1,
                Fate::Lost => self.lost += 1,
            }
            self.delayed += u64::from(message.is_delayed());
        }
    }
}
