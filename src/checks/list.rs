//! What a list in the DNS says (RFC 5782): the part that lists of addresses and lists of names share.
//!
//! A list is asked for an A record for each of its subjects, all at once, and for the TXT record of one that is listed;
//! nothing waits for the text. However many subjects are listed, the list brings its points once. An answer counts only
//! when it is in the zone's filter, and never when it is none that a list can give: 127.255.255.0/24 (the operator's
//! error codes), 127.0.0.1 (must never be listed, RFC 5782 §5) or anything outside 127.0.0.0/8 (a zone that was given up
//! and answers with somebody's web server). A zone that gave such an answer said nothing.

mod zone;

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::checks::examination::{Examination, InZone};
use crate::checks::finding::Outcome;
use crate::checks::names;
use crate::checks::points::Points;
use crate::facts::{DnsAnswer, Failure, Millis, RecordType};

pub(in crate::checks) use zone::{Written, Zone, tell_apart, timeout};

/// What a list is asked about, as it stands in front of the zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checks) enum Subject<'a> {
    /// The client itself, by its address reversed.
    Client(&'a str),
    /// A name it uses, in lower case.
    Name(&'a str),
}

impl<'a> Subject<'a> {
    const fn prefix(self) -> &'a str {
        match self {
            Self::Client(prefix) | Self::Name(prefix) => prefix,
        }
    }

    /// What a finding begins with; nothing for the client itself.
    fn label(self) -> String {
        match self {
            Self::Client(_) => String::new(),
            Self::Name(name) => format!("uses the name {}, ", names::shown(name)),
        }
    }
}

/// What an answer says, by the zone's filter.
#[derive(Debug, PartialEq, Eq)]
enum Reading {
    NotListed,
    /// Listed, but with nothing that counts; the first such answer.
    NotCounted(Ipv4Addr),
    /// The answers that count.
    Listed(Vec<Ipv4Addr>),
    Unknown(Unusable),
}

/// Why an answer says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unusable {
    Failed(Failure),
    Late(Millis),
    Trouble(Ipv4Addr),
}

impl Zone {
    /// Asks about all subjects and concludes once.
    pub(in crate::checks) fn examine(
        &self,
        subjects: &[Subject<'_>],
        examination: &mut Examination<'_>,
    ) {
        let mut pending = false;
        let mut best: Option<(Subject<'_>, Reading)> = None;
        for &subject in subjects {
            let Some((answer, took)) = examination.known(self.name_of(subject), RecordType::A)
            else {
                pending = true;
                continue;
            };
            let reading = self.read(answer, took);
            // Of equals the first: it is what was looked at first.
            if best
                .as_ref()
                .is_none_or(|(_, known)| reading.weight() > known.weight())
            {
                best = Some((subject, reading));
            }
        }
        match best {
            Some((subject, Reading::Listed(answers))) => {
                self.listed(subject, &answers, examination);
            }
            _ if pending => {
                let names = subjects
                    .iter()
                    .map(|subject| (self.name_of(*subject), RecordType::A));
                examination.ask(names, self.points.span());
            }
            Some((subject, reading)) => self.not_listed(subject, &reading, examination),
            None => {}
        }
    }

    /// Whether the DNS has names as long as that.
    pub(in crate::checks) fn has_room_for(&self, subject: Subject<'_>) -> bool {
        subject.prefix().len() + ".".len() + self.zone.len() <= names::DNS_NAME_MAX
    }

    fn read(&self, answer: &DnsAnswer, took: Millis) -> Reading {
        if let DnsAnswer::Failed(failure) = answer {
            return Reading::Unknown(Unusable::Failed(*failure));
        }
        if self.timeout.is_some_and(|timeout| took > timeout) {
            return Reading::Unknown(Unusable::Late(took));
        }
        if let Some(answer) = answer.a().find(|answer| is_trouble(*answer)) {
            return Reading::Unknown(Unusable::Trouble(answer));
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

    fn not_listed(
        &self,
        subject: Subject<'_>,
        reading: &Reading,
        examination: &mut Examination<'_>,
    ) {
        let (outcome, reason, evidence) = match reading {
            Reading::Unknown(why) => {
                let (reason, evidence) = self.unusable(*why);
                (Outcome::Unknown, reason, evidence)
            }
            Reading::NotCounted(answer) => {
                let (label, shown) = (subject.label(), self.shown());
                let evidence = format!("{label}listed by {shown} ({answer}), not counted");
                (Outcome::Pass, "not_counted", evidence)
            }
            Reading::NotListed | Reading::Listed(_) => {
                let evidence = ["not listed by ", self.shown()].concat();
                (Outcome::Pass, "not_listed", evidence)
            }
        };
        examination.found(outcome, Points::ZERO, reason, evidence);
    }

    /// Reason and evidence.
    fn unusable(&self, why: Unusable) -> (&'static str, String) {
        let zone = self.shown();
        match why {
            Unusable::Failed(failure) => {
                let evidence = format!("no answer from {zone}: {}", failure.label());
                ("failed", evidence)
            }
            Unusable::Late(took) => ("late", format!("{zone} answered after {took} only")),
            Unusable::Trouble(answer) => {
                let evidence = format!("{zone} answered {answer}: {}", trouble(answer));
                ("zone_trouble", evidence)
            }
        }
    }

    fn listed(
        &self,
        subject: Subject<'_>,
        answers: &[Ipv4Addr],
        examination: &mut Examination<'_>,
    ) {
        let mut evidence = format!("{}listed by {} (", subject.label(), self.shown());
        for (at, answer) in answers.iter().enumerate() {
            let separator = if at == 0 { "" } else { ", " };
            // Writing to a String does not fail.
            let _ = write!(evidence, "{separator}{answer}");
        }
        evidence.push(')');
        if self.points < Points::ZERO {
            return examination.found(Outcome::Trust, self.points, "listed", evidence);
        }
        let name = self.name_of(subject);
        let text = examination.dns_in_zone(name, RecordType::Txt, Points::ZERO.span());
        if let Some(text) = text.and_then(|(answer, _)| answer.txt().min()) {
            evidence.push_str(": ");
            evidence.push_str(&self.cleaned(text));
        }
        examination.found(Outcome::Fail, self.points, "listed", evidence);
    }

    fn name_of<'a>(&'a self, subject: Subject<'a>) -> InZone<'a> {
        InZone {
            prefix: subject.prefix(),
            zone: &self.zone,
            shown: self.name.as_deref(),
        }
    }
}

impl Reading {
    /// What speaks loudest of several subjects; one that could not be looked up leaves the list unsure.
    const fn weight(&self) -> u8 {
        match self {
            Self::NotListed => 0,
            Self::NotCounted(_) => 1,
            Self::Unknown(_) => 2,
            Self::Listed(_) => 3,
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
