//! A policy and its checks: who could look, who spoke, what each has brought, and what it cost.

use serde::Serialize;

use crate::measure::shares::{Share, Table};
use crate::measure::stats::{Interval, share, wilson};
use crate::measure::tally::look::{Cost, Known, Looked};

/// What sessions of a policy say.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyPart {
    /// Its name.
    pub name: Box<str>,
    /// Whether the configuration has it, so that its sessions could be judged again.
    pub known: bool,
    /// Its sessions.
    pub sessions: u64,
    /// Of these, those in which it only observed.
    pub observed: u64,
    /// Sessions that it would judge otherwise as it is now.
    pub judged_otherwise: u64,
    /// Connections that asked for something: a recipient was judged, or the connection dropped.
    pub connections: Unit,
    /// Mail transactions with a recipient that was judged.
    pub transactions: Unit,
    /// Recipients that were judged.
    pub recipients: Unit,
    /// Its checks.
    pub checks: Vec<CheckRow>,
}

/// What was kept out, counted one way, as the policy is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Unit {
    /// All.
    pub all: u64,
    /// Refused or put off by all checks together.
    pub kept_out: u64,
    /// Kept out without any check: by the shield of a secondary.
    pub without_checks: u64,
}

/// A check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckRow {
    /// Its name.
    pub check: &'static str,
    /// Sessions in which it could look.
    pub looked: u64,
    /// Sessions in which it could not: they ended before, or its questions were not answered.
    pub not_looked: u64,
    /// Sessions in which it spoke against the client.
    pub against: u64,
    /// The share of those in which it could look.
    pub against_share: f64,
    /// Its interval, 95 %, by Wilson's formula.
    pub against_interval: Interval,
    /// Sessions in which it spoke for the client.
    pub in_favour: u64,
    /// What it has brought, in connections.
    pub connections: Brought,
    /// The same in mail transactions.
    pub transactions: Brought,
    /// The same in recipients.
    pub recipients: Brought,
    /// Questions to the DNS that it used and that were asked then. One that several checks use counts for each.
    pub dns_live: u64,
    /// Questions that the cache answered.
    pub dns_cached: u64,
    /// Its slowest answer in each session, added up: how long it would have held connections by itself.
    pub waited_seconds: f64,
    /// How long it held the greeting.
    pub held_seconds: f64,
}

/// What a check has brought; see [`crate::measure::shares`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Brought {
    /// What it would keep out alone, beyond what is kept out without any check.
    pub alone: u64,
    /// What would come in without it.
    pub unique: i64,
    /// What it adds on average over all orders.
    pub shapley: f64,
}

impl From<Share> for Brought {
    fn from(share: Share) -> Self {
        let Share {
            alone,
            unique,
            shapley,
        } = share;
        Self {
            alone,
            unique,
            shapley,
        }
    }
}

/// What has been added up.
pub(super) struct PolicySum {
    names: Vec<&'static str>,
    known: bool,
    sessions: u64,
    observed: u64,
    otherwise: u64,
    looked: Vec<u64>,
    against: Vec<u64>,
    in_favour: Vec<u64>,
    costs: Vec<(u64, u64, u64, u64)>,
    connections: Table,
    transactions: Table,
    recipients: Table,
}

impl PolicySum {
    pub(super) fn new(known: Option<&Known>) -> Self {
        let checks = known.map_or(&[][..], |known| &known.policy.checks);
        let names: Vec<&'static str> = checks.iter().map(|check| check.name()).collect();
        let count = names.len();
        Self {
            names,
            known: known.is_some(),
            sessions: 0,
            observed: 0,
            otherwise: 0,
            looked: vec![0; count],
            against: vec![0; count],
            in_favour: vec![0; count],
            costs: vec![(0, 0, 0, 0); count],
            connections: Table::new(count),
            transactions: Table::new(count),
            recipients: Table::new(count),
        }
    }

    pub(super) fn add(&mut self, looked: &Looked) {
        self.sessions += 1;
        self.observed += u64::from(looked.observed);
        let Some(judged) = &looked.judged else {
            return;
        };
        self.otherwise += u64::from(judged.otherwise);
        for (counts, set) in [
            (&mut self.looked, judged.looked),
            (&mut self.against, judged.against),
            (&mut self.in_favour, judged.in_favour),
        ] {
            for (number, count) in counts.iter_mut().enumerate() {
                *count += u64::from(set >> number & 1);
            }
        }
        for (sum, cost) in self.costs.iter_mut().zip(&judged.costs) {
            let Cost {
                live,
                cached,
                slowest,
                held,
            } = *cost;
            sum.0 += u64::from(live);
            sum.1 += u64::from(cached);
            sum.2 += u64::from(slowest);
            sum.3 += u64::from(held);
        }
        for stopped in &judged.recipients {
            self.recipients.add(stopped, 1);
        }
        for stopped in &judged.transactions {
            self.transactions.add(stopped, 1);
        }
        if let Some(stopped) = &judged.connection {
            self.connections.add(stopped, 1);
        }
    }

    pub(super) fn part(mut self, name: Box<str>) -> PolicyPart {
        let tables = [
            &mut self.connections,
            &mut self.transactions,
            &mut self.recipients,
        ];
        tables.into_iter().for_each(Table::settle);
        let [connections, transactions, recipients] =
            [&self.connections, &self.transactions, &self.recipients]
                .map(|table| (table.shares(), table.stopped_anyway()));
        let at = |(shares, anyway): &(Vec<Share>, u64), number: usize| {
            let share = shares.get(number).copied().unwrap_or_default();
            Brought::from(Share {
                alone: share.alone.saturating_sub(*anyway),
                ..share
            })
        };
        let of = |counts: &[u64], number: usize| counts.get(number).copied().unwrap_or_default();
        let checks = self.names.iter().enumerate().map(|(number, check)| {
            let (looked, against) = (of(&self.looked, number), of(&self.against, number));
            let (live, cached, waited, held) = self.costs.get(number).copied().unwrap_or_default();
            CheckRow {
                check,
                looked,
                not_looked: self.sessions.saturating_sub(looked),
                against,
                against_share: share(against, looked),
                against_interval: wilson(against, looked),
                in_favour: of(&self.in_favour, number),
                connections: at(&connections, number),
                transactions: at(&transactions, number),
                recipients: at(&recipients, number),
                dns_live: live,
                dns_cached: cached,
                waited_seconds: waited as f64 / 1000.0,
                held_seconds: held as f64 / 1000.0,
            }
        });
        PolicyPart {
            name,
            known: self.known,
            sessions: self.sessions,
            observed: self.observed,
            judged_otherwise: self.otherwise,
            connections: unit(&self.connections),
            transactions: unit(&self.transactions),
            recipients: unit(&self.recipients),
            checks: checks.collect(),
        }
    }
}

fn unit(table: &Table) -> Unit {
    Unit {
        all: table.cases(),
        kept_out: table.stopped(),
        without_checks: table.stopped_anyway(),
    }
}
