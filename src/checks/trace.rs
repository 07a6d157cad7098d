//! What a message says of its way through the gate: the header fields with the findings (`X-Gatepost`) and with what was
//! authenticated (`Authentication-Results`, RFC 8601), as text.
//!
//! Only here checks are named outside of themselves: `spf` and `rdns` are what RFC 8601 calls `spf` and `iprev`. Nothing
//! that the client said stands in these fields but domains and host names, which can hold nothing that would end a line.
//! Not `Received`, which tells of the session and not of its verdict.

use std::net::IpAddr;

use crate::checks::spf;
use crate::checks::verdict::Verdict;
use crate::facts::Facts;

pub use crate::checks::policy::Field;

/// The findings that count, and their total, each on a line of its own.
#[must_use]
pub fn findings(id: &str, client: IpAddr, verdict: &Verdict) -> String {
    let mut field = format!(
        "{}: id={id}; client={client}; points={}",
        Field::XGatepost.name(),
        verdict.points
    );
    for finding in verdict.counted() {
        field.push_str(&format!(
            ";\r\n\t{}={}({})",
            finding.check, finding.reason, finding.points
        ));
    }
    field.push_str("\r\n");
    field
}

/// What was authenticated, as `authserv_id` vouches for it: SPF and the reverse name, as far as they were looked at.
#[must_use]
pub fn authentication_results(authserv_id: &str, facts: &Facts, verdict: &Verdict) -> String {
    let methods = [spf_result(facts, verdict), iprev(facts, verdict)];
    let mut field = format!("{}: {authserv_id}", Field::AuthenticationResults.name());
    for method in methods.iter().flatten() {
        field.push_str(";\r\n\t");
        field.push_str(method);
    }
    if methods.iter().all(Option::is_none) {
        field.push_str("; none");
    }
    field.push_str("\r\n");
    field
}

/// RFC 8601 §2.7.2. The reasons of the check are the results of RFC 7208.
fn spf_result(facts: &Facts, verdict: &Verdict) -> Option<String> {
    let found = verdict.findings.iter().find(|found| found.check == "spf")?;
    let (property, domain) = spf::identity(facts)?;
    (!domain.is_empty()).then(|| format!("spf={} smtp.{property}={domain}", found.reason))
}

/// RFC 8601 §2.7.3. A name that looks dynamic says nothing about whether it leads back.
fn iprev(facts: &Facts, verdict: &Verdict) -> Option<String> {
    let of_rdns = verdict
        .findings
        .iter()
        .filter(|found| found.check == "rdns");
    let mut result = of_rdns.filter_map(|found| match &*found.reason {
        "confirmed" => Some("pass"),
        "unconfirmed" => Some("fail"),
        "no_name" => Some("permerror"),
        "failed" => Some("temperror"),
        _ => None,
    });
    let client = match facts.client()?.ip() {
        IpAddr::V4(address) => address.to_string(),
        // A colon can not stand in a token (RFC 2045 §5.1).
        IpAddr::V6(address) => format!("\"{address}\""),
    };
    Some(format!("iprev={} policy.iprev={client}", result.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::finding::{Finding, Outcome};
    use crate::checks::points::Points;
    use crate::checks::verdict::Action;
    use crate::facts::{Client, Fact, Helo, Mail, Millis, Stage};
    use crate::smtp::domain::HeloName;
    use crate::smtp::path::ReversePath;

    fn facts(client: &str, from: &str) -> Facts {
        let client = Client::new(
            client.parse().unwrap(),
            "192.0.2.25:25".parse().unwrap(),
            "mx",
        );
        let mut facts = Facts::new(client);
        let name = HeloName::parse("mail.example.net").unwrap();
        let helo = Helo {
            extended: true,
            name,
        };
        facts.push(Stage::Helo, Millis(0), Fact::Helo(Box::new(helo)));
        let path = ReversePath::parse(from).unwrap();
        facts.push(
            Stage::Mail,
            Millis(0),
            Fact::Mail(Box::new(Mail { path, size: None })),
        );
        facts
    }

    fn verdict(findings: &[(&'static str, &'static str, i16)]) -> Verdict {
        let finding = |(check, reason, points): &(&'static str, &'static str, i16)| Finding {
            check: (*check).into(),
            outcome: Outcome::Fail,
            points: Points::new(*points),
            reason: (*reason).into(),
            evidence: String::new(),
        };
        let findings: Vec<Finding> = findings.iter().map(finding).collect();
        Verdict {
            action: Action::Clear,
            points: findings.iter().map(|finding| finding.points).sum(),
            exempt: false,
            observed: false,
            findings,
            known_as: Vec::new(),
        }
    }

    #[test]
    fn results_are_those_of_rfc_8601() {
        let results = |client, from, found: &[_]| {
            authentication_results("mx.example.com", &facts(client, from), &verdict(found))
        };
        for (client, from, found, says) in [
            (
                "192.0.2.1:1",
                "<ada@Example.org>",
                &[("spf", "pass", 0), ("rdns", "confirmed", 0)][..],
                ";\r\n\tspf=pass smtp.mailfrom=Example.org;\r\n\tiprev=pass policy.iprev=192.0.2.1",
            ),
            (
                "[2001:db8::1]:1",
                "<>",
                &[
                    ("rdns", "dynamic", 2),
                    ("rdns", "unconfirmed", 1),
                    ("spf", "softfail", 1),
                ],
                ";\r\n\tspf=softfail smtp.helo=mail.example.net;\r\n\tiprev=fail policy.iprev=\"2001:db8::1\"",
            ),
            (
                "192.0.2.1:1",
                "<>",
                &[("rdns", "no_name", 1)],
                ";\r\n\tiprev=permerror policy.iprev=192.0.2.1",
            ),
            (
                "192.0.2.1:1",
                "<>",
                &[("rdns", "failed", 0)],
                ";\r\n\tiprev=temperror policy.iprev=192.0.2.1",
            ),
            (
                "192.0.2.1:1",
                "<a@[192.0.2.9]>",
                &[("spf", "none", 0), ("rdns", "dynamic", 2)],
                "; none",
            ),
        ] {
            let expected = format!("Authentication-Results: mx.example.com{says}\r\n");
            assert_eq!(results(client, from, found), expected);
        }
    }

    #[test]
    fn findings_that_bring_nothing_are_left_out() {
        let found = verdict(&[
            ("dnsbl", "listed", 5),
            ("spf", "pass", 0),
            ("rdns", "no_name", 1),
        ]);
        assert_eq!(
            findings("s1", "192.0.2.1".parse().unwrap(), &found),
            "X-Gatepost: id=s1; client=192.0.2.1; points=6;\r\n\tdnsbl=listed(5);\r\n\trdns=no_name(1)\r\n"
        );
    }
}
