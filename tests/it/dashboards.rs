//! What is in `contrib` for Prometheus and Grafana: understood by Prometheus's own tool, and about metrics that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::admin::names;
use crate::support::process;

fn contrib(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("contrib")
        .join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(contrib(file)).unwrap()
}

#[track_caller]
fn promtool(arguments: &[&str], file: &Path) {
    let mut promtool = Command::new("promtool");
    let finished = process::run(promtool.args(arguments).arg(file), &[]);
    assert_eq!(finished.code, Some(0), "{}", finished.transcript);
}

/// The expressions of all panels.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str() {
                    Some(text) if name == "expr" => found.push(text.to_owned()),
                    _ => expressions(member, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|one| expressions(one, found)),
        _ => {}
    }
}

#[test]
fn the_rules_are_right_and_say_what_they_should() {
    promtool(
        &["check", "rules"],
        &contrib("prometheus/gatepost.rules.yml"),
    );
    promtool(&["test", "rules"], &contrib("prometheus/gatepost.test.yml"));
}

#[test]
fn every_metric_in_them_exists() {
    let known = names(include_str!("../../docs/metrics.md"));
    let is_known = |name: &String| {
        let parts = ["", "_bucket", "_sum", "_count"];
        let mut wholes = parts.iter().filter_map(|part| name.strip_suffix(part));
        wholes.any(|whole| known.contains(whole))
    };
    for file in [
        "prometheus/gatepost.rules.yml",
        "prometheus/gatepost.test.yml",
        "grafana/gatepost.json",
    ] {
        let used = names(&read(file));
        assert!(!used.is_empty(), "{file} uses no metric");
        let unknown: BTreeSet<_> = used.iter().filter(|name| !is_known(name)).collect();
        assert!(
            unknown.is_empty(),
            "{file}: docs/metrics.md does not know {unknown:?}"
        );
    }
}

#[test]
fn prometheus_understands_every_panel_of_the_dashboard() {
    let dashboard: Value = serde_json::from_str(&read("grafana/gatepost.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(ids.len(), panels.len(), "two panels have one id");
    let mut all = Vec::new();
    expressions(&dashboard, &mut all);
    assert!(all.len() >= panels.len(), "a panel without an expression");
    // As Grafana writes its variables out.
    let rule = |(number, text): (usize, &String)| {
        let text = text
            .replace("$__rate_interval", "5m")
            .replace("$instance", ".+");
        format!(
            "      - record: panel:{number}\n        expr: {}\n",
            Value::from(text)
        )
    };
    let rules: String = all.iter().enumerate().map(rule).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("panels.yml");
    std::fs::write(
        &file,
        format!("groups:\n  - name: panels\n    rules:\n{rules}"),
    )
    .unwrap();
    promtool(&["check", "rules"], &file);
}
