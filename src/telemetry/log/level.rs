//! The level of the log: as the configuration says, and another while the process runs, if somebody asks for it.
//!
//! One for the whole process, as the log is.

use std::sync::{Mutex, OnceLock, PoisonError};

use tracing_appender::non_blocking::ErrorCounter;
use tracing_subscriber::{EnvFilter, Registry, reload};

use crate::config;

/// The log that was started first, which is the one.
static LOG: OnceLock<Started> = OnceLock::new();

struct Started {
    handle: reload::Handle<EnvFilter, Registry>,
    configured: String,
    level: Mutex<String>,
    lost: ErrorCounter,
}

/// What is logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The level, or the levels of parts.
    pub level: String,
    /// The level of the configuration.
    pub configured: String,
    /// Lines lost because they were read too slowly.
    pub lost: u64,
}

/// What is logged now.
#[must_use]
pub fn state() -> State {
    let Some(log) = LOG.get() else {
        return State::default();
    };
    let level = log.level.lock().unwrap_or_else(PoisonError::into_inner);
    State {
        level: level.clone(),
        configured: log.configured.clone(),
        lost: u64::try_from(log.lost.dropped_lines()).unwrap_or(u64::MAX),
    }
}

/// Logs at another level from now on; at that of the configuration if it is empty. The level then.
///
/// # Errors
///
/// What is wrong with it.
pub fn set_level(level: &str) -> Result<String, String> {
    let log = LOG.get().ok_or("nothing is logged here")?;
    let level = match level.trim() {
        "" => log.configured.as_str(),
        level => level,
    };
    if let Some(word) = config::Log::no_level(level) {
        return Err(format!(
            "{word:?} is no level; write off, error, warn, info, debug or trace, or levels of parts as in the configuration"
        ));
    }
    let filter = filter(level).ok_or_else(|| format!("{level:?} is no level"))?;
    let mut now = log.level.lock().unwrap_or_else(PoisonError::into_inner);
    log.handle
        .reload(filter)
        .map_err(|error| error.to_string())?;
    level.clone_into(&mut now);
    Ok(level.to_owned())
}

/// What lets through `level` for gatepost, and of libraries what they warn of.
pub(super) fn filter(level: &str) -> Option<EnvFilter> {
    let quiet = "hickory_resolver=off,hickory_net=off,hickory_proto=off";
    EnvFilter::try_new(format!("warn,gatepost={level},{quiet}")).ok()
}

/// The log has begun.
pub(super) fn begin(level: &str, handle: reload::Handle<EnvFilter, Registry>, lost: ErrorCounter) {
    // Only the first log of a process gets as far as here.
    let _ = LOG.set(Started {
        handle,
        configured: level.to_owned(),
        level: Mutex::new(level.to_owned()),
        lost,
    });
}
