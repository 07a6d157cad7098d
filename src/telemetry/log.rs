//! Log set-up: one line per event on standard error, as text or JSON, or an entry in systemd's journal.
//!
//! Lines go through a bounded queue to a thread of their own, so that a log reader that stalls holds up no session; what
//! does not fit is lost and counted. The level counts for gatepost; libraries are heard only when they warn, and the
//! DNS library not at all (it warns at every forged packet, and its lines would show zone names that hold keys).

mod journald;
mod level;

use std::fmt::Debug;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::{self, format};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

pub use level::{State, set_level, state};

/// Lines that may wait to be written; about 10 MB at the most.
const QUEUE: usize = 32_768;

/// How long lines gather before the next piece is written.
const GATHER: Duration = Duration::from_millis(20);

/// Logging while it lasts: when this is dropped, what is queued has been written.
pub struct Log {
    lost: ErrorCounter,
    _writer: WorkerGuard,
}

impl Log {
    /// Lines lost so far because the queue was full.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.lost.dropped_lines()
    }
}

/// Standard error, written to in few large pieces: the writer's thread rests after each, so that whoever logs meanwhile need
/// not wake it.
struct Gathering<W: Write>(BufWriter<W>);

impl<W: Write> Write for Gathering<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write(line)
    }

    /// Called when no line waits.
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()?;
        std::thread::sleep(GATHER);
        Ok(())
    }
}

/// Starts logging for the whole process; a later call changes nothing.
#[must_use]
pub fn start(format: LogFormat, level: &str) -> Log {
    let filter = level::filter(level).or_else(|| level::filter("info"));
    let (filter, handle) = reload::Layer::new(filter.unwrap_or_default());
    let (journal, missing) = match format {
        LogFormat::Journald => journald::Datagrams::open(Path::new(journald::SOCKET))
            .map_or_else(|error| (None, Some(error)), |journal| (Some(journal), None)),
        LogFormat::Text | LogFormat::Json => (None, None),
    };
    let is_native = journal.is_some();
    let queue = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE)
        .thread_name("log");
    let (writer, guard) = match journal {
        Some(journal) => queue.finish(journal),
        None => queue.finish(Gathering(BufWriter::new(io::stderr()))),
    };
    let lost = writer.error_counter();
    let registry = tracing_subscriber::registry().with(filter);
    // A second start (several servers in one test process) keeps the first subscriber.
    let begun = match format {
        LogFormat::Journald if is_native => registry.with(journald::Native(writer)).try_init(),
        LogFormat::Text | LogFormat::Journald => registry.with(text(writer)).try_init(),
        LogFormat::Json => {
            let layer = fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(writer)
                .with_target(false);
            registry.with(layer).try_init()
        }
    };
    if begun.is_ok() {
        level::begin(level, handle, lost.clone());
    }
    if let Some(error) = missing {
        tracing::warn!(socket = journald::SOCKET, %error, "systemd's journal can not be reached; the log goes to standard error");
    }
    Log {
        lost,
        _writer: guard,
    }
}

/// Lines of key=value.
fn text<S>(writer: NonBlocking) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let fields = format::debug_fn(|out, field, value| field_text(out, field.name(), value));
    let layer = fmt::layer()
        .with_writer(writer)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .fmt_fields(fields.delimited(" "));
    // systemd's journal has the time of each line.
    match is_journal() {
        true => layer.without_time().boxed(),
        false => layer.boxed(),
    }
}

/// Whether standard error goes to systemd's journal, which says so by the file's device and number (systemd.exec(5)).
fn is_journal() -> bool {
    let stream = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    let Ok(file) = nix::sys::stat::fstat(io::stderr()) else {
        return false;
    };
    stream == format!("{}:{}", file.st_dev, file.st_ino)
}

/// One field: `name=value`, in quotes only where the value is not one word.
fn field_text(out: &mut impl std::fmt::Write, name: &str, value: &dyn Debug) -> std::fmt::Result {
    let text = format!("{value:?}");
    if name == "message" {
        return out.write_str(&text);
    }
    let inner = text
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if is_word(inner) => write!(out, "{name}={inner}"),
        None if text.contains(' ') => write!(out, "{name}={text:?}"),
        _ => write!(out, "{name}={text}"),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains([' ', '"', '\\', '='])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_quotes_only_where_they_are_not_one_word() {
        let shown = |value: &dyn Debug| {
            let mut text = String::new();
            field_text(&mut text, "n", value).unwrap();
            text
        };
        assert_eq!(shown(&"mx"), "n=mx");
        assert_eq!(shown(&"two words"), "n=\"two words\"");
        assert_eq!(shown(&"a\nb"), "n=\"a\\nb\"");
        assert_eq!(shown(&"a=b"), "n=\"a=b\"");
        assert_eq!(shown(&""), "n=\"\"");
        assert_eq!(shown(&format_args!("192.0.2.1:25")), "n=192.0.2.1:25");
        assert_eq!(shown(&format_args!("not found")), "n=\"not found\"");
        assert_eq!(shown(&5), "n=5");
    }
}
