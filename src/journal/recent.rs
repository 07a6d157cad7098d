//! The refusals of late, in memory: the newest [`MOST`], whether or not there is a journal on disk.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::journal::digest::Digest;
use crate::journal::record::SessionRecord;

/// How many are kept; some hundred kilobytes, two megabytes at the most.
const MOST: usize = 500;

/// The ring.
#[derive(Debug, Default)]
pub struct Recent(Mutex<VecDeque<Arc<Digest>>>);

impl Recent {
    /// Keeps a session, if something was refused in it.
    pub fn note(&self, record: &SessionRecord) {
        if !record.lost_something() {
            return;
        }
        let digest = Arc::new(record.digest());
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() >= MOST {
            ring.pop_front();
        }
        ring.push_back(digest);
    }

    /// What is kept, the newest first.
    #[must_use]
    pub fn newest(&self) -> Vec<Arc<Digest>> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ring.iter().rev().cloned().collect()
    }
}
