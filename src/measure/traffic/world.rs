//! The DNS around the clients, as it grows: addresses, reverse names, mail exchangers, SPF records, lists.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::draw::Draw;
use super::names::{Names, reversed};
use super::networks::{Network, Networks};
use crate::facts::RecordData;
use crate::measure::scenario::Scenario;
use crate::measure::trace::{List, Listing, Lists, Trouble, World};

/// RFC 5782 §5: a list of addresses lists this one.
const TEST_ENTRY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What SPF says about whoever sends for a domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spf {
    /// It may.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// Neither.
    Neutral,
    /// There is no record.
    None,
}

impl Spf {
    /// What SPF says where it does not say pass or fail: mostly nothing.
    pub(super) fn without_pass(draw: &mut Draw) -> Self {
        match draw.below(10) {
            0 | 1 => Self::SoftFail,
            2 => Self::Neutral,
            _ => Self::None,
        }
    }
}

/// Domains that others send for: so many of each kind.
const FORGED: usize = 200;

/// The world under construction.
#[derive(Debug)]
pub(super) struct Builder {
    records: Vec<(String, RecordData)>,
    lists: Vec<(List, Lists, f64)>,
    entered: HashSet<(usize, IpAddr)>,
    /// From when on an address is on the lists of bad senders.
    listed: HashMap<IpAddr, Duration>,
    named: HashSet<IpAddr>,
    /// Given out once each.
    pub(super) networks: Networks,
    /// Given out once each.
    pub(super) names: Names,
    forged: Vec<(Spf, Vec<String>)>,
    providers: Vec<String>,
}

impl Builder {
    /// A world with the lists of the scenario, some providers and some domains that bots send for.
    pub(super) fn new(scenario: &Scenario) -> Self {
        let list = |plan: &crate::measure::scenario::ListPlan| {
            let trouble = |trouble: &crate::measure::scenario::TroublePlan| {
                let says = trouble.says.map_or(Trouble::Dead, Trouble::Says);
                (trouble.at..trouble.at + trouble.lasts, says)
            };
            let list = List {
                zone: plan.zone.clone(),
                lists: plan.lists,
                listings: vec![Listing {
                    address: IpAddr::V4(TEST_ENTRY),
                    from: Duration::ZERO,
                    answer: TEST_ENTRY,
                }],
                troubles: plan.trouble.iter().map(trouble).collect(),
            };
            (list, plan.lists, plan.coverage)
        };
        let mut world = Self {
            records: Vec::new(),
            lists: scenario.list.iter().map(list).collect(),
            entered: HashSet::new(),
            listed: HashMap::new(),
            named: HashSet::new(),
            networks: Networks::default(),
            names: Names::default(),
            forged: Vec::new(),
            providers: Vec::new(),
        };
        for spf in [Spf::Pass, Spf::Fail, Spf::SoftFail, Spf::Neutral, Spf::None] {
            let domains = (0..FORGED).map(|_| world.strangers_domain(spf)).collect();
            world.forged.push((spf, domains));
        }
        world.providers = (0..40).map(|_| world.names.domain()).collect();
        world
    }

    /// A domain with a mail server of its own, and SPF that says this about anybody else.
    fn strangers_domain(&mut self, spf: Spf) -> String {
        let domain = self.names.domain();
        let network = self.networks.v4();
        self.mail_domain(&domain, network.host(0));
        let policy = match spf {
            Spf::Pass => "+all".to_owned(),
            Spf::Fail => format!("{} -all", network.mechanism()),
            Spf::SoftFail => format!("{} ~all", network.mechanism()),
            Spf::Neutral => format!("{} ?all", network.mechanism()),
            Spf::None => return domain,
        };
        self.spf(&domain, &policy);
        domain
    }

    /// A domain for which SPF says this about whoever asks.
    pub(super) fn forged(&self, spf: Spf, draw: &mut Draw) -> String {
        let domains = self.forged.iter().find(|(kind, _)| *kind == spf);
        let domain = domains.and_then(|(_, domains)| draw.one(domains));
        domain.cloned().unwrap_or_default()
    }

    /// A provider of connections.
    pub(super) fn provider(&self, draw: &mut Draw) -> String {
        draw.one(&self.providers).cloned().unwrap_or_default()
    }

    /// `domain` takes mail at its host `mx`, which has this address.
    pub(super) fn mail_domain(&mut self, domain: &str, address: IpAddr) {
        let host = format!("mx.{domain}");
        self.records
            .push((domain.to_owned(), RecordData::Mx(10, host.as_str().into())));
        self.address(&host, address);
    }

    /// `name` has this address.
    pub(super) fn address(&mut self, name: &str, address: IpAddr) {
        let data = match address {
            IpAddr::V4(v4) => RecordData::A(v4),
            IpAddr::V6(v6) => RecordData::Aaaa(v6),
        };
        self.records.push((name.to_owned(), data));
    }

    /// The address has this name, which leads back if `confirmed`; the first name it is given counts.
    pub(super) fn reverse(&mut self, address: IpAddr, name: &str, confirmed: bool) {
        if !self.named.insert(address) {
            return;
        }
        self.records
            .push((reversed(address), RecordData::Ptr(name.into())));
        if confirmed {
            self.address(name, address);
        }
    }

    /// `domain` publishes this policy.
    pub(super) fn spf(&mut self, domain: &str, policy: &str) {
        let text = format!("v=spf1 {policy}");
        self.records
            .push((domain.to_owned(), RecordData::Txt(text.as_str().into())));
    }

    /// Lists of bad senders list the address from then on.
    pub(super) fn list(
        &mut self,
        address: IpAddr,
        from: Duration,
        answer: Ipv4Addr,
        draw: &mut Draw,
    ) {
        self.enter(Lists::Listed, address, from, answer, draw);
        self.listed.entry(address).or_insert(from);
    }

    /// Whether lists of bad senders list the address then.
    pub(super) fn is_listed(&self, address: IpAddr, at: Duration) -> bool {
        self.listed.get(&address).is_some_and(|from| *from <= at)
    }

    /// Lists of good senders list the address.
    pub(super) fn allow(&mut self, address: IpAddr, draw: &mut Draw) {
        let trust = 1 + draw.below(3);
        let answer = Ipv4Addr::new(127, 0, 5, u8::try_from(trust).unwrap_or(1));
        self.enter(Lists::Allowed, address, Duration::ZERO, answer, draw);
    }

    fn enter(
        &mut self,
        lists: Lists,
        address: IpAddr,
        from: Duration,
        answer: Ipv4Addr,
        draw: &mut Draw,
    ) {
        for (index, (list, kind, coverage)) in self.lists.iter_mut().enumerate() {
            // The draw is made in any case, so that lists do not disturb each other.
            let covered = draw.chance(*coverage);
            if *kind == lists && covered && self.entered.insert((index, address)) {
                list.listings.push(Listing {
                    address,
                    from,
                    answer,
                });
            }
        }
    }

    /// The finished world.
    pub(super) fn finish(self, scenario: &Scenario) -> World {
        World {
            records: self.records,
            lists: self.lists.into_iter().map(|(list, ..)| list).collect(),
            latency: scenario.dns.latency(),
        }
    }

    /// A network of either family.
    pub(super) fn network(&mut self, v6: bool) -> Network {
        match v6 {
            true => self.networks.v6(),
            false => self.networks.v4(),
        }
    }
}
