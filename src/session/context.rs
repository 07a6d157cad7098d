//! What a session borrows from the process, and nothing else.
//!
//! The only bundle in the crate: whatever a session needs that it did not bring along comes from here, so the list of
//! fields is the list of a session's dependencies.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::checks::policy::Policy;
use crate::config;
use crate::gather::Answerer;
use crate::gather::memory::Remembrance;
use crate::journal;
use crate::net::admission::Admission;
use crate::net::handshakes::Handshakes;
use crate::net::logins::{self, Logins};
use crate::net::tls::Acceptor;
use crate::session::live::Live;
use crate::session::upstream::Upstream;
use crate::telemetry::metrics::Metrics;

/// A listener, ready to serve: its settings with everything they refer to.
pub struct Door {
    /// Its name in the configuration (`mx` for `[listen.mx]`).
    pub name: Box<str>,
    /// Its settings.
    pub listen: config::Listen,
    /// The policy that judges its clients.
    pub policy: Arc<Policy>,
    /// Whether it must be remembered who was here, for the policy of another listener wants to know.
    pub is_primary: bool,
    /// Where its clean sessions go.
    pub upstream: Arc<Upstream>,
    /// TLS, unless the listener has none.
    pub acceptor: Option<Acceptor>,
}

/// What every session of the process shares: what a configuration says, and what outlives it. A clone has the same of what
/// is counted and kept.
#[derive(Clone)]
pub struct Shared {
    /// Our name in the greeting.
    pub hostname: Box<str>,
    /// Sizes, counts and deadlines.
    pub limits: config::Limits,
    /// How mail data may come.
    pub mail_data: config::MailData,
    /// Who answers questions.
    pub answerer: Arc<dyn Answerer>,
    /// What outlives a session, where anything does.
    pub memory: Option<Remembrance>,
    /// Who is let in.
    pub admission: Arc<Admission>,
    /// Whose TLS handshake is computed when.
    pub handshakes: Handshakes,
    /// Which logins have failed.
    pub logins: Arc<Logins>,
    /// Where records go; `None` when the journal is switched off.
    pub journal: Option<journal::Writer>,
    /// Cancelled when the process drains: sessions end at the next command boundary outside a transaction.
    pub draining: CancellationToken,
    /// Cancelled when the process can wait no longer: every session ends where it stands.
    pub cut: CancellationToken,
    /// Places in the tarpit.
    pub tarpit: Arc<Semaphore>,
    /// What is counted for others.
    pub metrics: Metrics,
    /// Who is here now.
    pub live: Arc<Live>,
    /// The refusals of late.
    pub recent: Arc<journal::Recent>,
    /// Sessions by the way they ended, for the summary at the end of the process and in tests.
    pub tally: Tally,
}

/// What counts failed logins by these limits.
#[must_use]
pub fn failed_logins(limits: &config::Limits) -> Arc<Logins> {
    Arc::new(Logins::new(logins::Limits {
        per_address: limits.failed_logins_per_address,
        per_network: limits.failed_logins_per_network,
        pause: limits.failed_logins_pause,
    }))
}

/// Counts that must add up: every session is counted once when it starts and once when it has ended. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    started: AtomicU64,
    ended: AtomicU64,
    delivered: AtomicU64,
    refused: AtomicU64,
    cut: Mutex<Cut>,
}

/// Sessions that were cut because the process could wait no longer.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    /// How many.
    pub sessions: u64,
    /// Who the first of them were: id and client.
    pub named: Vec<(Box<str>, IpAddr)>,
}

/// So many of those that were cut are named.
const NAMED: usize = 20;

impl Tally {
    /// A session has started.
    pub fn start(&self) {
        self.0.started.fetch_add(1, Ordering::Relaxed);
    }

    /// A session has ended, after so many delivered messages and refused recipients.
    pub fn end(&self, delivered: u64, refused: u64) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
        self.0.delivered.fetch_add(delivered, Ordering::Relaxed);
        self.0.refused.fetch_add(refused, Ordering::Relaxed);
    }

    /// A session was cut.
    pub fn cut(&self, id: &str, client: IpAddr) {
        let mut cut = self.0.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.sessions += 1;
        if cut.named.len() < NAMED {
            cut.named.push((id.into(), client));
        }
    }

    /// Those that were cut.
    #[must_use]
    pub fn were_cut(&self) -> Cut {
        let cut = self.0.cut.lock();
        cut.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sessions under way.
    #[must_use]
    pub fn open(&self) -> u64 {
        let started = self.0.started.load(Ordering::Relaxed);
        started.saturating_sub(self.0.ended.load(Ordering::Relaxed))
    }

    /// Sessions ended, messages delivered, recipients refused.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counts = &self.0;
        (
            read(&counts.ended),
            read(&counts.delivered),
            read(&counts.refused),
        )
    }
}

/// One client at one door.
pub struct Arrival {
    /// The session's name in log, record and refusing replies.
    pub id: Box<str>,
    /// Seconds since 1970 when it was accepted; the session itself reads no wall clock.
    pub wall: std::time::SystemTime,
    /// The TCP peer.
    pub peer: std::net::SocketAddr,
    /// The address of ours it connected to.
    pub local: std::net::SocketAddr,
}
