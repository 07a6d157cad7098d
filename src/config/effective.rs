//! The whole configuration as it holds, flat, with the origin of each value: what `check-config --print` shows.
//!
//! The lines are TOML again and load to the same. One thing is hidden: the zone of a DNSBL that has a `name` to be shown
//! instead, because such zones hold a secret key.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::checks::ALL;
use crate::config::place::{Key, Place, Places, key, key_text};
use crate::config::policy::PolicySettings;
use crate::config::{Config, defaults};

/// One value as it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The key with its tables.
    pub key: String,
    /// The value as TOML.
    pub value: String,
    /// Where it comes from.
    pub origin: Place,
}

/// The sections in the order of the reference file.
const SECTIONS: [&str; 15] = [
    "hostname",
    "user",
    "listen",
    "backend",
    "tls",
    "resolver",
    "policy",
    "mail_data",
    "limits",
    "store",
    "journal",
    "admin",
    "doctor",
    "ident",
    "log",
];

/// All values.
pub(in crate::config) fn settings(
    config: &Config,
    policies: &BTreeMap<String, PolicySettings>,
    places: &Places<'_>,
) -> Vec<Setting> {
    let mut all = Vec::new();
    let values = serde_json::to_value(config).unwrap_or_default();
    for section in SECTIONS {
        if section == "policy" {
            for (name, settings) in policies {
                policy(name, settings, places, &mut all);
            }
        } else if let Some(value) = values.get(section) {
            let origin = |key: &Key| places.origin(key);
            flatten(&mut key(&[section]), value, &origin, &mut all);
        }
    }
    all
}

fn policy(name: &str, settings: &PolicySettings, places: &Places<'_>, all: &mut Vec<Setting>) {
    let mut value = serde_json::to_value(settings).unwrap_or_default();
    if let Some(checks) = value.get_mut("checks").and_then(Value::as_object_mut) {
        for kind in ALL {
            let set = checks.remove(kind.name);
            let mut table = defaults::defaults(kind);
            table.extend(
                set.and_then(|set| set.as_object().cloned())
                    .unwrap_or_default(),
            );
            checks.insert(kind.name.to_owned(), Value::Object(table));
        }
    }
    // What is inherited comes from where the nearest policy of the chain sets it.
    let origin = |key: &Key| {
        let mut key = key.clone();
        for ancestor in &settings.chain {
            if let Some(part) = key.get_mut(1) {
                part.clone_from(ancestor);
            }
            let origin = places.origin(&key);
            if origin != Place::Default {
                return origin;
            }
        }
        Place::Default
    };
    flatten(&mut key(&["policy", name]), &value, &origin, all);
}

/// Tables become keys; everything else is a value.
fn flatten(key: &mut Key, value: &Value, origin: &dyn Fn(&Key) -> Place, all: &mut Vec<Setting>) {
    let Value::Object(table) = value else {
        all.push(Setting {
            key: key_text(key),
            value: toml(value),
            origin: origin(key),
        });
        return;
    };
    for (part, value) in table {
        key.push(part.clone());
        flatten(key, value, origin, all);
        key.pop();
    }
}

/// A value as TOML. JSON's quoting of text is TOML's, too, but for DEL.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(list) => format!("[{}]", list.iter().map(toml).collect::<Vec<_>>().join(", ")),
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let hidden = table.contains_key("zone") && table.contains_key("name");
            format!("{{ {} }}", pairs(table, hidden).join(", "))
        }
        other => other.to_string().replace('\u{7f}', "\\u007f"),
    }
}

fn pairs(table: &Map<String, Value>, hidden: bool) -> Vec<String> {
    let pair = |(part, value): (&String, &Value)| match hidden && part == "zone" {
        true => "zone = \"(hidden)\"".to_owned(),
        false => format!("{} = {}", key_text(std::slice::from_ref(part)), toml(value)),
    };
    table
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(pair)
        .collect()
}
