//! Greylisting: a recipient in doubt is put off until its triplet has waited (RFC 6647 §2.3, §4).
//!
//! Only totals between `greylist_points` and `deny_points` are in doubt, so good mail never waits. The triplet is who sends,
//! from which mailbox, to which: who sends is known by name where a name vouches for it, else by network, so that the next
//! host of a pool is the same sender; of the mailbox only what stays the same from message to message counts ([`fold`]).
//! Without a memory nobody is put off: a client that is put off without memory is put off for ever.

mod fold;

use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::checks::examination::{Examination, PutOff};
use crate::checks::finding::Outcome;
use crate::checks::identity;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, settings};
use crate::facts::{Facts, Recall, Recalled};
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
# A sender that has not come back after so long begins anew; RFC 6647 asks for at least "1d".
window = "2d"
"#;

/// The least wait: shorter ones stop nobody.
const LEAST_WAIT: Duration = Duration::from_secs(60);
/// The least window (RFC 6647 §5, recommendation 5).
const LEAST_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Greylist {
    #[serde(deserialize_with = "duration")]
    wait: Duration,
    #[serde(deserialize_with = "duration")]
    window: Duration,
}

impl Default for Greylist {
    fn default() -> Self {
        Self {
            wait: LEAST_WAIT,
            window: 2 * LEAST_WINDOW,
        }
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
    let refused = |path: &str, message: &str| {
        Err(SettingsError {
            path: path.to_owned(),
            message: message.to_owned(),
        })
    };
    if check.wait < LEAST_WAIT {
        return refused("wait", "found less than \"1m\"; write at least \"1m\"");
    }
    if check.window < LEAST_WINDOW || check.window < check.wait {
        return refused(
            "window",
            "found too short a time; write at least \"1d\", and more than `wait`",
        );
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
        let Some(triplet) = triplet(examination.facts()) else {
            return;
        };
        let Some(recalled) = examination.recall(&triplet, Points::ZERO.span()) else {
            return examination.put_off(PutOff::Asked);
        };
        match recalled {
            Recalled::Triplet { passed: true, .. } => {
                examination.found(Outcome::Pass, Points::ZERO, "known", "");
            }
            Recalled::Triplet { since, .. } => self.weigh(u64::from(*since), examination),
            Recalled::Nothing => self.weigh(0, examination),
            _ => {
                let evidence = "there is no memory of who has waited";
                examination.found(Outcome::Unknown, Points::ZERO, "no_memory", evidence);
            }
        }
    }
}

impl Greylist {
    fn weigh(&self, since: u64, examination: &mut Examination<'_>) {
        let (wait, window) = (self.wait.as_secs(), self.window.as_secs());
        if (wait..=window).contains(&since) {
            let evidence = format!("has waited for {}", shown(since));
            return examination.found(Outcome::Pass, Points::ZERO, "waited", evidence);
        }
        let (reason, left) = match since {
            // Too long ago: it begins anew.
            _ if since == 0 || since > window => ("new", wait),
            _ => ("too_early", wait - since),
        };
        let evidence = format!("try again in {}", shown(left));
        examination.found(Outcome::PutOff, Points::ZERO, reason, evidence);
        examination.put_off(PutOff::InDoubt);
    }
}

fn shown(seconds: u64) -> String {
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// Who sends, from where, to whom.
fn triplet(facts: &Facts) -> Option<Recall> {
    let recipient = match &facts.rcpt()?.path {
        ForwardPath::Postmaster(_) => return None,
        ForwardPath::Mailbox(mailbox) => mailbox.to_string().to_lowercase(),
    };
    Some(Recall::Triplet {
        identity: identity::to_greylist(facts)?,
        sender: fold::sender(&facts.mail()?.path).into(),
        recipient: recipient.into(),
    })
}
