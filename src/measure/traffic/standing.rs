//! What the DNS knows of a host: the lists it is on, its reverse name, its domain with mail exchanger and SPF record.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::draw::Draw;
use super::hosts::{Host, Place};
use super::networks::Network;
use super::senders::{Sender, SenderDomain};
use super::world::Spf;
use super::{Kind, Maker, names, software};
use crate::measure::trace::Class;

/// When the last of a network that storms is listed, after its first errand.
const STORM_LISTED: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

impl Maker<'_> {
    /// From when on the host is listed, and on which lists.
    pub(super) fn list_host(
        &mut self,
        kind: Kind<'_>,
        place: &Place,
        host: &Host,
        first: Duration,
        draw: &mut Draw,
    ) {
        let (address, traits) = (host.address, host.traits);
        let half = kind.habits.half_listed;
        let from = match place.begin.filter(|_| place.storms) {
            _ if traits.listed => Some(Duration::ZERO),
            Some(begin) => {
                let [least, most] = STORM_LISTED;
                Some(begin + draw.time_between(least, most))
            }
            // Half of what is left in every such time.
            None if !half.is_zero() => {
                Some(first + draw.wait(half.div_f64(std::f64::consts::LN_2)))
            }
            None => None,
        };
        if let Some(from) = from {
            let last = match kind.class {
                _ if traits.dynamic => 10,
                Class::V1 => 3,
                Class::W1 => 2,
                _ => 4,
            };
            self.world
                .list(address, from, Ipv4Addr::new(127, 0, 0, last), draw);
        }
        if draw.chance(kind.habits.allowed) {
            self.world.allow(address, draw);
        }
    }

    /// The host's reverse name.
    pub(super) fn name_host(
        &mut self,
        kind: Kind<'_>,
        place: &Place,
        host: &Host,
        draw: &mut Draw,
    ) -> Option<String> {
        let (address, number, traits) = (host.address, host.number, host.traits);
        let bot = kind.is_bot();
        let name = match () {
            () if traits.no_ptr => return None,
            () if traits.dynamic => names::dynamic(address, &self.world.provider(draw), draw),
            () if bot || kind.class == Class::M1 => {
                format!("{}.{}", names::any_word(draw), self.world.provider(draw))
            }
            () if matches!(kind.class, Class::A1 | Class::A2 | Class::G9) => {
                format!("{}.{}", names::any_word(draw), place.domain)
            }
            () => host_name(kind.class, number, &place.domain),
        };
        let confirmed = !(bot && draw.chance(self.scenario.other.unconfirmed.value));
        self.world.reverse(address, &name, confirmed);
        Some(name)
    }

    /// Who it says it is.
    pub(super) fn sender(
        &mut self,
        kind: Kind<'_>,
        place: &Place,
        host: &Host,
        reverse: Option<&str>,
        draw: &mut Draw,
    ) -> Sender {
        let (address, number, traits) = (host.address, host.number, host.traits);
        let domain = match kind.class {
            Class::K1 | Class::G7 => SenderDomain::Null,
            Class::M1 => SenderDomain::Ours,
            Class::G5 => SenderDomain::Forwarded(place.domain.clone()),
            _ if kind.is_bot() => SenderDomain::Forged,
            _ => SenderDomain::Own(place.domain.clone(), place.spf),
        };
        let own = host_name(kind.class, number, &place.domain);
        if matches!(domain, SenderDomain::Own(..) | SenderDomain::Forwarded(_)) && number == 0 {
            self.world.mail_domain(&place.domain, address);
            // Whoever forwards under a name of its own has a record for it.
            let spf = match &domain {
                SenderDomain::Forwarded(_) => Spf::Pass,
                _ => place.spf,
            };
            self.publish(&place.domain, place.network, spf);
        }
        let helo = self.helo(kind, (&own, address), reverse, traits, draw);
        Sender {
            helo,
            domain,
            software: software::software(kind.class, draw),
            traits,
        }
    }

    fn publish(&mut self, domain: &str, network: Network, spf: Spf) {
        let own = network.mechanism();
        let policy = match spf {
            Spf::Pass => format!("{own} -all"),
            Spf::SoftFail => "ip4:192.0.2.0/24 ~all".to_owned(),
            Spf::Neutral => "ip4:192.0.2.0/24 ?all".to_owned(),
            Spf::Fail | Spf::None => return,
        };
        self.world.spf(domain, &policy);
    }
}

/// The name of a host that has a domain of its own.
fn host_name(class: Class, number: u32, domain: &str) -> String {
    match class {
        Class::V1 => format!("mta{number}.{domain}"),
        Class::W1 => format!("srv.{domain}"),
        Class::G8 => format!("www.{domain}"),
        _ => format!("mail.{domain}"),
    }
}
