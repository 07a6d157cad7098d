//! Tests of the watched zones by their test entries (RFC 5782 §5): a list of addresses lists 127.0.0.2 and not 127.0.0.1,
//! a list of names lists `test` and not `invalid`.
//!
//! A zone that lists what no list may, which is to say everything, or answers what no list may answer, is suspended until
//! a later test is clean. One without test entries is only noted: some lists have none. A test that is not answered shows
//! nothing; it counts for the zone's breaker as every lookup does. Tests neither ask the cache nor fill it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use crate::checks::Lists;
use crate::facts::{DnsAnswer, RecordType};
use crate::gather::Inner;
use crate::gather::breaker::Breaker;
use crate::gather::dns::wire_name;
use crate::gather::fitness::{Fitness, is_wrong};
use crate::gather::zone::{Watched, Zone};

/// Longest time between two tests of a zone.
const PAUSE: Duration = Duration::from_mins(10);
/// The same while the zone is suspended, does not answer, or has not been tested.
const PAUSE_IN_DOUBT: Duration = Duration::from_secs(30);

impl Zone {
    /// The names of its test entries: one that must not be listed, and one that must.
    fn test_entries(&self) -> [String; 2] {
        let entries = match self.lists() {
            Lists::Addresses => ["1.0.0.127", "2.0.0.127"],
            Lists::Names => ["invalid", "test"],
        };
        entries.map(|entry| format!("{entry}{}", self.suffix()))
    }
}

/// Tests every zone that is due. Says whether any was.
pub(in crate::gather) async fn round(inner: &Inner) -> bool {
    let zones = inner.zones.all();
    let due = zones.iter().filter(|(_, breaker)| breaker.is_test_due());
    let tests = join_all(due.map(|watched| test(inner, watched))).await;
    !tests.is_empty()
}

async fn test(inner: &Inner, (zone, breaker): &Watched) {
    let found = examine(inner, zone, breaker).await;
    if let Some(found) = found {
        // What it said while it was unfit must not outlast that.
        if breaker.is_unfit() && !found.is_unfit() {
            inner.answers.forget(zone.suffix());
        }
        breaker.tested(found);
    }
    let in_doubt = found.is_none() || breaker.is_doubtful();
    breaker.test_in(jittered(if in_doubt { PAUSE_IN_DOUBT } else { PAUSE }));
}

/// One question after the other: a zone that does not answer is asked no second one.
async fn examine(inner: &Inner, zone: &Zone, breaker: &Arc<Breaker>) -> Option<Fitness> {
    let [unlisted, listed] = zone.test_entries();
    let unlisted = ask(inner, breaker, &unlisted).await?;
    if let Some(unfit) = unfit(&unlisted) {
        return Some(unfit);
    }
    let listed = ask(inner, breaker, &listed).await?;
    Some(read(&listed))
}

/// What the answer for the entry that must not be listed says against the zone.
fn unfit(unlisted: &DnsAnswer) -> Option<Fitness> {
    unlisted.a().next()?;
    let wrong = unlisted.a().find(|answer| is_wrong(*answer));
    Some(wrong.map_or(Fitness::ListsEverything, Fitness::Wrong))
}

/// What the answer for the entry that must be listed says.
fn read(listed: &DnsAnswer) -> Fitness {
    if let Some(wrong) = listed.a().find(|answer| is_wrong(*answer)) {
        return Fitness::Wrong(wrong);
    }
    match listed.a().next() {
        Some(_) => Fitness::Fit,
        None => Fitness::NoTestEntry,
    }
}

/// The answer of the zone, if there is one in time and its breaker lets it be asked.
async fn ask(inner: &Inner, breaker: &Arc<Breaker>, name: &str) -> Option<DnsAnswer> {
    let name = wire_name(name)?;
    let mut leave = breaker.leave()?;
    let deadline = Instant::now() + inner.timeout;
    let _place = timeout_at(deadline, inner.places.take(true)).await.ok()??;
    match timeout_at(deadline, inner.wire.look_up(name, RecordType::A)).await {
        Err(_) => {}
        Ok(looked) if matches!(looked.answer, DnsAnswer::Failed(_)) => {}
        Ok(looked) => {
            leave.answered();
            return Some(looked.answer);
        }
    }
    leave.failed();
    None
}

/// Up to a tenth less, so that not everybody asks at the same time.
fn jittered(pause: Duration) -> Duration {
    let mut chance = [0; 1];
    // Without randomness there is no TLS either; here it is not missed.
    let _ = aws_lc_rs::rand::fill(&mut chance);
    let [chance] = chance;
    pause - pause / 10 * u32::from(chance) / 255
}

#[cfg(test)]
mod tests;
