//! Who a client is, as far as the facts say: the identities under which it can be remembered.
//!
//! Not remembering itself: that is what [`Recall`](crate::facts::Recall) asks for.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::facts::{Facts, Identity};

/// The client's own address: IPv4 alone, IPv6 as its /64, which one customer holds whole.
#[must_use]
pub fn address(client: IpAddr) -> Identity {
    Identity::Network(network(client, 32, 64))
}

/// Who a triplet belongs to: the network that the client shares with its like.
#[must_use]
pub fn to_greylist(facts: &Facts) -> Option<Identity> {
    let client = facts.client()?.ip();
    Some(Identity::Network(network(client, 24, 64)))
}

fn network(client: IpAddr, four: u8, six: u8) -> IpNet {
    let client = client.to_canonical();
    let length = if client.is_ipv4() { four } else { six };
    IpNet::new(client, length).map_or(IpNet::from(client), |network| network.trunc())
}
