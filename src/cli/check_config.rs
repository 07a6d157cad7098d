//! `gatepost check-config`: says everything that is wrong with a configuration, or that nothing is.
//!
//! Problems and notes go to stderr, one per line; what holds (`--print`) and JSON go to stdout. The certificates are opened
//! as `run` opens them, the directories are looked at, and with `--connect` the backends are asked; no listener is opened and
//! nothing is written, so it can be used beside a gatepost that serves.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::app::{certificates, directories, doctor, probe, remarks, upstreams};
use crate::cli::config_file::ConfigFile;
use crate::config::{self, Problem, Snapshot};

/// Arguments of `gatepost check-config`.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    pub config: ConfigFile,
    /// Show every value that holds, and where it comes from.
    #[arg(long)]
    pub print: bool,
    /// Also connect to each backend, as a session would, and see that it answers.
    #[arg(long)]
    pub connect: bool,
    /// Write JSON to stdout instead of lines.
    #[arg(long)]
    pub json: bool,
}

/// Checks the configuration; exit code 1 with problems, 0 without.
///
/// # Errors
///
/// When the result cannot be written; a reader that has gone away is not an error.
pub(in crate::cli) fn run(args: &Arguments) -> anyhow::Result<ExitCode> {
    let mut result = config::load(Some(&args.config), &[]).and_then(with_files);
    if args.connect {
        result = match result {
            Ok(snapshot) => with_backends(snapshot)?,
            wrong => wrong,
        };
    }
    match write(
        args,
        &result,
        &mut io::stdout().lock(),
        // Whole lines, even where both go to one place.
        &mut io::LineWriter::new(io::stderr().lock()),
    ) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    Ok(ExitCode::from(u8::from(result.is_err())))
}

/// What can only be told with the certificates open and the directories in view.
fn with_files(mut snapshot: Snapshot) -> Loaded {
    let mut problems = certificates::problems(&snapshot);
    problems.extend(upstreams::problems(&snapshot));
    problems.extend(directories::problems(&snapshot));
    problems.extend(doctor::problems(&snapshot));
    let notes = remarks::notes(&snapshot);
    snapshot.notes.extend(notes);
    unless(problems, snapshot)
}

/// What can only be told by the backends.
fn with_backends(snapshot: Snapshot) -> anyhow::Result<Loaded> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let problems = runtime.block_on(probe::problems(&snapshot));
    Ok(unless(problems, snapshot))
}

fn unless(problems: Vec<Problem>, snapshot: Snapshot) -> Loaded {
    match problems.is_empty() {
        true => Ok(snapshot),
        false => Err(problems),
    }
}

type Loaded = Result<Snapshot, Vec<Problem>>;

fn write(
    args: &Arguments,
    result: &Loaded,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<()> {
    if args.json {
        return write_json(args, result, out);
    }
    let snapshot = match result {
        Ok(snapshot) => snapshot,
        Err(problems) => {
            for problem in problems {
                writeln!(err, "{problem}")?;
            }
            return writeln!(
                err,
                "{}: {}",
                args.config.display(),
                counted(problems.len(), "problem", "problems")
            );
        }
    };
    for note in &snapshot.notes {
        writeln!(err, "note: {note}")?;
    }
    if args.print {
        return write_settings(snapshot, out);
    }
    writeln!(out, "{}", summary(&args.config, snapshot))?;
    out.flush()
}

fn summary(path: &Path, snapshot: &Snapshot) -> String {
    format!(
        "{}: no problems; {}, {}, {}",
        path.display(),
        counted(snapshot.config.listen.len(), "listener", "listeners"),
        counted(snapshot.config.backend.len(), "backend", "backends"),
        counted(snapshot.policies.len(), "policy", "policies"),
    )
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn write_settings(snapshot: &Snapshot, out: &mut dyn Write) -> io::Result<()> {
    for setting in snapshot.effective() {
        writeln!(
            out,
            "{} = {}  # {}",
            setting.key, setting.value, setting.origin
        )?;
    }
    out.flush()
}

fn write_json(args: &Arguments, result: &Loaded, out: &mut dyn Write) -> io::Result<()> {
    let (problems, notes) = match result {
        Ok(snapshot) => (&[][..], snapshot.notes.as_slice()),
        Err(problems) => (problems.as_slice(), &[][..]),
    };
    let mut object =
        serde_json::json!({ "file": &*args.config, "problems": problems, "notes": notes });
    if let (true, Ok(snapshot), Some(object)) = (args.print, result, object.as_object_mut()) {
        object.insert(
            "settings".to_owned(),
            serde_json::to_value(snapshot.effective())?,
        );
    }
    serde_json::to_writer_pretty(&mut *out, &object)?;
    writeln!(out)?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
hostname = \"mx.example.com\"
[listen.mx]
address = \"127.0.0.1:25\"
backend = \"exim\"
[backend.exim]
address = \"127.0.0.1:10025\"
";

    /// What goes to stdout and to stderr for `text`.
    fn shown(text: &str, print: bool, json: bool) -> (String, String) {
        let path = std::path::PathBuf::from("g.toml");
        let result = config::from_layers(&config::Layers {
            file: Some((&path, text)),
            ..config::Layers::default()
        });
        let args = Arguments {
            config: path.into(),
            print,
            connect: false,
            json,
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        write(&args, &result, &mut out, &mut err).unwrap();
        (
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    #[test]
    fn a_good_file_is_counted() {
        let (out, err) = shown(GOOD, false, false);
        assert_eq!(
            out,
            "g.toml: no problems; 1 listener, 1 backend, 1 policy\n"
        );
        assert_eq!(err, "");
    }

    #[test]
    fn problems_are_lines_on_stderr() {
        let (out, err) = shown(&GOOD.replace("backend =", "backnd ="), false, false);
        assert_eq!(out, "");
        assert!(
            err.starts_with("g.toml:4:1: listen.mx.backnd: unknown key, did you mean \"backend\"?"),
            "{err}"
        );
        assert!(err.ends_with("\ng.toml: 1 problem\n"), "{err}");
    }

    #[test]
    fn what_is_printed_loads_to_the_same() {
        let (out, _) = shown(GOOD, true, false);
        assert!(
            out.contains("listen.mx.backend = \"exim\"  # g.toml:4:1\n"),
            "{out}"
        );
        assert!(
            out.contains("limits.connections = 20000  # default\n"),
            "{out}"
        );
        let (again, err) = shown(&out, true, false);
        assert_eq!(err, "");
        let values = |text: &str| -> Vec<String> {
            text.lines()
                .map(|line| line.split("  # ").next().unwrap_or_default().to_owned())
                .collect()
        };
        assert_eq!(values(&again), values(&out));
    }

    #[test]
    fn json_holds_problems_and_settings() {
        let (out, err) = shown("hostname = 5\n", false, true);
        assert_eq!(err, "");
        let value: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(value["problems"][0]["key"], "hostname");
        assert_eq!(value["problems"][0]["source"], "g.toml:1:1");
        let value: serde_json::Value = serde_json::from_str(&shown(GOOD, true, true).0).unwrap();
        assert_eq!(value["settings"][0]["key"], "hostname");
        assert_eq!(value["settings"][0]["value"], "\"mx.example.com\"");
    }
}
