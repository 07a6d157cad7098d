//! What a session leaves in the memory: a pass for a clean client, the loss of it for another, counts of recipients.
//!
//! What is worth a pass is decided here and nowhere else: clean mail was delivered, and nothing speaks against the client.

use crate::checks::identity;
use crate::checks::points::Points;
use crate::facts::Identity;
use crate::session::Session;

/// A finding of so many points takes the pass away.
const LOSES_TRUST: Points = Points::new(3);

impl Session {
    /// Tells the memory that the client was here, if anybody wants to know.
    pub(in crate::session) fn remember_visit(&self) {
        if let (true, Some(memory)) = (self.door.is_primary, &self.shared.memory) {
            memory.was_at(identity::neighbours(self.client().ip()), &self.door.name);
        }
    }

    /// Tells the memory how the client has been.
    pub(in crate::session) fn remember(&self) {
        let Some(memory) = &self.shared.memory else {
            return;
        };
        // Of the addresses that users come from, mail servers are not known.
        if self.facts.is_of_users() {
            return;
        }
        let client = self.client().ip();
        let (refused, accepted) = (self.notes.unknown_recipients, self.notes.taken_recipients);
        if refused + accepted > 0 {
            memory.recipients(identity::neighbours(client), refused, accepted);
        }
        if !crate::checks::address::is_public(client) {
            return;
        }
        match self.worst_finding() {
            Some(worst) if worst >= LOSES_TRUST => {
                memory.lost(&identity::all(&self.facts, &self.known_as()));
            }
            Some(_) if self.notes.delivered > 0 => {
                memory.earned(&identity::all(&self.facts, &self.known_as()));
            }
            _ => {}
        }
    }

    /// The most points of any finding that was decided on; `None` if nothing was decided.
    fn worst_finding(&self) -> Option<Points> {
        let decisions = self.notes.decisions.iter();
        let findings = decisions.flat_map(|decision| &decision.verdict.findings);
        let worst = findings.map(|finding| finding.points).max();
        (!self.notes.decisions.is_empty()).then(|| worst.unwrap_or(Points::ZERO))
    }

    /// Names that vouched for the client in all of its decisions: one that sends for many domains is none of them.
    fn known_as(&self) -> Vec<Identity> {
        let mut decisions = self.notes.decisions.iter();
        let first = decisions.next().map(|first| &first.verdict.known_as);
        let mut known_as = first.cloned().unwrap_or_default();
        for decision in decisions {
            known_as.retain(|identity| decision.verdict.known_as.contains(identity));
        }
        known_as
    }
}
