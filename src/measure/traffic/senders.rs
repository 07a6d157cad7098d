//! Who a client says it is: its HELO name, and the mailboxes it sends from, with the DNS that makes what was drawn true.

use std::net::IpAddr;

use super::draw::Draw;
use super::software::Software;
use super::world::Spf;
use super::{DOMAIN, HOST, Kind, Maker, names};
use crate::measure::trace::{Class, Traits};

/// Who sends.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    pub(super) helo: String,
    pub(super) domain: SenderDomain,
    pub(super) software: Software,
    pub(super) traits: Traits,
}

/// For which domain it sends.
#[derive(Clone, Debug)]
pub(super) enum SenderDomain {
    /// Its own, for which SPF says this.
    Own(String, Spf),
    /// Another for each message.
    Forged,
    /// That of whoever wrote to somebody at its own domain.
    Forwarded(String),
    /// None: the null reverse-path.
    Null,
    /// The domain under test: one of its users.
    Ours,
}

impl Maker<'_> {
    /// What the client greets with; `own` is its name if it has names of its own.
    pub(super) fn helo(
        &mut self,
        kind: Kind<'_>,
        (own, address): (&str, IpAddr),
        reverse: Option<&str>,
        traits: Traits,
        draw: &mut Draw,
    ) -> String {
        if traits.bad_helo {
            return self.bad_helo(kind, address, draw);
        }
        let other = &self.scenario.other;
        let (unknown, poor) = match kind.class {
            Class::B4 | Class::V1 | Class::A1 | Class::A2 | Class::G9 => (0.0, false),
            Class::M1 => {
                return format!(
                    "{}-pc.{}.local",
                    names::any_word(draw),
                    names::any_word(draw)
                );
            }
            Class::G4 | Class::G8 => (other.unknown_helo_poor.value, true),
            _ if kind.is_bot() => (other.unknown_helo_bots.value, false),
            _ => (other.unknown_helo_good.value, false),
        };
        let unknown = draw.chance(unknown);
        if kind.is_bot() || matches!(kind.class, Class::A1 | Class::A2 | Class::G9) {
            return match reverse {
                _ if unknown => format!("{}.{}", names::any_word(draw), self.world.names.missing()),
                Some(reverse) => reverse.to_owned(),
                None => format!("mx.{}", self.world.forged(Spf::None, draw)),
            };
        }
        if unknown {
            return format!("mail.{}.local", names::any_word(draw));
        }
        // Some of those with bad names have an underscore in them.
        let name = match poor && draw.chance(10.0) {
            true => format!(
                "mail_gw.{}",
                own.split_once('.').map_or(own, |(_, domain)| domain)
            ),
            false => own.to_owned(),
        };
        if reverse != Some(name.as_str()) {
            self.world.address(&name, address);
        }
        name
    }

    /// One of bad shape: a name of ours, a bare address, no dot.
    pub(super) fn bad_helo(&mut self, kind: Kind<'_>, address: IpAddr, draw: &mut Draw) -> String {
        let word = names::any_word(draw);
        match kind.class {
            Class::A1 => {
                let names = &self.scenario.other.guesser_names;
                return draw.one(names).cloned().unwrap_or(word);
            }
            Class::M1 => return format!("[192.168.{}.{}]", draw.below(3), 2 + draw.below(200)),
            Class::G4 | Class::G8 => {
                let known = draw.word(&["localhost", "server", "mail", "EXCHANGE", "WIN-SRV01"]);
                return known.to_owned();
            }
            _ if !kind.is_unwanted() => return word,
            _ => {}
        }
        match draw.below(20) {
            0..=2 => HOST.to_owned(),
            3..=4 => DOMAIN.to_owned(),
            5..=9 => address.to_string(),
            10..=12 => "localhost".to_owned(),
            _ => word,
        }
    }

    /// The mailbox it sends a message from; empty for the null reverse-path.
    pub(super) fn sender_mailbox(
        &mut self,
        kind: Kind<'_>,
        sender: &Sender,
        to: &str,
        draw: &mut Draw,
    ) -> String {
        if let SenderDomain::Null = sender.domain {
            return String::new();
        }
        let person = names::person(draw);
        if sender.traits.spf_fail {
            return format!("{person}@{}", self.world.forged(Spf::Fail, draw));
        }
        if sender.traits.bad_domain {
            return format!("{person}@{}", self.world.names.missing());
        }
        let left = (100.0 - kind.row.spf_fail).max(1.0);
        match &sender.domain {
            SenderDomain::Null => String::new(),
            SenderDomain::Ours => self.user(draw),
            SenderDomain::Own(domain, Spf::Pass) => {
                own_mailbox(kind.class, &person, to, domain, draw)
            }
            // A provider's domain has a record; a customer's may have none.
            SenderDomain::Own(_, Spf::None) if kind.habits.pool.is_some() => {
                format!("{person}@{}", self.world.forged(Spf::None, draw))
            }
            SenderDomain::Own(domain, _) => own_mailbox(kind.class, &person, to, domain, draw),
            SenderDomain::Forwarded(domain) if draw.chance(100.0 * kind.habits.spf_pass / left) => {
                let original = self.world.forged(Spf::Fail, draw);
                let (hash, day) = (draw.number() & 0xffff, draw.below(1024));
                format!("SRS0={hash:04x}={day:03x}={original}={person}@{domain}")
            }
            SenderDomain::Forged if draw.chance(100.0 * kind.habits.spf_pass / left) => {
                format!("{person}@{}", self.world.forged(Spf::Pass, draw))
            }
            SenderDomain::Forged | SenderDomain::Forwarded(_) => {
                format!(
                    "{person}@{}",
                    self.world.forged(Spf::without_pass(draw), draw)
                )
            }
        }
    }
}

/// A mailbox of the sender's own domain; another for every message of mailing services and lists (VERP).
fn own_mailbox(class: Class, person: &str, to: &str, domain: &str, draw: &mut Draw) -> String {
    let returned = to.replace('@', "=");
    match class {
        Class::G2 | Class::E1 => {
            format!("bounce-{}-{returned}@{domain}", draw.number() % 10_000_000)
        }
        Class::G6 => format!("list-bounces+{returned}@{domain}"),
        _ => format!("{person}@{domain}"),
    }
}
