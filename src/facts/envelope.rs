//! What the client said about itself and its message: HELO, reverse-path, forward-path (RFC 5321 §2.3.1).

use serde::{Deserialize, Serialize};

use crate::smtp::domain::HeloName;
use crate::smtp::path::{ForwardPath, ReversePath};

/// HELO or EHLO with its argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Helo {
    /// Whether it was EHLO.
    pub extended: bool,
    /// The name as the client wrote it.
    pub name: HeloName,
}

/// The start of a mail transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// The reverse-path.
    pub path: ReversePath,
    /// The size the client announced (RFC 1870), octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// A recipient the client named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rcpt {
    /// The forward-path.
    pub path: ForwardPath,
}
