//! Made traffic: from a scenario and a seed to a trace (docs/measure.md, "The model").
//!
//! The class is drawn first, then each trait on its own inside the class, except where the scenario couples them. The
//! generator knows behaviour and the DNS around it, no filter: what is stopped must follow from what the clients do. The
//! same scenario, seed and number of errands give the same trace.
//!
//! ```text
//! hosts (who, traits) → arrival (when) → speech (dialect) → envelopes (senders, recipients) → tries (again)
//! pools: providers with many addresses · cases: what breaks naive filters · world: the DNS that grows beside them
//! ```

mod act;
mod arrival;
mod cases;
mod draw;
mod envelopes;
mod hosts;
mod names;
mod networks;
mod pools;
mod senders;
mod software;
mod speech;
mod standing;
mod traits;
mod tries;
mod visits;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::measure::scenario::{Habits, Row, Scenario};
use crate::measure::trace::{Class, Errand, Label, Trace};
use draw::Draw;
use pools::Provider;
use world::Builder;

/// The domain whose mail server is under test.
const DOMAIN: &str = "bench.example";
/// The name of that mail server.
const HOST: &str = "mx.bench.example";
/// How many local-parts exist there.
const USERS: usize = 200;
/// Streams of lots that belong to no class.
const STREAM_WORLD: u64 = 1000;
const STREAM_SHARES: u64 = 1001;
const STREAM_CASES: u64 = 1002;
const STREAM_POOLS: u64 = 1003;

impl Trace {
    /// A trace of so many errands to port 25; users who log in and the special cases come on top.
    #[must_use]
    pub fn make(scenario: &Scenario, seed: u64, errands: usize) -> Self {
        let mut maker = Maker::new(scenario, seed);
        for (class, count) in maker.counts(errands) {
            maker.class(class, count);
        }
        maker.cases();
        maker.finish(seed)
    }
}

/// A trace under construction.
struct Maker<'s> {
    scenario: &'s Scenario,
    seed: u64,
    world: Builder,
    users: Vec<String>,
    pools: BTreeMap<&'s str, Vec<Provider>>,
    clusters: u32,
    errands: Vec<Errand>,
    /// Percent of A1 and A2 that come to the secondary.
    secondary_others: f64,
}

/// What is known of the class that is being made.
#[derive(Clone, Copy)]
struct Kind<'s> {
    class: Class,
    row: &'s Row,
    habits: &'s Habits,
}

impl<'s> Kind<'s> {
    fn is_unwanted(&self) -> bool {
        matches!(self.class.label(), Label::Spam | Label::Hostile)
    }

    /// Has neither names nor a domain of its own.
    const fn is_bot(&self) -> bool {
        matches!(
            self.class,
            Class::B1 | Class::B2 | Class::B3 | Class::B4 | Class::D1
        )
    }
}

impl<'s> Maker<'s> {
    fn new(scenario: &'s Scenario, seed: u64) -> Self {
        let mut draw = Draw::new(seed, STREAM_WORLD);
        let mut world = Builder::new(scenario);
        let mut users: Vec<String> = Vec::with_capacity(USERS);
        while users.len() < USERS {
            let user = names::person(&mut draw);
            if !users.contains(&user) {
                users.push(user);
            }
        }
        let mut draw = Draw::new(seed, STREAM_POOLS);
        let pools = scenario.pool.iter().map(|(name, plan)| {
            let providers = pools::providers(plan, &mut world, &mut draw);
            (name.as_str(), providers)
        });
        let pools = pools.collect();
        Self {
            scenario,
            seed,
            world,
            users,
            pools,
            clusters: 0,
            errands: Vec::new(),
            secondary_others: secondary_others(scenario),
        }
    }

    /// How many errands of each class: the shares, up to a fraction that is drawn.
    fn counts(&self, errands: usize) -> Vec<(Class, usize)> {
        let total = errands as f64;
        let offset = Draw::new(self.seed, STREAM_SHARES).unit();
        let mut sum = 0.0;
        let mut until = |share: f64| {
            let before = (sum + offset) as usize;
            sum += total * share / 100.0;
            (sum + offset) as usize - before
        };
        let rows = self.scenario.class.iter();
        rows.map(|(class, row)| (*class, until(row.share)))
            .collect()
    }

    fn kind(&self, class: Class) -> Option<Kind<'s>> {
        Some(Kind {
            class,
            row: self.scenario.class.get(&class)?,
            habits: self.scenario.habits.get(&class)?,
        })
    }

    fn class(&mut self, class: Class, count: usize) {
        let Some(kind) = self.kind(class) else { return };
        let mut draw = Draw::new(self.seed, class as u64);
        match &kind.habits.pool {
            Some(pool) => self.pool_errands(kind, pool, count, &mut draw),
            None => self.host_errands(kind, count, &mut draw),
        }
    }

    /// A number for what is not independent of each other.
    fn cluster(&mut self) -> u32 {
        self.clusters += 1;
        self.clusters
    }

    fn finish(mut self, seed: u64) -> Trace {
        self.errands
            .sort_by_key(|errand| errand.tries.first().map(|first| first.at));
        for (id, errand) in (0..).zip(&mut self.errands) {
            errand.id = id;
        }
        let first = self
            .errands
            .iter()
            .filter_map(|errand| errand.tries.first());
        let span = first.map(|first| first.at).max();
        Trace {
            scenario: self.scenario.name.clone(),
            hash: self.scenario.hash.clone(),
            seed,
            domain: DOMAIN.to_owned(),
            host: HOST.to_owned(),
            users: self.users,
            span: span.unwrap_or(Duration::ZERO),
            world: self.world.finish(self.scenario),
            errands: self.errands,
        }
    }
}

/// What is left for A1 and A2 of the connections to the secondary, percent of theirs: at most half, as there are two doors.
fn secondary_others(scenario: &Scenario) -> f64 {
    let share = |wanted: &dyn Fn(Class) -> bool| -> f64 {
        let rows = scenario.class.iter().filter(|(class, _)| wanted(**class));
        rows.map(|(_, row)| row.share).sum()
    };
    let bots = share(&|class| software::goes_to_last_exchanger(class));
    let others = share(&|class| matches!(class, Class::A1 | Class::A2));
    let unwanted = share(&|class| matches!(class.label(), Label::Spam | Label::Hostile));
    let other = &scenario.other;
    let left = unwanted * other.secondary_unwanted.value - bots * other.secondary_bots.value;
    if others > 0.0 {
        (left / others).clamp(0.0, 50.0)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests;
