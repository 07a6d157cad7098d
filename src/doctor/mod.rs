//! Floor 7: is the mail of a domain in good health? Probes look at its DNS, its mail exchangers, its policies and at what
//! stands behind gatepost, each from outside as any sender sees it, and say what they have seen, why it matters and what to
//! do.
//!
//! Nothing is sent unless it was asked for: recipients are named, and RSET and QUIT follow. One connection to each
//! exchanger serves all probes ([`call`]). A probe is one file: `look` asks the world, `judge` makes findings of what came and
//! touches nothing, so that it can be tried on anything. What only the application can do ([`Hands`]) is handed in. Not
//! here: when to look, and how to show it.
//!
//! ```text
//! examine → subject (MX, addresses; calls) → each probe of ALL: look → judge → Report
//! ```

mod addresses;
mod anchors;
mod arrival;
mod backend;
mod backup;
mod call;
mod certificate;
mod dane;
mod dkim;
mod dmarc;
mod exim;
mod extensions;
mod finding;
mod greeting;
mod ident;
mod listed;
mod mta_sts;
mod mx;
mod name_servers;
mod names;
mod order;
mod postmaster;
mod relay;
mod reverse;
mod send;
mod spf;
mod subject;
mod talk;
mod text;
mod tls;
mod tls_rpt;
mod whose;
mod world;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::facts::DnsAnswer;

pub use exim::EARLY as EXIM_ASKS_EARLY;
pub use finding::{Finding, Outcome};
pub use send::Parcel;
pub use subject::Subject;
pub use world::{Hands, Settings, Shown, Tested, World};

/// The longest a probe may take, whatever its own deadlines add up to.
pub const PROBE: Duration = Duration::from_secs(10 * 60);

/// A kind of probe: what the command line, the documentation and the metrics know about it.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name, fit for a metric label.
    pub name: &'static str,
    /// What it looks at, for people.
    pub summary: &'static str,
    /// The standards it goes by, with their sections.
    pub standard: &'static str,
    /// Whose health it is about.
    pub of: Of,
    look: Look,
}

/// Looks, and says what it has found; nothing where there is nothing to look at.
type Look = for<'s> fn(&'s Subject) -> BoxFuture<'s, Vec<Finding>>;

/// Whose health a probe is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A domain's, whoever asks.
    Domain,
    /// This machine's: asked with the first domain of our own.
    Machine,
}

/// Every probe, in the order in which findings are shown.
pub const ALL: &[Kind] = &[
    mx::KIND,
    addresses::KIND,
    name_servers::KIND,
    reverse::KIND,
    names::KIND,
    listed::KIND,
    greeting::KIND,
    extensions::KIND,
    tls::KIND,
    certificate::KIND,
    order::KIND,
    postmaster::KIND,
    relay::KIND,
    backup::KIND,
    spf::KIND,
    dkim::KIND,
    dmarc::KIND,
    mta_sts::KIND,
    tls_rpt::KIND,
    dane::KIND,
    ident::KIND,
    backend::KIND,
    exim::KIND,
];

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kind").field(&self.name).finish()
    }
}

/// What was found about a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The domain.
    pub domain: String,
    /// The gravest outcome.
    pub outcome: Outcome,
    /// What each probe has found, in the order of [`ALL`].
    pub probes: Vec<Probed>,
}

/// What a probe has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// The probe's name.
    pub probe: String,
    /// The gravest outcome of its findings.
    pub outcome: Outcome,
    /// The findings, at least one.
    pub findings: Vec<Finding>,
}

/// Which probes are made.
#[derive(Clone, Debug, Default)]
pub struct Chosen {
    /// Names of probes that are left out.
    pub without: Vec<String>,
    /// Whether this machine is looked at as well: once a round, with the first domain of our own.
    pub machine: bool,
}

impl Chosen {
    /// The probes.
    pub fn probes(&self) -> impl Iterator<Item = &'static Kind> + '_ {
        ALL.iter().filter(|kind| {
            let is_out = self.without.iter().any(|name| name == kind.name);
            !is_out && (self.machine || kind.of == Of::Domain)
        })
    }
}

/// Makes all probes of `domain` side by side; `done` is told of each that has ended.
pub async fn examine(
    world: &Arc<World>,
    domain: &str,
    chosen: &Chosen,
    done: &(dyn Fn(&'static str) + Sync),
) -> Report {
    let subject = Subject::of(world, domain).await;
    let probe = |(index, kind): (usize, &'static Kind)| {
        let subject = &subject;
        async move { (index, kind, in_time(kind, subject).await) }
    };
    // Of a domain that does not exist there is one thing to say.
    let exists = subject.mx != DnsAnswer::NoName;
    let made = |(_, kind): &(usize, &Kind)| exists || kind.name == mx::KIND.name;
    let probes = chosen.probes().enumerate().filter(made);
    let mut under_way: FuturesUnordered<_> = probes.map(probe).collect();
    let mut probes = Vec::new();
    while let Some((index, kind, findings)) = under_way.next().await {
        done(kind.name);
        if let Some(probed) = Probed::of(kind, findings) {
            probes.push((index, probed));
        }
    }
    probes.sort_by_key(|(index, _)| *index);
    let probes: Vec<Probed> = probes.into_iter().map(|(_, probed)| probed).collect();
    let outcome = probes.iter().map(|probed| probed.outcome).max();
    Report {
        domain: domain.to_owned(),
        outcome: outcome.unwrap_or(Outcome::CouldNotTell),
        probes,
    }
}

async fn in_time(kind: &Kind, subject: &Subject) -> Vec<Finding> {
    let found = timeout(PROBE, (kind.look)(subject)).await;
    found.unwrap_or_else(|_| {
        let seen = format!("no end within {}", humantime::format_duration(PROBE));
        vec![Finding::could_not_tell(&subject.domain, seen, "try again")]
    })
}

impl Report {
    /// How many probes have which outcome, the gravest first, for people.
    #[must_use]
    pub fn counted(&self) -> String {
        let outcomes = Outcome::ALL.into_iter().rev().filter_map(|outcome| {
            let probes = self.probes.iter();
            let count = probes.filter(|probed| probed.outcome == outcome).count();
            let plural = match outcome {
                Outcome::Notice | Outcome::Warning | Outcome::Fault if count > 1 => "s",
                _ => "",
            };
            (count > 0).then(|| format!("{count} {}{plural}", outcome.label()))
        });
        outcomes.collect::<Vec<_>>().join(", ")
    }
}

impl Probed {
    /// The gravest first; `None` where nothing was looked at.
    fn of(kind: &Kind, mut findings: Vec<Finding>) -> Option<Self> {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.outcome));
        let outcome = findings.first()?.outcome;
        Some(Self {
            probe: kind.name.to_owned(),
            outcome,
            findings,
        })
    }
}

#[cfg(test)]
mod tests;
