//! Failed logins: so many per address and per network in a time, then nobody there may try for a while.
//!
//! Counted in the same groups as connections ([`admission`](crate::net::admission)): IPv4 per address and /24, IPv6 per
//! /64 and /56. Counts and pauses are bounded caches that forget the least used first, so that guessing from everywhere
//! can not make us remember without end. Not here: what a failed login is, and what a client that is shut out is told.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::facts::{Rate, one_client, one_site};
use crate::net::pace;
use crate::net::rate_limit::RateLimit;

/// Groups whose failed logins are remembered at most, of each kind.
const COUNTED: usize = 50_000;

/// Groups that are shut out at most.
const SHUT_OUT: usize = 20_000;

/// The limits of failed logins.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Per IPv4 address or IPv6 /64; `None` for no limit.
    pub per_address: Option<Rate>,
    /// Per IPv4 /24 or IPv6 /56; `None` for no limit.
    pub per_network: Option<Rate>,
    /// How long nobody of a group over its limit may log in.
    pub pause: Duration,
}

/// Counts failed logins, and says who may not try any more.
#[derive(Debug)]
pub struct Logins {
    per_address: Option<RateLimit<IpNet>>,
    per_network: Option<RateLimit<IpNet>>,
    pause: Duration,
    /// Since when, for each group that is shut out.
    shut_out: Cache<IpNet, Instant>,
}

impl Logins {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let limit = |rate: Option<Rate>| rate.and_then(|rate| RateLimit::new(rate, COUNTED));
        Self {
            per_address: limit(limits.per_address),
            per_network: limit(limits.per_network),
            pause: limits.pause,
            shut_out: Cache::new(SHUT_OUT),
        }
    }

    /// A login of this client has failed.
    pub fn failed(&self, client: IpAddr) {
        let groups = [
            (one_client(client), &self.per_address),
            (one_site(client), &self.per_network),
        ];
        for (group, limit) in groups {
            let is_over = |limit: &RateLimit<IpNet>| limit.take(group).is_err();
            if limit.as_ref().is_some_and(is_over) {
                self.shut_out.insert(group, pace::now());
            }
        }
    }

    /// Whether this client may not try to log in now.
    #[must_use]
    pub fn is_shut_out(&self, client: IpAddr) -> bool {
        let is_shut_out = |group: IpNet| {
            let since = self.shut_out.get(&group);
            since.is_some_and(|since| pace::now() - since < self.pause)
        };
        is_shut_out(one_client(client)) || is_shut_out(one_site(client))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::facts::Per;

    const MINUTE: Duration = Duration::from_secs(60);

    /// Six an hour, twenty of a network, ten minutes' pause.
    fn logins() -> Logins {
        Logins::new(Limits {
            per_address: Rate::new(6, Per::Hour),
            per_network: Rate::new(20, Per::Hour),
            pause: 10 * MINUTE,
        })
    }

    fn fail(logins: &Logins, client: &str, times: usize) {
        (0..times).for_each(|_| logins.failed(client.parse().unwrap()));
    }

    fn is_shut_out(logins: &Logins, client: &str) -> bool {
        logins.is_shut_out(client.parse().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn over_the_limit_of_its_address_a_client_is_shut_out_for_a_while() {
        let logins = logins();
        fail(&logins, "192.0.2.1", 6);
        assert!(!is_shut_out(&logins, "192.0.2.1"));
        fail(&logins, "192.0.2.1", 1);
        assert!(is_shut_out(&logins, "192.0.2.1"));
        assert!(!is_shut_out(&logins, "192.0.2.2"), "its neighbour");
        advance(10 * MINUTE - Duration::from_millis(1)).await;
        assert!(is_shut_out(&logins, "192.0.2.1"));
        advance(Duration::from_millis(1)).await;
        assert!(!is_shut_out(&logins, "192.0.2.1"));
        // One place has become free meanwhile, and not six.
        fail(&logins, "192.0.2.1", 1);
        assert!(!is_shut_out(&logins, "192.0.2.1"));
        fail(&logins, "192.0.2.1", 1);
        assert!(is_shut_out(&logins, "192.0.2.1"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_has_a_limit_of_its_own() {
        let logins = logins();
        for last in 1..=20 {
            fail(&logins, &format!("192.0.2.{last}"), 1);
        }
        assert!(!is_shut_out(&logins, "192.0.2.99"));
        fail(&logins, "192.0.2.21", 1);
        assert!(is_shut_out(&logins, "192.0.2.99"));
        assert!(!is_shut_out(&logins, "192.0.3.99"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ipv6_client_is_its_64() {
        let logins = logins();
        for last in 1..=7 {
            fail(&logins, &format!("2001:db8:0:1::{last}"), 1);
        }
        assert!(is_shut_out(&logins, "2001:db8:0:1:ffff::1"));
        assert!(!is_shut_out(&logins, "2001:db8:0:2::1"));
    }

    /// A telephone with an old password, that asks twice every quarter of an hour, for a week.
    #[tokio::test(start_paused = true)]
    async fn a_household_survives_a_wrong_password() {
        let limits = crate::config::Limits::default();
        let logins = Logins::new(Limits {
            per_address: limits.failed_logins_per_address,
            per_network: limits.failed_logins_per_network,
            pause: limits.failed_logins_pause,
        });
        for _ in 0..7 * 24 * 4 {
            fail(&logins, "192.0.2.1", 2);
            assert!(!is_shut_out(&logins, "192.0.2.1"));
            advance(15 * MINUTE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_limits_nobody_is_shut_out() {
        let logins = Logins::new(Limits {
            per_address: None,
            per_network: None,
            pause: MINUTE,
        });
        fail(&logins, "192.0.2.1", 10_000);
        assert!(!is_shut_out(&logins, "192.0.2.1"));
    }
}
