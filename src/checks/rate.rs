//! Rates: recipients that would be let through, counted by client, network and sender; those who are exempt from filtering
//! by limits of their own, so that the exemption is no hole.
//!
//! Only who is let through is counted, so this check looks when all others have said what they can. One recipient too many
//! is put off, never refused: mail is late and not lost. How often a client may *connect* is no matter of a policy (see
//! `limits`). A sender is counted together with the network it comes from: its name alone could be used up by anybody.

use serde::{Deserialize, Deserializer};

use crate::checks::examination::{Examination, PutOff};
use crate::checks::finding::Outcome;
use crate::checks::greylist::fold;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, names, settings};
use crate::facts::{
    Counting, Facts, Millis, NO_LIMIT, Party, Per, Quota, Rate, Room, one_client, one_site,
};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "rate",
    summary: "are there too many recipients at one time?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# Recipients that are let through in a time, "5000/h", "300/min" or "5/s"; so many may also come at once, and "off" is no
# limit. One too many is put off (450) until there is room. Of one address (IPv4) or /64 (IPv6):
recipients_per_address = "5000/h"
# Of one /24 (IPv4) or /56 (IPv6).
recipients_per_network = "20000/h"
# Of one sender from one such network. What changes in it from message to message is left out; the null sender has no limit.
recipients_per_sender = "5000/h"
# Recipients that are exempt from filtering (postmaster, abuse) are not counted above but here, of one address ...
exempt_per_address = "30/h"
# ... and of one network.
exempt_per_network = "100/h"
"#;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rates {
    #[serde(deserialize_with = "limit")]
    recipients_per_address: Option<Rate>,
    #[serde(deserialize_with = "limit")]
    recipients_per_network: Option<Rate>,
    #[serde(deserialize_with = "limit")]
    recipients_per_sender: Option<Rate>,
    #[serde(deserialize_with = "limit")]
    exempt_per_address: Option<Rate>,
    #[serde(deserialize_with = "limit")]
    exempt_per_network: Option<Rate>,
}

impl Default for Rates {
    fn default() -> Self {
        Self {
            recipients_per_address: Rate::new(5000, Per::Hour),
            recipients_per_network: Rate::new(20_000, Per::Hour),
            recipients_per_sender: Rate::new(5000, Per::Hour),
            exempt_per_address: Rate::new(30, Per::Hour),
            exempt_per_network: Rate::new(100, Per::Hour),
        }
    }
}

fn limit<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Rate>, D::Error> {
    let text = String::deserialize(from)?;
    if text == NO_LIMIT {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        serde::de::Error::custom(format!(
            "found {text:?}; write a rate, such as \"300/min\" or \"5/s\", or \"off\""
        ))
    })
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Rates = settings(table)?;
    Ok(Some(Box::new(check)))
}

impl Check for Rates {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn judges_users(&self) -> bool {
        true
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        if examination.is_allowed() || examination.lets_through() != Some(true) {
            return;
        }
        let facts = examination.facts();
        let quotas = self.quotas(facts, examination.is_exempt());
        if quotas.is_empty() {
            return;
        }
        let counting = Counting {
            recipient: facts.recipients(),
            quotas: quotas.into(),
        };
        match examination.count(&counting) {
            None => examination.put_off(PutOff::Asked),
            Some(Room::Within) => {}
            Some(Room::Unknown) => {
                let evidence = "what was sent before is counted in the running process alone";
                examination.found(Outcome::Unknown, Points::ZERO, "not_counted", evidence);
            }
            Some(Room::Over { quota, wait }) => {
                // What is not in the question is no answer to it.
                if let Some(quota) = counting.quotas.get(usize::from(quota)) {
                    put_off(quota, wait, examination);
                }
            }
        }
    }
}

impl Rates {
    /// Whom the recipient named last is counted for. Nobody for a private address: behind it may stand a whole site.
    fn quotas(&self, facts: &Facts, exempt: bool) -> Vec<Quota> {
        let Some(client) = names::public_client(facts) else {
            return Vec::new();
        };
        let (address, network) = (one_client(client), one_site(client));
        let quota = |rate: Option<Rate>, of: Party| rate.map(|rate| Quota { of, rate });
        if exempt {
            let address = quota(self.exempt_per_address, Party::ExemptFromAddress(address));
            let network = quota(self.exempt_per_network, Party::ExemptFromNetwork(network));
            return address.into_iter().chain(network).collect();
        }
        // The null reverse-path is everybody's.
        let mailbox = facts.mail().map(|mail| fold::sender(&mail.path));
        let mailbox = mailbox.filter(|mailbox| !mailbox.is_empty());
        let sender = mailbox.and_then(|mailbox| {
            let mailbox = mailbox.into();
            let sender = Party::Sender { network, mailbox };
            quota(self.recipients_per_sender, sender)
        });
        let address = quota(self.recipients_per_address, Party::Address(address));
        let network = quota(self.recipients_per_network, Party::Network(network));
        address.into_iter().chain(network).chain(sender).collect()
    }
}

fn put_off(quota: &Quota, wait: Millis, examination: &mut Examination<'_>) {
    let (reason, what) = match &quota.of {
        Party::Address(_) => ("address", "recipients from your address"),
        Party::Network(_) => ("network", "recipients from your network"),
        Party::Sender { .. } => ("sender", "recipients of this sender"),
        Party::ExemptFromAddress(_) => (
            "exempt_address",
            "mails to such a recipient from your address",
        ),
        Party::ExemptFromNetwork(_) => (
            "exempt_network",
            "mails to such a recipient from your network",
        ),
    };
    let (count, per) = (quota.rate.count, time(quota.rate.per));
    let wait = seconds(wait);
    let evidence = format!("too many {what} (more than {count} {per}), try again in {wait}");
    examination.found(Outcome::PutOff, Points::ZERO, reason, evidence);
    examination.put_off(PutOff::OneTooMany);
}

const fn time(per: Per) -> &'static str {
    match per {
        Per::Second => "a second",
        Per::Minute => "a minute",
        Per::Hour => "an hour",
    }
}

/// In whole seconds, rounded up.
fn seconds(wait: Millis) -> String {
    let seconds = std::time::Duration::from_secs(u64::from(wait.0.div_ceil(1000)));
    humantime::format_duration(seconds).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_make_no_sense_are_refused() {
        for (value, message) in [
            (
                serde_json::json!("300/day"),
                "found \"300/day\"; write a rate, such as \"300/min\" or \"5/s\", or \"off\"",
            ),
            (
                serde_json::json!("0/h"),
                "found \"0/h\"; write a rate, such as \"300/min\" or \"5/s\", or \"off\"",
            ),
        ] {
            let table = serde_json::json!({ "exempt_per_address": value });
            let error = build(table).expect_err("a limit that makes no sense");
            assert_eq!(error.path, "exempt_per_address");
            assert_eq!(error.message, message);
        }
        assert!(build(serde_json::json!({ "recipients": "1/s" })).is_err());
    }
}
