//! How long legitimate mail and its senders waited.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use super::outcome::Outcome;
use crate::measure::stats::quantile;
use crate::measure::trace::Label;

/// How values spread, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// Half are not above it.
    pub p50: f64,
    /// Nine of ten are not above it.
    pub p90: f64,
    /// 99 of 100 are not above it.
    pub p99: f64,
    /// None is above it.
    pub max: f64,
}

impl Spread {
    fn of(times: Vec<Duration>) -> Option<Self> {
        let mut seconds: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64()).collect();
        seconds.sort_by(f64::total_cmp);
        let at = |part| quantile(&seconds, part);
        Some(Self {
            count: seconds.len() as u64,
            p50: at(0.5)?,
            p90: at(0.9)?,
            p99: at(0.99)?,
            max: at(1.0)?,
        })
    }
}

/// How long legitimate mail and its senders waited. Known are senders of whose cluster something was delivered before.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// From the first try to the delivering one, known senders; virtual.
    pub delivery_known: Option<Spread>,
    /// The same, new senders.
    pub delivery_new: Option<Spread>,
    /// From connect to the last line of the greeting, known senders; real.
    pub greeting_known: Option<Spread>,
    /// The same, new senders.
    pub greeting_new: Option<Spread>,
}

impl Times {
    pub(super) fn of(drawn: &[&Outcome<'_>]) -> Self {
        let known = Known::of(drawn);
        let mut delivery = [Vec::new(), Vec::new()];
        let mut greeting = [Vec::new(), Vec::new()];
        for outcome in drawn.iter().filter(|one| one.is_counted(Label::Legitimate)) {
            for tried in outcome.tries() {
                let known = known.was_known(outcome, tried.at);
                let [new, old] = &mut greeting;
                if known { old } else { new }.extend(tried.greeted);
            }
            let begin = outcome
                .tries()
                .next()
                .map(|tried| tried.at)
                .unwrap_or_default();
            let [new, old] = &mut delivery;
            let delivery = if known.was_known(outcome, begin) {
                old
            } else {
                new
            };
            let delivered = outcome.messages().filter_map(|message| message.delivered);
            delivery.extend(delivered.map(|(_, after)| after));
        }
        let [
            [delivery_new, delivery_known],
            [greeting_new, greeting_known],
        ] = [delivery, greeting].map(|both| both.map(Spread::of));
        Self {
            delivery_known,
            delivery_new,
            greeting_known,
            greeting_new,
        }
    }
}

/// When something of a cluster was first delivered.
struct Known(HashMap<u32, Duration>);

impl Known {
    fn of(drawn: &[&Outcome<'_>]) -> Self {
        let mut first: HashMap<u32, Duration> = HashMap::new();
        for outcome in drawn {
            let begin = outcome
                .tries()
                .next()
                .map(|tried| tried.at)
                .unwrap_or_default();
            let delivered = outcome.messages().filter_map(|message| message.delivered);
            for at in delivered.map(|(_, after)| begin + after) {
                let earliest = first.entry(outcome.errand.cluster).or_insert(at);
                *earliest = (*earliest).min(at);
            }
        }
        Self(first)
    }

    fn was_known(&self, outcome: &Outcome<'_>, at: Duration) -> bool {
        let first = self.0.get(&outcome.errand.cluster);
        first.is_some_and(|first| *first < at)
    }
}
