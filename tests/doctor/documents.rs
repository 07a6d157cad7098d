//! `docs/doctor.md` names each probe with its standard, as the code has them.

use std::path::Path;

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
fn the_documentation_lists_every_probe() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(
        text.contains(&table()),
        "docs/doctor.md lacks this table:\n{}",
        table()
    );
}
