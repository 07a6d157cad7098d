//! How much one session may remember, so that no client can make us remember without end.
//!
//! Counted is what is kept for the judge and for the record, about as it lies in memory. A session that is half full gets
//! no further mail transaction (421: the client comes back and goes on); beyond the whole nothing is added to the
//! record, but mail that is under way goes on.

use crate::checks::finding::Finding;
use crate::checks::replay::Decision;
use crate::checks::verdict::Verdict;
use crate::smtp::reply::Reply;

/// Octets of facts, decisions and outcomes that a session keeps; half of it are some eighty messages from as many domains,
/// with their SPF records.
const MOST: usize = 192 * 1024;

/// What is kept, in octets.
#[derive(Debug, Default)]
pub(in crate::session) struct Memory(usize);

impl Memory {
    /// Notes that so many octets more are kept.
    pub(in crate::session) const fn take(&mut self, octets: usize) {
        self.0 = self.0.saturating_add(octets);
    }

    /// Notes that so many are kept no longer.
    pub(in crate::session) const fn give_back(&mut self, octets: usize) {
        self.0 = self.0.saturating_sub(octets);
    }

    /// Whether more may be added to the record.
    pub(in crate::session) const fn has_room(&self) -> bool {
        self.0 < MOST
    }

    /// Whether another mail transaction may not fit.
    pub(in crate::session) const fn is_half_full(&self) -> bool {
        self.0 >= MOST / 2
    }
}

/// About what a decision with this verdict takes.
pub(in crate::session) fn of_verdict(verdict: &Verdict) -> usize {
    let finding = |finding: &Finding| size_of::<Finding>() + finding.evidence.len();
    size_of::<Decision>() + verdict.findings.iter().map(finding).sum::<usize>()
}

/// About what a reply takes.
pub(in crate::session) fn of_reply(reply: &Reply) -> usize {
    let text: usize = reply.lines.iter().map(|line| line.len()).sum();
    size_of::<Reply>() + size_of_val(reply.lines.as_slice()) + text
}
