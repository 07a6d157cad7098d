//! Habits: what a class sends, how often it comes, from where, and when it tries again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Evidence, values};

/// What a class sends, how often, and how it tries again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Habits {
    /// The least and the most recipients of a transaction.
    pub recipients: [u32; 2],
    /// Of the recipients, percent that do not exist.
    pub unknown: f64,
    /// Transactions in a connection, on average.
    pub messages: f64,
    /// Percent of addresses that come once, twice, three times, four times, 5 to 10 and 11 to 30 times.
    pub visits: [f64; 6],
    /// The least and the most addresses of one network; more than one: they belong together.
    pub network: [u32; 2],
    /// There are no more addresses than this; the others' errands fall to them. 0: no limit.
    #[serde(default)]
    pub most_addresses: u32,
    /// The pool it sends from, instead of addresses of its own.
    #[serde(default)]
    pub pool: Option<String>,
    /// Percent of the addresses that stand on an allow list.
    pub allowed: f64,
    /// Percent for which SPF says pass, of the connections.
    pub spf_pass: f64,
    /// Timetables, one of which is taken for each sender; named twice: twice as often.
    pub retries: Vec<String>,
    /// When it comes.
    pub rhythm: Rhythm,
    /// After this long half of those not yet listed are; `"0s"`: they never are.
    #[serde(default, with = "values::duration")]
    pub half_listed: Duration,
    /// How well this is known.
    pub evidence: Evidence,
}

/// When a class comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// In the daytime, with few at night.
    Day,
    /// 3 to 19 o'clock, most at 7; an address comes several times within minutes.
    Bot,
    /// At any time.
    Even,
    /// Many within a few minutes.
    Batch,
    /// Every few minutes, always.
    Steady,
}

/// Senders who share networks: those of mailbox providers and mailing services.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How many there are.
    pub providers: u32,
    /// The least and the most addresses of one.
    pub addresses: [u32; 2],
    /// Percent of the providers on an allow list.
    pub allowed: f64,
    /// How well this is known.
    pub evidence: Evidence,
}

/// When a sender tries again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timetable {
    /// Since the first try.
    #[serde(with = "values::durations")]
    pub after: Vec<Duration>,
    /// Then again this often...
    #[serde(default, with = "values::duration")]
    pub every: Duration,
    /// ... until there are so many tries in all; 0: those in `after` are all.
    #[serde(default)]
    pub tries: u32,
    /// From how many addresses of a pool the tries come.
    #[serde(default = "values::one")]
    pub addresses: u32,
    /// How far each time is off, percent either way.
    #[serde(default)]
    pub jitter: f64,
    /// How well this is known.
    pub evidence: Evidence,
}
