//! Probe `spf`: has the domain one SPF record that works, covers where its mail leaves from, and says so at its end?
//!
//! Evaluated by the same function that judges clients (`checks::spf`).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::checks::spf::{Query, SpfResult, check_host};
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::world::World;
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{DnsAnswer, RecordType};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "spf",
    summary: "one SPF record of right syntax, at most ten lookups, that covers the outgoing addresses and ends in -all or ~all",
    standard: "RFC 7208 §3.2, §4.6.4, §5.1 and §8",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// Most times that answers lead to more questions; a record has at most ten lookups, each with hosts behind it.
const ROUNDS: usize = 40;
/// Addresses that nobody has (RFC 1112 §4, RFC 6666): what the record says about them is what its end says. One of each
/// family, since hosts of the other have no records.
const NOBODIES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(240, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 1)),
];

const NONE: &str = "RFC 7208 §3: without a record anybody can send in the domain's name, and large providers refuse its mail";
const BROKEN: &str =
    "RFC 7208 §8.7, §4.6.4: a broken record is as none, and some servers refuse mail over it";
const COVERS: &str = "RFC 7208 §8.4: servers refuse or doubt mail of the domain from this address";
const END: &str =
    "RFC 7208 §5.1, §8.2: only -all and ~all say that mail from elsewhere is not the domain's";

type Answers = HashMap<(String, RecordType), DnsAnswer>;

/// What the record says about one address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    address: IpAddr,
    result: SpfResult,
    because: String,
}

async fn look(subject: &Subject) -> Vec<Finding> {
    let (world, domain) = (&*subject.world, &*subject.domain);
    let outgoing = &world.settings.outgoing;
    let ask = |address: &IpAddr| ask(world, domain, *address);
    let (ends, addresses) = tokio::join!(
        join_all(NOBODIES.iter().map(ask)),
        join_all(outgoing.iter().map(ask))
    );
    judge(domain, &ends, &addresses)
}

async fn ask(world: &World, domain: &str, address: IpAddr) -> Said {
    let mut answers = Answers::new();
    for _ in 0..ROUNDS {
        let (said, missing) = evaluate(domain, address, &answers);
        if let Some(said) = said {
            return said;
        }
        let looked = missing.into_iter().map(|(name, kind)| async move {
            let answer = world.dns(&name, kind).await;
            ((name, kind), answer)
        });
        answers.extend(join_all(looked).await);
    }
    Said {
        address,
        result: SpfResult::Temperror,
        because: "the evaluation does not end".to_owned(),
    }
}

/// What follows from the answers so far, and what is missing.
fn evaluate(
    domain: &str,
    address: IpAddr,
    answers: &Answers,
) -> (Option<Said>, Vec<(String, RecordType)>) {
    let query = Query {
        ip: address,
        local_part: "postmaster",
        domain,
        helo: domain,
        started: None,
    };
    let mut missing = Vec::new();
    let evaluation = check_host(&query, &mut |name, kind| {
        let question = (name.to_ascii_lowercase(), kind);
        let answer = answers.get(&question);
        if answer.is_none() && !missing.contains(&question) {
            missing.push(question);
        }
        answer
    });
    let said = evaluation.map(|evaluation| Said {
        address,
        result: evaluation.result,
        because: text::shown(&format!("{}, of {}", evaluation.because, evaluation.domain)),
    });
    (said, missing)
}

fn judge(domain: &str, ends: &[Said], addresses: &[Said]) -> Vec<Finding> {
    let is_broken = |end: &&Said| end.result == SpfResult::Permerror;
    let works = ends.iter().find(|end| !is_broken(end));
    let Some(end) = works.or(ends.first()) else {
        return Vec::new();
    };
    let one = |outcome, seen: String, why, advice: &'static str| {
        vec![Finding::new(outcome, domain, seen, why, advice)]
    };
    match end.result {
        SpfResult::None => {
            let advice = "add a TXT record \"v=spf1 mx -all\", with what else sends for the domain before -all";
            return one(Outcome::Warning, "no SPF record".to_owned(), NONE, advice);
        }
        SpfResult::Permerror => {
            let seen = format!("the SPF record is broken: {}", end.because);
            let advice = "one record, at most ten include, a, mx, ptr, exists and redirect in all";
            return one(Outcome::Fault, seen, BROKEN, advice);
        }
        SpfResult::Temperror => {
            let seen = format!("the SPF record can not be looked up: {}", end.because);
            return vec![Finding::could_not_tell(domain, seen, "ask again")];
        }
        _ => {}
    }
    let mut findings: Vec<Finding> = addresses.iter().filter_map(covers).collect();
    let about_end = ends.iter().filter_map(|end| ends_in(domain, end));
    findings.extend(about_end.take(1));
    findings.extend(ends.iter().find(is_broken).map(|end| half(domain, end)));
    if findings.is_empty() {
        let covered = match addresses.len() {
            0 => "no outgoing address to compare with".to_owned(),
            count => format!("covers the {count} outgoing addresses"),
        };
        let seen = format!("one record, which ends in {}; {covered}", end.because);
        findings.push(Finding::good(domain, seen));
    }
    findings
}

fn covers(said: &Said) -> Option<Finding> {
    let (outcome, advice) = match said.result {
        SpfResult::Pass => return None,
        SpfResult::Temperror => {
            let seen = format!("SPF can not be looked up: {}", said.because);
            return Some(Finding::could_not_tell(said.address, seen, "ask again"));
        }
        SpfResult::Neutral | SpfResult::None => (Outcome::Warning, "add it with ip4: or ip6:"),
        _ => (Outcome::Fault, "add it with ip4: or ip6:, before the end"),
    };
    let seen = format!(
        "SPF says {} about it ({})",
        said.result.label(),
        said.because
    );
    Some(Finding::new(outcome, said.address, seen, COVERS, advice))
}

/// The record is broken for addresses of one family only, as where none of its hosts has one: mail from elsewhere is then not
/// refused. What it says about our own addresses is told by itself.
fn half(domain: &str, end: &Said) -> Finding {
    let family = match end.address.is_ipv6() {
        true => "IPv6",
        false => "IPv4",
    };
    let seen = format!(
        "the SPF record is broken for {family} addresses: {}",
        end.because
    );
    let advice = "name hosts without such addresses with ip4: or ip6:, not with a: or mx:";
    Finding::new(Outcome::Notice, domain, seen, BROKEN, advice)
}

fn ends_in(domain: &str, end: &Said) -> Option<Finding> {
    let (outcome, seen) = match end.result {
        SpfResult::Pass => (Outcome::Fault, "the SPF record allows everybody"),
        SpfResult::Neutral => (
            Outcome::Notice,
            "the SPF record says nothing about mail from elsewhere",
        ),
        _ => return None,
    };
    let seen = format!("{seen} ({})", end.because);
    let advice = "end it in -all or ~all";
    Some(Finding::new(outcome, domain, seen, END, advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{outcomes, seen, texts};

    /// What is said with these records, about the end and about 192.0.2.25.
    fn judged(records: &[(&str, &[&str])]) -> Vec<Finding> {
        let answers = records.iter().map(|(name, said)| {
            let answer = match said {
                [] => DnsAnswer::NoName,
                some => texts(some),
            };
            (((*name).to_owned(), RecordType::Txt), answer)
        });
        let answers: Answers = answers.collect();
        let address = |text: &str| text.parse().unwrap();
        let said = |address| {
            let (said, missing) = evaluate("d.example", address, &answers);
            said.unwrap_or_else(|| panic!("not known: {missing:?}"))
        };
        judge(
            "d.example",
            &NOBODIES.map(said),
            &[said(address("192.0.2.25"))],
        )
    }

    #[test]
    fn broken_for_one_family_is_no_fault_of_the_other() {
        let said = |address: &str, result| Said {
            address: address.parse().unwrap(),
            result,
            because: String::new(),
        };
        let ends = [
            said("240.0.0.1", SpfResult::Permerror),
            said("100::1", SpfResult::Fail),
        ];
        for (address, result, outcomes_wanted) in [
            ("2001:db8::25", SpfResult::Pass, &[Outcome::Notice][..]),
            (
                "192.0.2.25",
                SpfResult::Permerror,
                &[Outcome::Fault, Outcome::Notice],
            ),
        ] {
            let findings = judge("d.example", &ends, &[said(address, result)]);
            assert_eq!(outcomes(&findings), outcomes_wanted, "{address}");
        }
    }

    #[test]
    fn records_of_all_kinds() {
        use Outcome::{Fault, Good, Notice, Warning};
        for (records, outcome) in [
            (&["v=spf1 ip4:192.0.2.0/24 -all"][..], &[Good][..]),
            (&["other", "v=spf1 ip4:192.0.2.25 ~all"], &[Good]),
            (&["v=spf1 ip4:192.0.2.25 ?all"], &[Notice]),
            (&["v=spf1 ip4:192.0.2.25"], &[Notice]),
            (&["v=spf1 +all"], &[Fault]),
            (&["v=spf1 ip4:198.51.100.1 -all"], &[Fault]),
            (&["v=spf1 ip5:192.0.2.25 -all"], &[Fault]),
            (&["v=spf1 -all", "v=spf1 -all"], &[Fault]),
            (&["no record"], &[Warning]),
            (&[], &[Warning]),
        ] {
            let findings = judged(&[("d.example", records)]);
            assert_eq!(outcomes(&findings), outcome, "{records:?} {findings:?}");
        }
    }

    #[test]
    fn an_eleventh_lookup_is_one_too_many() {
        let includes: Vec<String> = (0..11).map(|n| format!("include:s{n}.example")).collect();
        let record = format!("v=spf1 {} -all", includes.join(" "));
        let names: Vec<String> = (0..11).map(|n| format!("s{n}.example")).collect();
        let mut records: Vec<(&str, &[&str])> = names
            .iter()
            .map(|name| (&**name, &["v=spf1 ip4:198.51.100.0/24 -all"][..]))
            .collect();
        let own = [record.as_str()];
        records.push(("d.example", &own));
        let findings = judged(&records);
        assert_eq!(outcomes(&findings), [Outcome::Fault]);
        assert!(seen(&findings).contains("more than 10"), "{findings:?}");
    }
}
