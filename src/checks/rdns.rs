//! Reverse DNS: has the client's address a name, does the name lead back, and does it look like a home connection's?
//!
//! The second is iprev of RFC 8601 §2.7.3: PTR, then A or AAAA of every name, after the client's own family. One name
//! that leads back is enough. Legitimate mail comes from addresses without a name (1.3 to 3.6 % in measurements of
//! 2007 to 2009), so nothing here denies on its own. Names of private addresses are not asked for.

mod dynamic;

pub use dynamic::looks_dynamic;

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::checks::examination::{Examination, InZone};
use crate::checks::finding::Outcome;
use crate::checks::identity;
use crate::checks::points::Points;
use crate::checks::{Check, Kind, SettingsError, names, settings};
use crate::facts::{DnsAnswer, Failure, RecordType};

pub(in crate::checks) const KIND: Kind = Kind {
    name: "rdns",
    summary: "has the client's address a name that leads back to it?",
    sample: SAMPLE,
    build,
};

const SAMPLE: &str = r#"# Points for an address without any name (PTR).
no_name = 1.5
# Points for an address none of whose names leads back to it (A or AAAA; RFC 8601 §2.7.3).
unconfirmed = 1
# Points for a name that looks like that of a dynamic address: it holds the address, or words such as "dynamic", "dsl",
# "pool", and none such as "mail" or "static".
dynamic = 2
# Never more than this for all of them together.
at_most = 3
"#;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Rdns {
    no_name: Points,
    unconfirmed: Points,
    dynamic: Points,
    at_most: Points,
}

impl Default for Rdns {
    fn default() -> Self {
        Self {
            no_name: Points::hundredths(150),
            unconfirmed: Points::new(1),
            dynamic: Points::new(2),
            at_most: Points::new(3),
        }
    }
}

fn build(table: serde_json::Value) -> Result<Option<Box<dyn Check>>, SettingsError> {
    let check: Rdns = settings(table)?;
    Ok(Some(Box::new(check)))
}

/// The names of the client's address by what their addresses say.
struct Names<'n> {
    client: IpAddr,
    all: &'n [Cow<'n, str>],
    confirmed: Vec<&'n str>,
    failed: Vec<&'n str>,
    pending: Vec<&'n str>,
    failure: Option<Failure>,
}

impl Check for Rdns {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn examine(&self, examination: &mut Examination<'_>) {
        let Some(client) = names::public_client(examination.facts()) else {
            return;
        };
        let reversed = names::reversed(client);
        let question = names::reverse_name(client, &reversed);
        let named = self.could_bring(self.unconfirmed, self.dynamic);
        let unnamed = self.could_bring(self.no_name, Points::ZERO);
        let could_bring = *named.start().min(unnamed.start())..=*named.end().max(unnamed.end());
        let asked = examination.dns_in_zone(question, RecordType::Ptr, could_bring);
        let Some((answer, _)) = asked else { return };
        if let DnsAnswer::Failed(failure) = answer {
            let evidence = format!("no answer about its reverse name: {}", failure.label());
            return examination.found(Outcome::Unknown, Points::ZERO, "failed", evidence);
        }
        let all = names::reverse_names(answer);
        if all.is_empty() {
            let points = self.no_name.min(self.at_most.above_zero());
            return examination.found(Outcome::Fail, points, "no_name", "has no reverse name");
        }
        self.weigh(&Names::of(client, &all, examination), examination);
    }
}

impl Rdns {
    fn weigh(&self, host: &Names<'_>, examination: &mut Examination<'_>) {
        let dynamic = host.look_dynamic();
        let mut left = self.at_most.above_zero();
        if dynamic == Some(true) {
            let points = self.dynamic.min(left);
            left = left - points.above_zero();
            let evidence = format!("has a reverse name that looks dynamic ({})", host.shown());
            examination.found(Outcome::Fail, points, "dynamic", evidence);
        }
        let unconfirmed = self.unconfirmed.min(left);
        let confirmable = host.confirmed.is_empty() && host.failed.is_empty();
        if !host.pending.is_empty() && (confirmable || dynamic.is_none()) {
            let zero = Points::ZERO;
            let unconfirmed = if confirmable { unconfirmed } else { zero };
            let dynamic = if dynamic.is_none() {
                self.dynamic
            } else {
                zero
            };
            let kind = kind_of(host.client);
            let questions = host.pending.iter().map(|name| (InZone::plain(name), kind));
            let could_bring = self.could_bring(unconfirmed, dynamic);
            return examination.ask(questions, could_bring);
        }
        match (host.confirmed.first(), host.failure) {
            (Some(name), _) => {
                // The next host with a name that looks dynamic is somebody else.
                if dynamic == Some(false)
                    && let Some(named) = identity::named(name)
                {
                    examination.vouch(named);
                }
                let shown = names::shown(name);
                let evidence = ["its reverse name ", &shown, " leads back to it"].concat();
                examination.found(Outcome::Pass, Points::ZERO, "confirmed", evidence);
            }
            (None, Some(failure)) => {
                let (name, failure) = (host.shown(), failure.label());
                let evidence = format!("no answer about its reverse name {name}: {failure}");
                examination.found(Outcome::Unknown, Points::ZERO, "failed", evidence);
            }
            (None, None) => {
                let name = host.shown();
                let evidence = format!("has a reverse name that does not lead back to it ({name})");
                examination.found(Outcome::Fail, unconfirmed, "unconfirmed", evidence);
            }
        }
    }

    /// What findings of these points could bring, within `at_most`.
    fn could_bring(&self, one: Points, other: Points) -> RangeInclusive<Points> {
        let most = one.above_zero() + other.above_zero();
        one.below_zero() + other.below_zero()..=most.min(self.at_most.above_zero())
    }
}

const fn kind_of(client: IpAddr) -> RecordType {
    match client {
        IpAddr::V4(_) => RecordType::A,
        IpAddr::V6(_) => RecordType::Aaaa,
    }
}

impl<'n> Names<'n> {
    fn of(client: IpAddr, all: &'n [Cow<'n, str>], examination: &Examination<'_>) -> Self {
        let mut names = Self {
            client,
            all,
            confirmed: Vec::new(),
            failed: Vec::new(),
            pending: Vec::new(),
            failure: None,
        };
        // What is no host name leads nowhere, and is not asked for.
        for name in all.iter().filter(|name| names::is_host_name(name)) {
            let known = examination.known(InZone::plain(name), kind_of(client));
            match known.map(|(answer, _)| answer) {
                None => names.pending.push(name),
                Some(DnsAnswer::Failed(failure)) => {
                    names.failed.push(name);
                    names.failure = Some(*failure);
                }
                Some(answer) if answer.addresses().any(|found| found == client) => {
                    names.confirmed.push(name);
                }
                Some(_) => {}
            }
        }
        names
    }

    /// Whether the names that count look dynamic: those that lead back, or all if none does. Not yet known while it
    /// depends on which of them do. One that could not be looked up counts too: no name is called dynamic by accident.
    fn look_dynamic(&self) -> Option<bool> {
        let looks = |name: &str| looks_dynamic(name, self.client);
        match self.all.iter().filter(|name| looks(name)).count() {
            all if all == self.all.len() => return Some(true),
            0 => return Some(false),
            _ => {}
        }
        let mut counting = self.confirmed.iter().chain(&self.failed);
        if counting.any(|name| !looks(name)) {
            return Some(false);
        }
        self.pending
            .is_empty()
            .then_some(!self.confirmed.is_empty())
    }

    fn shown(&self) -> Cow<'n, str> {
        let name = self.confirmed.first().copied();
        name.or(self.all.first().map(AsRef::as_ref))
            .map(names::shown)
            .unwrap_or_default()
    }
}
