//! What works and is worth knowing about a configuration, once it is known what day it is and what the files hold.

use crate::app::{certificates, clock};
use crate::checks::Remark;
use crate::config::{Problem, Snapshot};

/// All of it: notes on certificates, and on what the policies' checks say about their settings.
#[must_use]
pub fn notes(snapshot: &Snapshot) -> Vec<Problem> {
    let now = clock::seconds();
    let mut notes = certificates::notes(snapshot);
    for (policy, built) in &snapshot.policies {
        for check in &built.checks {
            for remark in check.remarks(now) {
                let note = note(snapshot, policy, check.name(), &remark);
                // A policy that inherits the setting has nothing to add.
                let told =
                    |other: &Problem| (&other.source, &other.found) == (&note.source, &note.found);
                if !notes.iter().any(told) {
                    notes.push(note);
                }
            }
        }
    }
    notes
}

fn note(snapshot: &Snapshot, policy: &str, check: &str, remark: &Remark) -> Problem {
    let key = format!("policy.{policy}.checks.{check}.{}", remark.setting);
    let mut note = snapshot.problem(&key, &remark.found, remark.advice);
    note.key = format!("{key}[{}]", remark.index);
    note
}
