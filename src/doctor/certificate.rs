//! Probe `certificate`: is the certificate that an exchanger shows for its name, does somebody vouch for it, and how long does it
//! hold?

use std::time::{Duration, SystemTime};

use futures_util::FutureExt;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject};
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

const WORTH: &str = "RFC 8461 §4.2, RFC 7672 §3: most senders take any, those with MTA-STS or DANE deliver nothing; others can pose as it";
const ENDED: &str = "RFC 5280 §4.1.2.5: senders that look (MTA-STS and others) deliver nothing";

async fn look(subject: &Subject) -> Vec<Finding> {
    let calls = subject.calls().await;
    let now = subject.world.settings.now;
    let seen = calls.iter().filter_map(|(host, call)| {
        let seen = call.tls.as_ref()?.as_ref().ok()?;
        Some(judge(&call.place(&host.name), &host.name, seen, now))
    });
    seen.flatten().collect()
}

fn judge(about: &str, host: &str, seen: &Seen, now: SystemTime) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !seen.is_for_name {
        let said = format!("the certificate is not for {host}");
        let advice = "get one for the name that the MX record has";
        findings.push(Finding::new(Outcome::Warning, about, said, WORTH, advice));
    }
    if let Err(why) = &seen.vouched {
        let said = format!("the certificate is not vouched for: {why}");
        let advice = "get one from an authority, and send the certificates between";
        findings.push(Finding::new(Outcome::Warning, about, said, WORTH, advice));
    }
    let (outcome, said) = dates(seen, now);
    match outcome {
        Outcome::Good if findings.is_empty() => {
            findings.push(Finding::good(
                about,
                format!("for {host}, vouched for, {said}"),
            ));
        }
        Outcome::Good => {}
        outcome => {
            let advice = "renew it, and see why that has not happened by itself";
            findings.push(Finding::new(outcome, about, said, ENDED, advice));
        }
    }
    findings
}

fn dates(seen: &Seen, now: SystemTime) -> (Outcome, String) {
    let day = |time| humantime::format_rfc3339_seconds(time);
    let (begins, ends) = (seen.term.begins, seen.term.ends);
    if now > ends {
        return (
            Outcome::Fault,
            format!("the certificate expired on {}", day(ends)),
        );
    }
    if now < begins {
        let said = format!("the certificate holds only from {} on", day(begins));
        return (Outcome::Fault, said);
    }
    let left = ends.duration_since(now).unwrap_or_default();
    let days = left.as_secs() / (24 * 60 * 60);
    match left <= NEAR {
        true => (
            Outcome::Warning,
            format!("the certificate ends in {days} days"),
        ),
        false => (Outcome::Good, format!("{days} days left")),
    }
}

#[cfg(test)]
pub(in crate::doctor) mod tests {
    use super::*;
    use crate::doctor::tests::outcomes;
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

    #[test]
    fn a_certificate_has_its_days() {
        for (day, outcome) in [
            (99, Outcome::Fault),
            (100, Outcome::Good),
            (185, Outcome::Good),
            (186, Outcome::Warning),
            (201, Outcome::Fault),
        ] {
            let findings = judge("mx", "mx.d.example", &seen(), at(day));
            assert_eq!(outcomes(&findings), [outcome], "{day}");
        }
    }

    #[test]
    fn one_for_another_name_and_one_of_nobody_are_told_of() {
        let other = Seen {
            is_for_name: false,
            ..seen()
        };
        let own = Seen {
            vouched: Err("nobody".to_owned()),
            ..seen()
        };
        for bad in [other, own] {
            let findings = judge("mx", "mx.d.example", &bad, at(150));
            assert_eq!(outcomes(&findings), [Outcome::Warning]);
        }
    }
}
