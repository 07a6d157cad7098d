//! The client's host name as far as it has been looked up: for a backend that can not look itself.
//!
//! Not a judgement: that is `rdns`. A name counts when it leads back to the address (RFC 8601 §2.7.3, iprev).

use std::net::IpAddr;

use crate::checks::examination::InZone;
use crate::checks::names;
use crate::facts::{Answer, DnsAnswer, Facts, Question, RecordType};
use crate::smtp::xclient::HostName;

pub use crate::checks::rdns::looks_dynamic;

/// The name under which the reverse names of `address` stand (RFC 1035 §3.5, RFC 3596 §2.5).
#[must_use]
pub fn reverse_name(address: IpAddr) -> String {
    let reversed = names::reversed(address);
    let name = names::reverse_name(address, &reversed).name();
    name.asked().to_owned()
}

/// The first name that leads back; `Unavailable` where there is none or nobody has asked.
#[must_use]
pub fn client_name(facts: &Facts) -> HostName {
    let Some(client) = names::public_client(facts) else {
        return HostName::Unavailable;
    };
    let reversed = names::reversed(client);
    let reverse = names::reverse_name(client, &reversed);
    let all = match known(facts, reverse, RecordType::Ptr) {
        Some(DnsAnswer::Failed(_)) => return HostName::TemporarilyUnavailable,
        Some(answer) => names::reverse_names(answer),
        None => return HostName::Unavailable,
    };
    let kind = match client.is_ipv4() {
        true => RecordType::A,
        false => RecordType::Aaaa,
    };
    let mut in_doubt = false;
    for name in all.iter().filter(|name| names::is_host_name(name)) {
        match known(facts, InZone::plain(name), kind) {
            Some(DnsAnswer::Failed(_)) | None => in_doubt = true,
            Some(answer) if answer.addresses().any(|found| found == client) => {
                return HostName::Known((**name).into());
            }
            Some(_) => {}
        }
    }
    match in_doubt {
        true => HostName::TemporarilyUnavailable,
        false => HostName::Unavailable,
    }
}

fn known<'f>(facts: &'f Facts, name: InZone<'_>, kind: RecordType) -> Option<&'f DnsAnswer> {
    let name = name.name();
    match &facts.answer(&Question::Dns { name, kind })?.answer {
        Answer::Dns(answer) => Some(answer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{
        Answered, Client, DnsName, Fact, Failure, Millis, Record, RecordData, Source, Stage,
    };

    const REVERSE: &str = "7.100.51.198.in-addr.arpa";
    const NAME: &str = "mx.example.net";

    fn facts(answers: &[(&str, RecordType, DnsAnswer)]) -> Facts {
        let address = |text: &str| text.parse().unwrap();
        let client = Client::new(address("198.51.100.7:4001"), address("192.0.2.25:25"), "mx");
        let mut facts = Facts::new(client);
        for (name, kind, answer) in answers {
            let question = Question::Dns {
                name: DnsName::new(*name),
                kind: *kind,
            };
            let answered = Answered {
                question,
                answer: Answer::Dns(answer.clone()),
                took: Millis::default(),
                source: Source::Live,
            };
            facts.push(
                Stage::Connect,
                Millis::default(),
                Fact::Answered(Box::new(answered)),
            );
        }
        facts
    }

    fn found(data: RecordData) -> DnsAnswer {
        DnsAnswer::Found(vec![Record { ttl: 60, data }])
    }

    #[test]
    fn a_name_that_leads_back() {
        let ptr = (
            REVERSE,
            RecordType::Ptr,
            found(RecordData::Ptr("MX.example.net.".into())),
        );
        let a = |address: [u8; 4]| (NAME, RecordType::A, found(RecordData::A(address.into())));
        let failed = DnsAnswer::Failed(Failure::Timeout);
        for (answers, name) in [
            (vec![], HostName::Unavailable),
            (
                vec![(REVERSE, RecordType::Ptr, DnsAnswer::NoName)],
                HostName::Unavailable,
            ),
            (
                vec![(REVERSE, RecordType::Ptr, failed.clone())],
                HostName::TemporarilyUnavailable,
            ),
            (vec![ptr.clone()], HostName::TemporarilyUnavailable),
            (
                vec![ptr.clone(), (NAME, RecordType::A, failed)],
                HostName::TemporarilyUnavailable,
            ),
            (vec![ptr.clone(), a([192, 0, 2, 9])], HostName::Unavailable),
            (
                vec![ptr, a([198, 51, 100, 7])],
                HostName::Known(NAME.into()),
            ),
        ] {
            assert_eq!(client_name(&facts(&answers)), name, "{answers:?}");
        }
    }
}
