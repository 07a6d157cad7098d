//! Greylisting: a recipient in doubt is put off until its triplet has waited (RFC 6647 §2.3, §4).
//!
//! Only totals between `greylist_points` and `deny_points` are in doubt, so good mail never waits. The triplet is who sends,
//! from which mailbox, to which. Who sends is known by its network and by each name that vouches for it, and has waited when
//! it has waited as one of them: the next host of a pool shares some of them, seldom all. Of the mailbox only what stays the
//! same from message to message counts ([`fold`]).
//! Without a memory nobody is put off: a client that is put off without memory is put off for ever.

pub(in crate::checks) mod fold;

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::checks::examination::{Examination, PutOff};
use crate::checks::finding::{Finding, Outcome};
use crate::checks::identity;
use crate::checks::points::Points;
use crate::checks::verdict::{Action, Verdict};
use crate::checks::{Check, Kind, SettingsError, settings};
use crate::facts::{Facts, Identity, Recall, Recalled};
use crate::smtp::path::ForwardPath;

pub(in crate::checks) const KIND: Kind = Kind {
    name: "greylist",
    summary: "has a recipient in doubt waited?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# How long a recipient in doubt (from `greylist_points` to below `deny_points`) must have been waiting before it is let
# through; at least "1m".
wait = "1m"
"#;

/// Reasons of a triplet that is let through because it has waited, now or before.
const WAITED: &str = "waited";
const KNOWN: &str = "known";

/// The least wait: shorter ones stop nobody.
const LEAST_WAIT: Duration = Duration::from_secs(60);
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Greylist {
    #[serde(deserialize_with = "duration")]
    wait: Duration,
}

impl Default for Greylist {
    fn default() -> Self {
        Self { wait: LEAST_WAIT }
    }
}

fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map_err(|_| {
        serde::de::Error::custom(format!("found {text:?}; write a duration such as \"5m\""))
    })
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Greylist = settings(table)?;
    if check.wait < LEAST_WAIT {
        return Err(SettingsError {
            path: "wait".to_owned(),
            message: "found less than \"1m\"; write at least \"1m\"".to_owned(),
        });
    }
    Ok(Some(Box::new(check)))
}

impl Check for Greylist {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        if !examination.may_be_in_doubt() {
            return;
        }
        match examination.has_pass() {
            None => return examination.put_off(PutOff::Asked),
            Some(true) => {
                let evidence = "has a pass";
                return examination.found(Outcome::Pass, Points::ZERO, "pass", evidence);
            }
            Some(false) => {}
        }
        let triplets = triplets(examination.facts(), examination.known_as());
        // Each is asked about, for that begins its wait.
        let recalled: Vec<_> = triplets
            .iter()
            .map(|triplet| examination.recall(triplet, Points::ZERO.span()))
            .collect();
        match standing(&recalled) {
            Some(Standing::Nobody) => {}
            Some(Standing::Known) => examination.found(Outcome::Pass, Points::ZERO, KNOWN, ""),
            Some(Standing::Here(since)) => self.weigh(since, examination),
            Some(Standing::NoMemory) => {
                let evidence = "there is no memory of who has waited";
                examination.found(Outcome::Unknown, Points::ZERO, "no_memory", evidence);
            }
            None => examination.put_off(PutOff::Asked),
        }
    }
}

/// What the triplets of one recipient say together.
enum Standing {
    /// There are none.
    Nobody,
    /// One of them was let through before.
    Known,
    /// The first of them was here so many seconds ago.
    Here(u64),
    /// The memory can not tell.
    NoMemory,
}

/// `None`: not all is recalled yet.
fn standing(recalled: &[Option<&Recalled>]) -> Option<Standing> {
    let mut standing = Standing::Nobody;
    for recalled in recalled {
        let since = match (*recalled)? {
            Recalled::Triplet { passed: true, .. } => {
                standing = Standing::Known;
                continue;
            }
            Recalled::Triplet { since, .. } => u64::from(*since),
            Recalled::Nothing => 0,
            _ => {
                standing = Standing::NoMemory;
                continue;
            }
        };
        standing = match standing {
            Standing::Nobody => Standing::Here(since),
            Standing::Here(longer) => Standing::Here(longer.max(since)),
            settled @ (Standing::Known | Standing::NoMemory) => settled,
        };
    }
    Some(standing)
}

impl Greylist {
    fn weigh(&self, since: u64, examination: &mut Examination<'_>) {
        let wait = self.wait.as_secs();
        if since >= wait {
            let evidence = format!("has waited for {}", shown(since));
            return examination.found(Outcome::Pass, Points::ZERO, WAITED, evidence);
        }
        let reason = if since == 0 { "new" } else { "too_early" };
        let evidence = format!("try again in {}", shown(wait - since));
        examination.found(Outcome::PutOff, Points::ZERO, reason, evidence);
        examination.put_off(PutOff::InDoubt);
    }
}

fn shown(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// The triplets of the recipient named last, if `verdict` lets it through because one of them has waited: all are known from
/// then on.
#[must_use]
pub fn has_waited(verdict: &Verdict, facts: &Facts) -> Vec<Recall> {
    let waited = |finding: &Finding| {
        finding.check == KIND.name && (finding.reason == WAITED || finding.reason == KNOWN)
    };
    match verdict.cleared().is_some() && verdict.findings.iter().any(waited) {
        true => triplets(facts, &verdict.known_as),
        false => Vec::new(),
    }
}

/// The triplets of the recipient named last, if `verdict` puts it off because none of them has waited.
#[must_use]
pub fn must_wait(verdict: &Verdict, facts: &Facts) -> Vec<Recall> {
    let waits =
        |finding: &Finding| finding.check == KIND.name && finding.outcome == Outcome::PutOff;
    match verdict.enforced() == Action::Greylist && verdict.findings.iter().any(waits) {
        true => triplets(facts, &verdict.known_as),
        false => Vec::new(),
    }
}

/// Who sends, from where, to whom; one for each identity of who sends.
fn triplets(facts: &Facts, known_as: &[Identity]) -> Vec<Recall> {
    let (Some(mail), Some(rcpt)) = (facts.mail(), facts.rcpt()) else {
        return Vec::new();
    };
    let ForwardPath::Mailbox(mailbox) = &rcpt.path else {
        return Vec::new();
    };
    let sender: Box<str> = fold::sender(&mail.path).into();
    let recipient: Box<str> = mailbox.to_string().to_lowercase().into();
    let triplet = |identity| Recall::Triplet {
        identity,
        sender: sender.clone(),
        recipient: recipient.clone(),
    };
    let identities = identity::to_greylist(facts, known_as);
    identities.into_iter().map(triplet).collect()
}
