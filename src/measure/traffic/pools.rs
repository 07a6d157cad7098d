//! Providers whose many addresses send for many: mailbox providers and mailing services. The good mail and the spam of
//! their customers come from the same addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::draw::Draw;
use super::networks::{HOSTS, Network};
use super::senders::{Sender, SenderDomain};
use super::software::Software;
use super::world::{Builder, Spf};
use super::{Kind, Maker, arrival, names, tries};
use crate::measure::scenario::{Pool, Rhythm};
use crate::measure::trace::{Class, Door, Traits};

/// IPv6 networks of one provider.
const SUBNETS: u16 = 16;
/// What the lists say about a provider's address.
const ANSWER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
/// Errands of one batch, on average.
const BATCH: usize = 60;

/// A provider.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) domain: String,
    networks: Vec<Network>,
    site: u16,
    addresses: u32,
    allowed: bool,
    /// Networks' numbers as clusters.
    clusters: HashMap<u32, u32>,
    /// Addresses for what only few of its own have.
    special: u32,
}

/// Providers with their networks, domains and SPF records.
pub(super) fn providers(plan: &Pool, world: &mut Builder, draw: &mut Draw) -> Vec<Provider> {
    let allowed = draw.quota(plan.providers as usize, plan.allowed);
    let provider = |allowed| {
        let domain = world.names.domain();
        let addresses = draw.skewed(plan.addresses);
        // One more for addresses that are unlike the others.
        let networks = (0..addresses.div_ceil(HOSTS) + 1).map(|_| world.networks.v4());
        let networks: Vec<Network> = networks.collect();
        let site = world.networks.site();
        let mut policy: Vec<String> = networks.iter().map(|network| network.mechanism()).collect();
        policy.push(format!("ip6:2001:db8:{site:x}::/48 -all"));
        world.spf(&domain, &policy.join(" "));
        if let Some(first) = networks.first() {
            world.mail_domain(&domain, first.host(0));
        }
        Provider {
            domain,
            networks,
            site,
            addresses,
            allowed,
            clusters: HashMap::new(),
            special: 0,
        }
    };
    allowed.into_iter().map(provider).collect()
}

/// What is unusual about an address of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unusual {
    pub(super) listed: bool,
    pub(super) no_ptr: bool,
    pub(super) dynamic: bool,
}

impl Provider {
    /// Its address of this number, with its name in the DNS; IPv6 ones in another network each.
    pub(super) fn address(
        &self,
        number: u32,
        v6: bool,
        world: &mut Builder,
        draw: &mut Draw,
    ) -> (IpAddr, String) {
        let number = number % self.addresses.max(1);
        let address = match v6 {
            true => Network::V6(self.site, number as u16 % SUBNETS).host(number),
            false => self.v4(number / HOSTS).host(number),
        };
        let family = if v6 { 'x' } else { 'f' };
        let name = format!("mail-{family}{number}.{}", self.domain);
        world.reverse(address, &name, true);
        if self.allowed {
            world.allow(address, draw);
        }
        (address, name)
    }

    fn v4(&self, number: u32) -> Network {
        let network = self.networks.get(number as usize);
        network
            .or(self.networks.last())
            .copied()
            .unwrap_or(Network::V4([192, 0, 2]))
    }

    /// An address that is unlike the others.
    fn unusual(&mut self, what: Unusual, world: &mut Builder, draw: &mut Draw) -> (IpAddr, String) {
        self.special += 1;
        let last = u32::try_from(self.networks.len())
            .unwrap_or(1)
            .saturating_sub(1);
        let address = self.v4(last).host(self.special);
        let name = format!("mail-s{}.{}", self.special, self.domain);
        match () {
            () if what.no_ptr => {}
            () if what.dynamic => {
                let shown = names::dynamic(address, &self.domain, draw);
                world.reverse(address, &shown, true);
            }
            () => world.reverse(address, &name, true),
        }
        if what.listed {
            world.list(address, Duration::ZERO, ANSWER, draw);
        }
        (address, name)
    }

    /// Some addresses, from the one of this number on.
    pub(super) fn some(
        &self,
        count: u32,
        v6: bool,
        world: &mut Builder,
        draw: &mut Draw,
    ) -> Vec<(IpAddr, String)> {
        let first = draw.below(self.addresses as usize) as u32;
        let numbers = (0..count.min(self.addresses).max(1)).map(|step| first + step);
        numbers
            .map(|number| self.address(number, v6, world, draw))
            .collect()
    }
}

impl Maker<'_> {
    pub(super) fn pool_errands(
        &mut self,
        kind: Kind<'_>,
        pool: &str,
        count: usize,
        draw: &mut Draw,
    ) {
        let Some(mut providers) = self.pools.remove(pool) else {
            return;
        };
        let span = self.scenario.span;
        let batches = arrival::Batches::new(count / BATCH, span, draw);
        let drawn = self.traits(kind, count, draw);
        let passing = draw.quota(count, kind.habits.spf_pass);
        for (traits, passes) in drawn.into_iter().zip(passing) {
            let chosen = draw.below(providers.len());
            let Some(provider) = providers.get_mut(chosen) else {
                continue;
            };
            let at = match kind.habits.rhythm {
                Rhythm::Batch => batches.some_time(draw),
                rhythm => arrival::some_time(rhythm, span, draw),
            };
            self.pool_errand(kind, provider, (traits, passes), at.min(span), draw);
        }
        if let Some(name) = self
            .scenario
            .pool
            .get_key_value(pool)
            .map(|(name, _)| name.as_str())
        {
            self.pools.insert(name, providers);
        }
    }

    fn pool_errand(
        &mut self,
        kind: Kind<'_>,
        provider: &mut Provider,
        (traits, passes): (Traits, bool),
        at: Duration,
        draw: &mut Draw,
    ) {
        let v6 = draw.chance(self.ipv6(kind));
        let timetable = self.timetable(kind, draw);
        let unusual = Unusual {
            listed: traits.listed,
            no_ptr: traits.no_ptr,
            dynamic: traits.dynamic,
        };
        let places = match unusual == Unusual::default() {
            true => {
                let count = timetable.map_or(1, |timetable| timetable.addresses);
                // Over IPv6 each retry comes from another network.
                let count = if v6 { count.max(3) } else { count };
                provider.some(count, v6, &mut self.world, draw)
            }
            false => vec![provider.unusual(unusual, &mut self.world, draw)],
        };
        let addresses: Vec<IpAddr> = places.iter().map(|(address, _)| *address).collect();
        let offsets = match timetable.filter(|_| !traits.no_retry) {
            Some(timetable) => tries::offsets(timetable, draw),
            None => tries::ONCE.to_vec(),
        };
        let first = self.first_door(kind, draw);
        let spf = if passes { Spf::Pass } else { Spf::None };
        let sender = Sender {
            helo: places
                .into_iter()
                .next()
                .map(|(_, name)| name)
                .unwrap_or_default(),
            domain: SenderDomain::Own(provider.domain.clone(), spf),
            software: match kind.class {
                Class::G1 | Class::P1 => draw.one(&[Software::Gmail, Software::Exchange]),
                _ => draw.one(&[Software::Postfix, Software::Service]),
            }
            .copied()
            .unwrap_or(Software::Postfix),
            traits,
        };
        let cluster = match addresses.first() {
            Some(IpAddr::V4(v4)) => u32::from(*v4) >> 8,
            Some(IpAddr::V6(_)) | None => u32::from(provider.site),
        };
        let known = provider.clusters.get(&cluster).copied();
        let cluster = known.unwrap_or_else(|| {
            let number = self.cluster();
            provider.clusters.insert(cluster, number);
            number
        });
        let tries = tries::tries(at, &offsets, &addresses, first, Door::Primary);
        let errand = self.errand(kind, &sender, cluster, tries, draw);
        self.errands.push(errand);
    }
}
