//! `gatepost generate`: what it writes can be read by those it is for.

use std::fs;
use std::process::Command;

use crate::support::process;

/// Runs a program that looks at a file; nothing where it is not installed.
fn complaints(program: &str, arguments: &[&str], file: &std::path::Path) -> Option<String> {
    let found = Command::new("which").arg(program).output().unwrap();
    if !found.status.success() {
        return None;
    }
    let mut command = Command::new(program);
    command.args(arguments).arg(file).env("LC_ALL", "C.UTF-8");
    let output = command.output().unwrap();
    // What `man` shows is the page; what it complains about goes to standard error.
    let said = match program {
        "mandoc" => output.stdout,
        _ => output.stderr,
    };
    Some(String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn man_pages_and_completions_are_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let mut gatepost = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    let written = process::run(gatepost.arg("generate").arg(directory.path()), &[]);
    assert_eq!(written.code, Some(0), "{}", written.transcript);
    assert_eq!(written.transcript, "");

    let pages = fs::read_dir(directory.path().join("man")).unwrap();
    let pages: Vec<_> = pages.map(|entry| entry.unwrap().path()).collect();
    let named = |name: &str| pages.iter().any(|page| page.ends_with(name));
    for name in ["gatepost.1", "gatepost-run.1", "gatepost.toml.5"] {
        assert!(named(name), "{name}: {pages:?}");
    }
    assert!(!named("gatepost-generate.1"), "{pages:?}");
    for page in &pages {
        let man = ["--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"];
        for said in [
            complaints("man", &man, page),
            complaints("mandoc", &["-T", "lint", "-W", "warning"], page),
        ] {
            assert_eq!(said.unwrap_or_default(), "", "{}", page.display());
        }
    }

    let completions = directory.path().join("completions");
    for (shell, file) in [
        ("bash", "gatepost.bash"),
        ("zsh", "_gatepost"),
        ("fish", "gatepost.fish"),
    ] {
        let said = complaints(shell, &["-n"], &completions.join(file));
        assert_eq!(said.unwrap_or_default(), "", "{shell}");
    }
}
