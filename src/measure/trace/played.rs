//! What was observed when a trace was played at a server: what each client heard, what arrived, and what it cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::hidden::Hidden;

/// What was observed when an errand was run at a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// The errand's number.
    pub errand: u32,
    /// The tries that were made, in order.
    pub tries: Vec<Tried>,
}

/// What was observed at one try.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// When it began in fact, virtual.
    pub at: Duration,
    /// From connect to the last line of the greeting, real time; `None` if there was none.
    pub greeted: Option<Duration>,
    /// From connect to the end, real time.
    pub took: Duration,
    /// The last reply code heard; 0 if none was.
    pub last: u16,
    /// Whether the server closed or reset where the client would have gone on.
    pub cut: bool,
    /// Whether the backend was reached, where that can be told.
    pub reached: Option<bool>,
    /// What became of each transaction that was begun.
    pub envelopes: Vec<Sent>,
    /// Whether the client had to tell of our own trouble (no connection could be made, for example).
    pub trouble: Option<String>,
}

/// What became of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Which of the act's envelopes it was for; a callout has one.
    pub of: u32,
    /// Which of its recipients were named, each by its place in the envelope: a retry names those that are left.
    pub to: Vec<u32>,
    /// The reply code to MAIL; 0 if none came.
    pub mail: u16,
    /// The reply codes to each RCPT that was sent, as in `to`; 0 where none came.
    pub rcpt: Vec<u16>,
    /// The reply code to the final dot; 0 if it did not come to that.
    pub data: u16,
}

/// A message that has arrived at the backend: told by its `X-Errand` header field, `<errand>.<try>.<envelope>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Arrival {
    /// The errand's number.
    pub errand: u32,
    /// The try, counted from 0.
    pub attempt: u32,
    /// The transaction of that try, counted from 0 ([`Tried::envelopes`]).
    pub envelope: u32,
    /// The recipients it was delivered for.
    pub to: Vec<String>,
}

/// What a server was put through and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// What the server is called in results.
    pub target: String,
    /// What became of each errand, by number.
    pub ran: Vec<Ran>,
    /// What arrived behind it; `None` if that can not be seen.
    pub arrived: Option<Vec<Arrival>>,
    /// CPU of the server under test, its whole process group, seconds; `None` if it is not ours to see.
    pub server_cpu: Option<f64>,
    /// CPU of the backend, its whole process group, seconds.
    pub backend_cpu: Option<f64>,
    /// Sessions that the backend had.
    pub backend_sessions: Option<u64>,
    /// DNS questions that the server asked, without those with which it tests its lists; `None` if it asks others.
    pub dns_questions: Option<u64>,
    /// What it could not be shown.
    #[serde(default)]
    pub hidden: Hidden,
    /// How long it took, real time.
    pub took: Duration,
    /// How many virtual seconds passed in a real one.
    pub clock: f64,
}
