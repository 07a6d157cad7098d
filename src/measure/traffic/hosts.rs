//! Hosts with addresses of their own: how many, in which networks, with which traits and names, and how often they come.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::draw::Draw;
use super::networks::Network;
use super::senders::{Sender, SenderDomain};
use super::speech;
use super::world::Spf;
use super::{Kind, Maker, arrival, names, tries};
use crate::measure::scenario::{Habits, Rhythm, Timetable};
use crate::measure::trace::{Class, Door, Label, Traits};

/// When the last of a network that storms is listed, after its first errand.
const STORM_LISTED: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];
/// The most visits of one address that a table can say.
const MOST_VISITS: usize = 60;

/// A network with the visits of each of its hosts.
struct Plan {
    visits: Vec<usize>,
}

/// What hosts of one network share.
struct Place {
    network: Network,
    cluster: u32,
    /// When its campaign begins.
    begin: Option<Duration>,
    /// Sends all it has at once.
    storms: bool,
    domain: String,
}

impl<'s> Maker<'s> {
    pub(super) fn host_errands(&mut self, kind: Kind<'_>, count: usize, draw: &mut Draw) {
        let plans = plan(kind.habits, count, draw);
        let hosts = plans.iter().map(|plan| plan.visits.len()).sum();
        let mut drawn = self.traits(kind, hosts, draw).into_iter();
        let storms = match kind.class {
            Class::V1 => self.scenario.other.hailstorms.value,
            _ => 0.0,
        };
        let storms = draw.quota(plans.len(), storms);
        for (plan, storms) in plans.into_iter().zip(storms) {
            let place = self.place(kind, storms, draw);
            for ((number, visits), traits) in (0..).zip(plan.visits).zip(&mut drawn) {
                self.host(kind, &place, number, visits, traits, draw);
            }
        }
    }

    fn place(&mut self, kind: Kind<'_>, storms: bool, draw: &mut Draw) -> Place {
        let v6 = draw.chance(self.ipv6(kind));
        let together = storms || kind.habits.rhythm == Rhythm::Batch;
        let span = self.scenario.span;
        Place {
            network: self.world.network(v6),
            cluster: self.cluster(),
            begin: together.then(|| arrival::some_time(Rhythm::Day, span, draw)),
            storms,
            domain: self.world.names.domain(),
        }
    }

    fn host(
        &mut self,
        kind: Kind<'_>,
        place: &Place,
        number: u32,
        visits: usize,
        traits: Traits,
        draw: &mut Draw,
    ) {
        let address = place.network.host(number);
        let span = self.scenario.span;
        let times = match place.begin.filter(|_| place.storms) {
            Some(begin) => {
                let storm = |_| (begin + draw.time(arrival::HAILSTORM)).min(span);
                (0..visits).map(storm).collect()
            }
            None => arrival::visits(kind.habits.rhythm, visits, place.begin, span, draw),
        };
        let first = times.first().copied().unwrap_or_default();
        self.list_host(kind, place, address, traits, first, draw);
        let reverse = self.name_host(kind, place, (address, number), traits, draw);
        let sender = self.sender(kind, place, (address, number), traits, reverse, draw);
        let timetable = self.timetable(kind, draw);
        for at in times {
            let mut sender = sender.clone();
            sender.traits.listed |= self.world.is_listed(address, at);
            sender.traits.spf_fail = draw.chance(kind.row.spf_fail);
            // A domain that does not exist has no SPF record.
            let left = 100.0 - kind.row.spf_fail;
            let bad = 100.0 * kind.row.bad_domain / left.max(1.0);
            sender.traits.bad_domain = !sender.traits.spf_fail && draw.chance(bad);
            let door = self.first_door(kind, draw);
            let then = if kind.is_unwanted() {
                door
            } else {
                Door::Primary
            };
            let then = if door == Door::Submission { door } else { then };
            let offsets = self.offsets(kind, timetable, traits, draw);
            let tries = tries::tries(at, &offsets, &[address], door, then);
            let errand = self.errand(kind, &sender, place.cluster, tries, draw);
            self.errands.push(errand);
        }
    }

    /// From when on the host is listed, and on which lists.
    fn list_host(
        &mut self,
        kind: Kind<'_>,
        place: &Place,
        address: IpAddr,
        traits: Traits,
        first: Duration,
        draw: &mut Draw,
    ) {
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
    fn name_host(
        &mut self,
        kind: Kind<'_>,
        place: &Place,
        (address, number): (IpAddr, u32),
        traits: Traits,
        draw: &mut Draw,
    ) -> Option<String> {
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

    fn sender(
        &mut self,
        kind: Kind<'_>,
        place: &Place,
        (address, number): (IpAddr, u32),
        traits: Traits,
        reverse: Option<String>,
        draw: &mut Draw,
    ) -> Sender {
        let domain = match kind.class {
            Class::K1 | Class::G7 => SenderDomain::Null,
            Class::M1 => SenderDomain::Ours,
            Class::G5 => SenderDomain::Forwarded(place.domain.clone()),
            _ if kind.is_bot() => SenderDomain::Forged,
            _ => SenderDomain::Own(place.domain.clone(), self.own_spf(kind, draw)),
        };
        let own = host_name(kind.class, number, &place.domain);
        if matches!(domain, SenderDomain::Own(..) | SenderDomain::Forwarded(_)) && number == 0 {
            self.world.mail_domain(&place.domain, address);
            let spf = match &domain {
                SenderDomain::Own(_, spf) => *spf,
                _ => Spf::Pass,
            };
            self.publish(&place.domain, place.network, spf);
        }
        let helo = self.helo(kind, (&own, address), reverse.as_deref(), traits, draw);
        Sender {
            helo,
            domain,
            software: speech::software(kind.class, draw),
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

    fn own_spf(&self, kind: Kind<'_>, draw: &mut Draw) -> Spf {
        let left = (100.0 - kind.row.spf_fail).max(1.0);
        match draw.chance(100.0 * kind.habits.spf_pass / left) {
            true => Spf::Pass,
            false => without_pass(draw),
        }
    }

    /// When the host tries again; not at all if it does not come back.
    fn offsets(
        &self,
        kind: Kind<'_>,
        timetable: Option<&Timetable>,
        traits: Traits,
        draw: &mut Draw,
    ) -> Vec<Duration> {
        let hasty = || self.scenario.timetable.get("hasty_bot");
        let timetable = match timetable {
            Some(timetable) if !traits.no_retry => Some(timetable),
            _ if kind.is_bot() && draw.chance(self.scenario.other.hasty.value) => hasty(),
            _ => None,
        };
        timetable.map_or_else(
            || tries::ONCE.to_vec(),
            |timetable| tries::offsets(timetable, draw),
        )
    }

    pub(super) fn timetable(&self, kind: Kind<'_>, draw: &mut Draw) -> Option<&'s Timetable> {
        let name = draw.one(&kind.habits.retries)?;
        self.scenario.timetable.get(name)
    }

    pub(super) fn ipv6(&self, kind: Kind<'_>) -> f64 {
        let other = &self.scenario.other;
        match kind.is_unwanted() {
            true => other.ipv6_unwanted.value,
            false => other.ipv6_legitimate.value,
        }
    }

    pub(super) fn first_door(&self, kind: Kind<'_>, draw: &mut Draw) -> Door {
        let other = &self.scenario.other;
        let secondary = match kind.class {
            Class::M1 => return Door::Submission,
            Class::A1 | Class::A2 => self.secondary_others,
            class if speech::goes_to_last_exchanger(class) => other.secondary_bots.value,
            class if class.label() == Label::Legitimate => other.secondary_legitimate.value,
            _ => 0.0,
        };
        if draw.chance(secondary) {
            Door::Secondary
        } else {
            Door::Primary
        }
    }

    /// The traits of so many hosts (or connections) of a class, with the couplings of `effectiveness.md` §3.5; those of
    /// the envelope are drawn with it.
    pub(super) fn traits(&self, kind: Kind<'_>, count: usize, draw: &mut Draw) -> Vec<Traits> {
        let row = kind.row;
        let no_ptr = draw.quota(count, row.no_ptr);
        // No name and a dynamic name exclude each other.
        let dynamic = among(
            &no_ptr,
            0.0,
            100.0 * row.dynamic / (100.0 - row.no_ptr).max(1.0),
            draw,
        );
        let listed = self.listed(kind, &dynamic, draw);
        let early = draw.quota(count, row.early);
        let rude = match kind.class {
            Class::B1 => self.scenario.other.early_are_rude.value,
            _ => row.no_quit,
        };
        let others = (100.0 * row.no_quit - row.early * rude) / (100.0 - row.early).max(1.0);
        let no_quit = among(&early, rude, others.clamp(0.0, 100.0), draw);
        let columns = [row.pipelines, row.bad_helo, row.no_retry, row.spf_fail];
        let [pipelines, bad_helo, no_retry, spf_fail] =
            columns.map(|percent| draw.quota(count, percent));
        let bad_domain = among(
            &spf_fail,
            0.0,
            100.0 * row.bad_domain / (100.0 - row.spf_fail).max(1.0),
            draw,
        );
        let has = |column: &[bool], at: usize| column.get(at).copied().unwrap_or_default();
        let traits = |at| Traits {
            listed: has(&listed, at),
            early: has(&early, at),
            pipelines: has(&pipelines, at),
            bad_helo: has(&bad_helo, at),
            no_ptr: has(&no_ptr, at),
            dynamic: has(&dynamic, at),
            spf_fail: has(&spf_fail, at),
            bad_domain: has(&bad_domain, at),
            no_retry: has(&no_retry, at),
            no_quit: has(&no_quit, at),
        };
        (0..count).map(traits).collect()
    }

    /// Dynamic addresses are listed more often than others, if the class has enough that are listed.
    fn listed(&self, kind: Kind<'_>, dynamic: &[bool], draw: &mut Draw) -> Vec<bool> {
        let row = kind.row;
        let coupled = self.scenario.other.dynamic_listed.value.max(row.listed);
        let left = 100.0 * row.listed - row.dynamic * coupled;
        let has_room = left >= 0.0 && row.dynamic < 100.0;
        if !has_room || !kind.is_unwanted() {
            return draw.quota(dynamic.len(), row.listed);
        }
        among(dynamic, coupled, left / (100.0 - row.dynamic), draw)
    }
}

/// What SPF says where it does not say pass or fail: mostly nothing.
pub(super) fn without_pass(draw: &mut Draw) -> Spf {
    match draw.below(10) {
        0 | 1 => Spf::SoftFail,
        2 => Spf::Neutral,
        _ => Spf::None,
    }
}

/// `having` percent of those that have the other trait, and `others` percent of the rest.
fn among(other: &[bool], having: f64, others: f64, draw: &mut Draw) -> Vec<bool> {
    let count = other.iter().filter(|has| **has).count();
    let mut having = draw.quota(count, having).into_iter();
    let mut others = draw.quota(other.len() - count, others).into_iter();
    let drawn = other
        .iter()
        .map(|has| if *has { having.next() } else { others.next() });
    drawn.map(Option::unwrap_or_default).collect()
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

/// Networks, their hosts and how often each comes, so that there are `count` visits in all.
fn plan(habits: &Habits, count: usize, draw: &mut Draw) -> Vec<Plan> {
    let most = habits.most_addresses as usize;
    let mut plans = Vec::new();
    let (mut left, mut hosts) = (count, 0);
    while left > 0 && (most == 0 || hosts < most) {
        let mut visits = Vec::new();
        for _ in 0..draw.between(habits.network) {
            if left == 0 || (most > 0 && hosts == most) {
                break;
            }
            let times = times(&habits.visits, draw).min(left);
            left -= times;
            hosts += 1;
            visits.push(times);
        }
        plans.push(Plan { visits });
    }
    // There are no more addresses: the rest falls to those that there are.
    let mut turns: Vec<&mut usize> = plans.iter_mut().flat_map(|plan| &mut plan.visits).collect();
    let (each, more) = (left / turns.len().max(1), left % turns.len().max(1));
    for (turn, visits) in turns.iter_mut().enumerate() {
        **visits += each + usize::from(turn < more);
    }
    plans
}

/// How often an address comes.
fn times(visits: &[f64; 6], draw: &mut Draw) -> usize {
    let mut drawn = draw.unit() * visits.iter().sum::<f64>();
    for (share, times) in visits.iter().zip(1..) {
        if drawn < *share {
            return match times {
                5 => draw.between([5, 10]) as usize,
                // Beyond the table: geometric.
                6 => 10 + draw.repeats(10.0, MOST_VISITS),
                times => times,
            };
        }
        drawn -= share;
    }
    1
}
