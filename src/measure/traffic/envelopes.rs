//! Transactions: recipients, sizes, and how many in a connection.

use super::draw::Draw;
use super::senders::Sender;
use super::{DOMAIN, Kind, Maker, names};
use crate::measure::trace::{Class, Envelope, Label};

/// Most transactions of one connection.
const MOST_MESSAGES: usize = 20;
/// Octets of a message, at the least and the most.
const SIZES: (f64, f64) = (300.0, 2_000_000.0);
/// The exempt local-parts.
pub(super) const EXEMPT: [&str; 2] = ["postmaster", "abuse"];

impl Maker<'_> {
    /// What it means to send in one connection.
    pub(super) fn envelopes(
        &mut self,
        kind: Kind<'_>,
        sender: &Sender,
        draw: &mut Draw,
    ) -> Vec<Envelope> {
        let messages = draw.repeats(kind.habits.messages, MOST_MESSAGES);
        (0..messages)
            .map(|_| self.envelope(kind, sender, draw))
            .collect()
    }

    fn envelope(&mut self, kind: Kind<'_>, sender: &Sender, draw: &mut Draw) -> Envelope {
        let to = match kind.class {
            Class::G10 => self.exempt_recipients(draw),
            _ => self.recipients(kind, draw),
        };
        let from = self.sender_mailbox(kind, sender, to.first().map_or("", String::as_str), draw);
        let bare = self.scenario.other.bare_newline.value;
        Envelope {
            from,
            to,
            size: self.size(kind.class.label(), draw),
            bare_newline: kind.class == Class::G8 && draw.chance(bare),
        }
    }

    fn recipients(&self, kind: Kind<'_>, draw: &mut Draw) -> Vec<String> {
        let count = draw.skewed(kind.habits.recipients) as usize;
        let mut to: Vec<String> = Vec::with_capacity(count + 1);
        while to.len() < count {
            let one = match draw.chance(kind.habits.unknown) {
                true => unknown(draw),
                false => self.user(draw),
            };
            // Once each; where there are not enough users, the rest are unknown.
            match to.contains(&one) {
                true => to.push(unknown(draw)),
                false => to.push(one),
            }
        }
        let also = self.scenario.other.also_postmaster.value;
        if kind.class.label() == Label::Spam && draw.chance(also) {
            to.push(exempt(draw));
        }
        to
    }

    /// postmaster@ or abuse@, alone or beside a user, in either order.
    fn exempt_recipients(&self, draw: &mut Draw) -> Vec<String> {
        let exempt = exempt(draw);
        match draw.below(4) {
            0 => vec![self.user(draw), exempt],
            1 => vec![exempt, self.user(draw)],
            _ => vec![exempt],
        }
    }

    /// Somebody who exists.
    pub(super) fn user(&self, draw: &mut Draw) -> String {
        let user = draw.one(&self.users).map_or("", String::as_str);
        format!("{user}@{DOMAIN}")
    }

    /// Octets of a message.
    pub(super) fn size(&self, label: Label, draw: &mut Draw) -> u32 {
        let other = &self.scenario.other;
        let median = match label {
            Label::Spam | Label::Hostile => other.size_spam.value,
            Label::Legitimate | Label::Monitoring => other.size_legitimate.value,
        };
        let (least, most) = SIZES;
        let size = draw.around(median * 1000.0, other.size_sigma.value);
        size.clamp(least, most) as u32
    }
}

/// Somebody who does not exist: users have no hyphen in their names.
fn unknown(draw: &mut Draw) -> String {
    format!(
        "{}-{}@{DOMAIN}",
        names::any_word(draw),
        draw.number() % 100_000
    )
}

fn exempt(draw: &mut Draw) -> String {
    format!("{}@{DOMAIN}", draw.word(&EXEMPT))
}
