//! From settings to policies: the checks build themselves, every setting they refuse is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::checks::policy::Policy;
use crate::checks::shield::Shield;
use crate::checks::{ALL, Check, Kind};
use crate::config::defaults::defaults;
use crate::config::found::describe_json;
use crate::config::place::{key, key_from_text, original};
use crate::config::policy::{PolicySettings, PolicyTable};
use crate::config::problem::Complaint;
use crate::config::report::Report;

/// How serde begins when it does not know a key.
const UNKNOWN: &str = "unknown field `";

/// The setting that every check has.
pub(in crate::config) const ENABLED: &str = "enabled";

/// Makes the policies, with their checks built by the checks themselves.
pub(in crate::config) fn build(
    policies: &BTreeMap<String, PolicySettings>,
    tables: &BTreeMap<String, PolicyTable>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Arc<Policy>> {
    let build = |(name, settings): (&String, &PolicySettings)| {
        let checks = ALL
            .iter()
            .filter_map(|kind| build_check(kind, settings, tables, report))
            .collect();
        let exempt = settings.exempt_recipients.iter();
        let policy = Policy {
            name: name.as_str().into(),
            mode: settings.mode,
            greet_wait: settings.greet_wait,
            greylist_points: settings.greylist_points,
            deny_points: settings.deny_points,
            drop_points: settings.drop_points,
            exempt_recipients: exempt
                .map(|local_part| local_part.to_ascii_lowercase().into())
                .collect(),
            shield: Shield {
                mode: settings.shield,
                primary: settings.primary.join(" ").into(),
            },
            tarpit: settings.tarpit,
            tarpit_drip: settings.tarpit_drip,
            add_header: settings.add_header.clone(),
            checks,
        };
        (name.clone(), Arc::new(policy))
    };
    policies.iter().map(build).collect()
}

/// Says which listeners are not there that a check speaks of.
pub(in crate::config) fn check_listeners(
    policies: &BTreeMap<String, Arc<Policy>>,
    listeners: &[&str],
    report: &mut Report<'_>,
) {
    for (name, policy) in policies {
        for check in &policy.checks {
            for (index, listener) in check.listeners().iter().enumerate() {
                if listeners.contains(&&**listener) {
                    continue;
                }
                let at = ["policy", name, "checks", check.name(), "primary"];
                let at = [key(&at), key(&[&index.to_string()])].concat();
                let known = listeners.iter().copied();
                report.wrong(&at, Complaint::unknown("the listener", listener, known));
            }
        }
    }
}

/// Builds one check. A setting that it refuses is reported and left out, so that one run finds all of them.
fn build_check(
    kind: &Kind,
    settings: &PolicySettings,
    tables: &BTreeMap<String, PolicyTable>,
    report: &mut Report<'_>,
) -> Option<Box<dyn Check>> {
    let mut table = settings.checks.get(kind.name).cloned().unwrap_or_default();
    let enabled = is_enabled(&mut table, kind, settings, tables, report);
    let mut table = Value::Object(table);
    let mut left_out = BTreeSet::new();
    loop {
        let error = match (kind.build)(table.clone()) {
            Ok(check) => return check.filter(|_| enabled),
            Err(error) => error,
        };
        let mut path = key_from_text(&error.path);
        if let Some(unknown) =
            quoted_field(&error.message, UNKNOWN).filter(|unknown| path.last() != Some(unknown))
        {
            path.push(unknown);
        }
        let complaint = match path.as_slice() {
            [unknown] if error.message.starts_with(UNKNOWN) => {
                let known = defaults(kind);
                Complaint::unknown_key(unknown, known.keys().map(String::as_str))
            }
            _ => Complaint::from_message(&error.message, &describe_json(find(&table, &path))),
        };
        let written = original(&path, &left_out);
        let owner = owner(kind, path.first(), settings, tables);
        let at = [
            key(&["policy", owner, "checks", kind.name]),
            written.clone(),
        ]
        .concat();
        // What is missing because it was refused before has been told.
        let missing = quoted_field(&error.message, "missing field `");
        if missing.is_none_or(|field| !report.is_spoiled(&[at.clone(), vec![field]].concat())) {
            report.refused(&at, complaint);
        }
        let parent = path
            .split_last()
            .and_then(|(_, parent)| find(&table, parent));
        let element = matches!(parent, Some(Value::Array(_)));
        if !remove(&mut table, &path) {
            return None;
        }
        if element {
            left_out.insert(written);
        }
    }
}

/// Takes the setting out that every check has: whether it looks at all.
fn is_enabled(
    table: &mut serde_json::Map<String, Value>,
    kind: &Kind,
    settings: &PolicySettings,
    tables: &BTreeMap<String, PolicyTable>,
    report: &mut Report<'_>,
) -> bool {
    let found = match table.remove(ENABLED) {
        None => return true,
        Some(Value::Bool(enabled)) => return enabled,
        Some(found) => found,
    };
    let owner = owner(kind, Some(&ENABLED.to_owned()), settings, tables);
    report.complain(
        &key(&["policy", owner, "checks", kind.name, ENABLED]),
        format!("found {}", describe_json(Some(&found))),
        "write true or false",
    );
    true
}

/// The policy, of those inherited from, in which the check's `setting` is written.
fn owner<'a>(
    kind: &Kind,
    setting: Option<&String>,
    settings: &'a PolicySettings,
    tables: &BTreeMap<String, PolicyTable>,
) -> &'a str {
    let sets = |name: &&String| {
        let table = tables
            .get(*name)
            .and_then(|table| table.checks.get(kind.name));
        table.is_some_and(|table| setting.is_none_or(|setting| table.contains_key(setting)))
    };
    let owner = settings.chain.iter().find(sets).or(settings.chain.first());
    owner.map_or("default", String::as_str)
}

/// The key in serde's message that begins with `start`.
fn quoted_field(message: &str, start: &str) -> Option<String> {
    let rest = message.strip_prefix(start)?;
    Some(rest.split('`').next().unwrap_or_default().to_owned())
}

fn find<'v>(mut value: &'v Value, path: &[String]) -> Option<&'v Value> {
    for part in path {
        value = match value {
            Value::Object(table) => table.get(part)?,
            Value::Array(list) => list.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Takes out what stands at `path`; says whether there was something.
fn remove(value: &mut Value, path: &[String]) -> bool {
    match (path, value) {
        ([last], Value::Object(table)) => table.remove(last).is_some(),
        ([last], Value::Array(list)) => match last.parse::<usize>() {
            Ok(index) if index < list.len() => {
                list.remove(index);
                true
            }
            _ => false,
        },
        ([first, rest @ ..], Value::Object(table)) => table
            .get_mut(first)
            .is_some_and(|inner| remove(inner, rest)),
        ([first, rest @ ..], Value::Array(list)) => {
            let inner = first
                .parse::<usize>()
                .ok()
                .and_then(|index| list.get_mut(index));
            inner.is_some_and(|inner| remove(inner, rest))
        }
        _ => false,
    }
}
