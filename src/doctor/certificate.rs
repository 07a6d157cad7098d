//! Probe `certificate`: is the certificate that an exchanger shows for its name, does somebody vouch for it, and how long does it
//! hold?
//!
//! How grave a flaw is depends on who looks: probes `mta_sts` and `dane` know whether somebody does.

use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use futures_util::future::join_all;
use hickory_resolver::proto::rr::rdata::tlsa::CertUsage;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, dane, mta_sts};
use crate::net::inspect::Seen;

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "certificate",
    summary: "each MX shows a certificate for its name that somebody vouches for and that does not end within 14 days",
    standard: "RFC 9525 §6, RFC 5280 §4.1.2.5 and §6, RFC 8461 §4.2",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// How long before its end it is told of: time enough to mend what renews it.
const NEAR: Duration = Duration::from_secs(14 * 24 * 60 * 60);

const ANY: &str = "RFC 7435 §3: most senders take any; those that look all the same deliver nothing, and others can pose as it";
const ENFORCED: &str = "RFC 8461 §4.2: the domain's MTA-STS policy asks for a right one; senders that keep it deliver nothing";
const VOID: &str = "RFC 7672 §3.1.1: the TLSA record (usage 3) vouches for the key; name, issuer and dates do not count for senders with DANE";
const ANCHORED: &str = "RFC 7672 §3.1.2: the TLSA record (usage 2) vouches for the issuer; senders with DANE look at the dates";

/// Something that is not right about a certificate.
#[derive(Debug)]
struct Flaw {
    kind: FlawKind,
    seen: String,
    advice: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlawKind {
    /// It is for another name.
    Name,
    /// Nobody vouches for it.
    Issuer,
    /// It does not hold now.
    Dates,
    /// It ends soon.
    EndsSoon,
}

/// Who looks at a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lookers {
    /// Whoever keeps the domain's MTA-STS policy: it is enforced.
    policy: bool,
    /// By which usage senders with DANE take it, if there are any.
    dane: Option<CertUsage>,
}

async fn look(subject: &Subject) -> Vec<Finding> {
    let calls = subject.calls().await;
    let now = subject.world.settings.now;
    let shown = calls.iter().filter_map(|(host, call)| {
        let seen = call.tls.as_ref()?.as_ref().ok()?;
        Some((call.place(&host.name), &host.name, seen))
    });
    let each = shown.map(|(about, host, seen)| async move {
        let flaws = flaws(host, seen, now);
        if flaws.is_empty() {
            return vec![good(&about, host, seen, now)];
        }
        let lookers = Lookers {
            policy: mta_sts::is_enforced(subject).await,
            dane: dane::taken_by(subject, host, &seen.chain).await,
        };
        let findings = flaws.into_iter().map(|flaw| judge(&about, flaw, lookers));
        findings.collect()
    });
    join_all(each).await.into_iter().flatten().collect()
}

fn good(about: &str, host: &str, seen: &Seen, now: SystemTime) -> Finding {
    let left = seen.term.ends.duration_since(now).unwrap_or_default();
    let said = format!("for {host}, vouched for, {} days left", days(left));
    Finding::good(about, said)
}

/// Warning and fault as they are defined: an opportunistic sender takes any certificate, so that a bad one costs mail at times;
/// it costs mail where a policy makes senders refuse it, whether or not others go by DANE.
fn judge(about: &str, flaw: Flaw, lookers: Lookers) -> Finding {
    let by_key = lookers.dane == Some(CertUsage::DaneEe);
    let by_issuer = lookers.dane == Some(CertUsage::DaneTa);
    let (outcome, why) = match flaw.kind {
        FlawKind::EndsSoon if lookers.policy => (Outcome::Warning, ENFORCED),
        _ if lookers.policy => (Outcome::Fault, ENFORCED),
        _ if by_key => (Outcome::Notice, VOID),
        FlawKind::Dates if by_issuer => (Outcome::Fault, ANCHORED),
        FlawKind::EndsSoon if by_issuer => (Outcome::Warning, ANCHORED),
        FlawKind::Issuer if by_issuer => (Outcome::Notice, ANCHORED),
        _ => (Outcome::Warning, ANY),
    };
    Finding::new(outcome, about, flaw.seen, why, flaw.advice)
}

fn flaws(host: &str, seen: &Seen, now: SystemTime) -> Vec<Flaw> {
    let name = (!seen.is_for_name).then(|| Flaw {
        kind: FlawKind::Name,
        seen: format!("the certificate is not for {host}"),
        advice: "get one for the name that the MX record has",
    });
    let issuer = seen.vouched.as_ref().err().map(|why| Flaw {
        kind: FlawKind::Issuer,
        seen: format!("the certificate is not vouched for: {why}"),
        advice: "get one from an authority, and send the certificates between",
    });
    let dates = dates(seen, now).map(|(kind, seen)| Flaw {
        kind,
        seen,
        advice: "renew it, and see why that has not happened by itself",
    });
    [name, issuer, dates].into_iter().flatten().collect()
}

fn dates(seen: &Seen, now: SystemTime) -> Option<(FlawKind, String)> {
    let day = |time| humantime::format_rfc3339_seconds(time);
    let (begins, ends) = (seen.term.begins, seen.term.ends);
    if now > ends {
        let said = format!("the certificate expired on {}", day(ends));
        return Some((FlawKind::Dates, said));
    }
    if now < begins {
        let said = format!("the certificate holds only from {} on", day(begins));
        return Some((FlawKind::Dates, said));
    }
    let left = ends.duration_since(now).unwrap_or_default();
    (left <= NEAR).then(|| {
        let said = format!("the certificate ends in {} days", days(left));
        (FlawKind::EndsSoon, said)
    })
}

fn days(long: Duration) -> u64 {
    long.as_secs() / (24 * 60 * 60)
}

#[cfg(test)]
pub(in crate::doctor) mod tests {
    use super::*;
    use crate::net::tls::pair::Term;

    const DAY: u64 = 24 * 60 * 60;

    fn at(day: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(day * DAY)
    }

    /// A good certificate from day 100 to day 200.
    pub(in crate::doctor) fn seen() -> Seen {
        Seen {
            version: "TLSv1.3",
            chain: Vec::new(),
            term: Term {
                begins: at(100),
                ends: at(200),
                ends_first: 0,
            },
            is_for_name: true,
            vouched: Ok(()),
        }
    }

    /// The kinds of flaws on this day.
    fn kinds(seen: &Seen, day: u64) -> Vec<FlawKind> {
        let flaws = flaws("mx.d.example", seen, at(day));
        flaws.iter().map(|flaw| flaw.kind).collect()
    }

    #[test]
    fn a_certificate_has_its_days() {
        for (day, kind) in [
            (99, Some(FlawKind::Dates)),
            (100, None),
            (185, None),
            (186, Some(FlawKind::EndsSoon)),
            (201, Some(FlawKind::Dates)),
        ] {
            assert_eq!(kinds(&seen(), day), kind.into_iter().collect::<Vec<_>>());
        }
        let good = good("mx", "mx.d.example", &seen(), at(150));
        assert_eq!(good.seen, "for mx.d.example, vouched for, 50 days left");
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        let bad = Seen {
            is_for_name: false,
            vouched: Err("nobody".to_owned()),
            ..seen()
        };
        use FlawKind::{Dates, Issuer, Name};
        assert_eq!(kinds(&bad, 150), [Name, Issuer]);
        assert_eq!(kinds(&bad, 201), [Name, Issuer, Dates]);
    }

    #[test]
    fn how_grave_a_flaw_is_depends_on_who_looks() {
        use CertUsage::{DaneEe, DaneTa};
        use FlawKind::{Dates, EndsSoon, Issuer, Name};
        use Outcome::{Fault, Notice, Warning};
        for (policy, dane, name, issuer, dates, ends_soon) in [
            (false, None, Warning, Warning, Warning, Warning),
            (false, Some(DaneEe), Notice, Notice, Notice, Notice),
            (false, Some(DaneTa), Warning, Notice, Fault, Warning),
            // Senders that keep the policy and know no DANE deliver nothing.
            (true, Some(DaneEe), Fault, Fault, Fault, Warning),
            (true, None, Fault, Fault, Fault, Warning),
        ] {
            let lookers = Lookers { policy, dane };
            let kinds = [Name, Issuer, Dates, EndsSoon];
            let outcomes = kinds.map(|kind| {
                let flaw = Flaw {
                    kind,
                    seen: "seen".to_owned(),
                    advice: "mend it",
                };
                judge("mx", flaw, lookers).outcome
            });
            assert_eq!(outcomes, [name, issuer, dates, ends_soon], "{lookers:?}");
        }
    }
}
