//! Entries of the allow and deny lists that were added by command, beside those of the configuration.
//!
//! They are few, and sessions look through all of them, so a list of them is always at hand; the engine only keeps them.
//! What an entry means is the business of the check `access`.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

pub use crate::facts::Subject;
use crate::store::engine::{MOST_ENTRIES, Table};
use crate::store::key::{Key, Secret};
use crate::store::value::{Kept, LAST, Reader, write_text, write_time};

/// The longest name or address, octets: more than a mailbox can have (RFC 5321 §4.5.3.1).
const SUBJECT: usize = 320;
/// The longest comment, octets; longer ones are cut.
const COMMENT: usize = 256;
/// Expiry of entries that have none.
const NEVER: u64 = LAST;

impl Subject {
    pub(in crate::store) fn key(&self, secret: &Secret) -> Key {
        match self {
            Self::Network(network) => Key::network(network),
            Self::Helo(name) => secret.hash("helo", &[name]),
            Self::Sender(address) => secret.hash("sender", &[address]),
        }
    }

    fn fits(&self) -> bool {
        match self {
            Self::Network(_) => true,
            Self::Helo(text) | Self::Sender(text) => !text.is_empty() && text.len() <= SUBJECT,
        }
    }
}

/// An entry of the allow or deny list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it speaks of; at most one entry for each.
    pub subject: Subject,
    /// Whether it lets in or keeps out.
    pub allow: bool,
    /// Why, for people; never shown to clients.
    pub comment: Box<str>,
    /// When it was made.
    pub created: u64,
    /// When it ends, if ever.
    pub expires: Option<u64>,
}

impl Entry {
    /// Whether it has not expired.
    #[must_use]
    pub fn holds(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }

    /// As it can be kept; `None` if its subject is no name.
    pub(in crate::store) fn tidied(mut self) -> Option<Self> {
        if self.comment.len() > COMMENT {
            let end = self.comment.floor_char_boundary(COMMENT);
            self.comment = self.comment.get(..end)?.into();
        }
        self.subject.fits().then_some(self)
    }
}

impl Kept for Entry {
    const TABLE: Table = Table::Entries;

    fn expires(&self) -> u64 {
        self.expires.unwrap_or(NEVER)
    }

    fn write(&self, octets: &mut Vec<u8>) {
        octets.push(self.allow.into());
        write_time(octets, self.created);
        let (mark, text) = match &self.subject {
            Subject::Network(network) => (b'n', network.to_string().into()),
            Subject::Helo(name) => (b'h', name.clone()),
            Subject::Sender(address) => (b's', address.clone()),
        };
        octets.push(mark);
        write_text(octets, &text);
        write_text(octets, &self.comment);
    }

    fn read(expires: u64, octets: &mut Reader<'_>) -> Option<Self> {
        let allow = octets.u8()? != 0;
        let created = octets.time()?;
        let (mark, text) = (octets.u8()?, octets.text()?);
        let subject = match mark {
            b'n' => Subject::Network(text.parse().ok()?),
            b'h' => Subject::Helo(text),
            b's' => Subject::Sender(text),
            _ => return None,
        };
        Some(Self {
            subject,
            allow,
            comment: octets.text()?,
            created,
            expires: Some(expires).filter(|expires| *expires != NEVER),
        })
    }
}

/// The list at hand. A change makes a new one, so that whoever looks through the old is not held up.
#[derive(Debug, Default)]
pub(in crate::store) struct Entries(RwLock<Arc<Vec<Entry>>>);

impl Entries {
    pub(in crate::store) fn list(&self) -> Arc<Vec<Entry>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds one; `false` if there is no room.
    pub(in crate::store) fn keep(&self, entry: &Entry) -> bool {
        self.change(|list| {
            list.retain(|other| other.subject != entry.subject);
            let fits = list.len() < MOST_ENTRIES;
            if fits {
                list.push(entry.clone());
            }
            fits
        })
    }

    /// Removes one; `false` if it was not there.
    pub(in crate::store) fn remove(&self, subject: &Subject) -> bool {
        self.change(|list| {
            let before = list.len();
            list.retain(|entry| entry.subject != *subject);
            list.len() < before
        })
    }

    /// Removes those that have expired.
    pub(in crate::store) fn sweep(&self, now: u64) {
        if self.list().iter().any(|entry| !entry.holds(now)) {
            self.change(|list| list.retain(|entry| entry.holds(now)));
        }
    }

    /// Adds what an engine holds. Entries that are at hand are newer.
    pub(in crate::store) fn join(&self, kept: Vec<Entry>) {
        self.change(|list| {
            let at_hand: HashSet<Subject> =
                list.iter().map(|entry| entry.subject.clone()).collect();
            let others = kept
                .into_iter()
                .filter(|entry| !at_hand.contains(&entry.subject));
            list.extend(others);
            list.truncate(MOST_ENTRIES);
        });
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
        let mut list = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut list))
    }
}
