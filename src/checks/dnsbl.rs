//! DNSBLs and DNSWLs: what lists in the DNS say about the client's address (RFC 5782).
//!
//! Each zone is asked for an A record, and for its TXT record when that lists the client; nothing
//! waits for the text. An answer counts only when it is in the zone's filter, and never when it is
//! none that a list can give: 127.255.255.0/24 (the operator's error codes), 127.0.0.1 (must never be
//! listed, RFC 5782 §5) or anything outside 127.0.0.0/8 (a zone that was given up and answers with
//! somebody's web server). A zone that gave such an answer said nothing.

mod zone;

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use crate::checks::examination::{Examination, InZone};
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, Remark, SettingsError, address, settings};
use crate::facts::{DnsAnswer, DnsName, RecordType};
use zone::Zone;

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
    zone::tell_apart(&check.zones)?;
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
        let reversed = reversed(client.ip());
        for zone in &self.zones {
            zone.examine(&reversed, examination);
        }
    }

    fn zones(&self) -> Vec<DnsName> {
        let named = |zone: &Zone| DnsName::secret(zone.zone.clone(), zone.shown());
        self.zones.iter().map(named).collect()
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

/// The address as lists want it: octets (RFC 5782 §2.1) or nibbles (§2.4) from the last to the
/// first, each with a dot behind it.
fn reversed(address: IpAddr) -> String {
    let mut name = String::with_capacity(64);
    match address.to_canonical() {
        IpAddr::V4(address) => {
            for octet in address.octets().iter().rev() {
                // Writing to a String does not fail.
                let _ = write!(name, "{octet}.");
            }
        }
        IpAddr::V6(address) => {
            for octet in address.octets().iter().rev() {
                let _ = write!(name, "{:x}.{:x}.", octet & 15, octet >> 4);
            }
        }
    }
    name
}

/// What an answer says, by the zone's filter.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    NotListed,
    /// Listed, but with nothing that counts; the first such answer.
    NotCounted(Ipv4Addr),
    /// The answers that count.
    Listed(Vec<Ipv4Addr>),
    /// An answer that no list may give.
    Trouble(Ipv4Addr),
}

impl Zone {
    fn examine(&self, reversed: &str, examination: &mut Examination<'_>) {
        let name = self.name_of(reversed);
        let asked = examination.dns_in_zone(name, RecordType::A, self.points.span());
        let Some((answer, took)) = asked else { return };
        let unknown = |examination: &mut Examination<'_>, reason: &'static str, evidence| {
            examination.found(Outcome::Unknown, Points::ZERO, reason, evidence);
        };
        if let DnsAnswer::Failed(failure) = answer {
            let evidence = format!("no answer from {}: {}", self.shown(), failure.label());
            return unknown(examination, "failed", evidence);
        }
        if self.timeout.is_some_and(|timeout| took > timeout) {
            let evidence = format!("{} answered after {took} only", self.shown());
            return unknown(examination, "late", evidence);
        }
        match self.read(answer) {
            Reading::NotListed => {
                let evidence = ["not listed by ", self.shown()].concat();
                examination.found(Outcome::Pass, Points::ZERO, "not_listed", evidence);
            }
            Reading::NotCounted(answer) => {
                let evidence = format!("listed by {} ({answer}), not counted", self.shown());
                examination.found(Outcome::Pass, Points::ZERO, "not_counted", evidence);
            }
            Reading::Trouble(answer) => {
                let hint = trouble(answer);
                let evidence = format!("{} answered {answer}: {hint}", self.shown());
                unknown(examination, "zone_trouble", evidence);
            }
            Reading::Listed(answers) => self.listed(reversed, &answers, examination),
        }
    }

    fn read(&self, answer: &DnsAnswer) -> Reading {
        if let Some(trouble) = answer.a().find(|answer| is_trouble(*answer)) {
            return Reading::Trouble(trouble);
        }
        let mut counted: Vec<_> = answer
            .a()
            .filter(|answer| self.answers.contains(*answer))
            .collect();
        if counted.is_empty() {
            return answer
                .a()
                .min()
                .map_or(Reading::NotListed, Reading::NotCounted);
        }
        // Servers rotate records; what is said about a client should not.
        counted.sort_unstable();
        counted.dedup();
        Reading::Listed(counted)
    }

    fn listed(&self, reversed: &str, answers: &[Ipv4Addr], examination: &mut Examination<'_>) {
        let mut evidence = format!("listed by {} (", self.shown());
        for (at, answer) in answers.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            let _ = write!(evidence, "{separator}{answer}");
        }
        evidence.push(')');
        if self.points < Points::ZERO {
            return examination.found(Outcome::Trust, self.points, "listed", evidence);
        }
        let name = self.name_of(reversed);
        let text = examination.dns_in_zone(name, RecordType::Txt, Points::ZERO.span());
        if let Some(text) = text.and_then(|(answer, _)| answer.txt().min()) {
            evidence.push_str(": ");
            evidence.push_str(&self.cleaned(text));
        }
        examination.found(Outcome::Fail, self.points, "listed", evidence);
    }

    fn name_of<'a>(&'a self, reversed: &'a str) -> InZone<'a> {
        InZone {
            prefix: reversed,
            zone: &self.zone,
            shown: self.name.as_deref(),
        }
    }
}

const fn is_trouble(answer: Ipv4Addr) -> bool {
    matches!(answer.octets(), [127, 255, 255, _] | [127, 0, 0, 1]) || !answer.is_loopback()
}

/// What an answer that is no listing means; the codes are Spamhaus's, whom others follow.
const fn trouble(answer: Ipv4Addr) -> &'static str {
    match answer.octets() {
        [127, 255, 255, 252] => "the zone's name is mistyped",
        [127, 255, 255, 254] => "asked through a public or nameless resolver",
        [127, 255, 255, 255] => "too many queries",
        [127, 255, 255, _] => "an error of the list",
        [127, 0, 0, 1] => "a list must never list with this",
        _ => "no answer of a list",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Client, Facts, Question};

    #[test]
    fn addresses_are_asked_for_from_the_last_part_to_the_first() {
        assert_eq!(reversed("192.0.2.99".parse().unwrap()), "99.2.0.192.");
        assert_eq!(
            reversed("::ffff:192.0.2.99".parse().unwrap()),
            "99.2.0.192."
        );
        // The example of RFC 5782 §2.4.
        assert_eq!(
            reversed("2001:db8:1:2:3:4:567:89ab".parse().unwrap()),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2."
        );
    }

    fn asked_by(check: &Dnsbl) -> Question {
        let facts = Facts::new(Client {
            address: "192.0.2.1:2525".parse().unwrap(),
            local: "198.51.100.1:25".parse().unwrap(),
            listener: "mx".into(),
            via: None,
            started: None,
        });
        let mut examination = Examination::new(&facts, std::time::Duration::ZERO);
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
