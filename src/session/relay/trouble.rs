//! What can go wrong between us and the backend, and what the client is told of it: always 4xx.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::net::backend::{Blame, ConnectError};
use crate::session::replies;
use crate::smtp::client::NotSent;
use crate::smtp::reply::{BadReply, Reply};

/// What went wrong with the backend. Never the client's fault.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It failed so recently that it was not tried again; that failure has been told.
    #[error("failed a moment ago")]
    BacksOff,
    /// It would relay for strangers; that has been told.
    #[error("would relay for strangers, and is not used; see allow_open_backend")]
    Relays,
    /// It was not tested yet: it has not answered since the start, or its test is under way.
    #[error("was not tested yet, and is not used before that")]
    Untested,
    /// As many connections are open as there may be.
    #[error("has as many connections as it may have; see max_connections")]
    Busy,
    /// No connection.
    #[error("can not be reached: {0}")]
    Unreachable(ConnectError),
    /// It must not be told of this client, who could be taken for ourselves. It is not at fault.
    #[error(
        "must not be told of a client at {0}, which it may take for this host; see loopback_clients"
    )]
    NotForThisClient(std::net::IpAddr),
    /// It let a deadline pass.
    #[error("did not {0} in time")]
    Silent(&'static str),
    /// It was not waited for any longer, since there were others. How long it takes may be up to the client, whose name it
    /// looks up before it greets.
    #[error("did not get as far as a session within connect_timeout")]
    Hurried,
    /// The connection broke.
    #[error("was lost: {0}")]
    Lost(String),
    /// It said something that no server may say.
    #[error("broke the protocol: {0}")]
    Babble(#[from] BadReply),
    /// It refused its greeting, our EHLO or RSET: our configuration or its own trouble.
    #[error("refused the session: {0}")]
    Refuses(String),
    /// It refused EHLO, in which the client's own name is, behind a good greeting.
    #[error("refused the session: {0}")]
    RefusesName(String),
    /// It refused our PROXY header: `hosts_proxy` and `source_address` do not agree.
    #[error(
        "refused the PROXY header ({0}); check hosts_proxy on the backend and source_address here"
    )]
    RefusesProxyHeader(String),
    /// It does not take the client's address from us.
    #[error(
        "does not offer XCLIENT with ADDR; check smtpd_authorized_xclient_hosts on the backend and client_address here"
    )]
    NoXclient,
    /// It refused XCLIENT.
    #[error("refused XCLIENT ({0}); check smtpd_authorized_xclient_hosts on the backend")]
    RefusesXclient(String),
    /// It has no TLS where it is to have it.
    #[error("does not offer STARTTLS; check its certificate, and tls here")]
    NoStartTls,
    /// It said something between its 220 to STARTTLS and the handshake.
    #[error(
        "said something behind its reply to STARTTLS and before TLS, which somebody else may have put there"
    )]
    Injected,
    /// The handshake failed.
    #[error("failed in the TLS handshake: {0}")]
    Tls(String),
    /// It has fewer extensions than it had: what the client was offered does not hold.
    #[error("no longer offers {0}")]
    Shrunk(&'static str),
    /// What it said in an AUTH exchange can not be handed on to the client.
    #[error("said something in an AUTH exchange that can not be handed on")]
    StrangeLogin,
    /// We were about to send it something out of place.
    #[error("was about to be sent something out of place: {0}")]
    Defect(#[from] NotSent),
    /// It closes the session with 421.
    #[error("closes the session: {0}")]
    Closes(String),
}

impl Trouble {
    /// What the client is told: always 4xx.
    pub(in crate::session::relay) fn reply(&self) -> Reply {
        match self {
            // It never came, or it came and was lost on the way; which of both a deadline was, the stage tells.
            Self::Silent(
                "greet" | "answer EHLO" | "answer STARTTLS" | "finish the TLS handshake",
            ) => replies::backend_down(),
            Self::Busy => replies::backend_busy(),
            Self::Lost(_) | Self::Silent(_) => replies::backend_lost(),
            Self::NotForThisClient(_) => replies::not_for_this_client(),
            Self::Babble(_) | Self::Shrunk(_) | Self::StrangeLogin | Self::Defect(_) => {
                replies::backend_broken()
            }
            Self::Closes(_) => replies::backend_closes(),
            _ => replies::backend_down(),
        }
    }

    /// Tells it: loudly, but for what was told a moment ago.
    pub(in crate::session::relay) fn log(&self, id: &str, backend: &str) {
        match self {
            Self::BacksOff | Self::Relays | Self::Untested | Self::Busy => {
                tracing::debug!(id, backend, "backend {self}");
            }
            // A program of this host that tries port 25 does so again and again, and nothing is out of order.
            Self::NotForThisClient(_) if LOCAL.told_lately() => {
                tracing::debug!(id, backend, "backend {self}");
            }
            Self::NotForThisClient(_) => tracing::warn!(id, backend, "backend {self}"),
            // A client can have as many of these as it likes.
            Self::RefusesName(_) if NAMES.told_lately() => {
                tracing::debug!(id, backend, "backend {self}");
            }
            _ => tracing::error!(id, backend, "backend {self}"),
        }
    }

    /// Whether it is one server's, so that another may do better.
    pub(in crate::session) fn is_the_servers(&self) -> bool {
        !matches!(
            self,
            Self::BacksOff
                | Self::Relays
                | Self::Untested
                | Self::Busy
                | Self::NotForThisClient(_)
                | Self::Defect(_)
        )
    }

    /// Whether other servers are better asked first for some seconds. A client's own name is no reason to.
    pub(in crate::session) fn shuns(&self) -> bool {
        self.is_the_servers() && !matches!(self, Self::RefusesName(_))
    }

    /// Whether nobody need ask that server for a while.
    #[must_use]
    pub fn marks_down(&self) -> bool {
        match self {
            // Out of descriptors or without our source address, nothing is known about the backend.
            Self::Unreachable(error) => error.blame() == Blame::Backend,
            Self::Silent(
                "greet" | "answer EHLO" | "answer STARTTLS" | "finish the TLS handshake",
            )
            | Self::RefusesProxyHeader(_)
            | Self::NoXclient
            | Self::NoStartTls
            | Self::Tls(_) => true,
            _ => false,
        }
    }
}

/// Clients that are not handed on.
static LOCAL: Seldom = Seldom::new();
/// Clients whose EHLO was refused.
static NAMES: Seldom = Seldom::new();

/// When something was last told that clients can bring about.
struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// How often it is worth a line.
    const EVERY: Duration = Duration::from_secs(600);

    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether it was told a while ago; if not, it is now.
    fn told_lately(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < Self::EVERY) {
            return true;
        }
        *last = Some(Instant::now());
        false
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<ConnectError> for Trouble {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Client(address) => Self::NotForThisClient(address),
            failed => Self::Unreachable(failed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_clients_bring_about_is_told_seldom() {
        let told = Seldom::new();
        assert!(!told.told_lately());
        assert!((0..1000).all(|_| told.told_lately()));
        tokio::time::advance(Seldom::EVERY).await;
        assert!(!told.told_lately() && told.told_lately());
    }
}
