//! What operators do to the memory: entries of the allow and deny lists, and forgetting.

use std::time::Duration;

use crate::facts::{Identity, Listed, Subject};
use crate::gather::memory::Remembrance;
use crate::store::{Entry, Standing};

impl Remembrance {
    /// The entries added by command that hold now and that `wanted` wants.
    pub fn entries(&self, wanted: impl Fn(&Entry) -> bool) -> Vec<Entry> {
        let entries = self.memory.entries();
        if entries.is_empty() {
            return Vec::new();
        }
        let now = (self.clock)();
        let holding = entries.iter().filter(|entry| entry.holds(now));
        holding.filter(|entry| wanted(entry)).cloned().collect()
    }

    /// Adds an entry, in place of another with the same subject, that holds for so long. `None` if there is no room for it.
    #[must_use]
    pub fn keep_entry(
        &self,
        listed: &Listed,
        lifetime: Option<Duration>,
        comment: &str,
    ) -> Option<Entry> {
        let now = (self.clock)();
        let entry = Entry {
            subject: listed.subject.clone(),
            allow: listed.allow,
            comment: comment.into(),
            created: now,
            expires: lifetime.map(|lifetime| now.saturating_add(lifetime.as_secs())),
        };
        self.memory.keep_entry(entry.clone()).then_some(entry)
    }

    /// Removes an entry. Says whether it was there.
    #[must_use]
    pub fn remove_entry(&self, subject: &Subject) -> bool {
        self.memory.remove_entry(subject)
    }

    /// Forgets what is known of a client under this identity. Says whether anything was.
    pub async fn forget(&self, identity: &Identity) -> bool {
        let now = (self.clock)();
        let passed = self.memory.pass(std::slice::from_ref(identity), now).await;
        let counted = self.memory.harvest(identity, now).await;
        let sighted = self.memory.sightings(identity, now).await;
        self.memory.forget(identity);
        passed.is_some() || counted.refused + counted.accepted > 0 || !sighted.is_empty()
    }

    /// Resolves when everything noted so far has been written. Says whether it outlives the process.
    pub async fn flush(&self) -> bool {
        self.memory.flush().await
    }

    /// How the memory is doing.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.memory.standing()
    }

    /// The time by its clock, seconds since 1970 UTC.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.clock)()
    }
}
