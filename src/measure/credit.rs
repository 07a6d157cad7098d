//! What each check has brought in a run whose traffic is known: the gate's own records, joined with who the clients were.
//!
//! The join is by address and port of the client and made outside: no record holds a label. Counted are connections that
//! asked for something, as in the report ([`shares`](crate::measure::shares)); one whose every recipient a set of checks
//! keeps out is stopped by it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use crate::checks::policy::{Mode, Policy};
use crate::facts::Client;
use crate::journal::SessionRecord;
use crate::measure::shares::{Share, Stopped, Table};
use crate::measure::tally::look::{Book, Looked};
use crate::measure::tally::{Line, Read, each};
use crate::measure::trace::Label;

/// What the checks have brought among the connections of one label.
#[derive(Clone, Debug, Serialize)]
pub struct Credit {
    /// Whose.
    pub label: Label,
    /// Connections that have a record.
    pub connections: u64,
    /// Of these, those that asked for something.
    pub asked: u64,
    /// Of these, those that all checks and the shield of a secondary together keep out, at that time: refused or put off.
    pub stopped: u64,
    /// Of these, those that are put off whatever the checks say: by the shield of a secondary.
    pub anyway: u64,
    /// Whether the policies only observe: then nobody was kept out, and all of this is what would have been.
    pub observed: bool,
    /// By check, in the policy's order.
    pub checks: Vec<Brought>,
}

/// What a check has brought, in connections.
#[derive(Clone, Debug, Serialize)]
pub struct Brought {
    /// The check.
    pub check: String,
    /// What it has brought, beyond what is put off anyway.
    #[serde(flatten)]
    pub share: Share,
}

/// What the checks of `policies` have brought in the records below `directory`, by label; `who` says whose a connection from
/// this address and port was, if it was a player's.
///
/// # Errors
///
/// The records can not be read.
pub fn credit(
    directory: &Path,
    policies: &BTreeMap<String, Arc<Policy>>,
    who: impl Fn(SocketAddr) -> Option<Label> + Sync,
) -> io::Result<(Vec<Credit>, Read)> {
    let book = Book::new(policies);
    let names = names(policies);
    let look = |line: &[u8]| {
        let Ok(record) = serde_json::from_slice::<SessionRecord>(line) else {
            return Line::Damaged;
        };
        let client = record.facts.client().map(|client: &Client| client.address);
        match client.and_then(&who) {
            Some(label) => Line::Wanted((
                label,
                Looked::at(record, &book)
                    .judged
                    .and_then(|judged| judged.connection),
            )),
            None => Line::Other,
        }
    };
    let mut sums: BTreeMap<Label, Sum> = BTreeMap::new();
    let take = |(label, stopped): (Label, Option<Stopped>)| {
        let sum = sums.entry(label).or_insert_with(|| Sum::new(names.len()));
        sum.connections += 1;
        if let Some(stopped) = stopped {
            sum.table.add(&stopped, 1);
        }
    };
    let read = each(directory, None, look, take, |_, _| {})?;
    let observed =
        !policies.is_empty() && policies.values().all(|policy| policy.mode == Mode::Observe);
    let credits = sums
        .into_iter()
        .map(|(label, sum)| sum.credit(label, &names, observed));
    Ok((credits.collect(), read))
}

/// The checks, as all policies of a run have them.
fn names(policies: &BTreeMap<String, Arc<Policy>>) -> Vec<&'static str> {
    let longest = policies.values().max_by_key(|policy| policy.checks.len());
    let checks = longest.into_iter().flat_map(|policy| &policy.checks);
    checks.map(|check| check.name()).collect()
}

struct Sum {
    connections: u64,
    table: Table,
}

impl Sum {
    fn new(checks: usize) -> Self {
        Self {
            connections: 0,
            table: Table::new(checks),
        }
    }

    fn credit(mut self, label: Label, names: &[&str], observed: bool) -> Credit {
        self.table.settle();
        let anyway = self.table.stopped_anyway();
        let brought = names.iter().zip(self.table.shares());
        Credit {
            label,
            connections: self.connections,
            asked: self.table.cases(),
            stopped: self.table.stopped(),
            anyway,
            observed,
            checks: brought
                .map(|(check, share)| Brought {
                    check: (*check).to_owned(),
                    share: Share {
                        alone: share.alone.saturating_sub(anyway),
                        ..share
                    },
                })
                .collect(),
        }
    }
}
