//! The files in `config/`: the reference file is what the code writes and loads to the defaults; the least one loads.
//!
//! `UPDATE=1 cargo test --test reference` writes the reference file anew.

use std::path::{Path, PathBuf};

use gatepost::config::{self, Backend, Layers, Listen, Place, Snapshot};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(name)
}

fn load(name: &str, text: &str) -> Snapshot {
    let layers = Layers {
        file: Some((Path::new(name), text)),
        system_name: "mx.example.com",
        ..Layers::default()
    };
    config::from_layers(&layers).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

#[test]
fn the_reference_file_is_what_the_code_writes() {
    let path = path("gatepost.toml");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, config::reference::text()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == config::reference::text(),
        "config/gatepost.toml is old: UPDATE=1 cargo test --test reference"
    );
}

#[test]
fn the_reference_file_loads_to_the_defaults() {
    let reference = load("gatepost.toml", &config::reference::text());
    assert_eq!(reference.notes, []);
    let shown = "
        listen.mx = { address = [\"0.0.0.0:25\", \"[::]:25\"], backend = \"exim\" }
        listen.smtps = { address = [\"0.0.0.0:465\", \"[::]:465\"], tls = \"implicit\", role = \"submission\", backend = \"exim\" }
        backend.exim = { address = \"127.0.0.1:10025\", source_address = \"127.0.0.2\" }
    ";
    let defaults = load("defaults.toml", shown);
    assert_eq!(reference.config, defaults.config);
    assert_eq!(reference.policies.keys().collect::<Vec<_>>(), ["default"]);
    assert_eq!(
        format!("{:#?}", reference.policies),
        format!("{:#?}", defaults.policies)
    );
    let values = |snapshot: &Snapshot| -> Vec<(String, String)> {
        snapshot
            .effective()
            .iter()
            .map(|setting| (setting.key.clone(), setting.value.clone()))
            .collect()
    };
    assert_eq!(values(&reference), values(&defaults));
}

#[test]
fn the_reference_file_has_every_key() {
    let reference = load("gatepost.toml", &config::reference::text());
    let missing: Vec<&str> = reference
        .effective()
        .iter()
        .filter(|setting| setting.origin == Place::Default && setting.key != "hostname")
        .map(|setting| setting.key.as_str())
        .collect();
    assert_eq!(missing, [""; 0]);
    // Keys without a default are not among the values of a snapshot that leaves them out.
    assert!(config::reference::text().contains("\n# hostname = "));
    assert!(config::reference::text().contains("\nsource_address = "));
}

#[test]
fn the_least_file_is_enough() {
    let text = std::fs::read_to_string(path("minimal.toml")).unwrap();
    let snapshot = load("minimal.toml", &text);
    assert_eq!(snapshot.notes, []);
    let mx = &snapshot.config.listen["mx"];
    assert_eq!(mx.backend, "exim");
    assert_eq!(
        *mx,
        Listen {
            address: mx.address.clone(),
            backend: "exim".to_owned(),
            ..Listen::default()
        }
    );
    let exim = &snapshot.config.backend["exim"];
    let given = Backend {
        address: exim.address.clone(),
        source_address: exim.source_address,
        ..Backend::default()
    };
    assert_eq!(*exim, given);
    assert!(!snapshot.policies["default"].checks.is_empty());
}
