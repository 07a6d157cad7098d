//! DNSBLs and DNSWLs: what lists in the DNS say about the client's address (RFC 5782 §2).
//!
//! How a list is asked and read is [`list`](crate::checks::list).

use serde::Deserialize;

use crate::checks::examination::Examination;
use crate::checks::list::{Subject, Zone, tell_apart};
use crate::checks::{Check, Kind, Listing, Lists, Remark, SettingsError, address, names, settings};
use crate::facts::DnsName;

pub(in crate::checks) const KIND: Kind = Kind {
    name: "dnsbl",
    summary: "what do DNS lists say about the client's address?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# DNS lists that are asked for the client's address. For each:
#   zone     its domain
#   points   what being listed brings; negative for a list of good clients
#   answers  the answers that count, octet by octet: a number, or in brackets numbers and ranges;
#            default "127.0.0.[2..254]"; the same zone may stand here again with other answers
#   name     shown in replies, logs and records instead of a zone that holds your secret key
#   timeout  answers that took longer count as none, such as "2s"; how long a session waits is
#            bounded by `resolver.timeout`
zones = [
  { zone = "zen.spamhaus.org", answers = "127.0.0.[2..11]", points = 5 },
  { zone = "list.dnswl.org", answers = "127.0.[0..255].[1..3]", points = -3 },
]
# Whether private addresses are looked up too (loopback, RFC 1918, RFC 6598, link-local, ULA): only
# for lists of your own.
lookup_private = false
"#;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Dnsbl {
    zones: Vec<Zone>,
    lookup_private: bool,
}

impl Default for Dnsbl {
    fn default() -> Self {
        let zones = vec![
            Zone::known("zen.spamhaus.org", "127.0.0.[2..11]", 5),
            Zone::known("list.dnswl.org", "127.0.[0..255].[1..3]", -3),
        ];
        Self {
            zones: zones.into_iter().flatten().collect(),
            lookup_private: false,
        }
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Dnsbl = settings(table)?;
    tell_apart(&check.zones)?;
    if check.zones.is_empty() {
        return Ok(None);
    }
    Ok(Some(Box::new(check)))
}

impl Check for Dnsbl {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let Some(client) = examination.facts().client() else {
            return;
        };
        if !self.lookup_private && !address::is_public(client.ip()) {
            return;
        }
        let reversed = names::reversed(client.ip());
        for zone in &self.zones {
            zone.examine(&[Subject::Client(&reversed)], examination);
        }
    }

    fn zones(&self) -> Vec<(DnsName, Lists)> {
        let zones = self.zones.iter().map(Zone::watched);
        zones.map(|zone| (zone, Lists::Addresses)).collect()
    }

    fn listings(&self) -> Vec<Listing> {
        let listing = |zone: &Zone| Listing {
            zone: zone.watched(),
            answers: zone.answers.written().to_owned(),
            points: zone.points,
        };
        self.zones.iter().map(listing).collect()
    }

    fn remarks(&self, _now: Option<u64>) -> Vec<Remark> {
        let alike = |a: &Zone, b: &Zone| a.zone == b.zone && a.answers == b.answers;
        let zones = self.zones.iter().enumerate();
        let twice = zones.filter(|(at, zone)| {
            let mut earlier = self.zones.iter().take(*at);
            earlier.any(|earlier| alike(earlier, zone))
        });
        twice
            .map(|(index, zone)| Remark {
                setting: "zones",
                index,
                found: format!("{:?} stands here twice with the same answers", zone.shown()),
                advice: "its points count twice; remove one, or write other answers",
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Client, Facts, Question};

    fn asked_by(check: &Dnsbl) -> Question {
        let address = "192.0.2.1:2525".parse().unwrap();
        let facts = Facts::new(Client::new(address, address, "mx"));
        let policy = crate::checks::policy::Policy::default();
        let mut examination = Examination::new(&policy, &facts);
        check.examine(&mut examination);
        examination.questions.remove(0)
    }

    #[test]
    fn a_secret_zone_is_asked_for_but_never_shown() {
        let table =
            r#"{"zones": [{"zone": "key.zen.dq.spamhaus.net", "name": "zen", "points": 5}]}"#;
        let check: Dnsbl = serde_json::from_str(table).unwrap();
        let question = asked_by(&check);
        let Question::Dns { name, .. } = &question else {
            panic!("{question}")
        };
        assert_eq!(name.asked(), "1.2.0.192.key.zen.dq.spamhaus.net");
        assert_eq!(name.shown(), "1.2.0.192.zen");
        let text = check.zones[0].cleaned("see https://x.example/?k=KEY.zen.dq.spamhaus.net");
        for shown in [format!("{question}{question:?}{check:?}"), text] {
            assert!(!shown.to_lowercase().contains("key"), "{shown}");
        }
    }

    #[test]
    fn wrong_zones_are_refused_by_name() {
        for (table, path, message) in [
            (
                r#"{"zones": [{"zone": "a b", "points": 5}]}"#,
                "zones[0]",
                "no domain",
            ),
            (
                r#"{"zones": [{"zone": "a.example"}]}"#,
                "zones[0]",
                "points",
            ),
            (
                r#"{"zones": [{"zone": "a.example", "points": 2000}]}"#,
                "zones[0].points",
                "-1000 to",
            ),
            (
                r#"{"zones": [{"zone": "a.example", "points": 1, "timeout": "0s"}]}"#,
                "zones[0].timeout",
                "2s",
            ),
            (
                r#"{"zones": [{"zone": "a.example", "points": 1, "answers": "2"}]}"#,
                "zones[0].answers",
                "octets",
            ),
            (
                r#"{"zones": [{"zone": "k.zen.dq.spamhaus.net", "points": 5}]}"#,
                "zones[0]",
                "add name",
            ),
            (
                r#"{"zones": [{"zone": "a.example", "points": 5, "name": "a b"}]}"#,
                "zones[0]",
                "word",
            ),
            (r#"{"zone": []}"#, "zone", "unknown field"),
            (
                r#"{"zones": [{"zone": "a.example", "points": 5, "name": "x"}, {"zone": "x", "points": 5}]}"#,
                "zones[1]",
                "also",
            ),
        ] {
            let error = build(serde_json::from_str(table).unwrap()).unwrap_err();
            assert_eq!(error.path, path, "{table}: {error}");
            assert!(error.message.contains(message), "{table}: {error}");
        }
    }
}
