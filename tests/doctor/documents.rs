//! `docs/doctor.md` names each probe with its standard, as the code has them.

use std::path::Path;
use std::process::Command;

use crate::support::process;

/// The table as the code would write it.
fn table() -> String {
    let row = |kind: &gatepost::doctor::Kind| {
        format!(
            "| `{}` | {} | {} |\n",
            kind.name, kind.summary, kind.standard
        )
    };
    let rows: String = gatepost::doctor::ALL.iter().map(row).collect();
    format!("| probe | looks at | standard |\n|---|---|---|\n{rows}")
}

#[test]
fn the_manual_names_every_probe_with_its_standard() {
    let folder = tempfile::tempdir().unwrap();
    let mut generate = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    let written = process::run(generate.arg("generate").arg(folder.path()), &[]);
    assert_eq!(written.code, Some(0), "{}", written.transcript);
    let page = std::fs::read_to_string(folder.path().join("man/gatepost-doctor.1")).unwrap();
    let plain = |text: &str| -> String {
        let kept = text.chars().filter(char::is_ascii_alphanumeric);
        kept.collect()
    };
    let page = plain(&page.replace("\\*(Aq", "").replace("\\fR", ""));
    for kind in gatepost::doctor::ALL {
        let told = plain(&format!("{} {} {}", kind.name, kind.summary, kind.standard));
        assert!(page.contains(&told), "{}: {told} in {page}", kind.name);
    }
}

#[test]
fn the_documentation_lists_every_probe() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(
        text.contains(&table()),
        "docs/doctor.md lacks this table:\n{}",
        table()
    );
}
