//! Hosts with addresses of their own: their errands, from whichever network, by whichever door, again and again.

use std::net::IpAddr;
use std::time::Duration;

use super::draw::Draw;
use super::networks::Network;
use super::world::Spf;
use super::{Kind, Maker, arrival, software, tries, visits};
use crate::measure::scenario::{Rhythm, Timetable};
use crate::measure::trace::{Class, Door, Label, Traits};

/// A host of a network.
pub(super) struct Host {
    pub(super) number: u32,
    pub(super) address: IpAddr,
    pub(super) visits: usize,
    pub(super) traits: Traits,
}

/// What hosts of one network share.
pub(super) struct Place {
    pub(super) network: Network,
    pub(super) cluster: u32,
    /// When its campaign begins.
    pub(super) begin: Option<Duration>,
    /// Sends all it has at once.
    pub(super) storms: bool,
    pub(super) domain: String,
    /// What SPF says about it for its domain.
    pub(super) spf: Spf,
}

impl<'s> Maker<'s> {
    pub(super) fn host_errands(&mut self, kind: Kind<'_>, count: usize, draw: &mut Draw) {
        let plans = visits::plan(kind.habits, count, draw);
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
                let host = Host {
                    number,
                    address: place.network.host(number),
                    visits,
                    traits,
                };
                self.host(kind, &place, &host, draw);
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
            spf: own_spf(kind, draw),
        }
    }

    fn host(&mut self, kind: Kind<'_>, place: &Place, host: &Host, draw: &mut Draw) {
        let times = self.times(kind, place, host, draw);
        let first = times.first().copied().unwrap_or_default();
        self.list_host(kind, place, host, first, draw);
        let reverse = self.name_host(kind, place, host, draw);
        let sender = self.sender(kind, place, host, reverse.as_deref(), draw);
        let timetable = self.timetable(kind, draw);
        for at in times {
            let mut sender = sender.clone();
            self.draw_for_errand(kind, &mut sender.traits, (host.address, at), draw);
            let door = self.first_door(kind, draw);
            let then = match door {
                Door::Secondary if !kind.is_unwanted() => Door::Primary,
                door => door,
            };
            let offsets = self.offsets(kind, timetable, host.traits, draw);
            let tries = tries::tries(at, &offsets, &[host.address], door, then);
            let errand = self.errand(kind, &sender, place.cluster, tries, draw);
            self.errands.push(errand);
        }
    }

    /// When it comes.
    fn times(&self, kind: Kind<'_>, place: &Place, host: &Host, draw: &mut Draw) -> Vec<Duration> {
        let span = self.scenario.span;
        let Some(begin) = place.begin.filter(|_| place.storms) else {
            return arrival::visits(kind.habits.rhythm, host.visits, place.begin, span, draw);
        };
        let storm = |_| (begin + draw.time(arrival::HAILSTORM)).min(span);
        let mut times: Vec<Duration> = (0..host.visits).map(storm).collect();
        times.sort_unstable();
        times
    }

    /// What is another for each errand of a host.
    fn draw_for_errand(
        &self,
        kind: Kind<'_>,
        traits: &mut Traits,
        (address, at): (IpAddr, Duration),
        draw: &mut Draw,
    ) {
        let row = kind.row;
        traits.listed |= self.world.is_listed(address, at);
        traits.spf_fail = draw.chance(row.spf_fail);
        // A domain that does not exist has no SPF record.
        let bad = 100.0 * row.bad_domain / (100.0 - row.spf_fail).max(1.0);
        traits.bad_domain = !traits.spf_fail && draw.chance(bad);
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
            class if software::goes_to_last_exchanger(class) => other.secondary_bots.value,
            class if class.label() == Label::Legitimate => other.secondary_legitimate.value,
            _ => 0.0,
        };
        if draw.chance(secondary) {
            Door::Secondary
        } else {
            Door::Primary
        }
    }
}

fn own_spf(kind: Kind<'_>, draw: &mut Draw) -> Spf {
    let left = (100.0 - kind.row.spf_fail).max(1.0);
    match draw.chance(100.0 * kind.habits.spf_pass / left) {
        true => Spf::Pass,
        false => Spf::without_pass(draw),
    }
}
