//! Who came from where, by the addresses and ports that the server was told.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

use crate::facts::network_of;

/// Ports that clients are given.
const PORTS: std::ops::Range<u16> = 1024..65_000;

/// Who came from where: errand and try, by the address and port that the server was told.
#[derive(Debug, Default)]
pub(in crate::cli::bench) struct Visits {
    pub(in crate::cli::bench) by_client: HashMap<SocketAddr, (u32, u32)>,
    loopback: HashMap<IpAddr, Ipv4Addr>,
    /// For each /24 or /64 which of loopback's stands for it, and how many addresses of it came.
    networks: HashMap<IpNet, [u32; 2]>,
    next_port: u16,
}

impl Visits {
    /// A port for this visit that nobody else had from this address.
    pub(super) fn name(&mut self, from: IpAddr, who: (u32, u32)) -> SocketAddr {
        loop {
            self.next_port = match self.next_port {
                port if PORTS.contains(&(port + 1)) => port + 1,
                _ => PORTS.start,
            };
            let client = SocketAddr::new(from, self.next_port);
            if let Entry::Vacant(place) = self.by_client.entry(client) {
                place.insert(who);
                return client;
            }
        }
    }

    /// The loopback address that stands for `from`, from 127.64.0.0 on. Who shares a network, a /24 or a /64, shares one there,
    /// since servers count by networks, too. After 48,896 networks they begin anew, after 256 addresses of one these.
    pub(super) fn loopback(&mut self, from: IpAddr) -> Ipv4Addr {
        if let Some(known) = self.loopback.get(&from) {
            return *known;
        }
        let network = network_of(from, 24, 64);
        let next = u32::try_from(self.networks.len()).unwrap_or(u32::MAX);
        let [place, count] = self.networks.entry(network).or_insert([next, 0]);
        let address = Ipv4Addr::from(0x7f40_0000 | ((*place % 0xbf00) << 8) | (*count % 0x100));
        *count = count.saturating_add(1);
        self.loopback.insert(from, address);
        address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_share_networks_as_the_clients_do() {
        let mut visits = Visits::default();
        let mut of = |from: &str| visits.loopback(from.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.1"), "127.64.0.0");
        assert_eq!(of("198.51.100.1"), "127.64.1.0");
        assert_eq!(of("192.0.2.200"), "127.64.0.1");
        assert_eq!(of("2001:db8::1"), "127.64.2.0");
        assert_eq!(of("2001:db8::ffff:1"), "127.64.2.1");
        assert_eq!(of("2001:db8:0:1::1"), "127.64.3.0");
        assert_eq!(of("192.0.2.1"), "127.64.0.0");
    }
}
