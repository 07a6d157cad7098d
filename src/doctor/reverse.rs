//! Probe `reverse`: have the addresses names that lead back to them, as every filter wants of who sends mail?

use std::net::IpAddr;

use futures_util::FutureExt;
use futures_util::future::join_all;

use crate::checks::address::is_public;
use crate::checks::client_name::{looks_dynamic, reverse_name};
use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::subject::Sends;
use crate::doctor::world::World;
use crate::doctor::{Kind, Of, Subject, text};
use crate::facts::{DnsAnswer, RecordData, RecordType};

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "reverse",
    summary: "reverse names of MX and outgoing addresses: there is one, it leads back, has no underscore and does not look dynamic",
    standard: "RFC 1912 §2.1, RFC 8601 §2.7.3 (iprev), RFC 1123 §2.1",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// Most names of an address that are followed.
const MOST: usize = 10;

const NO_NAME: &str = "RFC 1912 §2.1: every host should have a name; many servers refuse or doubt mail from one without";
const UNCONFIRMED: &str = "RFC 8601 §2.7.3: a name counts when it leads back to the address; servers doubt mail from others";
const DYNAMIC: &str = "it looks like a home connection's, and many servers refuse mail from those";
const UNDERSCORE: &str =
    "RFC 1123 §2.1: no host name has an underscore; some servers refuse mail from one";

/// What the DNS says of an address and of its names.
#[derive(Debug)]
struct Named {
    address: IpAddr,
    /// Whether mail leaves from it.
    sends: Sends,
    answer: DnsAnswer,
    /// Each name, and whether it leads back.
    names: Vec<(String, bool)>,
}

async fn look(subject: &Subject) -> Vec<Finding> {
    let addresses = subject.own_addresses();
    let public = addresses.into_iter().filter(|address| is_public(*address));
    let named = public.map(|address| name(&subject.world, address, subject.sends(address)));
    join_all(named).await.iter().map(judge).collect()
}

async fn name(world: &World, address: IpAddr, sends: Sends) -> Named {
    let answer = world.dns(&reverse_name(address), RecordType::Ptr).await;
    let names = answer
        .records()
        .iter()
        .filter_map(|record| match &record.data {
            RecordData::Ptr(name) => Some(name.trim_end_matches('.').to_ascii_lowercase()),
            _ => None,
        });
    let names: Vec<String> = names.take(MOST).collect();
    let confirmed = names.iter().map(|name| async {
        let back = world.addresses(name).await.found;
        (name.clone(), back.contains(&address))
    });
    Named {
        names: join_all(confirmed).await,
        address,
        sends,
        answer,
    }
}

fn judge(named: &Named) -> Finding {
    let Named {
        address,
        sends,
        answer,
        names,
    } = named;
    // Who only receives mail is asked for his name by nobody.
    let finding = |outcome, seen: String, why, advice: &'static str| {
        Finding::new(sends.weigh(outcome), address, seen, why, advice)
    };
    if let DnsAnswer::Failed(failure) = answer {
        let seen = format!("no answer about its reverse name: {}", failure.label());
        let advice = "see whether the name servers of its reverse zone answer";
        return Finding::could_not_tell(address, seen, advice);
    }
    if names.is_empty() {
        let advice = "have whoever gives you the address set its reverse name (PTR)";
        return finding(
            Outcome::Fault,
            "no reverse name".to_owned(),
            NO_NAME,
            advice,
        );
    }
    let shown = |name: &String| text::shown(name);
    let Some((name, _)) = names.iter().find(|(_, back)| *back) else {
        let all = text::list(names.iter().map(|(name, _)| shown(name)));
        let seen = format!("{all} does not lead back to it");
        let advice =
            "give the name an A or AAAA record with this address, or set another reverse name";
        return finding(Outcome::Warning, seen, UNCONFIRMED, advice);
    };
    if name.contains('_') {
        let seen = format!("{} has an underscore", shown(name));
        return finding(
            Outcome::Warning,
            seen,
            UNDERSCORE,
            "set another reverse name",
        );
    }
    if looks_dynamic(name, *address) {
        let seen = format!("{} looks dynamic", shown(name));
        let advice = "have a name without the address set, such as that of the mail server";
        return finding(Outcome::Warning, seen, DYNAMIC, advice);
    }
    Finding::good(address, format!("{}, which leads back", shown(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Failure;

    fn named(names: &[(&str, bool)]) -> Named {
        Named {
            address: "203.0.113.5".parse().unwrap(),
            sends: Sends::Yes,
            answer: DnsAnswer::NoName,
            names: names
                .iter()
                .map(|(name, back)| ((*name).to_owned(), *back))
                .collect(),
        }
    }

    #[test]
    fn each_thing_that_is_wrong_with_a_name_is_told() {
        for (names, outcome, told) in [
            (&[("mx.d.example", true)][..], Outcome::Good, "leads back"),
            (
                &[("old.d.example", false), ("mx.d.example", true)],
                Outcome::Good,
                "mx.d.example",
            ),
            (&[], Outcome::Fault, "no reverse name"),
            (
                &[("mx.d.example", false)],
                Outcome::Warning,
                "does not lead back",
            ),
            (&[("mx_1.d.example", true)], Outcome::Warning, "underscore"),
            (
                &[("203-0-113-5.dyn.isp.example", true)],
                Outcome::Warning,
                "looks dynamic",
            ),
        ] {
            let finding = judge(&named(names));
            assert_eq!(finding.outcome, outcome, "{finding:?}");
            assert!(finding.seen.contains(told), "{finding:?}");
        }
    }

    #[test]
    fn an_address_that_only_receives_is_forgiven_and_a_silent_dns_too() {
        let receives = Named {
            sends: Sends::No,
            ..named(&[])
        };
        assert_eq!(judge(&receives).outcome, Outcome::Notice);
        let silent = Named {
            answer: DnsAnswer::Failed(Failure::Timeout),
            ..named(&[])
        };
        assert_eq!(judge(&silent).outcome, Outcome::CouldNotTell);
    }
}
