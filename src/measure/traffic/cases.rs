//! The special cases (`effectiveness.md` §3.6): legitimate traffic that breaks naive filters, each a known number of times
//! on top of what is drawn.
//!
//! Those of one case differ. Where a case is about coming back, every other one forwards somebody's mail, so that SPF fails:
//! a filter that puts doubtful mail off will do it there. Those that never come back have one oddity at the most.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::draw::Draw;
use super::envelopes::EXEMPT;
use super::speech::{self, Software};
use super::world::Spf;
use super::{Maker, STREAM_CASES, arrival, names, tries};
use crate::measure::scenario::Rhythm;
use crate::measure::trace::{
    Act, Case, Class, Door, Envelope, Errand, Grouping, Label, Parting, Speech, Starttls, Traits,
    Verbs,
};

/// What the lists say about a listed client.
const BOT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
/// What they say about a dynamic address.
const DYNAMIC: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);

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
            Case::SlightPipelining => guest.speech.dialect.grouping = Grouping::Parting,
            Case::Spelling => spelling(&mut guest, number),
            Case::BadNames => self.bad_names(&mut guest, number, draw),
            Case::Forwarder => self.forwards(&mut guest, draw),
            Case::NullSender => guest.sender = String::new(),
            Case::ListedToPostmaster => self.to_postmaster(&mut guest, number, draw),
            Case::PostmasterAmongOthers => self.among_others(&mut guest, number, draw),
            Case::NoFallback => script(&mut guest, 0),
            Case::GoodSecondary => guest.first = Door::Secondary,
            Case::ListedUser => self.listed_user(&mut guest, draw),
            Case::NeedsTls => guest.speech.tls = Starttls::Required,
        }
        if case == Case::SlightPipelining && odd {
            guest.speech.dialect.grouping = Grouping::Offered;
            guest.speech.parting = Parting::QuitUnheard;
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

    /// Its addresses and the name it greets with. Pools have a /24 each for their addresses, or IPv6 networks of one /48.
    fn places(
        &mut self,
        case: Case,
        number: u32,
        domain: &str,
        timetable: Option<&'static str>,
        draw: &mut Draw,
    ) -> (Vec<IpAddr>, String) {
        let plan = timetable.and_then(|name| self.scenario.timetable.get(name));
        let v6 = case == Case::ChangingIpv6;
        let count = if v6 {
            8
        } else {
            plan.map_or(1, |plan| plan.addresses)
        };
        let site = self.world.networks.site();
        let mut addresses = Vec::new();
        let mut policy = String::new();
        let mut network = self.world.networks.v4();
        for at in 0..count {
            // The hosts of a pool are in several networks.
            if v6 {
                network = super::networks::Network::V6(site, u16::try_from(at).unwrap_or_default());
            } else if at > 0 && at % 2 == 0 && case == Case::PoolRetry {
                network = self.world.networks.v4();
            }
            let mechanism = network.mechanism();
            if !policy.contains(&mechanism) {
                policy.push_str(&mechanism);
                policy.push(' ');
            }
            addresses.push(network.host(at));
        }
        let bare = case == Case::BadNames && number.is_multiple_of(4);
        for (at, address) in addresses
            .iter()
            .enumerate()
            .filter(|_| !bare && case != Case::ListedUser)
        {
            self.world
                .reverse(*address, &format!("mail{at}.{domain}"), true);
        }
        self.world.spf(domain, &format!("{policy}-all"));
        if let Some(first) = addresses.first() {
            self.world.mail_domain(domain, *first);
            if bare {
                self.world.address(&format!("mail0.{domain}"), *first);
            }
        }
        if case == Case::FastRetry && draw.chance(50.0) {
            addresses
                .iter()
                .for_each(|address| self.world.allow(*address, draw));
        }
        (addresses, format!("mail0.{domain}"))
    }

    /// It passes on what somebody else wrote.
    fn forwards(&mut self, guest: &mut Guest, draw: &mut Draw) {
        guest.sender = format!(
            "{}@{}",
            names::person(draw),
            self.world.forged(Spf::Fail, draw)
        );
        guest.traits.spf_fail = true;
    }

    /// One oddity each: no name, a HELO without a dot, one that does not exist, one with an underscore.
    fn bad_names(&mut self, guest: &mut Guest, number: u32, draw: &mut Draw) {
        match number % 4 {
            0 => guest.traits.no_ptr = true,
            1 => {
                guest.speech.helo = draw.word(&["server", "mail", "EXCHANGE"]).to_owned();
                guest.traits.bad_helo = true;
            }
            2 => guest.speech.helo = format!("mail.{}.local", names::any_word(draw)),
            _ => {
                guest.speech.helo = format!("mail_gw.{}", guest.domain);
                if let Some(first) = guest.addresses.first() {
                    self.world.address(&guest.speech.helo, *first);
                }
            }
        }
    }

    fn list_guest(&mut self, guest: &mut Guest, answer: Ipv4Addr, draw: &mut Draw) {
        guest.traits.listed = true;
        for address in &guest.addresses {
            self.world.list(*address, Duration::ZERO, answer, draw);
        }
    }

    fn to_postmaster(&mut self, guest: &mut Guest, number: u32, draw: &mut Draw) {
        self.list_guest(guest, BOT, draw);
        let local = match number % 3 {
            0 => EXEMPT[0],
            1 => EXEMPT[1],
            // Local-parts are compared without regard to case here (RFC 5321 §4.5.1).
            _ => "PostMaster",
        };
        guest.to = vec![format!("{local}@{}", super::DOMAIN)];
    }

    fn among_others(&mut self, guest: &mut Guest, number: u32, draw: &mut Draw) {
        // Two of three are listed: the user is refused, and what is accepted must be counted right.
        if number % 3 != 2 {
            self.list_guest(guest, BOT, draw);
        }
        guest.to.push(format!("{}@{}", EXEMPT[0], super::DOMAIN));
        if number.is_multiple_of(2) {
            guest.to.reverse();
        }
    }

    fn listed_user(&mut self, guest: &mut Guest, draw: &mut Draw) {
        self.list_guest(guest, DYNAMIC, draw);
        let provider = self.world.provider(draw);
        for address in &guest.addresses {
            let name = names::dynamic(*address, &provider, draw);
            self.world.reverse(*address, &name, true);
        }
        let login = self.login(draw);
        guest.sender = format!("{}@{}", login.0, super::DOMAIN);
        guest.traits.dynamic = true;
        guest.speech.login = Some(login);
        guest.speech.helo = format!("[192.168.1.{}]", 2 + draw.below(200));
        guest.speech.tls = Starttls::Never;
        (guest.first, guest.then) = (Door::Submission, Door::Submission);
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

/// Which class a case belongs to, the timetable of its clients, and what they run.
fn habits(case: Case, number: u32) -> (Class, Option<&'static str>, Software) {
    let by_turns = |names: &[&'static str]| {
        let at = (number as usize)
            .checked_rem(names.len())
            .unwrap_or_default();
        names.get(at).copied()
    };
    match case {
        // By pairs, so that each timetable has one that forwards.
        Case::PoolRetry => {
            let names = [
                "gmail", "gmail", "mail_ru", "mail_ru", "gmx", "gmx", "qq", "qq",
            ];
            (Class::G1, by_turns(&names), Software::Gmail)
        }
        Case::FastRetry => {
            let names = [
                "microsoft",
                "microsoft",
                "yandex",
                "yandex",
                "yahoo",
                "yahoo",
            ];
            (Class::G1, by_turns(&names), Software::Exchange)
        }
        Case::GivesUpEarly => (Class::G1, Some("aol"), Software::Service),
        Case::SlowRetry => (Class::G3, Some("postfix"), Software::Postfix),
        Case::TooFast => (Class::G8, Some("too_fast"), Software::Hosting),
        Case::UniqueSender => (Class::G2, Some("postfix"), Software::Service),
        Case::NoRetry => (Class::G8, None, Software::Script),
        Case::ShortPatience => (Class::G8, Some("script"), Software::Java),
        Case::SlightPipelining => (Class::G8, Some("script"), Software::Hosting),
        Case::Spelling => (Class::G8, Some("script"), Software::Script),
        Case::BadNames => (Class::G4, Some("exim"), Software::Exim),
        Case::Forwarder => (
            Class::G5,
            by_turns(&["postfix", "exim", "sendmail"]),
            Software::Postfix,
        ),
        Case::NullSender => (Class::G7, by_turns(&["postfix", "exim"]), Software::Exim),
        Case::ListedToPostmaster | Case::PostmasterAmongOthers => {
            (Class::G10, None, Software::Postfix)
        }
        Case::NoFallback => (Class::G8, None, Software::Java),
        Case::GoodSecondary => (
            Class::G3,
            by_turns(&["postfix", "exim", "exchange"]),
            Software::Postfix,
        ),
        Case::ListedUser => (Class::M1, None, Software::User),
        Case::ChangingIpv6 => (
            Class::G1,
            by_turns(&["gmail", "gmail", "microsoft", "microsoft"]),
            Software::Gmail,
        ),
        Case::NeedsTls => (
            Class::G3,
            by_turns(&["postfix", "exchange"]),
            Software::Exchange,
        ),
    }
}

/// Several messages, a sender of its own for each: VERP, or SRS.
fn unique_senders(guest: &mut Guest, srs: bool, draw: &mut Draw) {
    guest.messages = 3;
    let domain = &guest.domain;
    guest.sender = match srs {
        true => format!(
            "SRS0={{}}=xy=somewhere.example=person{}@{domain}",
            draw.below(100)
        ),
        false => format!("bounce-{{}}-user=bench.example@{domain}"),
    };
}

/// A script that sends once; one oddity at the most.
fn script(guest: &mut Guest, number: u32) {
    match number % 3 {
        0 => {}
        1 => {
            guest.speech.helo = "localhost".to_owned();
            guest.traits.bad_helo = true;
        }
        _ => guest.speech.dialect.spaced = true,
    }
}

fn impatient(guest: &mut Guest, number: u32) {
    let (class, seconds, act) = match number % 3 {
        0 => {
            let to = guest.to.first().cloned().unwrap_or_default();
            (Class::G7, 30, Some(Act::Callout { to }))
        }
        1 => (Class::G8, 45, None),
        _ => (Class::G9, 15, Some(Act::Look(true))),
    };
    guest.class = class;
    guest.speech.patience = Some(Duration::from_secs(seconds));
    guest.act = act;
}

fn spelling(guest: &mut Guest, number: u32) {
    let dialect = &mut guest.speech.dialect;
    (dialect.verbs, dialect.spaced) = match number % 3 {
        0 => (Verbs::Lower, false),
        1 => (Verbs::Mixed, false),
        _ => (Verbs::Upper, true),
    };
}
