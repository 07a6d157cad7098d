//! Probe `mta_sts`: where the domain has an MTA-STS policy, can it be fetched, and do the exchangers keep it?

mod fetch;

use std::net::SocketAddr;

use fetch::Unfetched;
use futures_util::FutureExt;

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::world::{Addresses, NOT_PUBLIC, World};
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{DnsAnswer, Failure, RecordType};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "mta_sts",
    summary: "MTA-STS: record of right syntax, policy fetched by HTTPS, every MX in it",
    standard: "RFC 8461 §3.1, §3.2, §3.3 and §4.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// A policy that is kept for less protects little (RFC 8461 §3.2 expects weeks), seconds.
const SHORT: u64 = 86_400;
/// The longest that one may be kept (RFC 8461 §3.2), seconds.
const LONGEST: u64 = 31_557_600;

const NONE: &str =
    "RFC 8461 §2: without it (or DANE) whoever sits between can switch TLS off unseen";
const BROKEN: &str =
    "RFC 8461 §3.1, §3.2: senders take the domain for one without a policy, or keep to an old one";
const MX: &str = "RFC 8461 §4.1: senders that keep the policy deliver nothing to this MX";
const WEAK: &str =
    "RFC 8461 §5: in this mode failures are reported, and mail goes out all the same";

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Policy {
    mode: String,
    mx: Vec<String>,
    /// Seconds.
    max_age: u64,
}

async fn look(subject: &Subject) -> Vec<Finding> {
    if subject.takes_no_mail() {
        return Vec::new();
    }
    let names: Vec<&str> = subject
        .hosts
        .iter()
        .map(|host| host.name.as_str())
        .collect();
    let names = match subject.mx {
        DnsAnswer::Failed(failure) => Err(failure),
        _ => Ok(names.as_slice()),
    };
    match policy(subject).await {
        Ok(text) => judge(&subject.domain, text, names),
        Err(finding) => vec![finding.clone()],
    }
}

/// Whether the domain asks senders to deliver only where the certificate is right (RFC 8461 §5).
pub(in crate::doctor) async fn is_enforced(subject: &Subject) -> bool {
    let policy = policy(subject).await.as_ref().ok();
    let policy = policy.and_then(|text| read(text).ok());
    policy.is_some_and(|policy| policy.mode == "enforce")
}

/// The policy as it stands, or what is to be said instead; fetched once.
async fn policy(subject: &Subject) -> &Result<String, Finding> {
    subject.policy.get_or_init(|| fetch(subject)).await
}

async fn fetch(subject: &Subject) -> Result<String, Finding> {
    let (world, domain) = (&*subject.world, &*subject.domain);
    let answer = world
        .dns(&format!("_mta-sts.{domain}"), RecordType::Txt)
        .await;
    record(domain, &answer)?;
    let host = format!("mta-sts.{domain}");
    let ways = ways(world, domain, &host).await?;
    let fetched = fetch::policy(world, &ways, &host).await;
    fetched.map_err(|unfetched| match unfetched {
        Unfetched::NoWay(why) => {
            let seen = format!(
                "the policy can not be fetched from here: {}",
                text::shown(&why)
            );
            let advice = "ask from a network that can reach it";
            Finding::could_not_tell(domain, seen, advice)
        }
        Unfetched::Bad(why) => {
            let seen = format!("the policy can not be fetched: {}", text::shown(&why));
            let advice = "serve https://mta-sts.DOMAIN/.well-known/mta-sts.txt with a certificate for that name";
            Finding::new(Outcome::Fault, domain, seen, BROKEN, advice)
        }
    })
}

/// The ways to the policy's host.
async fn ways(world: &World, domain: &str, host: &str) -> Result<Vec<SocketAddr>, Finding> {
    let Addresses { found, failed, .. } = world.addresses(host).await;
    if found.is_empty() {
        return Err(match failed {
            Some(failure) => {
                let seen = format!("no answer about {host}: {}", failure.label());
                Finding::could_not_tell(domain, seen, "ask again")
            }
            None => {
                let seen = format!(
                    "there is a record, and {host} has no address to fetch the policy from"
                );
                let advice = "give it one, and the policy";
                Finding::new(Outcome::Fault, domain, seen, BROKEN, advice)
            }
        });
    }
    let to = found.iter().map(|address| SocketAddr::new(*address, 443));
    let ways: Vec<SocketAddr> = to.filter_map(|to| world.way_to(to)).collect();
    if ways.is_empty() {
        let seen = format!("{host} has {}: {NOT_PUBLIC}", text::list(&found));
        let advice = "give it a public address, or say where it is reached from here (reach)";
        return Err(Finding::could_not_tell(domain, seen, advice));
    }
    Ok(ways)
}

/// Whether there is one good record; if not, what is to be said about it.
fn record(domain: &str, answer: &DnsAnswer) -> Result<(), Finding> {
    if let DnsAnswer::Failed(failure) = answer {
        let seen = format!("no answer about _mta-sts.{domain}: {}", failure.label());
        return Err(Finding::could_not_tell(domain, seen, "ask again"));
    }
    let is_record = |record: &&str| record.split(';').next().map(str::trim) == Some("v=STSv1");
    let records: Vec<&str> = answer.txt().filter(is_record).collect();
    let fault = |seen: String, advice: &'static str| {
        Err(Finding::new(Outcome::Fault, domain, seen, BROKEN, advice))
    };
    match records.as_slice() {
        [] => {
            let advice = "publish a policy, in mode testing first (RFC 8461)";
            Err(Finding::new(
                Outcome::Notice,
                domain,
                "no MTA-STS policy",
                NONE,
                advice,
            ))
        }
        [one] => match text::tag(one, "id") {
            Some(id)
                if (1..=32).contains(&id.len())
                    && id.bytes().all(|c| c.is_ascii_alphanumeric()) =>
            {
                Ok(())
            }
            _ => fault(
                format!("no id in the record: {}", text::shown(one)),
                "write v=STSv1; id=...; with letters and digits, at most 32, new with each policy",
            ),
        },
        more => fault(format!("{} MTA-STS records", more.len()), "leave one"),
    }
}

/// Reads a policy; the first thing that is wrong with it is the error. Of a key that is there twice the first counts, but for mx
/// (RFC 8461 §3.2).
fn read(text: &str) -> Result<Policy, String> {
    let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let pair = line.split_once(':');
        let (key, value) =
            pair.ok_or_else(|| format!("no \"key: value\": {}", text::shown(line)))?;
        let value = value.trim();
        match key.trim() {
            "version" => _ = version.get_or_insert(value),
            "mode" => _ = mode.get_or_insert(value),
            "mx" => mx.push(value.to_ascii_lowercase()),
            "max_age" => _ = max_age.get_or_insert(value),
            // Not known, and ignored (RFC 8461 §3.2).
            _ => {}
        }
    }
    if version != Some("STSv1") {
        return Err("no version: STSv1".to_owned());
    }
    let mode = mode.unwrap_or_default();
    if !matches!(mode, "enforce" | "testing" | "none") {
        return Err(format!("no mode that is known: {:?}", text::shown(mode)));
    }
    let max_age = max_age.and_then(|age| age.parse().ok());
    let max_age = max_age.filter(|age| *age <= LONGEST).ok_or("no max_age")?;
    if mx.is_empty() && mode != "none" {
        return Err("no mx".to_owned());
    }
    Ok(Policy {
        mode: mode.to_owned(),
        mx,
        max_age,
    })
}

/// Judges the policy; `hosts` are the exchangers, where the DNS has said which those are.
fn judge(domain: &str, text: &str, hosts: Result<&[&str], Failure>) -> Vec<Finding> {
    let policy = match read(text) {
        Ok(policy) => policy,
        Err(why) => {
            let seen = format!("the policy is broken: {why}");
            let advice = "write version, mode, mx and max_age (RFC 8461 §3.2), and change the id of the record";
            return vec![Finding::new(Outcome::Fault, domain, seen, BROKEN, advice)];
        }
    };
    let mut findings = Vec::new();
    if let Err(failure) = hosts {
        let seen = format!(
            "no answer about the MX of {domain}: {}; whether each is in the policy is not known",
            failure.label()
        );
        findings.push(Finding::could_not_tell(domain, seen, "ask again"));
    }
    let missing = hosts
        .unwrap_or_default()
        .iter()
        .filter(|host| !policy.mx.iter().any(|mx| fits(mx, host)));
    let missing: Vec<String> = missing.map(|host| text::shown(host)).collect();
    if !missing.is_empty() && policy.mode != "none" {
        let outcome = match policy.mode.as_str() {
            "enforce" => Outcome::Fault,
            _ => Outcome::Warning,
        };
        let seen = format!("not in the policy: {}", text::list(missing));
        let advice = "add an mx line for it, and change the id of the record";
        findings.push(Finding::new(outcome, domain, seen, MX, advice));
    }
    if policy.mode != "enforce" {
        let seen = format!("mode: {}", policy.mode);
        let advice = "when the reports (tls_rpt) are clean, write enforce";
        findings.push(Finding::new(Outcome::Notice, domain, seen, WEAK, advice));
    }
    let max_age = policy.max_age;
    if max_age < SHORT {
        let seen = format!("max_age: {max_age}");
        let why = "RFC 8461 §3.2: the policy protects as long as senders keep it";
        findings.push(Finding::new(
            Outcome::Notice,
            domain,
            seen,
            why,
            "weeks are usual: 604800 or more",
        ));
    }
    if findings.is_empty() {
        let seen = format!("mode: enforce, every MX is in it, kept for {max_age} seconds");
        findings.push(Finding::good(domain, seen));
    }
    findings
}

/// Whether a pattern of the policy is for this host; a wild card stands for one label (RFC 8461 §4.1).
fn fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(_, rest)| text::same_name(parent, rest)),
        None => text::same_name(pattern, host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{outcomes, seen, texts};

    const GOOD: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx1.d.example\r\nmx: *.back.example\r\nmax_age: 604800\r\n";

    #[test]
    fn a_policy_that_names_every_exchanger_is_good() {
        let hosts = ["mx1.d.example", "a.back.example"];
        let good = judge("d.example", GOOD, Ok(&hosts));
        assert_eq!(outcomes(&good), [Outcome::Good]);
    }

    #[test]
    fn what_the_dns_does_not_say_is_not_compared() {
        let failed = Err(Failure::Timeout);
        let findings = judge("d.example", GOOD, failed);
        assert_eq!(outcomes(&findings), [Outcome::CouldNotTell]);
        assert!(!seen(&findings).contains("every MX"), "{findings:?}");
        // What can be told is told all the same.
        let testing = judge("d.example", &GOOD.replace("enforce", "testing"), failed);
        assert_eq!(outcomes(&testing), [Outcome::CouldNotTell, Outcome::Notice]);
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_first_counts() {
        for more in ["mode: none", "max_age: 60", "max_age: x", "version: STSv2"] {
            let twice = format!("{GOOD}{more}\r\n");
            assert_eq!(read(&twice), read(GOOD), "{more}");
            let reversed = format!("{more}\r\n{GOOD}");
            assert_ne!(read(&reversed), read(GOOD), "{more}");
        }
        let policy = read(&format!("{GOOD}mx: mx3.d.example\r\n")).unwrap();
        assert_eq!(policy.mx.len(), 3);
    }

    #[test]
    fn what_is_wrong_with_a_policy_is_told() {
        let of = |old: &str, new: &str| {
            outcomes(&judge(
                "d.example",
                &GOOD.replace(old, new),
                Ok(&["mx1.d.example"]),
            ))
        };
        assert_eq!(of("mx1.d", "mx2.d"), [Outcome::Fault]);
        assert_eq!(of("enforce", "testing"), [Outcome::Notice]);
        assert_eq!(of("604800", "3600"), [Outcome::Notice]);
        for (old, new) in [
            ("STSv1", "STSv2"),
            ("enforce", "force"),
            ("max_age: 604800", ""),
            ("mode:", "mode"),
            ("604800", "31557601"),
        ] {
            assert_eq!(of(old, new), [Outcome::Fault], "{new}");
        }
        let deep = judge("d.example", GOOD, Ok(&["a.b.back.example"]));
        assert_eq!(outcomes(&deep), [Outcome::Fault]);
    }

    #[test]
    fn the_record_must_have_an_id() {
        for (records, good) in [
            (&["v=STSv1; id=20260101;"][..], true),
            (&["v=STSv1;"], false),
            (&["v=STSv1; id=a-b"], false),
            (&["v=STSv1; id=1", "v=STSv1; id=2"], false),
        ] {
            assert_eq!(
                record("d.example", &texts(records)).is_ok(),
                good,
                "{records:?}"
            );
        }
        let none = record("d.example", &DnsAnswer::NoName).unwrap_err();
        assert_eq!(none.outcome, Outcome::Notice);
    }
}
