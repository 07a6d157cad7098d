//! The configuration as it is written: values into structures, every fault reported.
//!
//! figment reports one error at a time. What cannot be read is reported and taken out, and the rest is read again, until
//! all of it can be read; what was taken out counts as spoiled, so that nothing is said about its absence.

use std::collections::BTreeMap;

use figment::value::Value;
use serde::Deserialize;

use crate::config::policy::PolicyTable;
use crate::config::problem::Complaint;
use crate::config::report::Report;
use crate::config::{
    Admin, Backend, Doctor, Ident, Journal, Limits, Listen, Log, MailData, Resolver, Store, Tls,
};

/// The configuration as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct Raw {
    pub(in crate::config) hostname: Option<String>,
    pub(in crate::config) user: Option<String>,
    pub(in crate::config) listen: BTreeMap<String, Listen>,
    pub(in crate::config) backend: BTreeMap<String, Backend>,
    pub(in crate::config) tls: Tls,
    pub(in crate::config) resolver: Resolver,
    pub(in crate::config) policy: BTreeMap<String, PolicyTable>,
    pub(in crate::config) mail_data: MailData,
    pub(in crate::config) limits: Limits,
    pub(in crate::config) store: Store,
    pub(in crate::config) admin: Admin,
    pub(in crate::config) doctor: Doctor,
    pub(in crate::config) ident: Ident,
    pub(in crate::config) journal: Journal,
    pub(in crate::config) log: Log,
}

/// Reads the values, leaving out and reporting what cannot be read.
pub(in crate::config) fn read(mut values: Value, report: &mut Report<'_>) -> Raw {
    loop {
        let error = match values.deserialize::<Raw>() {
            Ok(raw) => return raw,
            Err(error) => error,
        };
        let mut path = error.path;
        let value = find(&values, &path);
        let complaint =
            not_built(&path, value).unwrap_or_else(|| Complaint::from_figment(&error.kind, value));
        let parent = path
            .split_last()
            .and_then(|(_, parent)| find(&values, parent));
        let element = matches!(parent, Some(Value::Array(..)));
        report.unreadable(&path, element, complaint);
        while !remove(&mut values, &path) {
            if path.pop().is_none() {
                return Raw::default();
            }
        }
    }
}

/// Keys and words that are promised and not built: better said than called unknown.
const NOT_BUILT: &[(&[&str], Option<&str>, &str)] =
    &[(&["journal", "privacy"], None, "leave it out")];

fn not_built(path: &[String], value: Option<&Value>) -> Option<Complaint> {
    let word = value.and_then(Value::as_str);
    let fits = |pattern: &[&str]| {
        pattern.len() == path.len()
            && pattern
                .iter()
                .zip(path)
                .all(|(part, name)| *part == "*" || part == name)
    };
    let (_, what, allowed) = NOT_BUILT
        .iter()
        .find(|(pattern, what, _)| fits(pattern) && (what.is_none() || *what == word))?;
    let found = what.map_or_else(String::new, |word| format!("\"{word}\" "));
    Some(Complaint::new(format!("{found}is not built yet"), *allowed))
}

pub(in crate::config) fn find<'v>(mut value: &'v Value, path: &[String]) -> Option<&'v Value> {
    for part in path {
        value = match value {
            Value::Dict(_, table) => table.get(part)?,
            Value::Array(_, list) => list.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Takes out what stands at `path`; says whether there was something.
pub(in crate::config) fn remove(value: &mut Value, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else {
        return false;
    };
    match value {
        Value::Dict(_, table) if rest.is_empty() => table.remove(first).is_some(),
        Value::Dict(_, table) => table
            .get_mut(first)
            .is_some_and(|inner| remove(inner, rest)),
        Value::Array(_, list) => {
            let Some(index) = first
                .parse::<usize>()
                .ok()
                .filter(|index| *index < list.len())
            else {
                return false;
            };
            if rest.is_empty() {
                list.remove(index);
                return true;
            }
            list.get_mut(index).is_some_and(|inner| remove(inner, rest))
        }
        _ => false,
    }
}
