//! Metrics: what is counted, under which names and labels, and how it is written for Prometheus.
//!
//! Names begin with `gatepost_`; counters end with `_total`, times are `_seconds`, sizes `_bytes`. Labels are words of closed
//! lists, or names from the configuration; never an address, a domain or a session. What exists only as a state (zones,
//! backends, memory) is not counted here: whoever writes the metrics brings it along as a [`Collector`].
//! `docs/metrics.md` lists them all; a test keeps the two the same.

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::checks::finding::Finding;
use crate::facts::Limit;

/// A word of a closed list, or a name of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Word(Arc<str>);

impl From<&str> for Word {
    fn from(word: &str) -> Self {
        Self(word.into())
    }
}

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&&*self.0, encoder)
    }
}

/// Which listener.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct At {
    listener: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    listener: Word,
    ended: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Judged {
    listener: Word,
    verdict: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Came {
    listener: Word,
    outcome: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    check: Word,
    outcome: Word,
    reason: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnedAway {
    listener: Word,
    limit: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Secured {
    listener: Word,
    version: Word,
}

/// Everything that is counted as it happens. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    open: Family<At, Gauge>,
    sessions: Family<Ended, Counter>,
    verdicts: Family<Judged, Counter>,
    findings: Family<Found, Counter>,
    recipients: Family<Came, Counter>,
    messages: Family<Came, Counter>,
    received: Family<At, Counter>,
    sent: Family<At, Counter>,
    seconds: Family<At, Histogram>,
    turned_away: Family<TurnedAway, Counter>,
    tls: Family<Secured, Counter>,
    logins: Family<Came, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            open: Family::default(),
            sessions: Family::default(),
            verdicts: Family::default(),
            findings: Family::default(),
            recipients: Family::default(),
            messages: Family::default(),
            received: Family::default(),
            sent: Family::default(),
            // A tenth of a second to about seven minutes.
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.1, 2.0, 13))
            }),
            turned_away: Family::default(),
            tls: Family::default(),
            logins: Family::default(),
        }
    }
}

/// A session that has ended, as far as it is counted.
#[derive(Debug)]
pub struct Session<'a> {
    /// The listener.
    pub listener: &'a str,
    /// How it ended, as one word.
    pub ended: &'static str,
    /// The gravest verdict of all, as one word; `none` where nobody was judged.
    pub verdict: &'static str,
    /// The findings of the last verdict.
    pub findings: &'a [Finding],
    /// The TLS version, if there was TLS.
    pub tls: Option<&'a str>,
    /// How long it lasted.
    pub seconds: f64,
    /// Octets read from the client.
    pub bytes_in: u64,
    /// Octets written to it.
    pub bytes_out: u64,
}

impl Metrics {
    /// A session has begun.
    pub fn begun(&self, listener: &str) {
        self.open.get_or_create(&at(listener)).inc();
    }

    /// A session has ended.
    pub fn ended(&self, session: &Session<'_>) {
        let listener = || Word::from(session.listener);
        let here = at(session.listener);
        self.open.get_or_create(&here).dec();
        let ended = Ended {
            listener: listener(),
            ended: session.ended.into(),
        };
        self.sessions.get_or_create(&ended).inc();
        let judged = Judged {
            listener: listener(),
            verdict: session.verdict.into(),
        };
        self.verdicts.get_or_create(&judged).inc();
        for finding in session.findings {
            self.findings.get_or_create(&found(finding)).inc();
        }
        if let Some(version) = session.tls {
            let secured = Secured {
                listener: listener(),
                version: version.into(),
            };
            self.tls.get_or_create(&secured).inc();
        }
        self.seconds.get_or_create(&here).observe(session.seconds);
        self.received.get_or_create(&here).inc_by(session.bytes_in);
        self.sent.get_or_create(&here).inc_by(session.bytes_out);
    }

    /// A recipient was answered: `taken`, `rejected` or `deferred` by the backend, else by the verdict.
    pub fn recipient(&self, listener: &str, outcome: &'static str) {
        self.recipients
            .get_or_create(&came(listener, outcome))
            .inc();
    }

    /// A message was answered: `delivered`, `rejected` or `deferred`.
    pub fn message(&self, listener: &str, outcome: &'static str) {
        self.messages.get_or_create(&came(listener, outcome)).inc();
    }

    /// A login was answered: `accepted`, `rejected` or `deferred` by the backend, `left` where the client did not wait for it,
    /// `shut_out` where too many had failed.
    pub fn login(&self, listener: &str, outcome: &'static str) {
        self.logins.get_or_create(&came(listener, outcome)).inc();
    }

    /// Somebody was turned away before there was a session.
    pub fn turned_away(&self, listener: &str, limit: Limit) {
        let turned_away = TurnedAway {
            listener: listener.into(),
            limit: limit.label().into(),
        };
        self.turned_away.get_or_create(&turned_away).inc();
    }

    /// Everything as text: what was counted, and what `others` say.
    ///
    /// # Errors
    ///
    /// When a collector fails.
    pub fn text(&self, format: Format, others: Box<dyn Collector>) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("gatepost");
        self.register(&mut registry);
        registry.register_collector(others);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Text => as_text(&text),
        })
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("sessions_open", "Sessions under way", self.open.clone());
        registry.register(
            "sessions",
            "Sessions by the way they ended",
            self.sessions.clone(),
        );
        registry.register(
            "verdicts",
            "Sessions by their gravest verdict; none: nobody was judged",
            self.verdicts.clone(),
        );
        registry.register(
            "findings",
            "What each check found, once for each session",
            self.findings.clone(),
        );
        registry.register(
            "recipients",
            "Recipients by what became of them",
            self.recipients.clone(),
        );
        registry.register(
            "messages",
            "Messages by the answer to them",
            self.messages.clone(),
        );
        registry.register(
            "received_bytes",
            "Octets read from clients",
            self.received.clone(),
        );
        registry.register("sent_bytes", "Octets written to clients", self.sent.clone());
        registry.register(
            "session_duration_seconds",
            "How long sessions lasted",
            self.seconds.clone(),
        );
        registry.register(
            "turned_away",
            "Connections turned away at a limit, without a session",
            self.turned_away.clone(),
        );
        registry.register(
            "tls_sessions",
            "Sessions under TLS by its version",
            self.tls.clone(),
        );
        registry.register(
            "logins",
            "Logins by what became of them",
            self.logins.clone(),
        );
    }
}

fn at(listener: &str) -> At {
    At {
        listener: listener.into(),
    }
}

fn came(listener: &str, outcome: &'static str) -> Came {
    Came {
        listener: listener.into(),
        outcome: outcome.into(),
    }
}

fn found(finding: &Finding) -> Found {
    Found {
        check: Word::from(&*finding.check),
        outcome: finding.outcome.label().into(),
        reason: Word::from(&*finding.reason),
    }
}

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0, for who asks for it.
    OpenMetrics,
    /// The older text format, which everything understands.
    Text,
}

impl Format {
    /// Its content type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// OpenMetrics in the older format: there a counter is described under its whole name, and nothing marks the end.
fn as_text(text: &str) -> String {
    let counters: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut words = line.splitn(4, ' ');
        let (mark, kind, name) = (words.next(), words.next(), words.next());
        match (mark, kind, name) {
            (Some("#"), Some("EOF" | "UNIT"), _) => {}
            (Some("#"), Some(kind), Some(name)) if counters.contains(&name) => {
                let rest = words.next().unwrap_or_default();
                out.push_str(&format!("# {kind} {name}_total {rest}\n"));
            }
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}
