//! Who may have been refused wrongly. No proof, but worth a look: each with session ids for `gatepost explain ID`.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;
use serde::Serialize;

use crate::facts::{network_of, one_client};
use crate::journal::Timestamp;
use crate::measure::report::moment::time;
use crate::measure::tally::look::Looked;

/// The longest list.
const LISTED: usize = 20;
/// Clients and recipients that are watched at a time; later ones are not, and that is said.
const WATCHED: usize = 300_000;
/// Coming again more often than this, over longer than this, is what a mail server does.
const OFTEN: u32 = 5;
const LONG: u64 = 4 * 3600 * 1000;

/// Sessions that should be looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Suspects {
    /// Clients that were denied, or dropped, and later delivered mail.
    pub denied_then_passed: u64,
    /// Of these, those that would have been denied, had the policy not only observed.
    pub denied_then_passed_observed: u64,
    /// The first of them.
    pub denied_then_passed_first: Vec<Suspect>,
    /// Sessions that were denied though SPF passes and the reverse name is confirmed.
    pub denied_though_vouched_for: u64,
    /// Of these, those that would have been denied, had the policy not only observed.
    pub denied_though_vouched_for_observed: u64,
    /// The first of them.
    pub denied_though_vouched_for_first: Vec<Suspect>,
    /// Clients that were refused or put off and came again more than 5 times over more than 4 hours, for the same recipient.
    pub came_again: u64,
    /// Those who came most often.
    pub came_again_first: Vec<Suspect>,
    /// Refusals that were not watched because there were too many.
    pub not_watched: u64,
}

impl Suspects {
    /// Each kind.
    #[must_use]
    pub fn kinds(&self) -> [SuspectKind<'_>; 3] {
        [
            SuspectKind {
                what: "denied, and delivered mail later",
                count: self.denied_then_passed,
                observed: self.denied_then_passed_observed,
                first: &self.denied_then_passed_first,
            },
            SuspectKind {
                what: "denied though SPF passes and the reverse name is confirmed",
                count: self.denied_though_vouched_for,
                observed: self.denied_though_vouched_for_observed,
                first: &self.denied_though_vouched_for_first,
            },
            SuspectKind {
                what: "refused more than 5 times over more than 4 hours",
                count: self.came_again,
                observed: 0,
                first: &self.came_again_first,
            },
        ]
    }
}

/// A kind of what is suspicious.
#[derive(Clone, Copy, Debug)]
pub struct SuspectKind<'a> {
    /// It, in words.
    pub what: &'static str,
    /// How often it was seen.
    pub count: u64,
    /// How often of these the policy only observed.
    pub observed: u64,
    /// The first of them.
    pub first: &'a [Suspect],
}

impl SuspectKind<'_> {
    /// It in words, with how often it would only have been.
    #[must_use]
    pub fn says(&self) -> String {
        match self.observed {
            0 => self.what.to_owned(),
            observed => format!("{} (only observed, would have been: {observed})", self.what),
        }
    }
}

/// A client, and the sessions to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// Its address or network.
    pub client: String,
    /// How often it was refused.
    pub times: u32,
    /// When it was refused first.
    pub first: Timestamp,
    /// When it came last.
    pub last: Timestamp,
    /// A session in which it was refused.
    pub refused: Box<str>,
    /// The session in which it came last, if that is another.
    pub then: Option<Box<str>>,
    /// Whether the policy only observed: it would have been refused.
    pub observed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Suspicion {
    denied: HashMap<IpNet, Watched>,
    /// Clients that were denied and have passed: each counts once.
    known: HashSet<IpNet>,
    again: HashMap<u64, (IpNet, Watched)>,
    passed: Found,
    vouched: Found,
    not_watched: u64,
}

#[derive(Clone, Debug)]
struct Watched {
    times: u32,
    first: u64,
    last: u64,
    refused: Box<str>,
    observed: bool,
}

#[derive(Debug, Default)]
struct Found {
    count: u64,
    observed: u64,
    first: Vec<Suspect>,
}

impl Found {
    fn add(&mut self, suspect: Suspect) {
        self.count += 1;
        self.observed += u64::from(suspect.observed);
        if self.first.len() < LISTED {
            self.first.push(suspect);
        }
    }
}

impl Watched {
    fn new(looked: &Looked) -> Self {
        Self {
            times: 0,
            first: looked.at,
            last: looked.at,
            refused: looked.id.clone(),
            observed: looked.observed,
        }
    }

    fn once_more(&mut self, at: u64) {
        self.times += 1;
        self.last = self.last.max(at);
    }

    fn suspect(&self, client: &IpNet, then: Option<Box<str>>) -> Suspect {
        Suspect {
            client: shown(client),
            times: self.times,
            first: time(self.first),
            last: time(self.last),
            refused: self.refused.clone(),
            then,
            observed: self.observed,
        }
    }
}

/// A network of one address as that address.
fn shown(client: &IpNet) -> String {
    match client.prefix_len() == client.max_prefix_len() {
        true => client.addr().to_string(),
        false => client.to_string(),
    }
}

impl Suspicion {
    pub(super) fn add(&mut self, looked: &Looked) {
        let Some(address) = looked.client else { return };
        let client = one_client(address);
        if looked.passed
            && let Some(mut watched) = self.denied.remove(&client)
        {
            watched.last = looked.at;
            self.known.insert(client);
            self.passed
                .add(watched.suspect(&client, Some(looked.id.clone())));
        }
        if looked.denied && !self.known.contains(&client) {
            self.not_watched += watch(
                &mut self.denied,
                self.known.len(),
                client,
                looked,
                || Watched::new(looked),
                |watched| watched,
            );
        }
        if looked.denied_though_vouched_for {
            let mut watched = Watched::new(looked);
            watched.times = 1;
            self.vouched
                .add(watched.suspect(&network_of(address, 32, 128), None));
        }
        for who in &looked.refusals {
            let new = || (client, Watched::new(looked));
            self.not_watched += watch(&mut self.again, 0, *who, looked, new, |(_, watched)| {
                watched
            });
        }
    }

    pub(super) fn report(self) -> Suspects {
        let often = self.again.into_values();
        let often =
            often.filter(|(_, one)| one.times > OFTEN && one.last.saturating_sub(one.first) > LONG);
        let mut often: Vec<(IpNet, Watched)> = often.collect();
        often.sort_by(|(_, one), (_, other)| {
            other
                .times
                .cmp(&one.times)
                .then_with(|| one.refused.cmp(&other.refused))
        });
        // Whoever came for several recipients is one.
        let mut told = HashSet::new();
        often.retain(|(client, _)| told.insert(*client));
        let came_again = u64::try_from(often.len()).unwrap_or(u64::MAX);
        often.truncate(LISTED);
        Suspects {
            denied_then_passed: self.passed.count,
            denied_then_passed_observed: self.passed.observed,
            denied_then_passed_first: self.passed.first,
            denied_though_vouched_for: self.vouched.count,
            denied_though_vouched_for_observed: self.vouched.observed,
            denied_though_vouched_for_first: self.vouched.first,
            came_again,
            came_again_first: often
                .iter()
                .map(|(client, one)| one.suspect(client, None))
                .collect(),
            not_watched: self.not_watched,
        }
    }
}

/// Notes one more refusal; 1 if there is no room to watch it, beside so many `others`.
fn watch<K: std::hash::Hash + Eq, V>(
    watched: &mut HashMap<K, V>,
    others: usize,
    who: K,
    looked: &Looked,
    new: impl FnOnce() -> V,
    one: impl FnOnce(&mut V) -> &mut Watched,
) -> u64 {
    if watched.len() + others >= WATCHED && !watched.contains_key(&who) {
        return 1;
    }
    one(watched.entry(who).or_insert_with(new)).once_more(looked.at);
    0
}
