//! What the DNS says about the healthy domain and about the sick one.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};
use gatepost::cli::demo::dns::Zone;
use gatepost::facts::RecordData;
use hickory_resolver::proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
use hickory_resolver::proto::rr::rdata::{NS, SOA, TLSA};
use hickory_resolver::proto::rr::{Name, RData};

use crate::certificates::Pair;

/// Times to live, seconds.
const TTL: u32 = 3600;
/// The zone of the block list.
pub(crate) const LIST: &str = "bl.test";

/// The domain that all is well with.
pub(crate) const HEALTHY: &str = "healthy.example";
/// Its exchangers, by preference.
pub(crate) const MX1: &str = "203.0.113.10";
pub(crate) const MX2: &str = "203.0.113.20";
/// Where its policy is.
pub(crate) const WEB: &str = "203.0.113.80";
/// Its name servers.
pub(crate) const NS1: &str = "203.0.113.53";
pub(crate) const NS2: &str = "203.0.113.54";

/// The domain that much is wrong with.
pub(crate) const SICK: &str = "sick.example";
/// An exchanger that relays for everybody, by an alias.
pub(crate) const OPEN: &str = "198.51.100.10";
/// One that nobody can reach.
pub(crate) const PRIVATE: &str = "10.9.9.9";
/// One that has forgotten the domain.
pub(crate) const FORGETFUL: &str = "198.51.100.40";
/// One that keeps no order.
pub(crate) const MESS: &str = "198.51.100.50";
/// Where its mail leaves from.
pub(crate) const LISTED: &str = "198.51.100.66";
/// Where its policy is.
pub(crate) const SICK_WEB: &str = "198.51.100.80";
/// Its second name server.
pub(crate) const SICK_NS2: &str = "198.51.100.54";

/// Writes records.
pub(crate) struct Writer<'z>(pub(crate) &'z mut Zone);

impl Writer<'_> {
    pub(crate) fn address(&mut self, name: &str, address: &str) {
        let data = match address.parse().unwrap() {
            IpAddr::V4(address) => RecordData::A(address),
            IpAddr::V6(address) => RecordData::Aaaa(address),
        };
        self.0.add(name, TTL, &data).unwrap();
    }

    pub(crate) fn mx(&mut self, name: &str, preference: u16, exchanger: &str) {
        let data = RecordData::Mx(preference, exchanger.into());
        self.0.add(name, TTL, &data).unwrap();
    }

    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.0
            .add(name, TTL, &RecordData::Txt(text.into()))
            .unwrap();
    }

    pub(crate) fn reverse(&mut self, address: &str, name: &str) {
        let address: IpAddr = address.parse().unwrap();
        let reverse = Name::from(address).to_ascii();
        self.0
            .add(&reverse, TTL, &RecordData::Ptr(name.into()))
            .unwrap();
    }

    fn zone(&mut self, name: &str, servers: [(&str, &str); 2]) {
        let dns = |name: &str| Name::from_ascii(format!("{name}.")).unwrap();
        let soa = SOA::new(
            dns(servers[0].0),
            dns("hostmaster"),
            2026,
            3600,
            600,
            86_400,
            600,
        );
        self.0.add_data(name, TTL, RData::SOA(soa));
        for (server, address) in servers {
            self.0.add_data(name, TTL, RData::NS(NS(dns(server))));
            self.address(server, address);
        }
    }

    /// 3 1 1: the server's own key, by its digest.
    fn tlsa(&mut self, host: &str, public_key: &[u8]) {
        let digest = digest(&SHA256, public_key).as_ref().to_vec();
        let tlsa = TLSA::new(CertUsage::DaneEe, Selector::Spki, Matching::Sha256, digest);
        self.0
            .add_data(&format!("_25._tcp.{host}"), TTL, RData::TLSA(tlsa));
    }
}

/// A block list that lists what every list does, and one address more.
pub(crate) fn list(zone: &mut Zone) {
    let mut write = Writer(zone);
    write.address(&format!("2.0.0.127.{LIST}"), "127.0.0.2");
    write.address(&format!("66.100.51.198.{LIST}"), "127.0.0.2");
}

/// Everything as it should be; `pair` is what the preferred exchanger shows.
pub(crate) fn healthy(zone: &mut Zone, pair: &Pair) {
    zone.set_authentic(HEALTHY);
    let mut write = Writer(zone);
    write.zone(
        HEALTHY,
        [("ns1.healthy.example", NS1), ("ns2.healthy.example", NS2)],
    );
    for (preference, name, address) in [
        (10, "mx1.healthy.example", MX1),
        (20, "mx2.healthy.example", MX2),
    ] {
        write.mx(HEALTHY, preference, name);
        write.address(name, address);
        write.reverse(address, name);
    }
    write.tlsa("mx1.healthy.example", &pair.public_key);
    write.text(HEALTHY, "v=spf1 ip4:203.0.113.10 mx -all");
    write.text(
        "_dmarc.healthy.example",
        "v=DMARC1; p=reject; rua=mailto:dmarc@healthy.example",
    );
    write.text("_mta-sts.healthy.example", "v=STSv1; id=20260101");
    write.address("mta-sts.healthy.example", WEB);
    write.text(
        "_smtp._tls.healthy.example",
        "v=TLSRPTv1; rua=mailto:tls@healthy.example",
    );
    // A key of 32 octets, as Ed25519 has them (RFC 8463 §4.2).
    let key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    write.text(
        "s1._domainkey.healthy.example",
        &format!("v=DKIM1; k=ed25519; p={key}"),
    );
}

/// One fault or more of each kind.
pub(crate) fn sick(zone: &mut Zone) {
    zone.set_authentic(SICK);
    zone.add_alias("alias.sick.example", TTL, "mx.sick.example")
        .unwrap();
    let mut write = Writer(zone);
    write.zone(
        SICK,
        [("ns1.sick.example", NS1), ("ns2.sick.example", SICK_NS2)],
    );
    for (preference, name) in [
        (10, "alias.sick.example"),
        (20, "198.51.100.99"),
        (30, "private.sick.example"),
        (40, "backup.sick.example"),
        (50, "mess.sick.example"),
    ] {
        write.mx(SICK, preference, name);
    }
    write.address("private.sick.example", PRIVATE);
    for (name, address) in [
        ("mx.sick.example", OPEN),
        ("backup.sick.example", FORGETFUL),
        ("mess.sick.example", MESS),
    ] {
        write.address(name, address);
        write.reverse(address, name);
    }
    write.tlsa("alias.sick.example", b"the key of the year before");
    write.text(SICK, "v=spf1 mx -all");
    write.text(SICK, "v=spf1 a -all");
    write.text("_dmarc.sick.example", "v=DMARC1; p=discard");
    write.text("_mta-sts.sick.example", "v=STSv1; id=1");
    write.address("mta-sts.sick.example", SICK_WEB);
    write.text(
        "_smtp._tls.sick.example",
        "v=TLSRPTv1; rua=tls@sick.example",
    );
}

/// The zone of the sick domain as its second server has it: months old.
pub(crate) fn stale(zone: &mut Zone) {
    let mut write = Writer(zone);
    write.zone(
        SICK,
        [("ns1.sick.example", NS1), ("ns2.sick.example", SICK_NS2)],
    );
    write.mx(SICK, 10, "old.sick.example");
}
