//! Floor 6: answers questions: of the DNS, of what is remembered, of how the primary of a secondary MX is, and of how many
//! recipients a client has had.
//!
//! [`Gather`] looks into the cache, joins a lookup that is under way, or starts one as a task that belongs to nobody, so
//! that an answer nobody waits for any more still reaches the cache. It never judges an answer: a failure is an answer.
//!
//! ```text
//! ask → cache → places (a client's share) → flight (one lookup per question) → zone, resolver (breakers)
//!     → look_up, places (on the wire) → dns (hickory-resolver)
//! test_entries: is each zone fit to be asked?     memory: what the store knows     primary: does it greet?
//! rates: recipients counted
//! ```

mod breaker;
mod cache;
pub mod direct;
mod dns;
mod fitness;
mod flight;
mod look_up;
pub mod memory;
mod places;
mod primary;
pub mod rates;
mod test_entries;
mod zone;
mod zone_memory;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use hickory_resolver::net::NetError;

use crate::facts::{Answer, DnsAnswer, DnsName, Millis, Question};
use crate::facts::{Recalled, RecordData, RecordType, Silence, Source};
use crate::gather::breaker::Breaker;
use crate::gather::cache::Answers;
use crate::gather::dns::Wire;
use crate::gather::flight::Flights;
use crate::gather::memory::Remembrance;
use crate::gather::places::{Places, Shares, UNDER_WAY};
use crate::gather::primary::Primaries;
use crate::gather::rates::Rates;
use crate::gather::zone::Zones;

pub use crate::gather::breaker::Standing;
pub use crate::gather::fitness::Fitness;
pub use crate::gather::zone::Zone;

/// Answers questions: the live world, a record that is replayed, or a script.
pub trait Answerer: Send + Sync {
    /// The answer to `question` and where it came from. Always resolves, and soon: within the resolver's timeout.
    fn ask(&self, question: &Question) -> BoxFuture<'static, (Answer, Source)>;

    /// The same for `client`, who gets no more than its share where room is short.
    fn ask_for(
        &self,
        _client: IpAddr,
        question: &Question,
    ) -> BoxFuture<'static, (Answer, Source)> {
        self.ask(question)
    }
}

/// Starts a task that outlives the session that caused it. Only the application has one.
pub type Spawn = Arc<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>;

/// What [`Gather::new`] needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name servers to ask; empty: those of the system (`/etc/resolv.conf`).
    pub servers: Vec<SocketAddr>,
    /// How long a question may wait for its answer.
    pub timeout: Duration,
    /// Answers kept in memory; large ones count for several.
    pub cache_size: usize,
}

/// Why there is nobody to answer.
#[derive(Debug, thiserror::Error)]
pub enum GatherProblem {
    /// The system's resolver configuration is missing or names no server.
    #[error("/etc/resolv.conf names no usable name server ({0}); write one in [resolver] servers")]
    SystemServers(#[source] NetError),
    /// The resolver could not be set up.
    #[error("the DNS resolver can not be set up: {0}")]
    Resolver(#[source] NetError),
}

/// How the gathering of answers is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// The resolver, by lookups outside of the watched zones; its failures are those without any answer in time.
    pub resolver: Standing,
    /// The zones that are watched; their failures are also those that the resolver reports.
    pub zones: Vec<Standing>,
    /// Lookups under way.
    pub under_way: usize,
    /// Answers held in memory.
    pub kept: usize,
    /// Questions answered from memory since the start.
    pub from_cache: u64,
    /// Questions that joined a lookup of another session since the start.
    pub joined: u64,
    /// Questions that failed since the start because too many lookups were under way.
    pub overloaded: u64,
}

/// The live world.
pub struct Gather {
    inner: Arc<Inner>,
    memory: OnceLock<Remembrance>,
}

struct Inner {
    answers: Answers,
    flights: Arc<Flights>,
    zones: Zones,
    resolver: Arc<Breaker>,
    wire: Wire,
    places: Places,
    shares: Arc<Shares>,
    spawn: Spawn,
    primaries: Primaries,
    rates: Rates,
    timeout: Duration,
    from_cache: AtomicU64,
    joined: AtomicU64,
    overloaded: AtomicU64,
}

impl Gather {
    /// Asks the servers of `settings`; lookups run as tasks started by `spawn`. Nothing is remembered until
    /// [`Gather::remember_with`].
    ///
    /// # Errors
    ///
    /// When the system's servers are to be asked and can not be found out.
    pub fn new(settings: &Settings, spawn: Spawn) -> Result<Arc<Self>, GatherProblem> {
        let wire = Wire::new(&settings.servers, settings.timeout * 2)?;
        let inner = Inner {
            answers: Answers::new(settings.cache_size),
            flights: Flights::new(UNDER_WAY),
            zones: Zones::default(),
            resolver: Breaker::new("resolver"),
            wire,
            places: Places::new(),
            shares: Arc::default(),
            spawn,
            primaries: Primaries::default(),
            rates: Rates::default(),
            timeout: settings.timeout,
            from_cache: AtomicU64::new(0),
            joined: AtomicU64::new(0),
            overloaded: AtomicU64::new(0),
        };
        Ok(Arc::new(Self {
            inner: Arc::new(inner),
            memory: OnceLock::new(),
        }))
    }

    /// Asks `memory` about earlier sessions from now on; only the first that is given counts.
    pub fn remember_with(&self, memory: Remembrance) {
        let _ = self.memory.set(memory);
    }

    /// Watches `zones` from now on, each with a breaker of its own; those watched before keep their standing, and of the
    /// others what is remembered of an earlier process holds until their first test.
    pub async fn watch_zones(&self, zones: Vec<Zone>) {
        self.inner.zones.watch(zones);
        if let Some(memory) = self.memory.get() {
            zone_memory::restore(&self.inner, memory).await;
        }
    }

    /// Tests the watched zones that are due, all at one time (RFC 5782 §5); to be called again every few seconds.
    pub async fn test_zones(&self) {
        let tested = test_entries::round(&self.inner).await;
        if let Some(memory) = self.memory.get()
            && tested
        {
            zone_memory::keep(&self.inner, memory);
        }
    }

    /// Notes how the primary at `addresses` was found by the last look at it.
    pub fn saw_primary(&self, addresses: &str, greets: bool) {
        self.inner.primaries.saw(addresses, greets);
    }

    /// What this process knows by itself about `question`, for somebody who is not the client: nothing is noted, and nobody
    /// is asked. `None` for a question to others.
    pub async fn known(&self, question: &Question) -> Option<Answer> {
        match (question, self.memory.get()) {
            (Question::Memory(recall), Some(memory)) => {
                Some(Answer::Memory(memory.look(recall).await))
            }
            (Question::Memory(_), None) => Some(Answer::Memory(Recalled::Unavailable)),
            (Question::Primary(addresses), _) => {
                Some(Answer::Primary(self.inner.primaries.of(addresses)))
            }
            (Question::Count(counting), _) => Some(Answer::Count(self.inner.rates.look(counting))),
            (Question::Dns { .. } | Question::Silence { .. }, _) => None,
        }
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let inner = &self.inner;
        Health {
            resolver: inner.resolver.standing(),
            zones: inner.zones.standings(),
            under_way: inner.flights.under_way(),
            kept: inner.answers.len(),
            from_cache: inner.from_cache.load(Ordering::Relaxed),
            joined: inner.joined.load(Ordering::Relaxed),
            overloaded: inner.overloaded.load(Ordering::Relaxed),
        }
    }

    fn ask_dns(
        &self,
        name: &DnsName,
        kind: RecordType,
        client: Option<IpAddr>,
    ) -> BoxFuture<'static, (Answer, Source)> {
        let asking = self.inner.ask(name, kind, client);
        let name = name.clone();
        asking
            .map(move |(answer, source)| (Answer::Dns(discreet(&name, answer)), source))
            .boxed()
    }
}

impl std::fmt::Debug for Gather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gather")
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

impl Answerer for Gather {
    fn ask(&self, question: &Question) -> BoxFuture<'static, (Answer, Source)> {
        match question {
            // Only the session can watch its socket; nobody has watched here.
            Question::Silence { .. } => {
                let silent = Silence::Silent { watched: Millis(0) };
                ready((Answer::Silence(silent), Source::Session)).boxed()
            }
            Question::Primary(addresses) => {
                let state = self.inner.primaries.of(addresses);
                ready((Answer::Primary(state), Source::Cache)).boxed()
            }
            Question::Count(counting) => {
                let room = self.inner.rates.count(counting);
                ready((Answer::Count(room), Source::Memory)).boxed()
            }
            Question::Memory(recall) => {
                let recalling = match self.memory.get() {
                    Some(memory) => memory.recall(recall),
                    None => memory::none(),
                };
                recalling
                    .map(|recalled| (Answer::Memory(recalled), Source::Memory))
                    .boxed()
            }
            Question::Dns { name, kind } => self.ask_dns(name, *kind, None),
        }
    }

    fn ask_for(&self, client: IpAddr, question: &Question) -> BoxFuture<'static, (Answer, Source)> {
        match question {
            Question::Dns { name, kind } => self.ask_dns(name, *kind, Some(client)),
            // Bounded by what a session may do, or answered at once.
            _ => self.ask(question),
        }
    }
}

/// What is put in the place of a text that tells a secret.
const WITHHELD: &str = "(withheld: it holds the key of the zone)";

/// The answer without texts that tell what the name hides: some lists write the name they were asked for into them.
fn discreet(name: &DnsName, mut answer: DnsAnswer) -> DnsAnswer {
    if let DnsAnswer::Found(records) = &mut answer {
        for record in records {
            if let RecordData::Txt(text) = &mut record.data
                && name.is_told_in(text)
            {
                *text = WITHHELD.into();
            }
        }
    }
    answer
}
