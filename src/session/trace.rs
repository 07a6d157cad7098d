//! What is put before a message, and taken out of it, where the policy says `add_header`: trace fields (RFC 5321 §4.4,
//! RFC 8601 §5). The message itself streams on; of its header only fields that claim to be ours are left out.
//!
//! The words of findings are [`trace`]'s; here is what the session knows: names, TLS, time.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::checks::trace::{self, Field};
use crate::session::Session;
use crate::smtp::header_filter::{Forged, HeaderFilter};

impl Session {
    /// The fields that are put before the message of this transaction; empty where none are wanted.
    pub(in crate::session) fn trace(&mut self) -> Vec<u8> {
        if self.door.policy.add_header.is_empty() {
            return Vec::new();
        }
        // Answers that came after the last recipient was judged count here, too.
        let verdict = self.consult().verdict().clone();
        let door = std::sync::Arc::clone(&self.door);
        let fields = door.policy.add_header.iter().map(|field| match field {
            Field::XGatepost => trace::findings(&self.arrival.id, self.client().ip(), &verdict),
            Field::AuthenticationResults => {
                trace::authentication_results(&self.shared.hostname, &self.facts, &verdict)
            }
            Field::Received => self.received(),
        });
        fields.collect::<String>().into_bytes()
    }

    /// Takes the fields out of a message that those before it are forged by.
    pub(in crate::session) fn header_filter(&self) -> Option<HeaderFilter> {
        let added = &self.door.policy.add_header;
        let forged = Forged {
            names: added
                .contains(&Field::XGatepost)
                .then(|| Field::XGatepost.name().into())
                .into_iter()
                .collect(),
            authserv_id: added
                .contains(&Field::AuthenticationResults)
                .then(|| self.shared.hostname.clone()),
        };
        (!added.is_empty()).then(|| HeaderFilter::new(forged))
    }

    /// RFC 5321 §4.4; the protocol's name: RFC 3848, RFC 6531 §4.3.
    fn received(&self) -> String {
        let client = self.client().ip();
        let said = self.facts.helo();
        let extended = said.is_some_and(|helo| helo.extended);
        // What is no host name could be a comment without end, or a field within this one.
        let helo = said.filter(|helo| helo.name.host().is_some());
        let helo = helo.map_or("unknown", |helo| helo.name.as_str());
        let tls = self.facts.tls();
        let protocol = match (self.server.smtputf8(), extended, tls.is_some()) {
            (true, _, true) if self.facts.user().is_some() => "UTF8SMTPSA",
            (false, true, true) if self.facts.user().is_some() => "ESMTPSA",
            (true, _, true) => "UTF8SMTPS",
            (true, _, false) => "UTF8SMTP",
            (false, true, true) => "ESMTPS",
            (false, true, false) => "ESMTP",
            (false, false, _) => "SMTP",
        };
        let tls = tls.map_or_else(String::new, |tls| {
            format!(" ({} {})", tls.version, tls.cipher)
        });
        format!(
            "{}: from {helo} ({client})\r\n\tby {} with {protocol}{tls}\r\n\tid {}; {}\r\n",
            Field::Received.name(),
            self.shared.hostname,
            self.arrival.id,
            self.date(),
        )
    }

    /// RFC 5322 §3.3, in UTC. The session reads no wall clock: it was told the time when it began.
    fn date(&self) -> String {
        let begun = self.arrival.wall.duration_since(SystemTime::UNIX_EPOCH);
        let now = begun.unwrap_or_default() + Duration::from(self.elapsed());
        let now = i64::try_from(now.as_secs()).unwrap_or_default();
        let now = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        now.format(&Rfc2822).unwrap_or_default()
    }
}
