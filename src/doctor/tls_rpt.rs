//! Probe `tls_rpt`: does the domain want to hear from senders whose TLS has failed?

use futures_util::FutureExt;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{DnsAnswer, RecordType};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "tls_rpt",
    summary: "one TLS-RPT record of right syntax, so that senders tell of failures of TLS",
    standard: "RFC 8460 §3",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const NONE: &str =
    "RFC 8460: senders that deliver nothing for want of TLS (MTA-STS, DANE) have no way to say so";
const BROKEN: &str = "RFC 8460 §3: a broken record is as none";

async fn look(subject: &Subject) -> Vec<Finding> {
    if subject.takes_no_mail() {
        return Vec::new();
    }
    let name = format!("_smtp._tls.{}", subject.domain);
    let answer = subject.world.dns(&name, RecordType::Txt).await;
    vec![judge(&subject.domain, &answer)]
}

fn judge(domain: &str, answer: &DnsAnswer) -> Finding {
    if let DnsAnswer::Failed(failure) = answer {
        let seen = format!("no answer about _smtp._tls.{domain}: {}", failure.label());
        return Finding::could_not_tell(domain, seen, "ask again");
    }
    let is_record = |record: &&str| record.split(';').next().map(str::trim) == Some("v=TLSRPTv1");
    let records: Vec<&str> = answer.txt().filter(is_record).collect();
    let fault = |seen: String, advice: &'static str| {
        Finding::new(Outcome::Fault, domain, seen, BROKEN, advice)
    };
    let record = match records.as_slice() {
        [] => {
            let advice = "add a TXT record at _smtp._tls: \"v=TLSRPTv1; rua=mailto:...\"";
            return Finding::new(Outcome::Notice, domain, "no TLS-RPT record", NONE, advice);
        }
        [one] => *one,
        more => return fault(format!("{} TLS-RPT records", more.len()), "leave one"),
    };
    let place = text::tag(record, "rua").unwrap_or_default();
    let fits = |place: &str| place.starts_with("mailto:") || place.starts_with("https:");
    match !place.is_empty() && place.split(',').all(|one| fits(one.trim())) {
        true => Finding::good(domain, format!("reports go to {}", text::shown(place))),
        false => fault(
            format!("no place for reports in it: {}", text::shown(record)),
            "write rua=mailto:... or rua=https:...",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::texts;

    #[test]
    fn records_of_all_kinds() {
        for (records, outcome) in [
            (&["v=TLSRPTv1; rua=mailto:tls@d.example"][..], Outcome::Good),
            (
                &["v=TLSRPTv1;rua=mailto:a@d.example,https://d.example/r"],
                Outcome::Good,
            ),
            (&["v=TLSRPTv1; rua=tls@d.example"], Outcome::Fault),
            (&["v=TLSRPTv1;"], Outcome::Fault),
            (
                &["v=TLSRPTv1; rua=mailto:a", "v=TLSRPTv1; rua=mailto:b"],
                Outcome::Fault,
            ),
            (&["v=spf1 -all"], Outcome::Notice),
        ] {
            let finding = judge("d.example", &texts(records));
            assert_eq!(finding.outcome, outcome, "{records:?}");
        }
        assert_eq!(
            judge("d.example", &DnsAnswer::NoName).outcome,
            Outcome::Notice
        );
    }
}
