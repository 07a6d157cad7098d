//! RHSBLs: what lists in the DNS say about the names around a message (RFC 5782 §3).
//!
//! A list of names is asked for the names in HELO, the domain of the sender and the reverse names of the client, as its
//! settings say; the name stands in front of the zone. Never asked for are addresses and names without a dot: such lists
//! answer them with an error, or list them all. Names of private clients are not asked for. How a list is asked and read
//! is [`list`](crate::checks::list).

use std::borrow::Cow;
use std::net::IpAddr;

use serde::{Deserialize, de};

use crate::checks::answer_filter::AnswerFilter;
use crate::checks::examination::Examination;
use crate::checks::list::{Subject, Written, Zone, tell_apart, timeout};
use crate::checks::points::Points;
use crate::checks::{Check, Kind, Lists, SettingsError, names, settings};
use crate::facts::{DnsName, Millis, RecordType};
use crate::smtp::domain::Host;

pub(in crate::checks) const KIND: Kind = Kind {
    name: "rhsbl",
    summary: "what do DNS lists say about the client's names and the sender's domain?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# DNS lists that are asked for names. For each the same as for the lists of addresses in dnsbl: zone, points, answers,
# name, timeout; and
#   of       which names it is asked for: "helo", "sender" (its domain), "reverse_name"; default: all three
# However many of the names are listed, a list brings its points once.
zones = [
  { zone = "dbl.spamhaus.org", answers = "127.0.1.[2..99]", points = 3 },
]
"#;

/// Most names of each sort that a list is asked for.
const MOST_NAMES: usize = 4;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rhsbl {
    zones: Vec<NameZone>,
}

impl Default for Rhsbl {
    fn default() -> Self {
        let zone = Zone::known("dbl.spamhaus.org", "127.0.1.[2..99]", 3);
        let zone = zone.map(|zone| NameZone { zone, of: every() });
        Self {
            zones: zone.into_iter().collect(),
        }
    }
}

/// A list of names.
#[derive(Debug, Deserialize)]
#[serde(try_from = "WrittenNames")]
struct NameZone {
    zone: Zone,
    of: Vec<Of>,
}

/// Where a name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Of {
    Helo,
    Sender,
    ReverseName,
}

fn every() -> Vec<Of> {
    vec![Of::Helo, Of::Sender, Of::ReverseName]
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenNames {
    zone: String,
    #[serde(default)]
    answers: AnswerFilter,
    points: Points,
    name: Option<String>,
    #[serde(default, deserialize_with = "timeout")]
    timeout: Option<Millis>,
    #[serde(default = "every", deserialize_with = "some")]
    of: Vec<Of>,
}

impl TryFrom<WrittenNames> for NameZone {
    type Error = String;

    fn try_from(written: WrittenNames) -> Result<Self, String> {
        let WrittenNames {
            zone,
            answers,
            points,
            name,
            timeout,
            of,
        } = written;
        let zone = Zone::try_from(Written {
            zone,
            answers,
            points,
            name,
            timeout,
        })?;
        Ok(Self { zone, of })
    }
}

fn some<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<Vec<Of>, D::Error> {
    let of = Vec::<Of>::deserialize(deserializer)?;
    if of.is_empty() {
        let message = "of is empty: write some of \"helo\", \"sender\", \"reverse_name\"";
        return Err(de::Error::custom(message));
    }
    Ok(of)
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Rhsbl = settings(table)?;
    tell_apart(check.zones.iter().map(|list| &list.zone))?;
    if check.zones.is_empty() {
        return Ok(None);
    }
    Ok(Some(Box::new(check)))
}

impl Check for Rhsbl {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let Some(client) = names::public_client(examination.facts()) else {
            return;
        };
        let named = [
            (Of::ReverseName, self.reverse_names(client, examination)),
            (Of::Helo, helo_names(examination)),
            (Of::Sender, sender_domain(examination).into_iter().collect()),
        ];
        for list in &self.zones {
            let asked = named.iter().filter(|(of, _)| list.of.contains(of));
            let mut subjects: Vec<Subject<'_>> = Vec::new();
            for name in asked.flat_map(|(_, names)| names) {
                let subject = Subject::Name(name);
                if list.zone.has_room_for(subject) && !subjects.contains(&subject) {
                    subjects.push(subject);
                }
            }
            list.zone.examine(&subjects, examination);
        }
    }

    fn zones(&self) -> Vec<(DnsName, Lists)> {
        let zones = self.zones.iter().map(|list| list.zone.watched());
        zones.map(|zone| (zone, Lists::Names)).collect()
    }
}

impl Rhsbl {
    /// The client's names. To know them is worth what the lists that want them could bring.
    fn reverse_names<'a>(
        &self,
        client: IpAddr,
        examination: &mut Examination<'a>,
    ) -> Vec<Cow<'a, str>> {
        let wanting = |list: &&NameZone| list.of.contains(&Of::ReverseName);
        let wanting = || self.zones.iter().filter(wanting);
        if wanting().next().is_none() {
            return Vec::new();
        }
        let points = || wanting().map(|list| list.zone.points);
        let least = points().map(Points::below_zero).sum();
        let most = points().map(Points::above_zero).sum();
        let reversed = names::reversed(client);
        let question = names::reverse_name(client, &reversed);
        let answer = examination.dns_in_zone(question, RecordType::Ptr, least..=most);
        let names = answer.map(|(answer, _)| names::reverse_names(answer));
        names.map(bounded).unwrap_or_default()
    }
}

fn helo_names<'a>(examination: &Examination<'a>) -> Vec<Cow<'a, str>> {
    let names = examination.facts().helos();
    let mut distinct: Vec<Cow<'a, str>> = Vec::new();
    for name in names.map(|helo| names::lower(helo.name.as_str())) {
        if distinct.len() < MOST_NAMES && !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    bounded(distinct)
}

fn sender_domain<'a>(examination: &Examination<'a>) -> Option<Cow<'a, str>> {
    let mail = examination.facts().mail()?;
    let Host::Domain(domain) = &mail.path.mailbox()?.domain else {
        return None;
    };
    let name = names::lower(domain.as_str());
    names::is_host_name(&name).then_some(name)
}

/// The names that lists may be asked for, not too many.
fn bounded(mut names: Vec<Cow<'_, str>>) -> Vec<Cow<'_, str>> {
    names.retain(|name| names::is_host_name(name));
    names.truncate(MOST_NAMES);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_zones_are_refused_by_name() {
        for (table, path, message) in [
            (
                r#"{"zones": [{"zone": "a.example", "points": 1, "of": []}]}"#,
                "zones[0].of",
                "reverse_name",
            ),
            (
                r#"{"zones": [{"zone": "a.example", "points": 1, "of": ["body"]}]}"#,
                "zones[0].of[0]",
                "unknown variant",
            ),
            (
                r#"{"zones": [{"zone": "a.example", "points": 1, "for": ["helo"]}]}"#,
                "zones[0].for",
                "unknown field",
            ),
            (
                r#"{"zones": [{"zone": "a b", "points": 5}]}"#,
                "zones[0]",
                "no domain",
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
        ] {
            let error = build(serde_json::from_str(table).unwrap()).unwrap_err();
            assert_eq!(error.path, path, "{table}: {error}");
            assert!(error.message.contains(message), "{table}: {error}");
        }
    }
}
