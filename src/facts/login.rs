//! What is known about a user: whether the listener is for users, and what became of each login (RFC 4954).
//!
//! No password is ever among the facts, and no name that the backend has not accepted.

use serde::{Deserialize, Serialize};

use crate::smtp::reply::ReplyClass;

/// Whether users may log in at a listener.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logins {
    /// They may not: it is for other mail servers alone.
    #[default]
    None,
    /// They may: it is for other mail servers and for users.
    Allowed,
    /// They must: it is for users alone (RFC 6409 §4.3).
    Required,
}

impl Logins {
    /// Whether they may not. For serde.
    #[must_use]
    pub(in crate::facts) fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// An AUTH exchange, and what the backend made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The SASL mechanism.
    pub mechanism: Box<str>,
    /// The code the client was answered with at last; 0 if it left before.
    pub code: u16,
    /// Who it is; only where the backend has accepted it, and the mechanism shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Box<str>>,
}

impl Login {
    /// Whether the backend has accepted it.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(ReplyClass::of(self.code), ReplyClass::Positive)
    }
}
