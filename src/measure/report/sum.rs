//! Sessions added up, one after the other.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use ipnet::IpNet;

use crate::facts::one_site;
use crate::measure::report::delay::Delays;
use crate::measure::report::moment::time;
use crate::measure::report::policy::PolicySum;
use crate::measure::report::series::{Hours, Zones, top_list};
use crate::measure::report::suspects::Suspicion;
use crate::measure::report::{
    Dns, FindingRow, Greeting, Part, ReachedRow, Report, Sessions, Shares, Sorts, Spared,
};
use crate::measure::stats::{Interval, bootstrap_share, rule_of_three, share, wilson};
use crate::measure::tally::look::{Book, Kept, Looked, MESSAGES, RECIPIENTS, Reached};
use crate::measure::tally::top::Top;
use crate::measure::tally::{Read, Wanted};

/// The version of the report's form.
const VERSION: u8 = 1;
/// Networks and names that are counted at a time.
const COUNTED: usize = 100_000;
/// Client networks are put together into so many clusters, by chance.
const CLUSTERS: usize = 4096;
/// Where the drawing of clusters begins.
const SEED: u64 = 1;
/// Listeners, findings and the like that are told apart: more than any configuration has.
const TOLD_APART: usize = 4096;

/// What has been added up.
pub(super) struct Sum<'b> {
    book: &'b Book,
    first: Option<u64>,
    last: u64,
    sessions: Sessions,
    transactions: u64,
    recipients: [u64; 6],
    messages: [u64; 3],
    bytes: (u64, u64),
    reached: [ReachedRow; 5],
    spared: Spared,
    spared_ms: u64,
    dns: (u64, u64),
    greeting: (u64, u64, u64),
    findings: BTreeMap<(Box<str>, &'static str, Box<str>), u64>,
    policies: BTreeMap<Box<str>, PolicySum>,
    networks: Top<IpNet>,
    helo_names: Top<Box<str>>,
    zones: Zones,
    hours: Hours,
    delays: Delays,
    suspicion: Suspicion,
    sorts: Sorts,
    clusters: Vec<Cluster>,
}

/// What came from some networks.
#[derive(Clone, Copy, Debug, Default)]
struct Cluster {
    sessions: u64,
    kept: u64,
    dropped: u64,
    recipients: u64,
    refused: u64,
    put_off: u64,
}

impl<'b> Sum<'b> {
    pub(super) fn new(book: &'b Book) -> Self {
        let row = |reached| ReachedRow {
            reached,
            ..ReachedRow::default()
        };
        Self {
            book,
            first: None,
            last: 0,
            sessions: Sessions::default(),
            transactions: 0,
            recipients: [0; 6],
            messages: [0; 3],
            bytes: (0, 0),
            reached: ["connect", "helo", "mail", "rcpt", "data"].map(row),
            spared: Spared::default(),
            spared_ms: 0,
            dns: (0, 0),
            greeting: (0, 0, 0),
            findings: BTreeMap::new(),
            policies: BTreeMap::new(),
            networks: Top::new(COUNTED),
            helo_names: Top::new(COUNTED),
            zones: Zones::new(book.zones.len()),
            hours: Hours::default(),
            delays: Delays::default(),
            suspicion: Suspicion::default(),
            sorts: Sorts::default(),
            clusters: vec![Cluster::default(); CLUSTERS],
        }
    }

    pub(super) fn add(&mut self, looked: &Looked) {
        self.first = Some(self.first.map_or(looked.at, |first| first.min(looked.at)));
        self.last = self.last.max(looked.at);
        self.count(looked);
        self.reach(looked);
        let refused = looked.dropped || looked.recipients.iter().skip(3).any(|count| *count > 0);
        if let Some(client) = looked.client {
            let network = one_site(client);
            self.cluster(network, looked);
            self.networks.add(network, refused);
        }
        if let Some(helo) = &looked.helo {
            self.helo_names
                .add(helo.to_ascii_lowercase().into(), refused);
        }
        self.zones.add(looked.zones);
        self.hours.add(looked);
        self.delays.add(looked);
        self.suspicion.add(looked);
        self.sorts.add(looked);
        if self.policies.len() < TOLD_APART || self.policies.contains_key(&looked.policy) {
            let known = self.book.policies.get(&looked.policy);
            let policy = self.policies.entry(looked.policy.clone());
            policy.or_insert_with(|| PolicySum::new(known)).add(looked);
        }
    }

    fn count(&mut self, looked: &Looked) {
        let Sessions {
            all,
            observed,
            ended,
            verdicts,
            listeners,
        } = &mut self.sessions;
        *all += 1;
        *observed += u64::from(looked.observed);
        *ended.entry(looked.ended).or_default() += 1;
        *verdicts.entry(looked.verdict).or_default() += 1;
        if listeners.len() < TOLD_APART || listeners.contains_key(&looked.listener) {
            *listeners.entry(looked.listener.clone()).or_default() += 1;
        }
        self.transactions += looked.transactions;
        add(&mut self.recipients, &looked.recipients);
        add(&mut self.messages, &looked.messages);
        self.bytes.0 += looked.bytes.0;
        self.bytes.1 += looked.bytes.1;
        self.dns.0 += u64::from(looked.dns.0);
        self.dns.1 += u64::from(looked.dns.1);
        for found in &looked.found {
            if self.findings.len() < TOLD_APART || self.findings.contains_key(found) {
                *self.findings.entry(found.clone()).or_default() += 1;
            }
        }
        let [delivered, ..] = looked.messages;
        if delivered > 0 {
            self.greeting.0 += 1;
            self.greeting.1 += u64::from(looked.greet_wait_ms > 0);
            self.greeting.2 += u64::from(looked.greet_wait_ms);
        }
    }

    fn reach(&mut self, looked: &Looked) {
        let at = match looked.reached {
            Reached::Connect => 0,
            Reached::Helo => 1,
            Reached::Mail => 2,
            Reached::Rcpt => 3,
            Reached::Data => 4,
        };
        let Some(row) = self.reached.get_mut(at) else {
            return;
        };
        *match looked.kept {
            Kept::HandedOn => &mut row.handed_on,
            Kept::CutOff => &mut row.cut_off,
            Kept::Refused => &mut row.refused,
            Kept::PutOff => &mut row.put_off,
            Kept::Left => &mut row.left,
        } += 1;
        if looked.kept != Kept::HandedOn {
            self.spared.sessions += 1;
            self.spared.received_bytes += looked.bytes.0;
            self.spared.announced_bytes =
                self.spared.announced_bytes.saturating_add(looked.announced);
            self.spared_ms = self.spared_ms.saturating_add(looked.duration_ms);
        }
    }

    fn cluster(&mut self, network: IpNet, looked: &Looked) {
        let hasher: BuildHasherDefault<DefaultHasher> = BuildHasherDefault::default();
        let at = usize::try_from(hasher.hash_one(network) % CLUSTERS as u64).unwrap_or_default();
        let Some(cluster) = self.clusters.get_mut(at) else {
            return;
        };
        let [.., put_off, denied, dropped] = looked.recipients;
        cluster.sessions += 1;
        cluster.kept += u64::from(looked.kept != Kept::HandedOn);
        cluster.dropped += u64::from(looked.dropped);
        cluster.recipients += looked.recipients.iter().sum::<u64>();
        cluster.refused += denied + dropped;
        cluster.put_off += put_off;
    }

    fn shares(&self) -> Shares {
        let part = |count: fn(&Cluster) -> (u64, u64)| {
            let all = self
                .clusters
                .iter()
                .map(count)
                .filter(|(_, whole)| *whole > 0);
            let clusters: Vec<(u64, u64)> = all.collect();
            part(&clusters)
        };
        Shares {
            kept_from_backend: part(|one| (one.kept, one.sessions)),
            dropped: part(|one| (one.dropped, one.sessions)),
            refused: part(|one| (one.refused, one.recipients)),
            put_off: part(|one| (one.put_off, one.recipients)),
        }
    }

    pub(super) fn report(self, read: Read, wanted: &Wanted) -> Report {
        let shares = self.shares();
        let (delivered, waited, millis) = self.greeting;
        let findings = self.findings.into_iter();
        let findings = findings.map(|((check, outcome, reason), sessions)| FindingRow {
            check,
            outcome,
            reason,
            sessions,
        });
        let policies = self.policies.into_iter();
        let policies = policies.map(|(name, policy)| policy.part(name));
        Report {
            version: VERSION,
            read,
            since: wanted.since,
            until: wanted.until,
            listener: wanted.listener.clone(),
            policy: wanted.policy.clone(),
            first: self.first.map(time),
            last: self.first.map(|_| time(self.last)),
            transactions: self.transactions,
            recipients: RECIPIENTS.into_iter().zip(self.recipients).collect(),
            messages: MESSAGES.into_iter().zip(self.messages).collect(),
            received_bytes: self.bytes.0,
            sent_bytes: self.bytes.1,
            shares,
            reached: self.reached.into(),
            spared: Spared {
                seconds: self.spared_ms / 1000,
                ..self.spared
            },
            dns: Dns {
                live: self.dns.0,
                cached: self.dns.1,
                live_per_session: share(self.dns.0, self.sessions.all),
            },
            sessions: self.sessions,
            policies: policies.collect(),
            findings: findings.collect(),
            delay: self.delays.report(self.last),
            greeting: Greeting {
                delivered,
                waited,
                mean_seconds: share(millis, waited) / 1000.0,
            },
            networks: top_list(&self.networks),
            helo_names: top_list(&self.helo_names),
            zones: self.zones.report(&self.book.zones),
            suspects: self.suspicion.report(),
            hours: self.hours.report(),
            sorts: self.sorts,
        }
    }
}

fn add(sums: &mut [u64], counts: &[u64]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}

/// A share over clusters, each its hits and its size. Where none or all are hits no sample of clusters differs from another:
/// there the rule of three says how far clusters that did not come may.
pub(super) fn part(clusters: &[(u64, u64)]) -> Part {
    let sums = clusters
        .iter()
        .fold((0, 0), |sums, one| (sums.0 + one.0, sums.1 + one.1));
    let reach = rule_of_three(u64::try_from(clusters.len()).unwrap_or(u64::MAX));
    let by_networks = bootstrap_share(clusters, SEED).map(|interval| match sums.0 {
        0 => Interval {
            low: 0.0,
            high: reach,
        },
        all if all == sums.1 => Interval {
            low: 1.0 - reach,
            high: 1.0,
        },
        _ => interval,
    });
    Part {
        part: sums.0,
        whole: sums.1,
        share: share(sums.0, sums.1),
        interval: by_networks.unwrap_or_else(|| wilson(sums.0, sums.1)),
        networks: by_networks.is_some(),
    }
}
