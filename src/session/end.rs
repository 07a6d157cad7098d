//! The end of a session: one log line, one record, and everything it held is given back.
//!
//! Untrusted text is escaped before it is logged. What the client did is `info`, whatever it was; only our own defects
//! are `error`, and those are logged where they are found.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::checks::judge;
use crate::checks::replay::Decision;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{Ended, Fact};
use crate::journal::{Beyond, MessageOutcome, RecipientOutcome, SessionRecord};
use crate::session::{Session, memory, replies};
use crate::smtp::path::ForwardPath;
use crate::smtp::reply::{Reply, ReplyClass};
use crate::telemetry::metrics;

/// Recipients, messages, decisions and refusals kept in a record; beyond it they are only counted.
const KEPT: usize = 100;

/// The backend's answer as one word.
const fn answer_label(class: ReplyClass, positive: &'static str) -> &'static str {
    match class {
        ReplyClass::Positive => positive,
        ReplyClass::Permanent => "rejected",
        _ => "deferred",
    }
}

/// A client that does not take the last word within this goes without it.
const LAST_WORD: Duration = Duration::from_secs(1);

impl Session {
    /// Notes a verdict together with how much was known when it was given, so that it can be replayed. The last word,
    /// which ends the session, always has its place. Says whether it was kept.
    pub(in crate::session) fn decide(&mut self, verdict: &Verdict) -> bool {
        let may = self.notes.decisions.len() < KEPT && self.memory.has_room();
        if !may && verdict.enforced() != Action::Drop {
            return false;
        }
        self.memory.take(memory::of_verdict(verdict));
        self.notes.decisions.push(Decision {
            seen: self.facts.entries().len(),
            verdict: verdict.clone(),
        });
        true
    }

    pub(in crate::session) fn keep_recipient(
        &mut self,
        path: &ForwardPath,
        verdict: &Verdict,
        reply: &Reply,
    ) {
        self.notes.recipients_named += 1;
        let outcome = match verdict.cleared() {
            None => verdict.enforced().label(),
            Some(_) => answer_label(reply.class(), "taken"),
        };
        self.shared.metrics.recipient(&self.door.name, outcome);
        match verdict.cleared() {
            None => self.notes.refused += 1,
            Some(_) => self.count_answer(reply.class()),
        }
        if self.notes.recipients.len() < KEPT && self.memory.has_room() {
            self.memory
                .take(size_of::<RecipientOutcome>() + memory::of_reply(reply));
            self.notes
                .recipients
                .push(RecipientOutcome::new(path, verdict, reply));
        } else {
            self.notes.beyond.get_or_insert_default().recipient(outcome);
        }
    }

    /// What the backend answered to a recipient.
    fn count_answer(&mut self, class: ReplyClass) {
        match class {
            ReplyClass::Positive => self.notes.taken_recipients += 1,
            // Where the backend took the sender: else it was not about the recipient.
            ReplyClass::Permanent if self.envelope.is_open() => {
                self.notes.rejected += 1;
                self.notes.unknown_recipients += 1;
                self.note(self.stage, Fact::Rejected);
            }
            _ => self.notes.rejected += 1,
        }
    }

    pub(in crate::session) fn keep_message(&mut self, message: MessageOutcome) {
        self.notes.messages_ended += 1;
        let outcome = answer_label(message.reply.class(), "delivered");
        self.shared.metrics.message(&self.door.name, outcome);
        if self.memory.has_room() {
            self.memory
                .take(size_of::<MessageOutcome>() + memory::of_reply(&message.reply));
            self.notes.messages.push(message);
        } else {
            self.notes.beyond.get_or_insert_default().message(outcome);
        }
    }

    pub(in crate::session) fn keep_refusal(&mut self, reply: &Reply) {
        if self.notes.refusals.len() < KEPT && self.memory.has_room() {
            self.memory.take(memory::of_reply(reply));
            self.notes.refusals.push(reply.to_string());
        }
    }

    /// The last word of a session that ends in the middle of something: a defect of ours, or no more time to wait for it.
    /// The backend gets no dot that the client did not send, whatever was under way.
    pub(in crate::session) async fn break_off(&mut self, ended: Ended) -> Ended {
        if ended == Ended::Defect {
            tracing::error!(id = %self.arrival.id, "defect: the session panicked; it is over, the others go on");
        }
        if ended == Ended::Shutdown {
            let client = self.client().ip();
            self.shared.tally.cut(&self.arrival.id, client);
        }
        // Before admission the peer is a front proxy, which expects nothing.
        if self.permit.is_some() {
            let reply = self.sign(match ended {
                Ended::Shutdown => replies::draining(),
                _ => replies::defect(),
            });
            let _ = timeout(LAST_WORD, self.part(reply)).await;
        }
        ended
    }

    /// Closes both sides, logs the session and records it.
    pub(in crate::session) async fn end(mut self: Box<Self>, ended: Ended) {
        self.part_with_backend().await;
        self.log(ended);
        self.count(ended);
        self.remember();
        self.shared
            .tally
            .end(self.notes.delivered, self.notes.refused);
        self.permit = None;
        let stream = std::mem::replace(&mut self.stream, crate::net::stream::Stream::closed());
        let shared = Arc::clone(&self.shared);
        shared.live.leave(self.seat);
        let record = self.into_record(ended);
        shared.recent.note(&record);
        if let Some(journal) = &shared.journal {
            journal.write(record);
        }
        stream.close().await;
    }

    /// Counts the session, once.
    fn count(&self, ended: Ended) {
        // Whoever was never judged is looked at now, for what the checks have found all the same.
        let judgement;
        let last = match self.notes.decisions.last() {
            Some(decision) => &decision.verdict,
            None => {
                judgement = judge(&self.door.policy, &self.facts);
                judgement.verdict()
            }
        };
        self.shared.metrics.ended(&metrics::Session {
            listener: &self.door.name,
            ended: ended.label(),
            verdict: self
                .gravest()
                .map_or("none", |verdict| verdict.action.label()),
            findings: &last.findings,
            tls: self.facts.tls().map(|tls| &*tls.version),
            seconds: self.started.elapsed().as_secs_f64(),
            bytes_in: self.notes.bytes_in,
            bytes_out: self.notes.bytes_out,
        });
    }

    /// The gravest of all verdicts that were given.
    pub(in crate::session) fn gravest(&self) -> Option<&Verdict> {
        let verdicts = self.notes.decisions.iter();
        verdicts
            .map(|decision| &decision.verdict)
            .max_by_key(|verdict| verdict.action)
    }

    fn into_record(self, ended: Ended) -> SessionRecord {
        SessionRecord {
            version: crate::journal::VERSION,
            id: self.arrival.id.into(),
            started: crate::journal::timestamp(self.arrival.wall),
            duration_ms: self.started.elapsed().into(),
            policy: self.door.policy.name.to_string(),
            facts: self.facts,
            decisions: self.notes.decisions,
            recipients: self.notes.recipients,
            messages: self.notes.messages,
            replies: self.notes.refusals,
            ended,
            bytes_in: self.notes.bytes_in,
            bytes_out: self.notes.bytes_out,
            beyond: self
                .notes
                .beyond
                .map_or_else(Beyond::default, |beyond| *beyond),
        }
    }
}
