//! What clients of a class are about.

use super::draw::Draw;
use super::senders::Sender;
use super::{Kind, Maker};
use crate::measure::trace::{Act, Class};

/// What scanners send.
const PROBES: [&[u8]; 4] = [
    b"GET / HTTP/1.0\r\n\r\n",
    b"CONNECT 192.0.2.1:443 HTTP/1.1\r\nHost: 192.0.2.1:443\r\n\r\n",
    // A ClientHello of TLS 1.2 with one cipher suite.
    b"\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\
      \x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x00\x00\x02\x00\x2f\x01\x00",
    // A connection request of RDP.
    b"\x03\x00\x00\x2b\x26\xe0\x00\x00\x00\x00\x00Cookie: mstshash=Administr\r\n\x01\x00\x08\x00\x03\x00\x00\x00",
];
/// Most passwords a guesser tries in one connection.
const MOST_GUESSES: u32 = 4;

impl Maker<'_> {
    pub(super) fn act(&mut self, kind: Kind<'_>, sender: &Sender, draw: &mut Draw) -> Act {
        match kind.class {
            Class::A1 => {
                let guesses = draw.between([1, MOST_GUESSES]);
                Act::Guess(u8::try_from(guesses).unwrap_or(1))
            }
            Class::A2 if sender.traits.early => scan(draw),
            Class::A2 => match draw.below(20) {
                0..=11 => Act::Look(false),
                12..=16 => Act::Look(true),
                _ => scan(draw),
            },
            // Who only reads the greeting can not be early.
            Class::G9 => Act::Look(sender.traits.early || draw.chance(40.0)),
            Class::G7 if draw.chance(self.scenario.other.callouts.value) => Act::Callout {
                to: self.user(draw),
            },
            _ => self.mail(kind, sender, draw),
        }
    }

    fn mail(&mut self, kind: Kind<'_>, sender: &Sender, draw: &mut Draw) -> Act {
        let other = &self.scenario.other;
        let switches = match kind.class {
            Class::B1 | Class::B4 => draw.chance(other.other_sender.value),
            _ => false,
        };
        let leaves_at_unknown =
            kind.class == Class::D1 && draw.chance(other.leaves_at_unknown.value);
        let envelopes = self.envelopes(kind, sender, draw);
        let other_sender = switches.then(|| self.sender_mailbox(kind, sender, "", draw));
        Act::Mail {
            envelopes,
            other_sender,
            leaves_at_unknown,
        }
    }
}

fn scan(draw: &mut Draw) -> Act {
    Act::Scan(
        draw.one(&PROBES)
            .map_or_else(Vec::new, |probe| probe.to_vec()),
    )
}
