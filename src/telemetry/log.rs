//! Log set-up: one line per event on standard error, as text or JSON.
//!
//! Lines go through a bounded queue to a thread of their own, so that a log reader that stalls holds up no session; what
//! does not fit is lost and counted. The level counts for gatepost; libraries are heard only when they warn, and the
//! DNS library not at all (it warns at every forged packet, and its lines would show zone names that hold keys).

use std::io::{self, BufWriter, IsTerminal, Write};
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

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
    let quiet = "hickory_resolver=off,hickory_net=off,hickory_proto=off";
    let filter = EnvFilter::try_new(format!("warn,gatepost={level},{quiet}"))
        .unwrap_or_else(|_| EnvFilter::new(format!("warn,gatepost=info,{quiet}")));
    let queue = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE);
    let (writer, guard) = queue
        .thread_name("log")
        .finish(Gathering(BufWriter::new(io::stderr())));
    let lost = writer.error_counter();
    let registry = tracing_subscriber::registry().with(filter);
    let colour = io::stderr().is_terminal();
    // A second start (several servers in one test process) keeps the first subscriber.
    let _ = match format {
        LogFormat::Text => {
            let layer = fmt::layer()
                .with_writer(writer)
                .with_target(false)
                .with_ansi(colour);
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let layer = fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(writer)
                .with_target(false);
            registry.with(layer).try_init()
        }
    };
    Log {
        lost,
        _writer: guard,
    }
}
