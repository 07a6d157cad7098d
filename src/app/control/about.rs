//! What `status` says of policies, records and the log; and the log's level, which can be set.

use crate::app::control::message::{Answer, Journal, Log, Policy};
use crate::telemetry::log::State;
use crate::{checks, journal, telemetry};

/// Sets the level of the log, if one is named.
pub(super) fn set_level(level: Option<&str>) -> Answer {
    let set = match level {
        None => return Answer::Log(log()),
        Some(level) => telemetry::log::set_level(level),
    };
    match set {
        Ok(level) => {
            tracing::warn!(level, "the log's level was changed by command");
            Answer::Log(log())
        }
        Err(why) => Answer::Refused(why),
    }
}

pub(super) fn policy(policy: &checks::policy::Policy) -> Policy {
    let checks = policy.checks.iter();
    Policy {
        name: policy.name.to_string(),
        mode: policy.mode.label().to_owned(),
        checks: checks.map(|check| check.name().to_owned()).collect(),
    }
}

pub(super) fn journal(writer: &journal::Writer) -> Journal {
    let counts = writer.counts();
    Journal {
        directory: writer.directory().to_owned(),
        written: counts.written,
        dropped: counts.dropped + counts.lost,
        failures: counts.errors,
    }
}

pub(super) fn log() -> Log {
    let State {
        level,
        configured,
        lost,
    } = telemetry::log::state();
    Log {
        configured: (configured != level).then_some(configured),
        level,
        lost,
    }
}
