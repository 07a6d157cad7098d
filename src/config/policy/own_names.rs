//! Our name, for the checks that want to know it: `own_names` is `hostname` where it is not written.
//!
//! Checks see facts and their settings, nothing else; so the name goes into the settings, and a replay knows it, too. A
//! name that others may have as well (a machine's own idea of itself) tells nobody apart and is left out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::checks::ALL;
use crate::config::defaults::defaults;
use crate::config::policy::PolicySettings;
use crate::smtp::domain::Domain;

/// The setting.
const OWN_NAMES: &str = "own_names";

/// Domains of names that are not unique (RFC 6761, RFC 6762, RFC 8375, and what is used like them).
const SHARED: &[&str] = &[
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "private",
];

/// Writes our name where a check's own names are not written, or none are.
pub(in crate::config) fn fill(policies: &mut BTreeMap<String, PolicySettings>, hostname: &str) {
    if !is_ours_alone(hostname) {
        return;
    }
    let wanting = ALL
        .iter()
        .filter(|kind| defaults(kind).contains_key(OWN_NAMES));
    for kind in wanting {
        for settings in policies.values_mut() {
            let table = settings.checks.entry(kind.name.to_owned()).or_default();
            let own = table
                .entry(OWN_NAMES)
                .or_insert_with(|| Value::Array(Vec::new()));
            if own.as_array().is_some_and(Vec::is_empty) {
                *own = Value::Array(vec![hostname.into()]);
            }
        }
    }
}

fn is_ours_alone(hostname: &str) -> bool {
    let Some((_, last)) = hostname.rsplit_once('.') else {
        return false;
    };
    let is_shared = SHARED
        .iter()
        .any(|shared| last.eq_ignore_ascii_case(shared));
    Domain::parse(hostname, false).is_some() && !is_shared
}
