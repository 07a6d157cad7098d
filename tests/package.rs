//! What the Debian package is made of. Whether it installs, serves and goes is `tools/deb-test`, which runs here when a package of
//! this very build is there (`tools/deb --debug`), and always with `make deb-test`.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gatepost::config;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

#[test]
fn a_first_installation_refuses_nothing() {
    let file = root().join("packaging/deb/gatepost.toml");
    let snapshot = config::load(Some(&file), &[]).unwrap();
    let mode = snapshot
        .effective()
        .iter()
        .find(|setting| setting.key == "policy.default.mode");
    assert_eq!(mode.unwrap().value.to_string(), "\"observe\"");
}

#[test]
fn what_is_packaged_is_there() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Value = toml::from_str(&manifest).unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    let sources = package["assets"].as_array().unwrap().iter();
    let sources: Vec<&str> = sources
        .map(|asset| asset[0].as_str().unwrap())
        .chain(["packaging/deb/copyright"])
        .filter(|source| !source.starts_with("target/"))
        .collect();
    assert!(sources.len() > 5, "{sources:?}");
    for source in sources {
        let path = root().join(source);
        let there = match source.contains('*') {
            true => path.parent().unwrap().is_dir(),
            false => path.exists(),
        };
        assert!(there, "{source}");
    }
}

#[test]
fn scripts_can_be_read() {
    for script in [
        "packaging/deb/postinst",
        "packaging/deb/prerm",
        "packaging/deb/postrm",
        "tools/deb",
        "tools/booted",
        "tools/deb-test",
    ] {
        said(Command::new("sh").arg("-n").arg(root().join(script)));
    }
}

/// The package, if it was made of this build: after the program.
fn package() -> Option<PathBuf> {
    let built = fs::metadata(env!("CARGO_BIN_EXE_gatepost")).and_then(|program| program.modified());
    let folder = fs::read_dir(root().join("target/package")).ok()?;
    let package = folder
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "deb"))?;
    let made = fs::metadata(&package).and_then(|package| package.modified());
    (made.ok()? > built.ok()?).then_some(package)
}

#[test]
fn the_package_serves_before_exim_and_goes_without_a_trace() {
    let Some(package) = package().filter(|_| nix::unistd::Uid::effective().is_root()) else {
        return;
    };
    let test = root().join("tools/deb-test");
    let said = said(Command::new(test).arg(package));
    assert!(said.contains("all is well"), "{said}");
}
