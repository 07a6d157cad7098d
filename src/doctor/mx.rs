//! Probe `mx`: has the domain mail exchangers, and are they names that a sender can use?

use std::collections::BTreeMap;
use std::net::IpAddr;

use futures_util::FutureExt;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::subject::{Host, MOST_HOSTS};
use crate::doctor::world::Addresses;
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{DnsAnswer, RecordData};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "mx",
    summary: "MX records: there are some, each is a name of its own with addresses, and no address or alias",
    standard: "RFC 5321 §5.1, RFC 2181 §10.3, RFC 7505",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

const TARGET: &str =
    "RFC 5321 §5.1: an MX names a host that has addresses; senders give mail back for any other";
const ALIAS: &str =
    "RFC 2181 §10.3: the target of an MX must not be an alias; some senders do not follow it";
const NULL: &str = "RFC 7505 §3: a null MX says that the domain takes no mail, and stands alone";

async fn look(subject: &Subject) -> Vec<Finding> {
    judge(&subject.domain, &subject.mx, &subject.hosts)
}

fn judge(domain: &str, mx: &DnsAnswer, hosts: &[Host]) -> Vec<Finding> {
    let targets: Vec<(u16, &str)> = mx.records().iter().filter_map(target).collect();
    match mx {
        DnsAnswer::Failed(failure) => {
            let seen = format!("no answer about its MX: {}", failure.label());
            let advice = "see whether the domain's name servers and this machine's resolver answer";
            return vec![Finding::could_not_tell(domain, seen, advice)];
        }
        DnsAnswer::NoName => {
            let seen = "there is no such domain";
            let why = "RFC 5321 §5.1: mail for a name that does not exist is given back";
            let advice = "register it, or see whether it is spelt right";
            return vec![Finding::new(Outcome::Fault, domain, seen, why, advice)];
        }
        DnsAnswer::NoData => return vec![without_mx(domain, hosts)],
        DnsAnswer::Found(_) => {}
    }
    if targets.iter().any(|(_, name)| *name == ".") {
        return vec![null_mx(domain, targets.len())];
    }
    let mut findings: Vec<Finding> = hosts.iter().map(exchanger).collect();
    findings.extend(repeated(domain, &targets, hosts));
    if targets.len() > MOST_HOSTS {
        let seen = format!("{} MX records; {MOST_HOSTS} were looked at", targets.len());
        let why = "RFC 5321 §5.1: a sender may stop after some of them";
        findings.push(Finding::new(
            Outcome::Notice,
            domain,
            seen,
            why,
            "keep a few",
        ));
    }
    findings
}

fn target(record: &crate::facts::Record) -> Option<(u16, &str)> {
    match &record.data {
        RecordData::Mx(preference, exchange) => Some((*preference, exchange)),
        _ => None,
    }
}

fn null_mx(domain: &str, records: usize) -> Finding {
    match records {
        1 => Finding::good(domain, "a null MX: it takes no mail, and says so"),
        _ => Finding::new(
            Outcome::Fault,
            domain,
            "a null MX beside others",
            NULL,
            "take the null MX out, or the others",
        ),
    }
}

fn without_mx(domain: &str, hosts: &[Host]) -> Finding {
    let has_addresses = hosts.iter().any(|host| !host.addresses.found.is_empty());
    match has_addresses {
        true => Finding::new(
            Outcome::Notice,
            domain,
            "no MX record; mail goes to the domain's own address",
            "RFC 5321 §5.1: that works, and some filters hold it against the domain as a sender",
            "add an MX record; a null MX (\"0 .\") if it takes no mail",
        ),
        false => Finding::new(
            Outcome::Fault,
            domain,
            "no MX record and no address: nobody can send mail to it",
            "RFC 5321 §5.1: mail for it is given back at once",
            "add an MX record; a null MX (\"0 .\") if it takes no mail",
        ),
    }
}

fn exchanger(host: &Host) -> Finding {
    let Host {
        preference,
        name,
        addresses,
        ..
    } = host;
    let fault = |seen: String, why, advice: &'static str| {
        Finding::new(Outcome::Fault, name, seen, why, advice)
    };
    if name.parse::<IpAddr>().is_ok() {
        let seen = format!("MX {preference} is an address, not a name");
        return fault(
            seen,
            TARGET,
            "name the host, and give that an address record",
        );
    }
    let Addresses {
        alias,
        found,
        failed,
    } = addresses;
    if *alias {
        let seen = format!("MX {preference} is an alias (CNAME)");
        return fault(seen, ALIAS, "name the host that the alias leads to");
    }
    match (found.is_empty(), failed) {
        (false, _) => {
            let seen = format!("MX {preference}: {}", text::list(found));
            Finding::good(name, seen)
        }
        (true, Some(failure)) => {
            let seen = format!("no answer about its addresses: {}", failure.label());
            Finding::could_not_tell(name, seen, "see whether its name servers answer")
        }
        (true, None) => {
            let seen = format!("MX {preference} has no address");
            fault(seen, TARGET, "add an A or AAAA record, or take the MX out")
        }
    }
}

/// Exchangers that are one and the same: no help when it is down.
fn repeated(domain: &str, targets: &[(u16, &str)], hosts: &[Host]) -> Vec<Finding> {
    let mut preferences: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    for (preference, name) in targets {
        let name = name.to_ascii_lowercase();
        preferences.entry(name).or_default().push(*preference);
    }
    let why = "RFC 5321 §5.1: a sender tries hosts, and one that is named twice is one";
    let notice = |seen: String| {
        let advice = "leave it if it is meant so (some spam goes to the last MX only), else name another host";
        Finding::new(Outcome::Notice, domain, seen, why, advice)
    };
    let named = preferences.iter().filter(|(_, all)| all.len() > 1);
    let named = named.map(|(name, all)| {
        notice(format!(
            "{name} is named {} times ({})",
            all.len(),
            text::list(all)
        ))
    });
    let mut findings: Vec<Finding> = named.collect();
    for (index, host) in hosts.iter().enumerate() {
        let is_same = |other: &&Host| {
            !host.addresses.found.is_empty() && other.addresses.found == host.addresses.found
        };
        if let Some(other) = hosts.iter().take(index).find(is_same) {
            findings.push(notice(format!(
                "{} and {} have the same addresses",
                other.name, host.name
            )));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{found, outcomes, seen};
    use crate::facts::Failure;

    fn host(preference: u16, name: &str, addresses: &[&str]) -> Host {
        let found = addresses.iter().map(|one| one.parse().unwrap()).collect();
        let addresses = Addresses {
            found,
            ..Addresses::default()
        };
        Host::new(preference, name.to_owned(), addresses)
    }

    fn mx(records: &[(u16, &str)]) -> DnsAnswer {
        found(
            records
                .iter()
                .map(|(preference, name)| RecordData::Mx(*preference, (*name).into())),
        )
    }

    #[test]
    fn exchangers_with_addresses_are_good() {
        let answer = mx(&[(10, "a.example"), (20, "b.example")]);
        let hosts = [
            host(10, "a.example", &["192.0.2.1"]),
            host(20, "b.example", &["192.0.2.2", "2001:db8::2"]),
        ];
        let findings = judge("d.example", &answer, &hosts);
        assert_eq!(outcomes(&findings), [Outcome::Good, Outcome::Good]);
    }

    #[test]
    fn what_no_sender_can_use_is_a_fault() {
        let mut alias = host(10, "www.example", &["192.0.2.1"]);
        alias.addresses.alias = true;
        for (exchange, host, said) in [
            ("192.0.2.1", host(10, "192.0.2.1", &[]), "is an address"),
            (
                "gone.example",
                host(10, "gone.example", &[]),
                "has no address",
            ),
            ("www.example", alias, "is an alias"),
        ] {
            let findings = judge("d.example", &mx(&[(10, exchange)]), &[host]);
            assert_eq!(outcomes(&findings), [Outcome::Fault], "{exchange}");
            assert!(seen(&findings).contains(said), "{findings:?}");
        }
    }

    #[test]
    fn a_null_mx_stands_alone() {
        let good = judge("d.example", &mx(&[(0, ".")]), &[]);
        assert_eq!(outcomes(&good), [Outcome::Good]);
        let bad = judge("d.example", &mx(&[(0, "."), (10, "a.example")]), &[]);
        assert_eq!(outcomes(&bad), [Outcome::Fault]);
    }

    #[test]
    fn without_records_the_domain_itself_is_the_exchanger() {
        for (answer, hosts, outcome) in [
            (
                DnsAnswer::NoData,
                vec![host(0, "d.example", &["192.0.2.1"])],
                Outcome::Notice,
            ),
            (
                DnsAnswer::NoData,
                vec![host(0, "d.example", &[])],
                Outcome::Fault,
            ),
            (DnsAnswer::NoName, vec![], Outcome::Fault),
            (
                DnsAnswer::Failed(Failure::ServFail),
                vec![],
                Outcome::CouldNotTell,
            ),
        ] {
            assert_eq!(outcomes(&judge("d.example", &answer, &hosts)), [outcome]);
        }
    }

    #[test]
    fn an_exchanger_that_is_another_once_more_is_noticed() {
        let answer = mx(&[(10, "a.example"), (20, "b.example"), (30, "A.example")]);
        let hosts = [
            host(10, "a.example", &["192.0.2.1"]),
            host(20, "b.example", &["192.0.2.1"]),
        ];
        let findings = judge("d.example", &answer, &hosts);
        use Outcome::{Good, Notice};
        assert_eq!(outcomes(&findings), [Good, Good, Notice, Notice]);
        assert!(seen(&findings).contains("a.example is named 2 times (10, 30)"));
    }
}
