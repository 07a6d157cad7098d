//! Probe `dane`: where the DNS vouches for the certificates of the exchangers, do they show those?
//!
//! What the DNS says is in `anchors`.

use futures_util::FutureExt;
use hickory_resolver::proto::rr::rdata::TLSA;
use hickory_resolver::proto::rr::rdata::tlsa::CertUsage;
use rustls::pki_types::CertificateDer;

use crate::doctor::anchors::{Anchored, is_for};
use crate::doctor::call::Call;
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "dane",
    summary: "where DNSSEC vouches for MX, address and TLSA record, the MX shows a certificate that the TLSA record is for",
    standard: "RFC 7672 §2 and §3, RFC 6698 §2.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const WRONG: &str = "RFC 7672 §2.2: senders with DANE deliver nothing to this MX";
const UNSIGNED: &str = "RFC 7672 §2.2.1: a TLSA record without DNSSEC is ignored";
const FAILED: &str =
    "RFC 7672 §2.1.2: senders with DANE deliver nothing to this MX as long as that lookup fails";

async fn look(subject: &Subject) -> Vec<Finding> {
    let (calls, anchors) = tokio::join!(subject.calls(), subject.anchors());
    let near = subject.world.resolver_is_near();
    let each = subject.hosts.iter().zip(anchors).map(|(host, anchored)| {
        let calls = calls.iter().filter(|(other, _)| other.name == host.name);
        let calls: Vec<&Call> = calls.map(|(_, call)| *call).collect();
        match anchored {
            Ok(anchored) => judge(&host.name, anchored, near, &calls),
            Err(why) => vec![Finding::could_not_tell(
                &host.name,
                text::shown(why),
                "ask again",
            )],
        }
    });
    each.flatten().collect()
}

/// The usage of the TLSA record by which senders with DANE take this certificate of `host`, as [`Anchored::usage_for`] has
/// it.
pub(in crate::doctor) async fn taken_by(
    subject: &Subject,
    host: &str,
    chain: &[CertificateDer<'static>],
) -> Option<CertUsage> {
    let anchors = subject.anchors().await.iter();
    let mut each = subject.hosts.iter().zip(anchors);
    let (_, anchored) = each.find(|(other, _)| other.name == host)?;
    let anchored = anchored.as_ref().ok()?;
    if !subject.world.resolver_is_near() {
        return None;
    }
    anchored.usage_for(chain)
}

fn judge(host: &str, anchored: &Anchored, near: bool, calls: &[&Call]) -> Vec<Finding> {
    if let Some(code) = anchored.failed {
        let seen = format!("no answer about a TLSA record: {code}");
        let advice =
            "see whether the name servers of its zone answer, and whether its signatures are right";
        return vec![match near && anchored.authentic {
            true => Finding::new(Outcome::Warning, host, seen, FAILED, advice),
            false => Finding::could_not_tell(host, seen, advice),
        }];
    }
    if anchored.records.is_empty() {
        return vec![Finding::good(host, "no TLSA record: DANE is not used")];
    }
    if !near {
        let seen =
            "a TLSA record; whether DNSSEC vouches for it only a resolver of our own could say";
        let advice = "run a validating resolver on this machine, and name it in [resolver] servers";
        return vec![Finding::could_not_tell(host, seen, advice)];
    }
    if !anchored.authentic {
        let seen = "a TLSA record, and DNSSEC does not vouch for all of MX, address and TLSA";
        let advice =
            "sign the zones of the domain and of the MX; see whether the resolver validates";
        return vec![Finding::new(Outcome::Warning, host, seen, UNSIGNED, advice)];
    }
    let one = |call: &&Call| {
        let about = call.place(host);
        match &call.tls {
            Some(Ok(seen)) => matching(&about, &anchored.records, &seen.chain),
            Some(Err(_)) => {
                let seen = "a TLSA record, and the handshake fails";
                Finding::new(Outcome::Fault, about, seen, WRONG, "see probe tls")
            }
            None if call.extensions().is_some_and(|offered| !offered.starttls) => {
                let seen = "a TLSA record, and no STARTTLS";
                Finding::new(Outcome::Fault, about, seen, WRONG, "see probe tls")
            }
            None => Finding::could_not_tell(about, call.why_not(), "see probe greeting"),
        }
    };
    calls.iter().map(one).collect()
}

fn matching(about: &str, records: &[TLSA], chain: &[CertificateDer<'static>]) -> Finding {
    // The usages for web PKI (0, 1) are none for mail (RFC 7672 §3.1.3).
    let usable = records
        .iter()
        .filter(|record| matches!(record.cert_usage, CertUsage::DaneTa | CertUsage::DaneEe));
    let usable: Vec<&TLSA> = usable.collect();
    if usable.is_empty() {
        let seen = "TLSA records of usages 0 or 1 only, which mail does not use";
        let why = "RFC 7672 §3.1.3: senders treat them as unusable, and TLS as merely wanted";
        return Finding::new(
            Outcome::Warning,
            about,
            seen,
            why,
            "publish one of usage 3 (3 1 1)",
        );
    }
    match usable.iter().any(|record| is_for(record, chain)) {
        true => Finding::good(about, "DNSSEC vouches for the certificate it shows"),
        false => {
            let seen = "no TLSA record is for the certificate it shows";
            let advice = "publish the record of the new key a day before it is used (3 1 1), and take the old one out after";
            Finding::new(Outcome::Fault, about, seen, WRONG, advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest::{SHA256, SHA512, digest};
    use hickory_resolver::proto::op::ResponseCode;
    use hickory_resolver::proto::rr::rdata::tlsa::{Matching, Selector};

    use super::*;
    use crate::doctor::certificate::tests::seen;
    use crate::doctor::tests::outcomes;
    use crate::net::inspect::public_key;

    fn chain() -> Vec<CertificateDer<'static>> {
        let made = rcgen::generate_simple_self_signed(vec!["mx.d.example".to_owned()]).unwrap();
        vec![made.cert.der().clone()]
    }

    fn call(chain: &[CertificateDer<'static>]) -> Call {
        let mut seen = seen();
        seen.chain = chain.to_vec();
        Call {
            tls: Some(Ok(seen)),
            ..Call::default()
        }
    }

    fn record(usage: CertUsage, selector: Selector, matching: Matching, data: Vec<u8>) -> TLSA {
        TLSA::new(usage, selector, matching, data)
    }

    #[test]
    fn the_record_must_be_for_the_certificate() {
        let chain = chain();
        let key = public_key(&chain[0]).unwrap();
        let sha256 = |octets: &[u8]| digest(&SHA256, octets).as_ref().to_vec();
        let sha512 = |octets: &[u8]| digest(&SHA512, octets).as_ref().to_vec();
        use CertUsage::{DaneEe, DaneTa, PkixEe};
        use Matching::{Raw, Sha256, Sha512};
        use Selector::{Full, Spki};
        for (tlsa, outcome) in [
            (record(DaneEe, Spki, Sha256, sha256(&key)), Outcome::Good),
            (record(DaneEe, Spki, Sha512, sha512(&key)), Outcome::Good),
            (
                record(DaneEe, Full, Sha256, sha256(&chain[0])),
                Outcome::Good,
            ),
            (record(DaneTa, Full, Raw, chain[0].to_vec()), Outcome::Good),
            (record(DaneEe, Spki, Sha256, sha256(b"old")), Outcome::Fault),
            (record(PkixEe, Spki, Sha256, sha256(&key)), Outcome::Warning),
        ] {
            let (usage, is_usable) = (tlsa.cert_usage, outcome == Outcome::Good);
            let anchored = Anchored {
                authentic: true,
                failed: None,
                records: vec![tlsa],
            };
            assert_eq!(anchored.usage_for(&chain), is_usable.then_some(usage));
            let findings = judge("mx.d.example", &anchored, true, &[&call(&chain)]);
            assert_eq!(outcomes(&findings), [outcome], "{anchored:?}");
        }
    }

    #[test]
    fn who_vouches_for_the_record_counts() {
        let chain = chain();
        let some = || {
            vec![record(
                CertUsage::DaneEe,
                Selector::Spki,
                Matching::Sha256,
                vec![0; 32],
            )]
        };
        let failed = Some(ResponseCode::ServFail);
        for (authentic, near, failed, records, outcome) in [
            (true, true, None, Vec::new(), Outcome::Good),
            (true, false, None, some(), Outcome::CouldNotTell),
            (false, true, None, some(), Outcome::Warning),
            (true, true, failed, Vec::new(), Outcome::Warning),
            (false, true, failed, Vec::new(), Outcome::CouldNotTell),
            (true, false, failed, Vec::new(), Outcome::CouldNotTell),
        ] {
            let anchored = Anchored {
                authentic,
                failed,
                records,
            };
            assert_eq!(anchored.usage_for(&chain), None);
            let findings = judge("mx.d.example", &anchored, near, &[&call(&chain)]);
            assert_eq!(outcomes(&findings), [outcome]);
        }
    }
}
