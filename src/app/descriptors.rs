//! Descriptors: as many as the sessions may need, or fewer sessions.
//!
//! A session that is accepted without a descriptor left for its backend would be told 451 for nothing; one more client
//! that hears 421 at once is better.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A session takes one, and a second from its first cleared recipient on.
const PER_SESSION: u64 = 2;

/// For lookups, listeners, the journal, the log: at most so many are kept aside.
const ASIDE: u64 = 1024;

/// Raises the process's limit of descriptors as far as `connections` need and the system lets it. Returns how many
/// connections may be had at once; when they are fewer, that is said.
pub(in crate::app) fn make_room(connections: usize) -> usize {
    let wanted = needed(connections);
    // A system that does not say has no such limit.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return connections;
    };
    let raised = wanted.min(hard);
    let limit = match soft >= raised || setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_err() {
        true => soft,
        false => raised,
    };
    let served = served(connections, limit);
    if served < connections {
        tracing::warn!(
            found = limit,
            needed = wanted,
            connections = served,
            "descriptors (RLIMIT_NOFILE) do not suffice for limits.connections = {connections}: serving fewer at once; \
             raise LimitNOFILE in gatepost.service, or lower limits.connections"
        );
    }
    served
}

fn needed(connections: usize) -> u64 {
    (connections as u64)
        .saturating_mul(PER_SESSION)
        .saturating_add(ASIDE)
}

/// How many of `connections` can be served with so many descriptors. Where they are few, an eighth is kept aside, and
/// not less than 64.
fn served(connections: usize, limit: u64) -> usize {
    if limit >= needed(connections) {
        return connections;
    }
    let aside = (limit / 8).clamp(64, ASIDE);
    let fit = limit.saturating_sub(aside) / PER_SESSION;
    usize::try_from(fit)
        .unwrap_or(usize::MAX)
        .clamp(1, connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_served_than_can_be_relayed() {
        for (connections, limit, expected) in [
            (20_000, 65_536, 20_000),
            (20_000, 41_024, 20_000),
            (20_000, 41_023, 19_999),
            (20_000, 20_000, 9_488),
            (20_000, 1024, 448),
            (20_000, 256, 96),
            (20_000, 10, 1),
            (100, 1024, 100),
            (100, 1224, 100),
            (1, 4096, 1),
            (1_000_000, u64::MAX, 1_000_000),
        ] {
            assert_eq!(
                served(connections, limit),
                expected,
                "{connections} {limit}"
            );
        }
    }
}
