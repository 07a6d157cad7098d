//! Entries that were added by command: they are asked of the running process, if there is one.

use crate::app::control::message::{Answer, Request};
use crate::app::control::path;
use crate::checks::access;
use crate::cli::{ask, output};
use crate::config::Snapshot;
use crate::facts::{Fact, Facts, Listed, Millis, Stage};

/// All of them; `None` if no process tells. Where one runs that does not, that is said.
pub(super) fn all(snapshot: &Snapshot) -> Option<Vec<Listed>> {
    match ask::ask(snapshot, &Request::Entries {}) {
        Ok(Answer::Entries(entries)) => {
            let listed = entries.into_iter().map(|entry| Listed {
                allow: entry.allow,
                subject: entry.subject,
            });
            Some(listed.collect())
        }
        Err(error) if !matches!(path(&snapshot.config.store).try_exists(), Ok(false)) => {
            let error = output::in_one_line(&error);
            output::complain(&format!(
                "note: entries that were added by command, and what is remembered, do not count: {error}"
            ));
            None
        }
        _ => None,
    }
}

/// Notes those that speak of the session as it stands, as a session does.
pub(super) fn note(listed: &[Listed], facts: &mut Facts, stage: Stage) {
    for listed in listed {
        let noted = facts.listed().any(|noted| noted == listed);
        if !noted && access::speaks_of(listed, facts) {
            facts.push(stage, Millis(0), Fact::Listed(Box::new(listed.clone())));
        }
    }
}
