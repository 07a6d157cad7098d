//! The answers among the facts, and how one is found: every question of every check is looked for among all of them.
//!
//! A name is compared piece by piece, and becomes one only when it must be asked for.

use std::cell::Cell;

use crate::facts::{Answered, DnsName, Question, RecordType};

/// A name in the zone of a list: what is looked up, as the list wants it, in front of the zone.
/// It is put together only when it must be asked, for every judgement goes through all lists.
#[derive(Clone, Copy, Debug)]
pub struct InZone<'a> {
    /// What is looked up: `2.0.0.127`; nothing for a name that is in no zone.
    pub prefix: &'a str,
    /// The zone, which may be secret.
    pub zone: &'a str,
    /// What the zone is shown by, if it is secret.
    pub shown: Option<&'a str>,
}

impl<'a> InZone<'a> {
    /// A name that is in no zone of a list, in lower case.
    #[must_use]
    pub const fn plain(name: &'a str) -> Self {
        Self {
            prefix: "",
            zone: name,
            shown: None,
        }
    }

    /// What stands between prefix and zone.
    const fn dot(&self) -> &'static str {
        if self.prefix.is_empty() { "" } else { "." }
    }

    /// What its zone is shown by.
    fn zone_shown(&self) -> &'a str {
        self.shown.unwrap_or(self.zone)
    }

    pub(super) fn glance(&self, kind: RecordType) -> Glance {
        let octets = self.prefix.len() + self.dot().len() + self.zone_shown().len();
        Glance::of(kind, octets)
    }

    /// Whether `name` is shown as this one. The end is compared first: what a session asks differs there most.
    fn is(&self, name: &DnsName) -> bool {
        let front = name.shown().strip_suffix(self.zone_shown());
        let front = front.and_then(|front| front.strip_suffix(self.dot()));
        front == Some(self.prefix)
    }

    /// The name to ask for.
    pub(in crate::checks) fn name(&self) -> DnsName {
        let in_zone = |zone| [self.prefix, self.dot(), zone].concat();
        match self.shown {
            None => DnsName::new(in_zone(self.zone)),
            Some(shown) => DnsName::secret(in_zone(self.zone), in_zone(shown)),
        }
    }
}

/// What tells a question of the DNS from most others at a glance: its type and the octets of the name, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Glance(usize);

impl Glance {
    /// Of all other questions.
    pub(super) const OTHER: Self = Self(0);

    const fn of(kind: RecordType, octets: usize) -> Self {
        Self(octets << 3 | (kind as usize + 1))
    }
}

/// An answer among the facts.
#[derive(Debug)]
pub(super) struct Given<'a> {
    pub(super) glance: Glance,
    pub(super) answered: &'a Answered,
    /// The checks that have used it, as a set.
    used: Cell<u32>,
}

impl<'a> Given<'a> {
    pub(super) fn new(answered: &'a Answered) -> Self {
        let glance = match &answered.question {
            Question::Dns { name, kind } => Glance::of(*kind, name.shown().len()),
            _ => Glance::OTHER,
        };
        Self {
            glance,
            answered,
            used: Cell::new(0),
        }
    }

    /// The answer, noting who uses it.
    pub(super) fn use_by(&self, checks: u32) -> &'a Answered {
        self.used.set(self.used.get() | checks);
        self.answered
    }

    pub(super) fn used_by(&self) -> u32 {
        self.used.get()
    }

    pub(super) fn is(&self, name: &InZone<'_>, glance: Glance) -> bool {
        self.glance == glance
            && matches!(&self.answered.question, Question::Dns { name: asked, .. } if name.is(asked))
    }
}
