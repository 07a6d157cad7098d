//! The domain that is looked at: its mail exchangers, their addresses, and one call to each address, made when the first
//! probe wants it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::OnceCell;

use crate::doctor::anchors::Anchored;
use crate::doctor::call::Call;
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::world::{Addresses, World};
use crate::facts::{DnsAnswer, RecordData, RecordType};

/// Most exchangers that are looked at.
pub(in crate::doctor) const MOST_HOSTS: usize = 10;
/// Most addresses of one exchanger that are looked at.
const MOST_ADDRESSES: usize = 4;

/// A domain.
#[derive(Debug)]
pub struct Subject {
    /// What probes look with.
    pub(in crate::doctor) world: Arc<World>,
    /// The domain, lower case, in ASCII.
    pub domain: String,
    /// What the DNS says about its exchangers.
    pub(in crate::doctor) mx: DnsAnswer,
    /// The exchangers that can be looked at, the preferred first; the domain itself where it has no MX record (RFC 5321
    /// §5.1).
    pub(in crate::doctor) hosts: Vec<Host>,
    /// What the DNS says about the certificate of each of them, once somebody has asked.
    anchors: OnceCell<Vec<Result<Anchored, String>>>,
    /// The MTA-STS policy as it stands, or what there is to say instead, once somebody has asked.
    pub(in crate::doctor) policy: OnceCell<Result<String, Finding>>,
}

/// A mail exchanger.
#[derive(Debug)]
pub(in crate::doctor) struct Host {
    /// Its preference: the lower, the more it is preferred.
    pub(in crate::doctor) preference: u16,
    /// Its name.
    pub(in crate::doctor) name: String,
    /// Its addresses.
    pub(in crate::doctor) addresses: Addresses,
    /// The calls to them.
    doors: Vec<Door>,
}

/// An address of an exchanger.
#[derive(Debug)]
struct Door {
    address: IpAddr,
    call: OnceCell<Call>,
}

/// Whether mail leaves from an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::doctor) enum Sends {
    /// It is one of the outgoing ones.
    Yes,
    /// Nobody has said where mail leaves from; it may be from the exchangers.
    Perhaps,
    /// Others are the outgoing ones.
    No,
}

impl Sends {
    /// How grave something is that only senders are asked for.
    pub(in crate::doctor) fn weigh(self, outcome: Outcome) -> Outcome {
        match (self, outcome) {
            (Self::Perhaps, Outcome::Fault) => Outcome::Warning,
            (Self::No, Outcome::Fault | Outcome::Warning) => Outcome::Notice,
            _ => outcome,
        }
    }
}

impl Subject {
    /// Whether mail leaves from this one of [`own_addresses`](Self::own_addresses).
    pub(in crate::doctor) fn sends(&self, address: IpAddr) -> Sends {
        let outgoing = &self.world.settings.outgoing;
        match outgoing.contains(&address) {
            true => Sends::Yes,
            false if outgoing.is_empty() => Sends::Perhaps,
            false => Sends::No,
        }
    }

    /// Looks a domain's exchangers up.
    pub async fn of(world: &Arc<World>, domain: &str) -> Self {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        let mx = world.dns(&domain, RecordType::Mx).await;
        let hosts = exchangers(&domain, &mx).into_iter();
        let hosts = hosts.map(|(preference, name)| async move {
            let addresses = world.addresses(&name).await;
            Host::new(preference, name, addresses)
        });
        let hosts = join_all(hosts).await;
        Self {
            world: Arc::clone(world),
            domain,
            mx,
            hosts,
            anchors: OnceCell::new(),
            policy: OnceCell::new(),
        }
    }

    /// Whether it says that it takes no mail (null MX, RFC 7505).
    pub(in crate::doctor) fn takes_no_mail(&self) -> bool {
        matches!(self.mx, DnsAnswer::Found(_)) && self.hosts.is_empty()
    }

    /// The most preferred exchangers.
    pub(in crate::doctor) fn primaries(&self) -> impl Iterator<Item = &Host> {
        let best = self.hosts.iter().map(|host| host.preference).min();
        self.hosts
            .iter()
            .filter(move |host| Some(host.preference) == best)
    }

    /// The others: they take mail while those are down.
    pub(in crate::doctor) fn backups(&self) -> impl Iterator<Item = &Host> {
        let best = self.hosts.iter().map(|host| host.preference).min();
        self.hosts
            .iter()
            .filter(move |host| Some(host.preference) != best)
    }

    /// Every address with what it has said, all called side by side.
    pub(in crate::doctor) async fn calls(&self) -> Vec<(&Host, &Call)> {
        self.calls_to(self.hosts.iter()).await
    }

    /// Those that have taken our EHLO. Where none has, all of them: each probe then says why it could not look. What becomes
    /// of the others is told once, by probe `greeting`.
    pub(in crate::doctor) async fn heard(&self) -> Vec<(&Host, &Call)> {
        let calls = self.calls().await;
        let is_heard = |(_, call): &&(&Host, &Call)| call.extensions().is_some();
        let heard: Vec<(&Host, &Call)> = calls.iter().filter(is_heard).copied().collect();
        match heard.is_empty() {
            true => calls,
            false => heard,
        }
    }

    /// What the DNS says about the certificate of each exchanger, in their order; it is asked once.
    pub(in crate::doctor) async fn anchors(&self) -> &[Result<Anchored, String>] {
        let hosts = self.hosts.iter().map(|host| host.name.as_str());
        let ask = || Anchored::ask_all(&self.world, &self.domain, hosts);
        self.anchors.get_or_init(ask).await
    }

    /// One finding about each of [`Subject::heard`].
    pub(in crate::doctor) async fn of_each_heard(
        &self,
        judge: fn(&str, &Call) -> Finding,
    ) -> Vec<Finding> {
        let heard = self.heard().await;
        let judged = heard
            .iter()
            .map(|(host, call)| judge(&call.place(&host.name), call));
        judged.collect()
    }

    /// What the addresses of some exchangers have said, all called side by side.
    pub(in crate::doctor) async fn calls_to<'s>(
        &'s self,
        hosts: impl Iterator<Item = &'s Host>,
    ) -> Vec<(&'s Host, &'s Call)> {
        let doors = hosts.flat_map(|host| host.doors.iter().map(move |door| (host, door)));
        let calls = doors.map(|(host, door)| async move {
            let make = || Call::make(&self.world, &self.domain, &host.name, door.address);
            (host, door.call.get_or_init(make).await)
        });
        join_all(calls).await
    }

    /// The addresses that others know this domain's mail by: those it leaves from, and those of its exchangers.
    pub(in crate::doctor) fn own_addresses(&self) -> Vec<IpAddr> {
        let outgoing = self.world.settings.outgoing.iter().copied();
        let exchangers = self.hosts.iter().flat_map(Host::called);
        let mut all: Vec<IpAddr> = Vec::new();
        for address in outgoing.chain(exchangers) {
            if !all.contains(&address) {
                all.push(address);
            }
        }
        all
    }
}

impl Host {
    pub(in crate::doctor) fn new(preference: u16, name: String, addresses: Addresses) -> Self {
        let door = |address: &IpAddr| Door {
            address: *address,
            call: OnceCell::new(),
        };
        let doors = addresses.found.iter().take(MOST_ADDRESSES).map(door);
        Self {
            doors: doors.collect(),
            preference,
            name,
            addresses,
        }
    }

    /// The addresses that are looked at.
    pub(in crate::doctor) fn called(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.doors.iter().map(|door| door.address)
    }
}

/// Names and preferences, the preferred first; none for a null MX (RFC 7505) and where the DNS did not answer.
fn exchangers(domain: &str, mx: &DnsAnswer) -> Vec<(u16, String)> {
    let records = mx.records().iter().filter_map(|record| match &record.data {
        RecordData::Mx(preference, exchange) if &**exchange != "." => {
            Some((*preference, exchange.to_ascii_lowercase()))
        }
        _ => None,
    });
    let mut hosts: Vec<(u16, String)> = records.collect();
    // Servers rotate records; what is said about a domain should not.
    hosts.sort();
    let mut named = HashSet::new();
    hosts.retain(|(_, name)| named.insert(name.clone()));
    hosts.truncate(MOST_HOSTS);
    match mx {
        DnsAnswer::NoData => vec![(0, domain.to_owned())],
        _ => hosts,
    }
}
