//! A DNS list, as it is written in the configuration.
//!
//! Users of some lists have zones of their own, whose name is a key to be kept: such a zone has a
//! name to be shown by, and its real one leaves this module only inside a question.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use crate::checks::SettingsError;
use crate::checks::answer_filter::AnswerFilter;
use crate::checks::names::DNS_NAME_MAX;
use crate::checks::points::Points;
use crate::facts::{DnsName, Millis};
use crate::smtp::domain::Domain;

/// Octets of a zone, such that the longest address, 32 nibbles with dots, fits in front of it.
const ZONE_MAX: usize = DNS_NAME_MAX - 64;

/// Octets of a zone's shown name.
const NAME_MAX: usize = 100;

/// Octets of a list's text that are shown.
const TEXT_MAX: usize = 200;

/// Domains whose customers ask under a name that holds their key.
const SECRET_BELOW: [&str; 2] = [".dq.spamhaus.net", ".mail.abusix.zone"];

/// A list.
#[derive(Clone, Deserialize)]
#[serde(try_from = "Written")]
pub(in crate::checks) struct Zone {
    /// Its domain, lower case, without the final dot; may be secret.
    pub(in crate::checks) zone: Box<str>,
    /// What it is shown by, if not by its domain.
    pub(in crate::checks) name: Option<Box<str>>,
    /// The answers that count.
    pub(in crate::checks) answers: AnswerFilter,
    /// What being listed brings.
    pub(in crate::checks) points: Points,
    /// Answers that took longer count as none.
    pub(in crate::checks) timeout: Option<Millis>,
}

/// A list as it is written.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table such as { zone = \"zen.spamhaus.org\", points = 5 }"
)]
pub(in crate::checks) struct Written {
    pub(in crate::checks) zone: String,
    #[serde(default)]
    pub(in crate::checks) answers: AnswerFilter,
    pub(in crate::checks) points: Points,
    pub(in crate::checks) name: Option<String>,
    #[serde(default, deserialize_with = "timeout")]
    pub(in crate::checks) timeout: Option<Millis>,
}

impl Zone {
    /// A list of the defaults; `None` if it is mistyped, which a test excludes.
    pub(in crate::checks) fn known(zone: &str, answers: &str, points: i16) -> Option<Self> {
        let answers = AnswerFilter::parse(answers).ok()?;
        let points = Points::new(points);
        Some(Self {
            zone: zone.into(),
            name: None,
            answers,
            points,
            timeout: None,
        })
    }

    /// Its name for people.
    pub(in crate::checks) fn shown(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.zone)
    }

    /// The zone as one whose health is watched.
    pub(in crate::checks) fn watched(&self) -> DnsName {
        DnsName::secret(self.zone.clone(), self.shown())
    }

    /// A text of this list, fit to be shown: printable ASCII, not too long, without the key.
    pub(in crate::checks) fn cleaned(&self, text: &str) -> String {
        let secret = self.name.is_some() && text.to_ascii_lowercase().contains(self.zone.as_ref());
        if secret {
            return "(the list's text names the secret zone)".to_owned();
        }
        if text.len() <= TEXT_MAX && text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
            return text.to_owned();
        }
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        text.chars().take(TEXT_MAX).map(printable).collect()
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zone")
            .field("shown", &self.shown())
            .field("answers", &self.answers)
            .field("points", &self.points)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl TryFrom<Written> for Zone {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written {
            zone,
            answers,
            points,
            name,
            timeout,
        } = written;
        let shown: String = zone.chars().take(NAME_MAX).collect();
        let shown = match name {
            // What has a name may be a secret, mistyped or not.
            Some(_) => "zone".to_owned(),
            None => format!("zone = {shown:?}"),
        };
        let wrong = |what: &str| format!("{shown} {what}; write one such as \"zen.spamhaus.org\"");
        let zone = zone.strip_suffix('.').unwrap_or(&zone).to_ascii_lowercase();
        if zone.len() > ZONE_MAX || Domain::parse(&zone, false).is_none() {
            return Err(wrong("is no domain"));
        }
        if zone.parse::<std::net::IpAddr>().is_ok() {
            return Err(wrong("is an address, not a domain"));
        }
        if name.is_none() && SECRET_BELOW.iter().any(|parent| zone.ends_with(parent)) {
            return Err(
                "this zone holds a secret key; add name = \"...\", which is shown instead"
                    .to_owned(),
            );
        }
        let is_word = |name: &String| {
            (1..=NAME_MAX).contains(&name.len())
                && name.bytes().all(|octet| octet.is_ascii_graphic())
        };
        if !name.iter().all(is_word) {
            return Err(format!(
                "name does not do; write one word of at most {NAME_MAX} ASCII characters"
            ));
        }
        let name = name.map(String::into_boxed_str);
        Ok(Self {
            zone: zone.into(),
            name,
            answers,
            points,
            timeout,
        })
    }
}

/// Reads how long an answer may take.
pub(in crate::checks) fn timeout<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Millis>, D::Error> {
    let written = String::deserialize(deserializer)?;
    let timeout = humantime::parse_duration(&written).ok().map(Millis::from);
    timeout
        .filter(|timeout| *timeout > Millis(0))
        .map(Some)
        .ok_or_else(|| {
            de::Error::custom(format!(
                "timeout {written:?} is no duration: write one such as \"2s\""
            ))
        })
}

/// Answers are kept by the names that are shown: one name must not stand for two zones, nor two
/// names for one.
pub(in crate::checks) fn tell_apart<'z>(
    zones: impl IntoIterator<Item = &'z Zone>,
) -> Result<(), SettingsError> {
    let zones: Vec<&Zone> = zones.into_iter().collect();
    for (at, zone) in zones.iter().enumerate() {
        for earlier in zones.iter().take(at) {
            let (same_zone, same_name) =
                (zone.zone == earlier.zone, zone.shown() == earlier.shown());
            if same_zone != same_name {
                let shown = zone.shown();
                let what = if same_name {
                    "another zone"
                } else {
                    "the same zone"
                };
                let message = format!(
                    "{what} is also shown as {:?}, not only {shown:?}",
                    earlier.shown()
                );
                return Err(SettingsError {
                    path: format!("zones[{at}]"),
                    message,
                });
            }
        }
    }
    Ok(())
}
