//! The sensitivity band: what the results would be if a trait were rarer or more common than the scenario assumes.
//!
//! Nothing is played again. The errands that were played are weighed anew by the trait that was drawn for them (importance
//! weights): in each class, p'/p for those that have it and (1-p')/(1-p) for the others, where p is the share that was drawn
//! and p' the share that is assumed. The odds of all classes of the group are scaled by one factor, so that p' stays below 1
//! and the group's share comes out at the bound; shares of classes do not change.
//!
//! Its limits: traits are taken to be independent inside a class, as they were drawn but for a few couplings; errands are
//! taken not to influence each other, which memory, rates and lists make them do; and a trait that nobody had can not be
//! weighed up. It says how far the result hangs on the assumption, not what it would be.

use std::collections::BTreeMap;

use serde::Serialize;

use super::outcome::{self, Fate, Outcome};
use crate::measure::scenario::{Evidence, Group, Scenario, Sensitivity, Trait};
use crate::measure::trace::{Class, Label, Played, Trace};

/// Halvings in the search for the factor: more than doubles have bits.
const HALVINGS: usize = 200;

/// The results that are computed again, 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reweighed {
    /// Spam transactions of which nothing was delivered.
    pub spam_stopped: f64,
    /// Spam and hostile connections that did not reach the backend.
    pub hostile_stopped: Option<f64>,
    /// Legitimate transactions that were refused or lost.
    pub legitimate_rejected: f64,
}

/// The results at the bounds of one assumption.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Band {
    /// The trait.
    #[serde(rename = "trait")]
    pub of: Trait,
    /// Whose.
    pub among: Group,
    /// The share that was drawn, percent.
    pub drawn: f64,
    /// The lower bound, percent; what it came to is in `at_low`.
    pub low: f64,
    /// The upper bound, percent.
    pub high: f64,
    /// How well the bounds are known.
    pub evidence: Evidence,
    /// The results at the lower bound; `None` if nobody can be weighed.
    pub at_low: Option<Reweighed>,
    /// The results at the upper bound.
    pub at_high: Option<Reweighed>,
}

/// From where to where a result goes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

/// The results at all bounds, one assumption at a time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bands {
    /// As it was played.
    pub played: Reweighed,
    /// Each assumption.
    pub bands: Vec<Band>,
    /// Over all of them: spam stopped.
    pub spam_stopped: Range,
    /// Over all of them: hostile connections stopped.
    pub hostile_stopped: Option<Range>,
    /// Over all of them: legitimate rejected.
    pub legitimate_rejected: Range,
}

impl Bands {
    /// The band of a trace that was made from `scenario` and played.
    #[must_use]
    pub fn of(scenario: &Scenario, trace: &Trace, played: &Played) -> Self {
        let outcomes = outcome::all(trace, played);
        let drawn: Vec<&Outcome<'_>> = outcomes
            .iter()
            .filter(|one| one.is_drawn() && one.trouble().is_none())
            .collect();
        let played = weighed(&drawn, |_| 1.0);
        let bands: Vec<Band> = scenario
            .sensitivity
            .iter()
            .map(|range| band(range, &drawn))
            .collect();
        let results = || {
            let bounds = bands.iter().flat_map(|band| [band.at_low, band.at_high]);
            bounds.flatten().chain([played])
        };
        let hostile = || results().filter_map(|result| result.hostile_stopped);
        Self {
            spam_stopped: Range::of(results().map(|result| result.spam_stopped)),
            hostile_stopped: hostile().next().map(|_| Range::of(hostile())),
            legitimate_rejected: Range::of(results().map(|result| result.legitimate_rejected)),
            played,
            bands,
        }
    }
}

impl Bands {
    /// The assumptions that could not be weighed: nobody who came had the trait, or everybody.
    pub fn not_weighed(&self) -> impl Iterator<Item = &Band> {
        self.bands.iter().filter(|band| band.at_low.is_none())
    }
}

impl Range {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let start = Self {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        };
        values.fold(start, |range, value| Self {
            low: range.low.min(value),
            high: range.high.max(value),
        })
    }
}

/// How many of a class have a trait.
#[derive(Clone, Copy, Default)]
struct Having {
    with: f64,
    all: f64,
}

impl Having {
    fn share(self) -> f64 {
        if self.all > 0.0 {
            self.with / self.all
        } else {
            0.0
        }
    }

    /// The share when the odds are scaled.
    fn scaled(self, factor: f64) -> f64 {
        let p = self.share();
        p * factor / (1.0 - p + p * factor)
    }
}

/// Users who log in have no such traits: they count in the results, as in the shares beside which the band stands, and are
/// never weighed.
fn band(range: &Sensitivity, drawn: &[&Outcome<'_>]) -> Band {
    let mut classes: BTreeMap<Class, Having> = BTreeMap::new();
    for outcome in drawn
        .iter()
        .filter(|one| range.among.has(one.errand.class.label()) && one.errand.class != Class::M1)
    {
        let having = classes.entry(outcome.errand.class).or_default();
        having.all += 1.0;
        having.with += f64::from(u8::from(range.of.was_drawn(&outcome.errand.traits)));
    }
    let share = |factor: f64| {
        let all: f64 = classes.values().map(|one| one.all).sum();
        let with: f64 = classes
            .values()
            .map(|one| one.all * one.scaled(factor))
            .sum();
        if all > 0.0 { with / all } else { 0.0 }
    };
    let can_be_weighed = classes
        .values()
        .any(|one| one.with > 0.0 && one.with < one.all);
    let at = |percent: f64| {
        let factor = factor(percent / 100.0, share);
        can_be_weighed.then(|| {
            weighed(drawn, |outcome| {
                let class = outcome.errand.class;
                let having = classes.get(&class).copied().unwrap_or_default();
                let has = range.of.was_drawn(&outcome.errand.traits);
                weight(having, factor, has)
            })
        })
    };
    Band {
        of: range.of,
        among: range.among,
        drawn: 100.0 * share(1.0),
        low: range.low,
        high: range.high,
        evidence: range.evidence,
        at_low: at(range.low),
        at_high: at(range.high),
    }
}

/// By what the odds are scaled for the share to come out at `wanted`; the nearest there is.
fn factor(wanted: f64, share: impl Fn(f64) -> f64) -> f64 {
    // The logarithm of the factor is searched.
    let (mut low, mut high) = (-40.0_f64, 40.0_f64);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        match share(middle.exp()) < wanted {
            true => low = middle,
            false => high = middle,
        }
    }
    f64::midpoint(low, high).exp()
}

fn weight(having: Having, factor: f64, has: bool) -> f64 {
    let (before, after) = (having.share(), having.scaled(factor));
    match has {
        _ if having.all == 0.0 => 1.0,
        true if before > 0.0 => after / before,
        false if before < 1.0 => (1.0 - after) / (1.0 - before),
        _ => 1.0,
    }
}

/// The results with each errand counted so often.
fn weighed(drawn: &[&Outcome<'_>], weight: impl Fn(&Outcome<'_>) -> f64) -> Reweighed {
    let (mut spam, mut hostile, mut legitimate) =
        (Mean::default(), Mean::default(), Mean::default());
    for outcome in drawn {
        let weight = weight(outcome);
        let label = outcome.errand.class.label();
        if outcome.is_unwanted() {
            for reached in outcome.tries().filter_map(|tried| tried.reached) {
                hostile.add(!reached, weight);
            }
        }
        for message in outcome.messages() {
            let delivered = message.fate == Fate::Delivered;
            match label {
                Label::Spam => spam.add(!delivered && message.fate != Fate::Partly, weight),
                Label::Legitimate => legitimate.add(!delivered, weight),
                Label::Hostile | Label::Monitoring => {}
            }
        }
    }
    Reweighed {
        spam_stopped: spam.share(),
        hostile_stopped: (hostile.all > 0.0).then(|| hostile.share()),
        legitimate_rejected: legitimate.share(),
    }
}

/// A weighed share.
#[derive(Default)]
struct Mean {
    part: f64,
    all: f64,
}

impl Mean {
    fn add(&mut self, is_part: bool, weight: f64) {
        self.all += weight;
        self.part += if is_part { weight } else { 0.0 };
    }

    fn share(&self) -> f64 {
        if self.all > 0.0 {
            self.part / self.all
        } else {
            0.0
        }
    }
}
