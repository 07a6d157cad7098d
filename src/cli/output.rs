//! Writing to people: fallible, so that a closed pipe is an ordinary end and not a panic; coloured on a terminal only.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};

use crate::config::{self, Snapshot};

/// What was wrongly asked for: exit code 2.
#[derive(Debug)]
pub(in crate::cli) struct Usage(pub(in crate::cli) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Writes a line to standard error; nobody is left to tell if that fails.
pub(in crate::cli) fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// An error with its causes, leaving out those that are already told in what stands before them.
pub(in crate::cli) fn in_one_line(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |mut line, cause| {
        let cause = cause.to_string();
        if !line.contains(&cause) {
            let separator = if line.is_empty() { "" } else { ": " };
            line = line + separator + &cause;
        }
        line
    })
}

/// Whether an error only says that the reader of our output has gone.
pub(in crate::cli) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        let json = cause.downcast_ref::<serde_json::Error>();
        let kind = io.map(std::io::Error::kind);
        let kind = kind.or_else(|| json.and_then(serde_json::Error::io_error_kind));
        kind == Some(std::io::ErrorKind::BrokenPipe)
    })
}

/// Loads a configuration, or says every problem, one a line.
pub(in crate::cli) fn load(file: &Path) -> Result<Snapshot, std::process::ExitCode> {
    config::load(Some(file), &[]).map_err(|problems| {
        for problem in &problems {
            complain(&problem.to_string());
        }
        std::process::ExitCode::from(1)
    })
}

/// Styles, or none where nobody would see them.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Paint {
    colour: bool,
}

impl Paint {
    /// For standard output; `NO_COLOR` is honoured.
    pub(in crate::cli) fn stdout() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    /// A heading.
    pub(in crate::cli) fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// What is less important.
    pub(in crate::cli) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// What passes.
    pub(in crate::cli) fn good(self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default().bold(), text)
    }

    /// What is refused.
    pub(in crate::cli) fn bad(self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }
}
