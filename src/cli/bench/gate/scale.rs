//! What is changed of the user's settings for a run: waits are divided, counts of what stands beside each other raised, and
//! what names hosts of the user's own is left out.

use std::time::Duration;

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, value};

/// Sessions last longer on the virtual clock than they would, so more of one client stand beside each other.
pub(super) fn scale_limits(document: &mut DocumentMut, times: u32, scaled: &mut Vec<String>) {
    let limits = document
        .entry("limits")
        .or_insert(Item::Table(Table::new()));
    let Some(limits) = limits.as_table_like_mut() else {
        return;
    };
    for (key, default) in [
        ("connections_per_address", 50),
        ("connections_per_network", 200),
    ] {
        let before = limits
            .get(key)
            .and_then(Item::as_integer)
            .unwrap_or(default);
        let after = before.saturating_mul(times.max(1).into()).min(1_000_000);
        limits.insert(key, value(after));
        scaled.push(format!("limits.{key} = {before} is {after}"));
    }
}

/// The waits of sessions.
pub(super) fn scale_policies(document: &mut DocumentMut, times: u32, scaled: &mut Vec<String>) {
    let policies = document.entry("policy").or_insert_with(super_table);
    let Some(policies) = policies.as_table_like_mut() else {
        return;
    };
    let default = policies
        .entry("default")
        .or_insert(Item::Table(Table::new()));
    if let Some(default) = default.as_table_like_mut()
        && default.get("greet_wait").is_none()
    {
        default.insert("greet_wait", value("6s"));
    }
    for (name, policy) in policies.iter_mut() {
        let Some(policy) = policy.as_table_like_mut() else {
            continue;
        };
        without_other_hosts(policy, &format!("policy.{name}"), scaled);
        if policy.get("mode").and_then(Item::as_str) == Some("observe") {
            scaled.push(format!("policy.{name} only observes: it refuses nothing"));
        }
        for key in ["greet_wait", "tarpit"] {
            scale(policy, key, times, &format!("policy.{name}"), scaled);
        }
        let lists = policy.get_mut("checks").and_then(Item::as_table_like_mut);
        for (check, settings) in lists.into_iter().flat_map(TableLike::iter_mut) {
            let zones = settings
                .as_table_like_mut()
                .and_then(|settings| settings.get_mut("zones"));
            let zones = zones
                .and_then(Item::as_array_mut)
                .into_iter()
                .flat_map(Array::iter_mut);
            for zone in zones.filter_map(|zone| zone.as_inline_table_mut()) {
                scale(
                    zone,
                    "timeout",
                    times,
                    &format!("policy.{name}.checks.{check}.zones"),
                    scaled,
                );
            }
        }
    }
}

/// Takes out what names the user's own hosts and listeners: nothing outside of the run is asked for anything.
fn without_other_hosts(policy: &mut dyn TableLike, path: &str, scaled: &mut Vec<String>) {
    for key in ["shield", "primary"] {
        if policy.remove(key).is_some() {
            scaled.push(format!(
                "{path}.{key} is left out: the run's secondary has a shield of its own"
            ));
        }
    }
    let checks = policy.get_mut("checks").and_then(Item::as_table_like_mut);
    let check = checks.and_then(|checks| checks.get_mut("secondary_mx"));
    let check = check.and_then(Item::as_table_like_mut);
    if check.is_some_and(|check| check.remove("primary").is_some()) {
        scaled.push(format!(
            "{path}.checks.secondary_mx is off: the run's secondary has the shield"
        ));
    }
}

fn scale(table: &mut dyn TableLike, key: &str, times: u32, path: &str, scaled: &mut Vec<String>) {
    let before = table.get(key).and_then(Item::as_str).map(str::to_owned);
    let Some(time) = before
        .as_deref()
        .and_then(|text| humantime::parse_duration(text).ok())
    else {
        return;
    };
    let after = shown(time / times.max(1));
    table.insert(key, value(&after));
    scaled.push(format!(
        "{path}.{key} = {} is {after}",
        before.unwrap_or_default()
    ));
}

pub(super) fn shown(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

fn super_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}
