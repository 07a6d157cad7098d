//! What each check of the gate has brought: its own records, joined with who the players were.

use std::collections::HashMap;

use anyhow::Context;

use super::gate::SECONDARY;
use super::target::Outcome;
use crate::config;
use crate::measure::credit::{Credit, credit};
use crate::measure::trace::{Label, Trace};

/// By label, from the records of the gate, whose configuration stands beside them; nothing where there are none.
pub(super) fn shares(
    trace: &Trace,
    outcome: &Outcome,
    policy: &str,
) -> anyhow::Result<Vec<Credit>> {
    let Some(directory) = &outcome.records else {
        return Ok(Vec::new());
    };
    let file = directory.with_file_name("gatepost.toml");
    let snapshot = config::load(Some(&file), &[])
        .ok()
        .context("the run's configuration is gone")?;
    // Special cases are in no share.
    let drawn = trace.errands.iter().filter(|errand| errand.case.is_none());
    let labels: HashMap<u32, Label> = drawn
        .map(|errand| (errand.id, errand.class.label()))
        .collect();
    let who = |client| {
        let (errand, _) = outcome.visits.by_client.get(&client)?;
        labels.get(errand).copied()
    };
    let mut policies = snapshot.policies;
    policies.retain(|name, _| name == policy || name == SECONDARY);
    let (shares, _) =
        credit(directory, &policies, who).context("the gate's records can not be read")?;
    Ok(shares)
}
