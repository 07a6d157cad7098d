//! Why a TLS handshake failed: a kind for the metric, a short text for the log.
//!
//! Old clients that end at TLS 1.1 are [`HandshakeFailure::NothingInCommon`]: worth counting before blaming anybody.

use std::io;

use rustls::{ContentType, Error};

/// Why a handshake failed; the label of a metric, and a short text for the log.
#[derive(Debug, thiserror::Error)]
#[error("TLS handshake failed: {detail}")]
pub struct TlsError {
    /// What kind of failure.
    pub reason: HandshakeFailure,
    /// At most [`TlsError::MAX_DETAIL`] printable ASCII characters.
    pub detail: Box<str>,
}

/// Kinds of failed handshakes, few enough for a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// The client closed, or the connection broke.
    Closed,
    /// What came is not TLS.
    NotTls,
    /// No version, suite, signature algorithm or protocol in common, such as a client that ends at TLS 1.1, or one that
    /// wants to speak HTTP.
    NothingInCommon,
    /// The client sent an alert, such as one that does not like the certificate.
    Alert,
    /// The client broke the rules of TLS.
    Misbehaved,
    /// Anything else.
    Other,
}

impl HandshakeFailure {
    /// Its name, for metric and log.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::NotTls => "not_tls",
            Self::NothingInCommon => "nothing_in_common",
            Self::Alert => "alert",
            Self::Misbehaved => "misbehaved",
            Self::Other => "other",
        }
    }
}

impl TlsError {
    /// Longest `detail`, in octets.
    pub const MAX_DETAIL: usize = 120;

    pub(super) fn new(reason: HandshakeFailure, detail: &str) -> Self {
        let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
        let detail: String = detail
            .chars()
            .take(Self::MAX_DETAIL)
            .map(printable)
            .collect();
        Self {
            reason,
            detail: detail.into(),
        }
    }

    pub(crate) fn already() -> Self {
        Self::new(HandshakeFailure::Other, "the stream is under TLS already")
    }

    pub(super) fn of(error: &io::Error) -> Self {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            None => Self::new(HandshakeFailure::Closed, &error.to_string()),
            Some(error) => Self::of_library(error),
        }
    }

    pub(super) fn of_library(error: &Error) -> Self {
        let reason = match error {
            Error::InvalidMessage(_) => HandshakeFailure::NotTls,
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => {
                HandshakeFailure::NothingInCommon
            }
            Error::AlertReceived(_)
            | Error::InappropriateMessage {
                got_type: ContentType::Alert,
                ..
            } => HandshakeFailure::Alert,
            Error::PeerMisbehaved(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. }
            | Error::DecryptError
            | Error::PeerSentOversizedRecord => HandshakeFailure::Misbehaved,
            _ => HandshakeFailure::Other,
        };
        Self::new(reason, &error.to_string())
    }
}
