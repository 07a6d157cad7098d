//! The stages of a session at which facts are learnt and verdicts given; Exim's ACL points.
//!
//! Not the protocol's phase ([`crate::smtp::phase`]), which knows what command may come next.

use serde::{Deserialize, Serialize};

/// How far a session has come, in the order in which stages follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Accepted, not yet greeted in full.
    Connect,
    /// Greeted; HELO or EHLO is awaited or given.
    Helo,
    /// MAIL was given.
    Mail,
    /// A recipient was named.
    Rcpt,
    /// DATA was given, 354 not yet.
    Predata,
    /// Mail data flows or has ended.
    Data,
}
