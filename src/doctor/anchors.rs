//! What the DNS says about the certificates of exchangers (TLSA), and who vouches for that.
//!
//! DNSSEC is not validated here: the resolver does that, and says so (AD, RFC 6840 §5.8). It is believed where it stands on
//! loopback, so that nobody is between; elsewhere nothing can be told. RFC 7672 §2 and §3, RFC 6698 §2.1.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use futures_util::future::join_all;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::TLSA;
use hickory_resolver::proto::rr::rdata::tlsa::{CertUsage, Matching, Selector};
use hickory_resolver::proto::rr::{RData, RecordType};
use rustls::pki_types::CertificateDer;

use crate::doctor::world::World;
use crate::net::inspect::public_key;

/// What the DNS says about an exchanger's certificate.
#[derive(Debug)]
pub(in crate::doctor) struct Anchored {
    /// Whether MX, address and TLSA record are all vouched for.
    pub(in crate::doctor) authentic: bool,
    /// What there is instead of an answer about TLSA; `authentic` is then that of MX and address.
    pub(in crate::doctor) failed: Option<ResponseCode>,
    /// What there is.
    pub(in crate::doctor) records: Vec<TLSA>,
}

impl Anchored {
    /// The usage of the record by which senders with DANE take a certificate with its chain: 3 before 2, since that asks for
    /// less. `None` where there is no such record that can be believed.
    pub(in crate::doctor) fn usage_for(
        &self,
        chain: &[CertificateDer<'static>],
    ) -> Option<CertUsage> {
        if !self.authentic || self.failed.is_some() {
            return None;
        }
        [CertUsage::DaneEe, CertUsage::DaneTa]
            .into_iter()
            .find(|usage| {
                let mut records = self.records.iter();
                records.any(|record| record.cert_usage == *usage && is_for(record, chain))
            })
    }

    /// Asks about each of the exchangers of a domain.
    pub(in crate::doctor) async fn ask_all<'h>(
        world: &World,
        domain: &str,
        hosts: impl Iterator<Item = &'h str>,
    ) -> Vec<Result<Self, String>> {
        let mx = world.resolve(domain, RecordType::MX).await;
        let mx_is_authentic = mx.is_ok_and(|message| message.metadata.authentic_data);
        join_all(hosts.map(|host| Self::ask(world, host, mx_is_authentic))).await
    }

    /// Asks about an exchanger; `mx` says whether it was vouched for that it is one.
    async fn ask(world: &World, host: &str, mx: bool) -> Result<Self, String> {
        let name = format!("_25._tcp.{host}");
        let (address, tlsa) = tokio::join!(
            world.resolve(host, RecordType::A),
            world.resolve(&name, RecordType::TLSA)
        );
        let tlsa = tlsa.map_err(|error| format!("no answer about {name}: {error}"))?;
        let is_vouched_for = |message: &Message| message.metadata.authentic_data;
        let records = tlsa.answers.iter().filter_map(|record| match &record.data {
            RData::TLSA(tlsa) => Some(tlsa.clone()),
            _ => None,
        });
        let code = tlsa.metadata.response_code;
        let is_answer = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
        Ok(Self {
            authentic: mx
                && address.is_ok_and(|answer| is_vouched_for(&answer))
                && (is_vouched_for(&tlsa) || !is_answer),
            failed: (!is_answer).then_some(code),
            records: records.collect(),
        })
    }
}

/// Whether a record is for a certificate, which comes first in its chain.
pub(in crate::doctor) fn is_for(record: &TLSA, chain: &[CertificateDer<'static>]) -> bool {
    let of = match record.cert_usage {
        CertUsage::DaneEe => chain.get(..1),
        _ => chain.get(..),
    };
    of.unwrap_or_default().iter().any(|certificate| {
        let selected = match record.selector {
            Selector::Full => Some(certificate.to_vec()),
            Selector::Spki => public_key(certificate),
            _ => None,
        };
        let matched = selected.and_then(|octets| match record.matching {
            Matching::Raw => Some(octets),
            Matching::Sha256 => Some(digest(&SHA256, &octets).as_ref().to_vec()),
            Matching::Sha512 => Some(digest(&SHA512, &octets).as_ref().to_vec()),
            _ => None,
        });
        matched.is_some_and(|octets| octets == record.cert_data)
    })
}
