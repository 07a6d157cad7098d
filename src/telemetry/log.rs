//! Log set-up: one line per event on standard error, as text or JSON.
//!
//! The level counts for gatepost; libraries are heard only when they warn, and the DNS library only when it fails (it
//! warns at every forged packet, and its lines would show zone names that hold keys).

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::LogFormat;

/// Starts logging for the whole process; later calls change nothing.
pub fn start(format: LogFormat, level: &str) {
    let directives = format!(
        "warn,gatepost={level},hickory_resolver=off,hickory_net=off,hickory_proto=off,hickory_server=off"
    );
    let filter =
        EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new("warn,gatepost=info"));
    let registry = tracing_subscriber::registry().with(filter);
    let colour = std::io::stderr().is_terminal();
    // A second start (several servers in one test process) keeps the first subscriber.
    let _ = match format {
        LogFormat::Text => registry
            .with(
                fmt::layer()
                    .with_writer(std::io::stderr)
                    .with_target(false)
                    .with_ansi(colour),
            )
            .try_init(),
        LogFormat::Json => registry
            .with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_writer(std::io::stderr)
                    .with_target(false),
            )
            .try_init(),
    };
}
