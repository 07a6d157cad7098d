//! One question to the DNS: from memory, from a lookup that is under way, or by a lookup of its own, which is a task.
//!
//! Who has to wait where is here; how much room there is, is in [`places`](crate::gather::places).

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join, ready};
use hickory_resolver::proto::rr::Name;
use tokio::time::{Instant, timeout, timeout_at};

use crate::facts::{DnsAnswer, DnsName, Failure, RecordType, Source};
use crate::gather::Inner;
use crate::gather::breaker::{Breaker, Leave};
use crate::gather::cache::{Key, keep};
use crate::gather::dns::{Looked, wire_name};
use crate::gather::flight::{Arrival, Boarding, Flight};
use crate::gather::places::{Place, Share};

type Answering = BoxFuture<'static, (DnsAnswer, Source)>;

/// A lookup that is not under way yet.
struct Wanted {
    key: Key,
    name: Name,
    /// That of its zone, if it is in one that is watched.
    zone: Option<Arc<Breaker>>,
}

impl Inner {
    /// The answer, for `client` if it is one who asks.
    pub(in crate::gather) fn ask(
        self: &Arc<Self>,
        name: &DnsName,
        kind: RecordType,
        client: Option<IpAddr>,
    ) -> Answering {
        let key = Key::new(name, kind);
        let zone = self.zones.of(key.name());
        // Before memory is asked: what the zone said earlier does not count either.
        if zone.as_ref().is_some_and(|zone| zone.is_unfit()) {
            return now(Failure::Suspended);
        }
        if let Some(answer) = self.answers.get(&key) {
            return self.remembered(answer);
        }
        let Some(name) = wire_name(key.name()) else {
            return now(Failure::Malformed);
        };
        let wanted = Wanted { key, name, zone };
        let free = wanted.zone.is_some() || self.flights.has(&wanted.key);
        let Some(client) = client.filter(|_| !free) else {
            return self.board(wanted, None);
        };
        match self.shares.of(client).try_take() {
            Ok(place) => self.board(wanted, Some(place)),
            Err(share) => self.in_turn(wanted, share),
        }
    }

    /// Waits for a place in the client's share. Nobody can join a lookup that waits so: who has much under way would make
    /// others wait with it.
    fn in_turn(self: &Arc<Self>, wanted: Wanted, share: Share) -> Answering {
        let inner = Arc::clone(self);
        let deadline = Instant::now() + inner.timeout;
        let turn = async move {
            let Ok(Some(place)) = timeout_at(deadline, share.take()).await else {
                return inner.overloaded().await;
            };
            let answer = inner.board(wanted, Some(place));
            match timeout_at(deadline, answer).await {
                Ok(answered) => answered,
                Err(_) => now(Failure::Timeout).await,
            }
        };
        turn.boxed()
    }

    fn board(self: &Arc<Self>, wanted: Wanted, share: Option<Place>) -> Answering {
        let Wanted { key, name, zone } = wanted;
        match self
            .flights
            .board(&key, zone.is_some(), || self.answers.get(&key))
        {
            Boarding::Known(answer) => self.remembered(answer),
            Boarding::Joined(arrival) => {
                self.joined.fetch_add(1, Ordering::Relaxed);
                wait(arrival, self.timeout)
            }
            Boarding::First(flight, arrival) => {
                self.start(flight, name, zone, share);
                wait(arrival, self.timeout)
            }
            Boarding::Full => self.overloaded(),
        }
    }

    /// Starts the lookup, unless its zone or the resolver is known to be failing.
    fn start(
        self: &Arc<Self>,
        flight: Flight,
        name: Name,
        zone: Option<Arc<Breaker>>,
        share: Option<Place>,
    ) {
        let in_zone = zone.is_some();
        let breaker = zone.unwrap_or_else(|| Arc::clone(&self.resolver));
        let Some(leave) = breaker.leave() else {
            let failure = if in_zone {
                Failure::Suspended
            } else {
                Failure::Timeout
            };
            return flight.arrive(DnsAnswer::Failed(failure));
        };
        let lookup = LookUp {
            inner: Arc::clone(self),
            flight,
            leave,
            in_zone,
            _share: share,
        };
        (self.spawn)(lookup.run(name).boxed());
    }

    fn remembered(&self, answer: DnsAnswer) -> Answering {
        self.from_cache.fetch_add(1, Ordering::Relaxed);
        ready((answer, Source::Cache)).boxed()
    }

    fn overloaded(&self) -> Answering {
        self.overloaded.fetch_add(1, Ordering::Relaxed);
        now(Failure::Overload)
    }
}

fn now(failure: Failure) -> Answering {
    ready((DnsAnswer::Failed(failure), Source::Live)).boxed()
}

fn wait(arrival: Arrival, most: Duration) -> Answering {
    let waiting = timeout(most, arrival.wait());
    let answer = waiting.map(|answer| answer.unwrap_or(DnsAnswer::Failed(Failure::Timeout)));
    answer.map(|answer| (answer, Source::Live)).boxed()
}

/// A lookup, as a task of its own.
struct LookUp {
    inner: Arc<Inner>,
    flight: Flight,
    /// Of its zone if that is watched, else of the resolver.
    leave: Leave,
    in_zone: bool,
    /// Its place in the share of the client that has caused it.
    _share: Option<Place>,
}

impl LookUp {
    async fn run(mut self, name: Name) {
        let inner = Arc::clone(&self.inner);
        // A little early: who started the lookup must hear how it went before giving up on it.
        let deadline = Instant::now() + inner.timeout * 15 / 16;
        let Ok(Some(place)) = timeout_at(deadline, inner.places.take(self.in_zone)).await else {
            inner.overloaded.fetch_add(1, Ordering::Relaxed);
            return self.flight.arrive(DnsAnswer::Failed(Failure::Overload));
        };
        let mut asking = std::pin::pin!(inner.wire.look_up(name, self.flight.key().kind()));
        let looked = timeout_at(deadline, &mut asking).await;
        // Others wait for it, and for this lookup nobody does any more.
        drop(place);
        let is_late = looked.is_err();
        let in_doubt = self.settle(looked.unwrap_or(Looked {
            answer: DnsAnswer::Failed(Failure::Timeout),
            ttl: None,
        }));
        // The lookup goes on for as long again, so that the next asker may have its answer.
        let late = async {
            let _place = is_late.then(|| inner.places.late()).flatten()?;
            timeout(inner.timeout, asking).await.ok()
        };
        let finding_out = async {
            if in_doubt {
                self.find_out().await;
            }
        };
        let (late, ()) = join(late, finding_out).await;
        self.late(late);
    }

    /// Whether the resolver is silent, or only the servers of names that clients have chosen.
    async fn find_out(&mut self) {
        if self.inner.wire.is_answered(self.inner.timeout).await {
            self.leave.excused();
        } else {
            self.leave.failed();
        }
    }

    /// Keeps the answer, tells it to all who wait, and says how zone or resolver did. True if it must be found out whether
    /// the resolver is to blame.
    fn settle(&mut self, looked: Looked) -> bool {
        let Looked { answer, ttl } = looked;
        let mut in_doubt = false;
        match answer {
            DnsAnswer::Failed(_) if self.in_zone => self.leave.failed(),
            DnsAnswer::Failed(Failure::Timeout) => in_doubt = self.leave.unanswered(),
            _ => self.leave.answered(),
        }
        if self.in_zone && answer.a().next().is_some() {
            self.leave.listed(answer.a());
        }
        if self.leave.is_unfit() {
            self.flight.arrive(DnsAnswer::Failed(Failure::Suspended));
            return in_doubt;
        }
        let time = keep(&answer, ttl);
        self.inner
            .answers
            .put(self.flight.key().clone(), answer.clone(), time);
        self.flight.arrive(answer);
        in_doubt
    }

    /// What came after the askers had been told that nothing came: better than the failure that is kept now.
    fn late(&mut self, looked: Option<Looked>) {
        if let Some(looked) = looked
            && !matches!(looked.answer, DnsAnswer::Failed(_))
        {
            self.settle(looked);
        }
    }
}
