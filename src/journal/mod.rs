//! Floor 5: session records on disk, one JSON line per session, in files bounded by size and age.
//!
//! Writing never holds up a session: [`Writer::write`] puts a record into a bounded queue, and a thread of its own runs
//! the [`Keeper`]. What can not be queued or written is counted and let fall; mail flows on. The journal judges nothing
//! and knows no network.

mod digest;
mod files;
mod read;
mod recent;
mod record;
mod search;
#[cfg(test)]
mod tests;
mod write;

pub use digest::{Answered, Digest};
pub use read::{Batch, Lines, Records, find, lines, parse, parse_as, read};
pub use recent::Recent;
pub use record::{
    Beyond, MessageOutcome, RecipientOutcome, SessionRecord, Timestamp, VERSION, timestamp,
};
pub use search::{Bounds, Filter, Hits, Wanted, search};
pub use write::{Counts, Keeper, Writer, open};
