//! What became of each errand: its messages' fates, from what was observed at its tries.

use std::collections::HashSet;
use std::time::Duration;

use crate::measure::trace::{Act, Errand, Label, Played, Ran, Sent, Trace, Tried};

/// The exempt local-parts.
const EXEMPT: [&str; 2] = ["postmaster", "abuse"];

/// An errand and what was observed of it.
#[derive(Debug)]
pub(super) struct Outcome<'t> {
    pub(super) errand: &'t Errand,
    ran: Option<&'t Ran>,
    messages: Vec<Message>,
}

/// What became of a message, as far as it was meant for somebody who exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) fate: Fate,
    /// The try at which the last was delivered, and how long after the first; virtual.
    pub(super) delivered: Option<(usize, Duration)>,
}

impl Message {
    /// Delivered, though not at the first try.
    pub(super) const fn is_delayed(&self) -> bool {
        matches!(
            (self.fate, self.delivered),
            (Fate::Delivered, Some((1.., _)))
        )
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Everybody got it.
    Delivered,
    /// Some did.
    Partly,
    /// It was refused for good.
    Rejected,
    /// It was not delivered by the last try.
    Lost,
}

pub(super) const fn is_positive(code: u16) -> bool {
    matches!(code, 200..=299)
}

const fn is_permanent(code: u16) -> bool {
    matches!(code, 500..=599)
}

/// Whoever exists at the server under test.
pub(super) struct Users<'t> {
    domain: &'t str,
    users: HashSet<&'t str>,
}

impl<'t> Users<'t> {
    pub(super) fn of(trace: &'t Trace) -> Self {
        Self {
            domain: &trace.domain,
            users: trace.users.iter().map(String::as_str).collect(),
        }
    }

    pub(super) fn exists(&self, mailbox: &str) -> bool {
        let Some((local, domain)) = mailbox.rsplit_once('@') else {
            return false;
        };
        let local = local.to_ascii_lowercase();
        domain.eq_ignore_ascii_case(self.domain)
            && (self.users.contains(local.as_str()) || EXEMPT.contains(&local.as_str()))
    }
}

/// Whether a mailbox is exempt.
pub(super) fn is_exempt(mailbox: &str) -> bool {
    let local = mailbox.rsplit_once('@').map_or(mailbox, |(local, _)| local);
    EXEMPT
        .iter()
        .any(|exempt| local.eq_ignore_ascii_case(exempt))
}

/// Whether who does this comes with mail, or asks for a recipient.
pub(super) const fn asks(act: &Act) -> bool {
    matches!(act, Act::Mail { .. } | Act::Callout { .. })
}

/// Of every errand.
pub(super) fn all<'t>(trace: &'t Trace, played: &'t Played) -> Vec<Outcome<'t>> {
    let users = Users::of(trace);
    let mut ran: Vec<Option<&Ran>> = vec![None; trace.errands.len()];
    for one in &played.ran {
        if let Some(place) = ran.get_mut(one.errand as usize) {
            *place = Some(one);
        }
    }
    let of = |errand: &'t Errand| {
        let ran = ran.get(errand.id as usize).copied().flatten();
        Outcome::new(errand, ran, &users)
    };
    trace.errands.iter().map(of).collect()
}

impl<'t> Outcome<'t> {
    fn new(errand: &'t Errand, ran: Option<&'t Ran>, users: &Users<'_>) -> Self {
        let tries = ran.map_or(&[][..], |ran| ran.tries.as_slice());
        let messages = match &errand.speech.act {
            Act::Mail { envelopes, .. } => (0..)
                .zip(envelopes)
                .filter_map(|(of, envelope)| message((of, &envelope.to, false), tries, users))
                .collect(),
            Act::Callout { to } => {
                let to = std::slice::from_ref(to);
                message((0, to, true), tries, users).into_iter().collect()
            }
            Act::Guess(_) | Act::Scan(_) | Act::Look(_) => Vec::new(),
        };
        Self {
            errand,
            ran,
            messages,
        }
    }

    /// Drawn, not put in for a special case.
    pub(super) const fn is_drawn(&self) -> bool {
        self.errand.case.is_none()
    }

    pub(super) fn is_unwanted(&self) -> bool {
        matches!(self.errand.class.label(), Label::Spam | Label::Hostile)
    }

    /// Whether its messages are in the shares of the label.
    pub(super) fn is_counted(&self, label: Label) -> bool {
        self.errand.class.label() == label && self.trouble().is_none()
    }

    /// The player's own trouble. An errand that was not run at all is trouble as well.
    pub(super) fn trouble(&self) -> Option<&'t str> {
        let Some(ran) = self.ran else {
            return Some("was not run");
        };
        ran.tries.iter().find_map(|tried| tried.trouble.as_deref())
    }

    pub(super) fn tries(&self) -> impl Iterator<Item = &'t Tried> + use<'t> {
        self.ran.into_iter().flat_map(|ran| &ran.tries)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    /// Exempt recipients: those that were delivered (accepted, for what is no mail) and those that were meant. For spam
    /// those count that were asked for.
    pub(super) fn exempt(&self, trace: &Trace) -> (u64, u64) {
        let Act::Mail { envelopes, .. } = &self.errand.speech.act else {
            return (0, 0);
        };
        let legitimate = self.errand.class.label() == Label::Legitimate;
        let (mut part, mut whole) = (0, 0);
        for (of, envelope) in (0..).zip(envelopes) {
            let exempt = (0..).zip(&envelope.to).filter(|(_, to)| is_exempt(to));
            let local = exempt.filter(|(_, to)| to.ends_with(&trace.domain));
            for (place, _) in local {
                let asked = self.tries().flat_map(|tried| &tried.envelopes);
                let codes: Vec<(u16, u16)> = asked
                    .filter(|sent| sent.of == of)
                    .filter_map(|sent| Some((code(sent, place)?, sent.data)))
                    .collect();
                let good = |(rcpt, data): &(u16, u16)| {
                    is_positive(*rcpt) && (!legitimate || is_positive(*data))
                };
                whole += u64::from(legitimate || !codes.is_empty());
                part += u64::from(codes.iter().any(good));
            }
        }
        (part, whole)
    }
}

/// The reply to the recipient at this place of the envelope.
fn code(sent: &Sent, place: u32) -> Option<u16> {
    let at = sent.to.iter().position(|to| *to == place)?;
    sent.rcpt.get(at).copied()
}

/// What one try brought one recipient.
fn brought(sent: &Sent, place: u32, callout: bool) -> Option<bool> {
    if !sent.to.contains(&place) {
        return is_permanent(sent.mail).then_some(false);
    }
    let rcpt = code(sent, place).unwrap_or_default();
    if is_positive(rcpt) && (callout || is_positive(sent.data)) {
        return Some(true);
    }
    let refused = is_permanent(sent.mail)
        || is_permanent(rcpt)
        || is_positive(rcpt) && is_permanent(sent.data);
    refused.then_some(false)
}

/// `None`: it was meant for nobody who exists.
fn message(
    (of, to, callout): (u32, &[String], bool),
    tries: &[Tried],
    users: &Users<'_>,
) -> Option<Message> {
    let (mut meant, mut got, mut refused) = (0, 0, 0);
    let mut last = None;
    let begin = tries.first().map(|tried| tried.at).unwrap_or_default();
    for (place, _) in (0..).zip(to).filter(|(_, to)| users.exists(to)) {
        meant += 1;
        let mut was_refused = false;
        let delivered = tries.iter().enumerate().find_map(|(number, tried)| {
            let mut sent = tried.envelopes.iter().filter(|sent| sent.of == of);
            let brought: Vec<bool> = sent
                .by_ref()
                .filter_map(|sent| brought(sent, place, callout))
                .collect();
            was_refused |= brought.contains(&false);
            brought
                .contains(&true)
                .then(|| (number, tried.at.saturating_sub(begin)))
        });
        got += usize::from(delivered.is_some());
        refused += usize::from(delivered.is_none() && was_refused);
        last = last.max(delivered);
    }
    let fate = match (meant, got, refused) {
        (0, ..) => return None,
        (meant, got, _) if got == meant => Fate::Delivered,
        (_, 1.., _) => Fate::Partly,
        (_, _, 1..) => Fate::Rejected,
        _ => Fate::Lost,
    };
    Some(Message {
        fate,
        delivered: last,
    })
}
