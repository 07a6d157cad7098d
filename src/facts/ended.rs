//! Every way a session can end, and whose doing it was.

use serde::{Deserialize, Serialize};

use crate::smtp::fault::Fault;

/// How a session ended; exactly one per session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The client said QUIT.
    Quit,
    /// The client closed or reset the connection.
    ClientLeft,
    /// The client let a deadline pass.
    ClientTimeout,
    /// The client did something after which its input can not be trusted.
    Fault(Fault),
    /// The verdict was to drop.
    Dropped,
    /// Not admitted: a limit was reached.
    Refused(Limit),
    /// The PROXY header was missing, malformed or not allowed.
    ProxyHeader,
    /// The TLS handshake failed.
    TlsFailed,
    /// The client spoke in plain text where TLS begins with the first octet.
    NotTls,
    /// The session reached its length limit in time or messages.
    SessionLimit,
    /// The backend said 421, so both sides were closed.
    BackendClosed,
    /// gatepost is stopping.
    Shutdown,
    /// A defect of ours ended it.
    Defect,
}

/// The limit that kept a client out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `limits.connections`.
    Connections,
    /// `limits.connections_per_address`.
    PerAddress,
    /// `limits.connections_per_network`.
    PerNetwork,
    /// `limits.connection_rate_per_address`.
    Rate,
    /// `limits.tls_handshakes`.
    TlsHandshakes,
    /// `limits.failed_logins_per_address` or `limits.failed_logins_per_network`.
    FailedLogins,
}

impl Limit {
    /// A short word for metric labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::PerAddress => "per_address",
            Self::PerNetwork => "per_network",
            Self::Rate => "rate",
            Self::TlsHandshakes => "tls_handshakes",
            Self::FailedLogins => "failed_logins",
        }
    }
}

/// Whose doing an end was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client's.
    Client,
    /// The backend's.
    Backend,
    /// Ours.
    Us,
}

impl Ended {
    /// Whose doing it was.
    #[must_use]
    pub const fn side(self) -> Side {
        match self {
            Self::BackendClosed => Side::Backend,
            Self::Shutdown | Self::Defect => Side::Us,
            _ => Side::Client,
        }
    }

    /// A short word for log lines and metric labels.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Quit => "quit",
            Self::ClientLeft => "client_left",
            Self::ClientTimeout => "client_timeout",
            Self::Fault(_) => "fault",
            Self::Dropped => "dropped",
            Self::Refused(_) => "refused",
            Self::ProxyHeader => "proxy_header",
            Self::TlsFailed => "tls_failed",
            Self::NotTls => "not_tls",
            Self::SessionLimit => "session_limit",
            Self::BackendClosed => "backend_closed",
            Self::Shutdown => "shutdown",
            Self::Defect => "defect",
        }
    }
}
