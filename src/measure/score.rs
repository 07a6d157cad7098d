//! The score: what became of the traffic of a trace that was played (`effectiveness.md` §4.2). Data only; whoever shows it
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
mod cut;
mod integrity;
mod outcome;
mod times;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

pub use band::{Band, Bands, Range, Reweighed};
pub use cases::CaseScore;
pub use compare::{Comparison, Paired};
pub use cut::Cut;
pub use integrity::Integrity;
pub use times::{Spread, Times};

use crate::measure::stats::{self, Interval};
use crate::measure::trace::{Class, Label, Played, Trace};
use outcome::{Fate, Outcome};

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
    /// What the trouble was, the first few.
    pub troubles: Vec<String>,
}

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

/// A part of a whole, and how sure that is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// The part.
    pub part: u64,
    /// The whole.
    pub whole: u64,
    /// The share, 0 to 1.
    pub share: f64,
    /// Wilson's interval, as if all were independent.
    pub wilson: Interval,
    /// The exact interval (Clopper and Pearson), as if all were independent.
    pub exact: Interval,
    /// For none: what lies above is unlikely (rule of three).
    pub at_most: Option<f64>,
    /// How many hosts and networks are independent of each other.
    pub clusters: u64,
    /// The interval over these (bootstrap): the one to quote. Nothing if there are fewer than two, or if none or all are
    /// part: drawing again can not find what was never seen.
    pub by_cluster: Option<Interval>,
}

/// What it cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Cost {
    /// Connections in all.
    pub connections: u64,
    /// Sessions that the backend had.
    pub backend_sessions: Option<u64>,
    /// Share of connections that made no session of the backend, 0 to 1.
    pub sessions_spared: Option<f64>,
    /// CPU of the server for a thousand connections, seconds.
    pub server_cpu: Option<f64>,
    /// CPU of the backend for a thousand connections, seconds.
    pub backend_cpu: Option<f64>,
    /// DNS questions for a connection.
    pub dns: f64,
    /// CPU of the server for each spam transaction that was stopped, milliseconds.
    pub cpu_per_spam_stopped: Option<f64>,
    /// DNS questions for each.
    pub dns_per_spam_stopped: Option<f64>,
    /// Seconds (real) for which connections of unwanted clients were held, for each.
    pub held_per_spam_stopped: Option<f64>,
}

/// How many troubles are told.
const TOLD: usize = 10;

impl Score {
    /// The score of a trace that was played.
    #[must_use]
    pub fn of(trace: &Trace, played: &Played) -> Self {
        let outcomes = outcome::all(trace, played);
        let drawn: Vec<&Outcome<'_>> = outcomes.iter().filter(|one| one.is_drawn()).collect();
        let troubles = outcomes.iter().filter_map(|one| one.trouble());
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
            hostile_stopped: hostile_stopped(&drawn, trace.seed),
            legitimate_rejected: messages(&drawn, trace.seed, Label::Legitimate, |fate| {
                matches!(fate, Fate::Rejected | Fate::Lost | Fate::Partly)
            }),
            legitimate_delayed: delayed(&drawn, trace.seed),
            times: Times::of(&drawn),
            cost: cost(&outcomes, played, &spam_stopped),
            exempt: exempt(&outcomes, trace, |label| label == Label::Legitimate),
            exempt_in_spam: exempt(&outcomes, trace, |label| label == Label::Spam),
            cases: cases::all(&outcomes, trace),
            cut: Cut::of(&drawn),
            integrity: Integrity::of(trace, played),
            troubled: troubles.clone().count() as u64,
            troubles: troubles.take(TOLD).map(str::to_owned).collect(),
            spam_stopped,
        }
    }

    /// Whether all special cases were passed.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.cases.iter().all(|case| case.passed)
    }
}

impl Part {
    /// Of clusters with their parts and sizes.
    fn of(clusters: BTreeMap<u32, (u64, u64)>, seed: u64) -> Self {
        let clusters: Vec<(u64, u64)> = clusters.into_values().filter(|one| one.1 > 0).collect();
        let sum = |of: fn(&(u64, u64)) -> u64| clusters.iter().map(of).sum::<u64>();
        let (part, whole) = (sum(|one| one.0), sum(|one| one.1));
        let is_mixed = part > 0 && part < whole;
        Self {
            part,
            whole,
            share: stats::share(part, whole),
            wilson: stats::wilson(part, whole),
            exact: stats::clopper_pearson(part, whole),
            at_most: (part == 0).then(|| stats::rule_of_three(whole)),
            clusters: clusters.len() as u64,
            by_cluster: stats::bootstrap_share(&clusters, seed).filter(|_| is_mixed),
        }
    }

    /// The interval to quote.
    #[must_use]
    pub fn interval(&self) -> Interval {
        self.by_cluster.unwrap_or(self.exact)
    }
}

/// Sums over clusters.
fn clustered<'o>(
    outcomes: impl Iterator<Item = &'o Outcome<'o>>,
    of: impl Fn(&Outcome<'_>) -> (u64, u64),
) -> BTreeMap<u32, (u64, u64)> {
    let mut clusters: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for outcome in outcomes {
        let (part, whole) = of(outcome);
        let sum = clusters.entry(outcome.errand.cluster).or_default();
        *sum = (sum.0 + part, sum.1 + whole);
    }
    clusters
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

fn hostile_stopped(drawn: &[&Outcome<'_>], seed: u64) -> Option<Part> {
    let unwanted = drawn
        .iter()
        .copied()
        .filter(|one| one.is_unwanted() && one.trouble().is_none());
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

fn by_class(drawn: &[&Outcome<'_>]) -> Vec<Counts> {
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

fn by_label(drawn: &[&Outcome<'_>]) -> Vec<Counts> {
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
                self.accepted += u64::from(outcome::is_positive(*code));
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

fn cost(outcomes: &[Outcome<'_>], played: &Played, spam_stopped: &Part) -> Cost {
    let connections: usize = outcomes.iter().map(|one| one.tries().count()).sum();
    let thousands = connections as f64 / 1000.0;
    let per_thousand =
        |cpu: Option<f64>| cpu.filter(|_| connections > 0).map(|cpu| cpu / thousands);
    let stopped = spam_stopped.part as f64;
    let per_stopped = |cost: f64| (spam_stopped.part > 0).then(|| cost / stopped);
    let unwanted = outcomes
        .iter()
        .filter(|one| one.is_drawn() && one.is_unwanted());
    let held: Duration = unwanted
        .flat_map(Outcome::tries)
        .map(|tried| tried.took)
        .sum();
    let spared = |sessions: u64| 1.0 - (sessions as f64 / connections as f64).min(1.0);
    Cost {
        connections: connections as u64,
        backend_sessions: played.backend_sessions,
        sessions_spared: played
            .backend_sessions
            .filter(|_| connections > 0)
            .map(spared),
        server_cpu: per_thousand(played.server_cpu),
        backend_cpu: per_thousand(played.backend_cpu),
        dns: played.dns_questions as f64 / (connections.max(1)) as f64,
        cpu_per_spam_stopped: played.server_cpu.and_then(|cpu| per_stopped(cpu * 1000.0)),
        dns_per_spam_stopped: per_stopped(played.dns_questions as f64),
        held_per_spam_stopped: per_stopped(held.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests;
