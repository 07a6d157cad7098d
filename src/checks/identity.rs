//! Who a client is, as far as the facts say: the identities under which it can be remembered.
//!
//! Not remembering itself: that is what [`Recall`](crate::facts::Recall) asks for.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::checks::names;
use crate::facts::{Facts, Identity, network_of};

/// Whom triplets belong to: the names that vouch for the client, and the network that it shares with its like. Not one of
/// them alone: the hosts of a pool may have names of several providers under one SPF record, or each its own HELO name.
#[must_use]
pub fn to_greylist(facts: &Facts, known_as: &[Identity]) -> Vec<Identity> {
    let network = facts.client().map(|client| neighbours(client.ip()));
    let network = network.map(Identity::Network);
    known_as.iter().cloned().chain(network).collect()
}

/// All that earn or lose trust together with this client.
#[must_use]
pub fn all(facts: &Facts, known_as: &[Identity]) -> Vec<Identity> {
    let own = facts.client().map(|client| Identity::client(client.ip()));
    own.into_iter().chain(known_as.iter().cloned()).collect()
}

/// The client by its confirmed reverse name: the domain under a public suffix, which all hosts of a provider share. `None` for
/// a name that is none.
#[must_use]
pub fn named(host: &str) -> Option<Identity> {
    let host = names::lower(host.trim_end_matches('.'));
    let domain = psl::domain_str(&host)?;
    Some(Identity::name(domain))
}

/// The network that a client shares with its like: the /24 of an IPv4 address, the /64 of an IPv6 address.
#[must_use]
pub fn neighbours(client: IpAddr) -> IpNet {
    network_of(client, 24, 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_one_provider_are_one_name() {
        let named = |host| named(host).map(|identity| identity.to_string());
        for (host, name) in [
            ("mail-wr1-f41.google.com", Some("name:google.com")),
            ("a8-53.smtp-out.AmazonSES.com.", Some("name:amazonses.com")),
            ("host.example.co.uk", Some("name:example.co.uk")),
            ("example.co.uk", Some("name:example.co.uk")),
            ("co.uk", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(named(host).as_deref(), name, "{host}");
        }
    }
}
