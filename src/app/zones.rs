//! Watches the zones of DNS lists: tests each, for as long as the configuration that has them holds (RFC 5782 §5).
//!
//! What a test is, and when the next is due, is `gather`'s.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::app::tasks::Tasks;
use crate::config::Snapshot;
use crate::gather::{Gather, Zone};
use crate::net::pace;

/// How often it is looked whether a test is due.
const PAUSE: Duration = Duration::from_secs(3);

/// Begins to watch every zone that a policy depends on.
pub(in crate::app) async fn begin(
    tasks: &Tasks,
    snapshot: &Snapshot,
    gather: &Arc<Gather>,
    over: &CancellationToken,
) {
    let zones = watched(snapshot);
    let none = zones.is_empty();
    gather.watch_zones(zones).await;
    if none {
        return;
    }
    let (gather, over) = (Arc::clone(gather), over.clone());
    tasks.spawn(async move {
        let _ = over.run_until_cancelled(test(&gather)).await;
    });
}

/// Every zone that a policy depends on.
#[must_use]
pub fn watched(snapshot: &Snapshot) -> Vec<Zone> {
    let checks = snapshot.policies.values().flat_map(|policy| &policy.checks);
    checks
        .flat_map(|check| check.zones())
        .map(|(name, lists)| Zone::new(name.asked(), name.shown(), lists))
        .collect()
}

async fn test(gather: &Gather) {
    loop {
        gather.test_zones().await;
        tokio::time::sleep(pace::pause(PAUSE)).await;
    }
}
