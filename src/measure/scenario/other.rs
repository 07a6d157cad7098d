//! What is no column of a table: shares of some classes, sizes, and the DNS with its lists.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Evidence, Figure, values};
use crate::measure::trace::{Latency, Lists};

/// What is no column of a table. Percent unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Other {
    /// Of B1, B2 and D1: leave when they are not greeted within 2 to 10 seconds.
    pub leaves_early: Figure,
    /// Of B1 to B4: use STARTTLS.
    pub starttls_bots: Figure,
    /// Of V1, W1, P1 and E1.
    pub starttls_spam: Figure,
    /// Of legitimate senders.
    pub starttls_legitimate: Figure,
    /// Of B1 to B4 and D1: go to the secondary first.
    pub secondary_bots: Figure,
    /// Of all spam and hostile connections: go to the secondary. What the bots leave is for A1 and A2, at most half of
    /// theirs.
    pub secondary_unwanted: Figure,
    /// Of legitimate connections: come to the secondary because the primary was busy.
    pub secondary_legitimate: Figure,
    /// Of spam transactions: name postmaster@ or abuse@ too.
    pub also_postmaster: Figure,
    /// Of spam and hostile senders: HELO instead of EHLO.
    pub helo_unwanted: Figure,
    /// Of legitimate senders.
    pub helo_legitimate: Figure,
    /// Of spam and hostile connections: over IPv6.
    pub ipv6_unwanted: Figure,
    /// Of legitimate connections.
    pub ipv6_legitimate: Figure,
    /// Median size of spam, KB.
    pub size_spam: Figure,
    /// Median size of legitimate messages, KB.
    pub size_legitimate: Figure,
    /// Standard deviation of the natural logarithm of sizes.
    pub size_sigma: Figure,
    /// Of HELO names of bots that have a dot: do not exist.
    pub unknown_helo_bots: Figure,
    /// Of those of G4 and G8.
    pub unknown_helo_poor: Figure,
    /// Of those of the other legitimate senders.
    pub unknown_helo_good: Figure,
    /// Of addresses with a name: the name does not lead back.
    pub unconfirmed: Figure,
    /// Of dynamic addresses of spam and hostile senders: listed, where the class's column leaves room for it.
    pub dynamic_listed: Figure,
    /// Of the early talkers of B1: HELO instead of EHLO, and no QUIT.
    pub early_are_rude: Figure,
    /// Of B1 and B4: try another sender at once after a 5xx.
    pub other_sender: Figure,
    /// Of D1: leave at the first recipient that does not exist.
    pub leaves_at_unknown: Figure,
    /// Of bots that do not come back later: come back within a minute.
    pub hasty: Figure,
    /// Of the networks of V1: send all they have within 3 minutes, and are listed 1 to 2 minutes after they began.
    pub hailstorms: Figure,
    /// Of G7: ask for a recipient and send nothing.
    pub callouts: Figure,
    /// Of G7 and G8: wait no longer than 15, 30 or 45 seconds to be greeted.
    pub short_patience: Figure,
    /// Of G8: a bare LF in the message.
    pub bare_newline: Figure,
    /// What guessers greet with; each as often as it stands here.
    pub guesser_names: Vec<String>,
}

impl Other {
    /// Every value that is a percentage, with its key.
    #[must_use]
    pub const fn percents(&self) -> [(&'static str, Figure); 25] {
        [
            ("leaves_early", self.leaves_early),
            ("starttls_bots", self.starttls_bots),
            ("starttls_spam", self.starttls_spam),
            ("starttls_legitimate", self.starttls_legitimate),
            ("secondary_bots", self.secondary_bots),
            ("secondary_unwanted", self.secondary_unwanted),
            ("secondary_legitimate", self.secondary_legitimate),
            ("also_postmaster", self.also_postmaster),
            ("helo_unwanted", self.helo_unwanted),
            ("helo_legitimate", self.helo_legitimate),
            ("ipv6_unwanted", self.ipv6_unwanted),
            ("ipv6_legitimate", self.ipv6_legitimate),
            ("unknown_helo_bots", self.unknown_helo_bots),
            ("unknown_helo_poor", self.unknown_helo_poor),
            ("unknown_helo_good", self.unknown_helo_good),
            ("unconfirmed", self.unconfirmed),
            ("dynamic_listed", self.dynamic_listed),
            ("early_are_rude", self.early_are_rude),
            ("other_sender", self.other_sender),
            ("leaves_at_unknown", self.leaves_at_unknown),
            ("hasty", self.hasty),
            ("hailstorms", self.hailstorms),
            ("callouts", self.callouts),
            ("short_patience", self.short_patience),
            ("bare_newline", self.bare_newline),
        ]
    }
}

/// How the DNS answers. Real time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The median, milliseconds (log-normal).
    pub median: f64,
    /// The standard deviation of its natural logarithm.
    pub sigma: f64,
    /// Percent of questions that are never answered.
    pub lost: f64,
    /// How well this is known.
    pub evidence: Evidence,
}

impl Dns {
    pub(in crate::measure) const fn latency(&self) -> Latency {
        Latency {
            median: self.median / 1000.0,
            sigma: self.sigma,
            lost: self.lost / 100.0,
        }
    }
}

/// A list of addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPlan {
    /// Its zone.
    pub zone: String,
    /// What it lists.
    pub lists: Lists,
    /// Percent of what it could list.
    pub coverage: f64,
    /// When it is out of order.
    #[serde(default)]
    pub trouble: Vec<TroublePlan>,
    /// How well this is known.
    pub evidence: Evidence,
}

/// When a list is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TroublePlan {
    /// From when on.
    #[serde(with = "values::duration")]
    pub at: Duration,
    /// How long.
    #[serde(rename = "for", with = "values::duration")]
    pub lasts: Duration,
    /// What it answers to everything; nothing: it does not answer.
    #[serde(default)]
    pub says: Option<Ipv4Addr>,
}
