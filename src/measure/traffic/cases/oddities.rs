//! What is odd about the clients of each special case.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::Guest;
use crate::measure::trace::{Act, Case, Class, Door, Grouping, Parting, Starttls, Verbs};
use crate::measure::traffic::draw::Draw;
use crate::measure::traffic::envelopes::EXEMPT;
use crate::measure::traffic::software::Software;
use crate::measure::traffic::world::Spf;
use crate::measure::traffic::{DOMAIN, Maker, names};

/// What the lists say about a listed client.
const BOT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 4);
/// What they say about a dynamic address.
const DYNAMIC: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);

/// Which class a case belongs to, the timetable of its clients, and what they run.
pub(super) fn habits(case: Case, number: u32) -> (Class, Option<&'static str>, Software) {
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

impl Maker<'_> {
    /// It passes on what somebody else wrote.
    pub(super) fn forwards(&mut self, guest: &mut Guest, draw: &mut Draw) {
        guest.sender = format!(
            "{}@{}",
            names::person(draw),
            self.world.forged(Spf::Fail, draw)
        );
        guest.traits.spf_fail = true;
    }

    /// One oddity each: no name, a HELO without a dot, one that does not exist, one with an underscore.
    pub(super) fn bad_names(&mut self, guest: &mut Guest, number: u32, draw: &mut Draw) {
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

    pub(super) fn write_to_postmaster(&mut self, guest: &mut Guest, number: u32, draw: &mut Draw) {
        self.list_guest(guest, BOT, draw);
        let local = match number % 3 {
            0 => EXEMPT[0],
            1 => EXEMPT[1],
            // Local-parts are compared without regard to case here (RFC 5321 §4.5.1).
            _ => "PostMaster",
        };
        guest.to = vec![format!("{local}@{}", DOMAIN)];
    }

    pub(super) fn among_others(&mut self, guest: &mut Guest, number: u32, draw: &mut Draw) {
        // Two of three are listed: the user is refused, and what is accepted must be counted right.
        if number % 3 != 2 {
            self.list_guest(guest, BOT, draw);
        }
        guest.to.push(format!("{}@{}", EXEMPT[0], DOMAIN));
        if number.is_multiple_of(2) {
            guest.to.reverse();
        }
    }

    pub(super) fn listed_user(&mut self, guest: &mut Guest, draw: &mut Draw) {
        self.list_guest(guest, DYNAMIC, draw);
        let provider = self.world.provider(draw);
        for address in &guest.addresses {
            let name = names::dynamic(*address, &provider, draw);
            self.world.reverse(*address, &name, true);
        }
        let login = self.login(draw);
        guest.sender = format!("{}@{}", login.0, DOMAIN);
        guest.traits.dynamic = true;
        guest.speech.login = Some(login);
        guest.speech.helo = format!("[192.168.1.{}]", 2 + draw.below(200));
        guest.speech.tls = Starttls::Never;
        (guest.first, guest.then) = (Door::Submission, Door::Submission);
    }
}

/// Several messages, a sender of its own for each: VERP, or SRS.
pub(super) fn unique_senders(guest: &mut Guest, srs: bool, draw: &mut Draw) {
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
pub(super) fn script(guest: &mut Guest, number: u32) {
    match number % 3 {
        0 => {}
        1 => {
            guest.speech.helo = "localhost".to_owned();
            guest.traits.bad_helo = true;
        }
        _ => guest.speech.dialect.spaced = true,
    }
}

pub(super) fn impatient(guest: &mut Guest, number: u32) {
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

pub(super) fn spelling(guest: &mut Guest, number: u32) {
    let dialect = &mut guest.speech.dialect;
    (dialect.verbs, dialect.spaced) = match number % 3 {
        0 => (Verbs::Lower, false),
        1 => (Verbs::Mixed, false),
        _ => (Verbs::Upper, true),
    };
}

/// RSET and QUIT in one segment; or QUIT behind the final dot, its reply unheard.
pub(super) fn slight_pipelining(guest: &mut Guest, quits_unheard: bool) {
    if quits_unheard {
        guest.speech.dialect.grouping = Grouping::Offered;
        guest.speech.parting = Parting::QuitUnheard;
    } else {
        guest.speech.dialect.grouping = Grouping::Parting;
    }
}
