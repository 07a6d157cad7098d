//! Probe `dmarc`: does the domain say what becomes of mail that only pretends to be from it?

use futures_util::FutureExt;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{DnsAnswer, RecordType};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "dmarc",
    summary: "one DMARC record, of the domain or of the one it is registered under, with a policy",
    standard: "RFC 7489 §6.1, §6.3 and §6.6.3",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const NONE: &str = "RFC 7489 §6.6.3: nothing is asked of mail that pretends to be from the domain; large providers want a record";
const BROKEN: &str = "RFC 7489 §6.6.3: a broken record is as none";
const WEAK: &str = "RFC 7489 §6.3: p=none asks for reports only";

async fn look(subject: &Subject) -> Vec<Finding> {
    let (world, domain) = (&*subject.world, &*subject.domain);
    let own = world
        .dns(&format!("_dmarc.{domain}"), RecordType::Txt)
        .await;
    if records(&own).next().is_some() {
        return vec![judge(domain, domain, &own)];
    }
    match psl::domain_str(domain).filter(|above| !text::same_name(above, domain)) {
        Some(above) => {
            let answer = world.dns(&format!("_dmarc.{above}"), RecordType::Txt).await;
            vec![judge(domain, above, &answer)]
        }
        None => vec![judge(domain, domain, &own)],
    }
}

fn records(answer: &DnsAnswer) -> impl Iterator<Item = &str> {
    answer.txt().filter(|record| {
        let version = record.split(';').next().unwrap_or_default();
        let version: String = version.chars().filter(|c| !c.is_whitespace()).collect();
        version == "v=DMARC1"
    })
}

/// Judges what stands at `place`, which counts for `domain`.
fn judge(domain: &str, place: &str, answer: &DnsAnswer) -> Finding {
    let at = format!("_dmarc.{place}");
    if let DnsAnswer::Failed(failure) = answer {
        let seen = format!("no answer about {at}: {}", failure.label());
        return Finding::could_not_tell(domain, seen, "ask again");
    }
    let all: Vec<&str> = records(answer).collect();
    let record = match all.as_slice() {
        [] => {
            let seen = format!("no DMARC record at {at}");
            let advice = "add a TXT record \"v=DMARC1; p=none; rua=mailto:...\", and tighten p when the reports are clean";
            return Finding::new(Outcome::Warning, domain, seen, NONE, advice);
        }
        [one] => *one,
        more => {
            let seen = format!("{} DMARC records at {at}", more.len());
            return Finding::new(Outcome::Fault, domain, seen, BROKEN, "leave one");
        }
    };
    // For a domain below the one that has the record (RFC 7489 §6.3).
    let below = text::tag(record, "sp").filter(|_| !text::same_name(place, domain));
    match below.or_else(|| text::tag(record, "p")) {
        Some(policy @ ("reject" | "quarantine")) => {
            Finding::good(domain, format!("{at}: {policy}"))
        }
        Some("none") => {
            let advice = "when the reports are clean, ask for quarantine or reject";
            Finding::new(Outcome::Notice, domain, format!("{at}: none"), WEAK, advice)
        }
        other => {
            let seen = match other {
                Some(policy) => format!("{at}: p={} is no policy", text::shown(policy)),
                None => format!("{at} has no p="),
            };
            let advice = "write p=none, p=quarantine or p=reject";
            Finding::new(Outcome::Fault, domain, seen, BROKEN, advice)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::texts;

    #[test]
    fn records_of_all_kinds() {
        for (records, outcome) in [
            (
                &["v=DMARC1; p=reject; rua=mailto:a@b.example"][..],
                Outcome::Good,
            ),
            (&["v=DMARC1;p=quarantine"], Outcome::Good),
            (&["v=DMARC1; p=none"], Outcome::Notice),
            (&["v=DMARC1; p=discard"], Outcome::Fault),
            (&["v=DMARC1; rua=mailto:a@b.example"], Outcome::Fault),
            (&["v=DMARC1; p=none", "v=DMARC1; p=reject"], Outcome::Fault),
            (&["p=reject; v=DMARC1"], Outcome::Warning),
            (&["v=spf1 -all"], Outcome::Warning),
        ] {
            let finding = judge("d.example", "d.example", &texts(records));
            assert_eq!(finding.outcome, outcome, "{records:?} {finding:?}");
        }
        let none = judge("d.example", "d.example", &DnsAnswer::NoName);
        assert_eq!(none.outcome, Outcome::Warning);
    }

    #[test]
    fn a_domain_below_has_the_policy_for_those() {
        let record = texts(&["v=DMARC1; p=reject; sp=none"]);
        let below = judge("a.d.example", "d.example", &record);
        assert_eq!(below.outcome, Outcome::Notice);
        assert_eq!(
            judge("d.example", "d.example", &record).outcome,
            Outcome::Good
        );
    }
}
