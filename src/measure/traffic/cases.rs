//! The special cases: legitimate traffic that breaks naive filters, each a known number of times
//! on top of what is drawn.
//!
//! Those of one case differ. Where a case is about coming back, every other one forwards somebody's mail, so that SPF fails:
//! a filter that puts doubtful mail off will do it there. Those that never come back have one oddity at the most.

mod oddities;

use std::net::IpAddr;

use oddities::{habits, impatient, script, slight_pipelining, spelling, unique_senders};

use super::draw::Draw;
use super::networks::Network;
use super::{Maker, STREAM_CASES, arrival, names, speech, tries};
use crate::measure::scenario::Rhythm;
use crate::measure::trace::{
    Act, Case, Class, Door, Envelope, Errand, Label, Speech, Starttls, Traits,
};

/// Networks from which a client comes by turns, over IPv6.
const IPV6_NETWORKS: u32 = 8;

/// A client of a case, as it would be without the case's oddity: a company's host with everything in order.
struct Guest {
    class: Class,
    addresses: Vec<IpAddr>,
    domain: String,
    sender: String,
    to: Vec<String>,
    /// Names a timetable; none: it does not come back.
    timetable: Option<&'static str>,
    first: Door,
    then: Door,
    traits: Traits,
    speech: Speech,
    /// It asks for a recipient or looks, and sends nothing.
    act: Option<Act>,
    messages: u32,
}

impl Maker<'_> {
    pub(super) fn cases(&mut self) {
        let mut draw = Draw::new(self.seed, STREAM_CASES);
        let cases: Vec<(Case, u32)> = self
            .scenario
            .case
            .iter()
            .map(|(case, count)| (*case, *count))
            .collect();
        for (case, count) in cases {
            for number in 0..count {
                let errand = self.case(case, number, &mut draw);
                self.errands.push(errand);
            }
        }
    }

    fn case(&mut self, case: Case, number: u32, draw: &mut Draw) -> Errand {
        let mut guest = self.guest(case, number, draw);
        let odd = !number.is_multiple_of(2);
        match case {
            Case::PoolRetry
            | Case::FastRetry
            | Case::GivesUpEarly
            | Case::SlowRetry
            | Case::TooFast
            | Case::ChangingIpv6 => {
                if odd {
                    self.forwards(&mut guest, draw);
                }
            }
            Case::UniqueSender => unique_senders(&mut guest, odd, draw),
            Case::NoRetry => script(&mut guest, number),
            Case::ShortPatience => impatient(&mut guest, number),
            Case::SlightPipelining => slight_pipelining(&mut guest, odd),
            Case::Spelling => spelling(&mut guest, number),
            Case::BadNames => self.bad_names(&mut guest, number, draw),
            Case::Forwarder => self.forwards(&mut guest, draw),
            Case::NullSender => guest.sender = String::new(),
            Case::ListedToPostmaster => self.write_to_postmaster(&mut guest, number, draw),
            Case::PostmasterAmongOthers => self.among_others(&mut guest, number, draw),
            Case::NoFallback => script(&mut guest, 0),
            Case::GoodSecondary => guest.first = Door::Secondary,
            Case::ListedUser => self.listed_user(&mut guest, draw),
            Case::NeedsTls => guest.speech.tls = Starttls::Required,
        }
        self.finish_case(case, guest, draw)
    }

    fn guest(&mut self, case: Case, number: u32, draw: &mut Draw) -> Guest {
        let (class, timetable, software) = habits(case, number);
        let domain = self.world.names.domain();
        let (addresses, helo) = self.places(case, number, &domain, timetable, draw);
        let (dialect, parting) = speech::dialect(software, draw);
        let legitimate = self.scenario.other.starttls_legitimate.value;
        let to = vec![self.user(draw)];
        Guest {
            class,
            addresses,
            sender: format!("{}@{domain}", names::person(draw)),
            domain,
            to,
            timetable,
            first: Door::Primary,
            then: Door::Primary,
            traits: Traits {
                no_retry: timetable.is_none(),
                ..Traits::default()
            },
            speech: Speech {
                helo,
                extended: true,
                tls: if draw.chance(legitimate) {
                    Starttls::Offered
                } else {
                    Starttls::Never
                },
                login: None,
                dialect,
                early: None,
                patience: None,
                act: Act::Look(false),
                parting,
            },
            act: None,
            messages: 1,
        }
    }

    /// Its addresses, and the name it greets with, which the DNS knows.
    fn places(
        &mut self,
        case: Case,
        number: u32,
        domain: &str,
        timetable: Option<&'static str>,
        draw: &mut Draw,
    ) -> (Vec<IpAddr>, String) {
        let plan = timetable.and_then(|name| self.scenario.timetable.get(name));
        let (addresses, policy) = match case {
            Case::ChangingIpv6 => self.addresses(case, IPV6_NETWORKS),
            _ => self.addresses(case, plan.map_or(1, |plan| plan.addresses)),
        };
        self.world.spf(domain, &policy);
        if let Some(first) = addresses.first() {
            self.world.mail_domain(domain, *first);
        }
        let has_no_name = case == Case::BadNames && number.is_multiple_of(4);
        // Those that forward nothing are on the lists of good senders.
        let is_allowed = case == Case::FastRetry && number.is_multiple_of(2);
        for (at, address) in addresses.iter().enumerate() {
            let name = format!("mail{at}.{domain}");
            match case {
                // A user's address is named by the provider.
                Case::ListedUser => {}
                _ if has_no_name => self.world.address(&name, *address),
                _ => self.world.reverse(*address, &name, true),
            }
            if is_allowed {
                self.world.allow(*address, draw);
            }
        }
        (addresses, format!("mail0.{domain}"))
    }

    /// So many addresses, and the SPF policy that lets them send. Those of a pool are in several networks; over IPv6 each is
    /// in another network of one /48.
    fn addresses(&mut self, case: Case, count: u32) -> (Vec<IpAddr>, String) {
        let site = self.world.networks.site();
        let mut network = self.world.networks.v4();
        let mut addresses = Vec::new();
        let mut mechanisms: Vec<String> = Vec::new();
        for at in 0..count {
            network = match case {
                Case::ChangingIpv6 => Network::V6(site, u16::try_from(at).unwrap_or_default()),
                Case::PoolRetry if at > 0 && at % 2 == 0 => self.world.networks.v4(),
                _ => network,
            };
            mechanisms.push(network.mechanism());
            addresses.push(network.host(at));
        }
        mechanisms.dedup();
        mechanisms.push("-all".to_owned());
        (addresses, mechanisms.join(" "))
    }

    fn finish_case(&mut self, case: Case, guest: Guest, draw: &mut Draw) -> Errand {
        let plan = guest
            .timetable
            .and_then(|name| self.scenario.timetable.get(name));
        let offsets = plan.map_or_else(|| tries::ONCE.to_vec(), |plan| tries::offsets(plan, draw));
        let at = arrival::some_time(Rhythm::Even, self.scenario.span, draw);
        let mut speech = guest.speech;
        speech.act = guest.act.unwrap_or_else(|| {
            let envelope = |number| Envelope {
                from: guest
                    .sender
                    .replace("{}", &format!("{number}-{:x}", draw.number() & 0xff_ffff)),
                to: guest.to.clone(),
                size: self.size(Label::Legitimate, draw),
                bare_newline: false,
            };
            Act::Mail {
                envelopes: (0..guest.messages).map(envelope).collect(),
                other_sender: None,
                leaves_at_unknown: false,
            }
        });
        Errand {
            id: 0,
            class: guest.class,
            case: Some(case),
            traits: guest.traits,
            cluster: self.cluster(),
            tries: tries::tries(at, &offsets, &guest.addresses, guest.first, guest.then),
            speech,
        }
    }
}
