//! Entries of the allow and deny lists that an operator adds to the running process: noted in each session they speak of.
//!
//! They are looked through when something is learnt that an entry can speak of: at the connection, at HELO, at MAIL. What
//! they mean is the business of the check `access`.

use crate::checks::access;
use crate::facts::{Fact, Facts, Listed, Subject};
use crate::session::Session;
use crate::store::Entry;

/// Entries noted at one time; those that let in come first, for they beat the others.
const AT_A_TIME: usize = 8;

impl Session {
    /// Notes the entries that speak of this session and that it has not noted yet.
    pub(in crate::session) fn note_entries(&mut self) {
        let Some(memory) = &self.shared.memory else {
            return;
        };
        let mut found = memory.entries(|entry| is_new(entry, &self.facts));
        found.sort_by_key(|entry| !entry.allow);
        for entry in found.into_iter().take(AT_A_TIME) {
            self.note(self.stage, Fact::Listed(Box::new(to_note(&entry))));
        }
    }
}

fn to_note(entry: &Entry) -> Listed {
    Listed {
        allow: entry.allow,
        subject: entry.subject.clone(),
    }
}

fn is_new(entry: &Entry, facts: &Facts) -> bool {
    if !may_concern(&entry.subject, facts) {
        return false;
    }
    let listed = to_note(entry);
    let noted = facts.listed().rev();
    let last = noted
        .into_iter()
        .find(|noted| noted.subject == listed.subject);
    last != Some(&listed) && access::speaks_of(&listed, facts)
}

/// Whether it is worth a closer look: of many entries few are, and a look at a name costs more than a look at its end.
fn may_concern(subject: &Subject, facts: &Facts) -> bool {
    match subject {
        Subject::Network(network) => facts
            .client()
            .is_some_and(|client| network.contains(&client.ip().to_canonical())),
        Subject::Helo(name) => facts
            .helos()
            .any(|helo| ends_with(helo.name.as_str(), name)),
        Subject::Sender(address) => {
            let domain = address.rsplit('@').next().unwrap_or_default();
            let mailbox = facts.mail().and_then(|mail| mail.path.mailbox());
            mailbox.is_some_and(|mailbox| ends_with(&mailbox.domain.to_string(), domain))
        }
    }
}

fn ends_with(name: &str, end: &str) -> bool {
    let at = name.len().checked_sub(end.len());
    at.and_then(|at| name.get(at..))
        .is_some_and(|found| found.eq_ignore_ascii_case(end))
}
