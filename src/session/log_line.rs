//! The one line that a session leaves in the log: who, to whom, what became of it, and why. The names and their order are a
//! promise; untrusted text is escaped and cut.

use crate::checks::verdict::Verdict;
use crate::facts::{Ended, Fact};
use crate::session::Session;
use crate::smtp::reply::{Reply, ReplyClass};

impl Session {
    /// Writes it.
    pub(in crate::session) fn log(&self, ended: Ended) {
        let verdict = self.gravest();
        let (action, points) = verdict.map_or(("none", String::from("0")), |v| {
            (v.action.label(), v.points.to_string())
        });
        let findings = verdict.map(findings_line).unwrap_or_default();
        let reason = verdict
            .and_then(Verdict::governing)
            .map_or("", |finding| finding.evidence.as_str());
        tracing::info!(
            id = %self.arrival.id,
            client = %self.client().ip(),
            listener = %self.door.name,
            helo = %self.facts.helo().map_or("-", |helo| helo.name.as_str()).escape_debug(),
            tls = %self.facts.tls().map_or("-", |tls| &tls.version),
            from = %self.sender(),
            to = %self.recipients(),
            mode = self.door.policy.mode.label(),
            verdict = action,
            points = %points,
            findings = %findings,
            reason = %cut(reason).escape_debug(),
            delivered = self.notes.delivered,
            refused = self.notes.refused,
            rejected = self.notes.rejected,
            reply = %cut(&self.last_refusal()).escape_debug(),
            ended = ended.label(),
            duration = %self.elapsed(),
            bytes_in = self.notes.bytes_in,
            bytes_out = self.notes.bytes_out,
            "session"
        );
    }

    /// The reverse-path of the last transaction.
    fn sender(&self) -> String {
        let mails = self.facts.entries().iter().rev();
        let last = mails
            .filter_map(|entry| match &entry.fact {
                Fact::Mail(mail) => Some(mail.path.to_string()),
                _ => None,
            })
            .next();
        last.map_or_else(|| "-".to_owned(), |path| path.escape_debug().to_string())
    }

    /// The first recipient, and how many more there were.
    fn recipients(&self) -> String {
        let Some(first) = self.notes.recipients.first() else {
            return "-".to_owned();
        };
        let more = match self.notes.recipients_named {
            0 | 1 => String::new(),
            named => format!(" and {} more", named - 1),
        };
        format!("{}{more}", first.path.to_string().escape_debug())
    }

    /// The last reply that took something away from the client, the backend's or ours.
    fn last_refusal(&self) -> String {
        let lost =
            |reply: &Reply| matches!(reply.class(), ReplyClass::Transient | ReplyClass::Permanent);
        let messages = self.notes.messages.iter().rev().map(|one| &one.reply);
        let recipients = self.notes.recipients.iter().rev().map(|one| &one.reply);
        let told = messages.chain(recipients).find(|reply| lost(reply));
        told.map(ToString::to_string)
            .or_else(|| self.notes.refusals.last().cloned())
            .unwrap_or_else(|| "-".to_owned())
    }
}

/// The most characters of a text in the log line.
const LOGGED: usize = 200;

fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(LOGGED).map(|(end, _)| end);
    text.get(..end.unwrap_or(text.len())).unwrap_or_default()
}

/// The findings that count, as `check:reason:points`.
fn findings_line(verdict: &Verdict) -> String {
    let words: Vec<String> = verdict
        .counted()
        .map(|f| format!("{}:{}:{}", f.check, f.reason, f.points))
        .collect();
    words.join(",")
}
