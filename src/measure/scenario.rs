//! A scenario: who comes to a mail server and how, as shares and habits in a file one can edit. The numbers are data, each
//! with how well it is known; `traffic` makes traces of them. What a value means stands with it here and, for people, in
//! `config/scenarios/*.toml` and `docs/measure.md`.
//!
//! A scenario knows nothing of filters: it holds behaviour and the DNS around it.

mod check;
mod values;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::config::{self, Problem};
use crate::measure::trace::{Case, Class, Label, Latency, Traits};

/// Scenarios that are built in: name and file.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("2008", include_str!("../../config/scenarios/2008.toml")),
    ("2016", include_str!("../../config/scenarios/2016.toml")),
    ("2026", include_str!("../../config/scenarios/2026.toml")),
];

/// Who comes to a mail server, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub about: String,
    /// The file's SHA-256, hexadecimal.
    #[serde(skip)]
    pub hash: String,
    /// Virtual time from the first errand to the last; an hour to a week.
    #[serde(with = "values::duration")]
    pub span: Duration,
    /// Shares and traits (`effectiveness.md` §3.3): every class.
    pub class: BTreeMap<Class, Row>,
    /// What they send, how often, and how they try again: every class.
    pub habits: BTreeMap<Class, Habits>,
    /// Pools of addresses that many senders share.
    pub pool: BTreeMap<String, Pool>,
    /// When senders try again.
    pub timetable: BTreeMap<String, Timetable>,
    /// What is no column of a table.
    pub other: Other,
    /// The DNS.
    pub dns: Dns,
    /// Lists of addresses.
    pub list: Vec<ListPlan>,
    /// How many there are of each special case, on top of what is drawn.
    pub case: BTreeMap<Case, u32>,
    /// How far what is assumed might be off.
    pub sensitivity: Vec<Sensitivity>,
}

/// How well a value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Evidence {
    /// Measured, and the source was read.
    A,
    /// Measured, known from an abstract or a report about it.
    B,
    /// General knowledge, not looked up.
    C,
    /// Estimated or assumed here.
    D,
}

/// A value and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// The value; percent unless the key says otherwise.
    pub value: f64,
    /// How well it is known.
    pub evidence: Evidence,
}

/// A class's share and traits, percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Of the connections to port 25; those of all classes but M1 make 100. M1 comes on top, to its own port.
    pub share: f64,
    /// Listed when first seen.
    pub listed: f64,
    /// Speaks while a greeting that begins with `220-` is not complete for 6 seconds.
    pub early: f64,
    /// Pipelines without leave.
    pub pipelines: f64,
    /// Its HELO fails a test of shape: our name, a bare address, no dot.
    pub bad_helo: f64,
    /// Its address has no name.
    pub no_ptr: f64,
    /// Its address has a name that looks dynamic.
    pub dynamic: f64,
    /// SPF says fail.
    pub spf_fail: f64,
    /// The sender's domain has neither MX nor address.
    pub bad_domain: f64,
    /// Does not come back 5 minutes to 24 hours after it was put off.
    pub no_retry: f64,
    /// Leaves without QUIT.
    pub no_quit: f64,
    /// How well this is known.
    pub evidence: Evidence,
}

/// What a class sends, how often, and how it tries again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Habits {
    /// The least and the most recipients of a transaction.
    pub recipients: [u32; 2],
    /// Of the recipients, percent that do not exist.
    pub unknown: f64,
    /// Transactions in a connection, on average.
    pub messages: f64,
    /// Percent of addresses that come once, twice, three times, four times, 5 to 10 and 11 to 30 times.
    pub visits: [f64; 6],
    /// The least and the most addresses of one network; more than one: they belong together.
    pub network: [u32; 2],
    /// There are no more addresses than this; the others' errands fall to them. 0: no limit.
    #[serde(default)]
    pub most_addresses: u32,
    /// The pool it sends from, instead of addresses of its own.
    #[serde(default)]
    pub pool: Option<String>,
    /// Percent of the addresses that stand on an allow list.
    pub allowed: f64,
    /// Percent for which SPF says pass, of the connections.
    pub spf_pass: f64,
    /// Timetables, one of which is taken for each sender; named twice: twice as often.
    pub retries: Vec<String>,
    /// When it comes.
    pub rhythm: Rhythm,
    /// After this long half of those not yet listed are; `"0s"`: they never are.
    #[serde(default, with = "values::duration")]
    pub half_listed: Duration,
    /// How well this is known.
    pub evidence: Evidence,
}

/// When a class comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rhythm {
    /// In the daytime, with few at night.
    Day,
    /// 3 to 19 o'clock, most at 7; an address comes several times within minutes.
    Bot,
    /// At any time.
    Even,
    /// Many within a few minutes.
    Batch,
    /// Every few minutes, always.
    Steady,
}

/// Senders who share networks: those of mailbox providers and mailing services.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// How many there are.
    pub providers: u32,
    /// The least and the most addresses of one.
    pub addresses: [u32; 2],
    /// Percent of the providers on an allow list.
    pub allowed: f64,
    /// How well this is known.
    pub evidence: Evidence,
}

/// When a sender tries again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timetable {
    /// Since the first try.
    #[serde(with = "values::durations")]
    pub after: Vec<Duration>,
    /// Then again this often...
    #[serde(default, with = "values::duration")]
    pub every: Duration,
    /// ... until there are so many tries in all; 0: those in `after` are all.
    #[serde(default)]
    pub tries: u32,
    /// From how many addresses of a pool the tries come.
    #[serde(default = "values::one")]
    pub addresses: u32,
    /// How far each time is off, percent either way.
    #[serde(default)]
    pub jitter: f64,
    /// How well this is known.
    pub evidence: Evidence,
}

/// What is no column of a table. Percent unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Other {
    /// Of B1, B2 and D1: leave when they are not greeted within 2 to 10 seconds.
    pub leaves_early: Figure,
    /// Of B1 to B4: use STARTTLS.
    pub starttls_bots: Figure,
    /// Of V1, W1, P1 and E1.
    pub starttls_spam: Figure,
    /// Of legitimate senders.
    pub starttls_legitimate: Figure,
    /// Of B1 to B4 and D1: go to the secondary first.
    pub secondary_bots: Figure,
    /// Of all spam and hostile connections: go to the secondary. What the bots leave is for A1 and A2, at most half of
    /// theirs.
    pub secondary_unwanted: Figure,
    /// Of legitimate connections: come to the secondary because the primary was busy.
    pub secondary_legitimate: Figure,
    /// Of spam transactions: name postmaster@ or abuse@ too.
    pub also_postmaster: Figure,
    /// Of spam and hostile senders: HELO instead of EHLO.
    pub helo_unwanted: Figure,
    /// Of legitimate senders.
    pub helo_legitimate: Figure,
    /// Of spam and hostile connections: over IPv6.
    pub ipv6_unwanted: Figure,
    /// Of legitimate connections.
    pub ipv6_legitimate: Figure,
    /// Median size of spam, KB.
    pub size_spam: Figure,
    /// Median size of legitimate messages, KB.
    pub size_legitimate: Figure,
    /// Standard deviation of the natural logarithm of sizes.
    pub size_sigma: Figure,
    /// Of HELO names of bots that have a dot: do not exist.
    pub unknown_helo_bots: Figure,
    /// Of those of G4 and G8.
    pub unknown_helo_poor: Figure,
    /// Of those of the other legitimate senders.
    pub unknown_helo_good: Figure,
    /// Of addresses with a name: the name does not lead back.
    pub unconfirmed: Figure,
    /// Of dynamic addresses of spam and hostile senders: listed, where the class's column leaves room for it.
    pub dynamic_listed: Figure,
    /// Of the early talkers of B1: HELO instead of EHLO, and no QUIT.
    pub early_are_rude: Figure,
    /// Of B1 and B4: try another sender at once after a 5xx.
    pub other_sender: Figure,
    /// Of D1: leave at the first recipient that does not exist.
    pub leaves_at_unknown: Figure,
    /// Of bots that do not come back later: come back within a minute.
    pub hasty: Figure,
    /// Of the networks of V1: send all they have within 3 minutes, and are listed 1 to 2 minutes after they began.
    pub hailstorms: Figure,
    /// Of G7: ask for a recipient and send nothing.
    pub callouts: Figure,
    /// Of G7 and G8: wait no longer than 15, 30 or 45 seconds to be greeted.
    pub short_patience: Figure,
    /// Of G8: a bare LF in the message.
    pub bare_newline: Figure,
    /// What guessers greet with; each as often as it stands here.
    pub guesser_names: Vec<String>,
}

impl Other {
    /// Every value that is a percentage, with its key.
    #[must_use]
    pub const fn percents(&self) -> [(&'static str, Figure); 25] {
        [
            ("leaves_early", self.leaves_early),
            ("starttls_bots", self.starttls_bots),
            ("starttls_spam", self.starttls_spam),
            ("starttls_legitimate", self.starttls_legitimate),
            ("secondary_bots", self.secondary_bots),
            ("secondary_unwanted", self.secondary_unwanted),
            ("secondary_legitimate", self.secondary_legitimate),
            ("also_postmaster", self.also_postmaster),
            ("helo_unwanted", self.helo_unwanted),
            ("helo_legitimate", self.helo_legitimate),
            ("ipv6_unwanted", self.ipv6_unwanted),
            ("ipv6_legitimate", self.ipv6_legitimate),
            ("unknown_helo_bots", self.unknown_helo_bots),
            ("unknown_helo_poor", self.unknown_helo_poor),
            ("unknown_helo_good", self.unknown_helo_good),
            ("unconfirmed", self.unconfirmed),
            ("dynamic_listed", self.dynamic_listed),
            ("early_are_rude", self.early_are_rude),
            ("other_sender", self.other_sender),
            ("leaves_at_unknown", self.leaves_at_unknown),
            ("hasty", self.hasty),
            ("hailstorms", self.hailstorms),
            ("callouts", self.callouts),
            ("short_patience", self.short_patience),
            ("bare_newline", self.bare_newline),
        ]
    }
}

/// How the DNS answers. Real time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The median, milliseconds (log-normal).
    pub median: f64,
    /// The standard deviation of its natural logarithm.
    pub sigma: f64,
    /// Percent of questions that are never answered.
    pub lost: f64,
    /// How well this is known.
    pub evidence: Evidence,
}

impl Dns {
    pub(in crate::measure) const fn latency(&self) -> Latency {
        Latency {
            median: self.median / 1000.0,
            sigma: self.sigma,
            lost: self.lost / 100.0,
        }
    }
}

/// A list of addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPlan {
    /// Its zone.
    pub zone: String,
    /// What it lists.
    pub lists: Lists,
    /// Percent of what it could list.
    pub coverage: f64,
    /// When it is out of order.
    #[serde(default)]
    pub trouble: Vec<TroublePlan>,
    /// How well this is known.
    pub evidence: Evidence,
}

/// What a list lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lists {
    /// Addresses with the trait `listed`; the answers are 127.0.0.2 (hand-picked), .3 (snowshoe), .4 (bots), .10
    /// (dynamic).
    Listed,
    /// Good senders; the answers are 127.0.5.1 to 127.0.5.3.
    Allowed,
}

/// When a list is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TroublePlan {
    /// From when on.
    #[serde(with = "values::duration")]
    pub at: Duration,
    /// How long.
    #[serde(rename = "for", with = "values::duration")]
    pub lasts: Duration,
    /// What it answers to everything; nothing: it does not answer.
    #[serde(default)]
    pub says: Option<Ipv4Addr>,
}

/// How far a trait's share in a group might be off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensitivity {
    /// The trait.
    #[serde(rename = "trait")]
    pub of: Trait,
    /// Whose.
    pub among: Group,
    /// Percent of the group, at the least.
    pub low: f64,
    /// Percent, at the most.
    pub high: f64,
    /// How well these bounds are known.
    pub evidence: Evidence,
}

/// Whom a share is counted among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// Spam and hostile.
    Unwanted,
    /// Spam.
    Spam,
    /// Legitimate.
    Legitimate,
}

impl Group {
    /// Whether what is counted as `label` belongs to it.
    #[must_use]
    pub const fn has(self, label: Label) -> bool {
        match self {
            Self::Unwanted => matches!(label, Label::Spam | Label::Hostile),
            Self::Spam => matches!(label, Label::Spam),
            Self::Legitimate => matches!(label, Label::Legitimate),
        }
    }
}

macro_rules! traits {
    ($($name:ident $field:ident $about:literal,)*) => {
        /// A column of the table of classes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Trait { $(#[doc = $about] $name,)* }

        impl Trait {
            /// Every column.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its word, as in scenario files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($field),)* }
            }

            /// What it is, for people.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }

            /// Whether it was drawn.
            #[must_use]
            pub const fn was_drawn(self, traits: &Traits) -> bool {
                match self { $(Self::$name => traits.$field,)* }
            }

            /// Percent of a class that have it.
            #[must_use]
            pub const fn percent(self, row: &Row) -> f64 {
                match self { $(Self::$name => row.$field,)* }
            }
        }
    };
}

traits! {
    Listed listed "listed when first seen",
    Early early "speaks before it is greeted",
    Pipelines pipelines "pipelines without leave",
    BadHelo bad_helo "HELO of bad shape",
    NoPtr no_ptr "no reverse name",
    Dynamic dynamic "dynamic reverse name",
    SpfFail spf_fail "SPF fail",
    BadDomain bad_domain "sender domain that takes no mail",
    NoRetry no_retry "does not come back",
    NoQuit no_quit "no QUIT",
}

impl Scenario {
    /// A scenario that is built in, or a file.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the file.
    pub fn load(name: &str) -> Result<Self, Vec<Problem>> {
        if let Some((name, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
            return Self::parse(Path::new(&format!("config/scenarios/{name}.toml")), text);
        }
        let path = Path::new(name);
        let hint = "name a scenario file, or one of 2008, 2016 and 2026, which are built in";
        Self::parse(path, &config::read_document(path, hint)?)
    }

    /// Reads the text of the file `name`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with line, key and what to write instead.
    pub fn parse(name: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let mut scenario: Self = config::document(name, text, check::faults)?;
        scenario.hash = HEXLOWER.encode(digest(&SHA256, text.as_bytes()).as_ref());
        Ok(scenario)
    }

    /// How many rows, figures, timetables and bounds there are of each level of evidence.
    #[must_use]
    pub fn evidence(&self) -> BTreeMap<Evidence, usize> {
        let rows = self.class.values().map(|row| row.evidence);
        let habits = self.habits.values().map(|habits| habits.evidence);
        let pools = self.pool.values().map(|pool| pool.evidence);
        let timetables = self.timetable.values().map(|one| one.evidence);
        let percents = self.other.percents();
        let others = percents.iter().map(|(_, figure)| figure.evidence);
        let other = &self.other;
        let sizes = [other.size_spam, other.size_legitimate, other.size_sigma];
        let lists = self.list.iter().map(|list| list.evidence);
        let bounds = self.sensitivity.iter().map(|range| range.evidence);
        let all = rows
            .chain(habits)
            .chain(pools)
            .chain(timetables)
            .chain(others);
        let all = all.chain(sizes.map(|figure| figure.evidence));
        let mut counts = BTreeMap::new();
        for evidence in all.chain([self.dns.evidence]).chain(lists).chain(bounds) {
            *counts.entry(evidence).or_default() += 1;
        }
        counts
    }

    /// The row of the class of this name.
    fn class_row(&self, name: &str) -> Option<&Row> {
        let mut rows = self.class.iter();
        rows.find_map(|(class, row)| (class.name() == name).then_some(row))
    }

    /// The share-weighted mean of a trait over a group, percent: what the tables say, before anything is drawn.
    #[must_use]
    pub fn expected(&self, of: Trait, among: Group) -> f64 {
        let rows = self
            .class
            .iter()
            .filter(|(class, _)| among.has(class.label()) && **class != Class::M1);
        let (sum, shares) = rows.fold((0.0, 0.0), |(sum, shares), (_, row)| {
            (sum + row.share * of.percent(row), shares + row.share)
        });
        if shares > 0.0 { sum / shares } else { 0.0 }
    }
}

#[cfg(test)]
mod tests;
