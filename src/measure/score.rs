//! The score: what became of the traffic of a trace that was played (docs/measure.md, "The score"). Data only; whoever shows it
//! chooses the words.
//!
//! Three units are counted: connections, transactions, recipients. Spam, hostile connections and legitimate mail are kept
//! apart. What was drawn makes the shares; the special cases, which are put in on purpose, have lines of their own and are
//! in no share. Mail for nobody who exists is in no share either: the backend refuses it whoever stands before it.
//!
//! ```text
//! outcome (each errand's fate) → sums, times, cut, cases, integrity · band (what if a trait were rarer) · compare (two runs)
//! ```

mod band;
mod cases;
mod compare;
mod cost;
mod counts;
mod cut;
mod integrity;
mod outcome;
mod part;
mod times;

use std::collections::HashSet;

use serde::Serialize;

pub use band::{Band, Bands, Range, Reweighed};
pub use cases::CaseScore;
pub use compare::{Comparison, Paired};
pub use cost::Cost;
pub use counts::Counts;
pub use cut::Cut;
pub use integrity::Integrity;
pub use part::Part;
pub use times::{Spread, Times};

use crate::measure::trace::{Act, Label, Played, Trace};
use counts::{by_class, by_label};
use outcome::{Fate, Outcome};
use part::clustered;

/// What became of the traffic.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// What the server is called.
    pub target: String,
    /// The scenario's name.
    pub scenario: String,
    /// Its SHA-256.
    pub hash: String,
    /// The seed.
    pub seed: u64,
    /// Virtual seconds in a real one.
    pub clock: f64,
    /// How long it took, real seconds.
    pub took: f64,
    /// By class, those that came.
    pub classes: Vec<Counts>,
    /// By label, those that came.
    pub labels: Vec<Counts>,
    /// Spam transactions of which nothing was delivered.
    pub spam_stopped: Part,
    /// Spam and hostile connections that did not reach the backend, of those of which it is known.
    pub hostile_stopped: Option<Part>,
    /// The same, of those that came with mail or asked for a recipient: the others guess passwords, look and scan, and never
    /// come as far as the mail server behind a gate, whatever its checks say.
    pub with_mail_stopped: Option<Part>,
    /// Legitimate transactions that were refused, or not delivered by the last try.
    pub legitimate_rejected: Part,
    /// Legitimate transactions that were delivered, though not at the first try.
    pub legitimate_delayed: Part,
    /// How long legitimate mail and its senders waited.
    pub times: Times,
    /// What it cost.
    pub cost: Cost,
    /// Legitimate mail to exempt recipients: delivered of sent. Must be all.
    pub exempt: Part,
    /// Exempt recipients that spam named: accepted of asked.
    pub exempt_in_spam: Part,
    /// The special cases.
    pub cases: Vec<CaseScore>,
    /// When unwanted connections were turned away.
    pub cut: Cut,
    /// Whether each message that was taken arrived, once.
    pub integrity: Integrity,
    /// Errands in which the player itself had trouble; they are in no share.
    pub troubled: u64,
    /// What the trouble was, each kind once, the first few.
    pub troubles: Vec<String>,
}

/// How many troubles are told.
const TOLD: usize = 10;

impl Score {
    /// The score of a trace that was played.
    #[must_use]
    pub fn of(trace: &Trace, played: &Played) -> Self {
        let outcomes = outcome::all(trace, played);
        let drawn: Vec<&Outcome<'_>> = outcomes.iter().filter(|one| one.is_drawn()).collect();
        let troubles = outcomes.iter().filter_map(Outcome::trouble);
        let spam_stopped = spam_stopped(&drawn, trace.seed);
        Self {
            target: played.target.clone(),
            scenario: trace.scenario.clone(),
            hash: trace.hash.clone(),
            seed: trace.seed,
            clock: played.clock,
            took: played.took.as_secs_f64(),
            classes: by_class(&drawn),
            labels: by_label(&drawn),
            hostile_stopped: hostile_stopped(&drawn, trace.seed, |_| true),
            with_mail_stopped: hostile_stopped(&drawn, trace.seed, outcome::asks),
            legitimate_rejected: messages(&drawn, trace.seed, Label::Legitimate, |fate| {
                matches!(fate, Fate::Rejected | Fate::Lost | Fate::Partly)
            }),
            legitimate_delayed: delayed(&drawn, trace.seed),
            times: Times::of(&drawn),
            cost: Cost::of(&outcomes, played, &spam_stopped),
            exempt: exempt(&outcomes, trace, |label| label == Label::Legitimate),
            exempt_in_spam: exempt(&outcomes, trace, |label| label == Label::Spam),
            cases: cases::all(&outcomes, trace, played.hidden),
            cut: Cut::of(&drawn),
            integrity: Integrity::of(trace, played),
            troubled: troubles.clone().count() as u64,
            troubles: distinct(troubles),
            spam_stopped,
        }
    }

    /// Whether all special cases were passed.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.cases.iter().all(|case| case.passed)
    }
}

/// Each once, the first few.
fn distinct<'t>(troubles: impl Iterator<Item = &'t str>) -> Vec<String> {
    let mut told = HashSet::new();
    let new = troubles.filter(|trouble| told.insert(*trouble));
    new.take(TOLD).map(str::to_owned).collect()
}

/// The messages of a label whose fate is such.
fn messages(drawn: &[&Outcome<'_>], seed: u64, label: Label, such: impl Fn(Fate) -> bool) -> Part {
    let of = drawn.iter().copied().filter(|one| one.is_counted(label));
    let clusters = clustered(of, |outcome| {
        let fates = outcome.messages().map(|message| message.fate);
        let (mut part, mut whole) = (0, 0);
        for fate in fates {
            whole += 1;
            part += u64::from(such(fate));
        }
        (part, whole)
    });
    Part::of(clusters, seed)
}

fn spam_stopped(drawn: &[&Outcome<'_>], seed: u64) -> Part {
    messages(drawn, seed, Label::Spam, |fate| {
        !matches!(fate, Fate::Delivered | Fate::Partly)
    })
}

fn delayed(drawn: &[&Outcome<'_>], seed: u64) -> Part {
    let of = drawn
        .iter()
        .copied()
        .filter(|one| one.is_counted(Label::Legitimate));
    let clusters = clustered(of, |outcome| {
        let delivered = outcome
            .messages()
            .filter(|message| message.fate == Fate::Delivered);
        let (mut part, mut whole) = (0, 0);
        for message in delivered {
            whole += 1;
            part += u64::from(message.is_delayed());
        }
        (part, whole)
    });
    Part::of(clusters, seed)
}

fn hostile_stopped(drawn: &[&Outcome<'_>], seed: u64, such: impl Fn(&Act) -> bool) -> Option<Part> {
    let unwanted = drawn
        .iter()
        .copied()
        .filter(|one| one.is_unwanted() && one.trouble().is_none() && such(&one.errand.speech.act));
    let clusters = clustered(unwanted, |outcome| {
        let known = outcome.tries().filter_map(|tried| tried.reached);
        known.fold((0, 0), |(part, whole), reached| {
            (part + u64::from(!reached), whole + 1)
        })
    });
    let part = Part::of(clusters, seed);
    (part.whole > 0).then_some(part)
}

fn exempt(outcomes: &[Outcome<'_>], trace: &Trace, of: impl Fn(Label) -> bool) -> Part {
    let such = outcomes
        .iter()
        .filter(|one| of(one.errand.class.label()) && one.trouble().is_none());
    Part::of(clustered(such, |outcome| outcome.exempt(trace)), trace.seed)
}

#[cfg(test)]
mod tests;
