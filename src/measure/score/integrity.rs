//! Promise 1: whatever was taken (2xx to the final dot) arrived, once, for exactly those recipients that were accepted, and
//! nothing arrived that was not taken.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::outcome::is_positive;
use crate::measure::trace::{Act, Played, Sent, Trace};

/// How many faults are told.
const TOLD: usize = 20;

/// Whether each message that was taken arrived, once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Integrity {
    /// Whether it could be told: what arrives behind the server is seen.
    pub known: bool,
    /// Messages that were taken.
    pub taken: u64,
    /// Deliveries to a recipient that arrived.
    pub arrived: u64,
    /// Recipients of messages that were taken who did not get them.
    pub lost: u64,
    /// Recipients who got a message more often than once.
    pub duplicates: u64,
    /// Recipients who got a message that was refused, or for whom they were refused.
    pub invented: u64,
    /// Messages that arrived and whose sender heard no reply, because the connection broke: nobody's fault here (RFC 1047).
    pub unheard: u64,
    /// What is wrong, the first few.
    pub faults: Vec<String>,
}

/// Errand, try, transaction.
type Message = (u32, u32, u32);

impl Integrity {
    /// Whether all is right, as far as it can be told.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.lost == 0 && self.duplicates == 0 && self.invented == 0
    }

    pub(super) fn of(trace: &Trace, played: &Played) -> Self {
        let mut integrity = Self::default();
        let mut expected = expected(trace, played);
        integrity.taken = expected.values().filter(|message| message.taken).count() as u64;
        let Some(arrived) = &played.arrived else {
            return integrity;
        };
        integrity.known = true;
        for arrival in arrived {
            let message = (arrival.errand, arrival.attempt, arrival.envelope);
            integrity.arrived += arrival.to.len() as u64;
            match expected.get_mut(&message) {
                Some(sent) => arrival.to.iter().for_each(|to| sent.count(to)),
                None => integrity.fault(
                    message,
                    "arrived and was never sent",
                    |one| &mut one.invented,
                    arrival.to.len(),
                ),
            }
        }
        let sorted: BTreeMap<Message, Expected> = expected.into_iter().collect();
        for (message, sent) in sorted {
            integrity.judge(message, &sent);
        }
        integrity
    }

    fn judge(&mut self, message: Message, sent: &Expected) {
        let (mut lost, mut again) = (0, 0);
        for count in sent.recipients.values() {
            lost += usize::from(*count == 0);
            again += usize::from(*count > 1);
        }
        if again > 0 {
            self.fault(
                message,
                "arrived more often than once",
                |one| &mut one.duplicates,
                again,
            );
        }
        if sent.strangers > 0 {
            let what = "arrived for recipients that were refused";
            self.fault(message, what, |one| &mut one.invented, sent.strangers);
        }
        let some = sent.recipients.values().any(|count| *count > 0);
        match (sent.taken, sent.heard) {
            (true, _) if lost > 0 => {
                self.fault(
                    message,
                    "was taken and did not arrive",
                    |one| &mut one.lost,
                    lost,
                );
            }
            (false, false) if some => self.unheard += 1,
            (false, true) if some => {
                let count = sent.recipients.len() - lost;
                self.fault(
                    message,
                    "was refused and arrived",
                    |one| &mut one.invented,
                    count,
                );
            }
            _ => {}
        }
    }

    fn fault(&mut self, message: Message, what: &str, of: fn(&mut Self) -> &mut u64, count: usize) {
        *of(self) += count as u64;
        if self.faults.len() < TOLD {
            let (errand, attempt, envelope) = message;
            self.faults.push(format!(
                "{errand}.{attempt}.{envelope} {what} ({count} recipients)"
            ));
        }
    }
}

/// A transaction, and what should come of it.
struct Expected {
    taken: bool,
    /// Whether there was a reply to the final dot.
    heard: bool,
    /// Those that were accepted, in lower case, and how often they got it.
    recipients: HashMap<String, usize>,
    /// Deliveries to others.
    strangers: usize,
}

impl Expected {
    fn of(sent: &Sent, to: &[String]) -> Self {
        let codes = sent.to.iter().zip(&sent.rcpt);
        let accepted = codes.filter(|(_, code)| is_positive(**code));
        let named = accepted.filter_map(|(place, _)| to.get(*place as usize));
        Self {
            taken: is_positive(sent.data),
            heard: sent.data != 0,
            recipients: named.map(|to| (to.to_ascii_lowercase(), 0)).collect(),
            strangers: 0,
        }
    }

    fn count(&mut self, to: &str) {
        match self.recipients.get_mut(&to.to_ascii_lowercase()) {
            Some(count) => *count += 1,
            None => self.strangers += 1,
        }
    }
}

fn expected(trace: &Trace, played: &Played) -> HashMap<Message, Expected> {
    let mut expected = HashMap::new();
    for ran in &played.ran {
        let errand = trace.errands.get(ran.errand as usize);
        let Some(Act::Mail { envelopes, .. }) = errand.map(|errand| &errand.speech.act) else {
            continue;
        };
        for (attempt, tried) in (0..).zip(&ran.tries) {
            for (number, sent) in (0..).zip(&tried.envelopes) {
                let to = envelopes
                    .get(sent.of as usize)
                    .map_or(&[][..], |envelope| &envelope.to);
                expected.insert((ran.errand, attempt, number), Expected::of(sent, to));
            }
        }
    }
    expected
}
