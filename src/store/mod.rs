//! Floor 5: memory on disk: what gatepost knows about clients from one session to the next.
//!
//! [`Memory`] is the interface and says nothing of where things are kept; [`Store`] is the one behind it today, an
//! embedded database of one file (redb). It judges nothing, asks nobody, and reads no clock: time is passed in, in
//! seconds since 1970 UTC. What is kept, for how long and under which keys is in `docs/memory.md`.
//!
//! ```text
//! write → overlay (bounded) → keeper, a thread of its own → engine (disk; memory if the disk fails)
//! read  → overlay, else engine
//! ```
//!
//! A write is a change in the overlay and never waits; what does not fit is let fall and counted. A read takes
//! microseconds and never waits for a write. No trouble with the disk is an error for a session or a reason not to
//! start: a file that can not be read is moved aside, and where there can be none things are kept in memory.

mod admin;
mod carry_over;
mod disk;
mod embedded;
mod engine;
mod harvest;
mod keeper;
mod key;
mod memory;
mod open;
mod overlay;
mod shared;
mod sightings;
mod sweep;
#[cfg(test)]
mod tests;
mod value;

pub use admin::{Entry, Subject};
pub use embedded::Store;
pub use engine::MOST_ENTRIES;
pub use harvest::Harvest;
pub use keeper::Keeper;
pub use key::TripletKey;
pub use memory::Memory;
pub use open::open;
pub use shared::Standing;
pub use sightings::Sighting;
pub use value::{Pass, Triplet};
