//! Probe `name_servers`: do the servers of the zone all answer, and say the same?
//!
//! The zone is that of the domain's SOA. Each of its servers is asked itself, so the times to live are those of the zone and
//! not what is left of them in a cache.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use futures_util::FutureExt;
use futures_util::future::join_all;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::doctor::finding::{Finding, Outcome};
use crate::doctor::world::World;
use crate::doctor::{Kind, Of, Subject, text};
use crate::gather::direct::Unanswered;

pub(in crate::doctor) const KIND: Kind = Kind {
    name: "name_servers",
    summary: "name servers of the domain: at least two, all answer with authority, with one serial and one MX, with sane times to live",
    standard: "RFC 1034 §4.1, RFC 2182 §5, RFC 1912 §2.2 and §2.8",
    of: Of::Domain,
    look: |subject| look(subject).boxed(),
};

/// Most servers that are asked.
const MOST: usize = 13;
/// Times to live of MX records that cost neither load nor days after a change, seconds: five minutes to a week. RFC 1912 §2.2
/// wants days; sites that may have to move have less.
const SANE: RangeInclusive<u32> = 300..=604_800;

const LAME: &str =
    "RFC 1912 §2.8: a server that is named for a zone and does not serve it delays or loses mail";
const DIFFER: &str =
    "RFC 1034 §4.3.5: servers of a zone that differ send mail to one place or another by chance";
const FEW: &str =
    "RFC 1034 §4.1, RFC 2182 §5: with one server down nobody can send mail to the domain";
const TTL: &str = "RFC 1912 §2.2: a short one makes mail depend on the name servers at every moment, a long one outlasts a move";

/// What a server of the zone has said.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    server: String,
    address: IpAddr,
    said: Result<Said, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Said {
    authoritative: bool,
    serial: Option<u32>,
    /// What it has said instead of an answer about MX.
    failed: Option<String>,
    /// Preferences and exchangers.
    mx: BTreeSet<(u16, String)>,
    /// The time to live of the MX records, seconds.
    ttl: Option<u32>,
}

async fn look(subject: &Subject) -> Vec<Finding> {
    let (world, domain) = (&*subject.world, &*subject.domain);
    let Some(zone) = zone_of(world, domain).await else {
        let seen = "no answer about its zone (SOA)";
        let advice = "see whether the domain's name servers and this machine's resolver answer";
        return vec![Finding::could_not_tell(domain, seen, advice)];
    };
    let servers = servers_of(world, &zone).await;
    let zone = zone.as_str();
    let heard = servers.iter().map(|server| async move {
        let addresses = world.addresses(server).await.found;
        let each = addresses.into_iter().take(2).map(|address| async move {
            let said = hear(world, address, zone, domain).await;
            Heard {
                server: server.clone(),
                address,
                said: said.map_err(|error| error.to_string()),
            }
        });
        join_all(each).await
    });
    let heard: Vec<Vec<Heard>> = join_all(heard).await;
    let mut findings = nameless(&servers, &heard);
    findings.extend(judge(zone, servers.len(), &heard.concat()));
    findings
}

/// The zone that the domain is in: the owner of its SOA record.
async fn zone_of(world: &World, domain: &str) -> Option<String> {
    let message = world.resolve(domain, RecordType::SOA).await.ok()?;
    let records = message.answers.iter().chain(&message.authorities);
    let soa = records.filter(|record| record.record_type() == RecordType::SOA);
    let mut owners = soa.map(|record| plain(&record.name));
    owners.next()
}

/// A name in lower case, without the final dot.
fn plain(name: &Name) -> String {
    let name = name.to_ascii();
    name.trim_end_matches('.').to_ascii_lowercase()
}

async fn servers_of(world: &World, zone: &str) -> Vec<String> {
    let Ok(message) = world.resolve(zone, RecordType::NS).await else {
        return Vec::new();
    };
    let names = message
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::NS(name) => Some(plain(&name.0)),
            _ => None,
        });
    let names: BTreeSet<String> = names.collect();
    names.into_iter().take(MOST).collect()
}

async fn hear(world: &World, server: IpAddr, zone: &str, domain: &str) -> Result<Said, Unanswered> {
    let (soa, mx) = tokio::join!(
        world.ask_server(server, zone, RecordType::SOA),
        world.ask_server(server, domain, RecordType::MX)
    );
    Ok(read(&soa?, &mx?))
}

fn read(soa: &Message, mx: &Message) -> Said {
    let exchangers = mx.answers.iter().filter_map(|record| match &record.data {
        RData::MX(mx) => Some((mx.preference, plain(&mx.exchange))),
        _ => None,
    });
    let code = mx.metadata.response_code;
    let is_answer = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
    Said {
        failed: (!is_answer).then(|| code.to_string()),
        authoritative: soa.metadata.authoritative
            && soa.metadata.response_code == ResponseCode::NoError,
        serial: soa.answers.iter().find_map(|record| match &record.data {
            RData::SOA(soa) => Some(soa.serial),
            _ => None,
        }),
        mx: exchangers.collect(),
        ttl: mx.answers.iter().map(|record| record.ttl).min(),
    }
}

/// Servers whose names lead nowhere.
fn nameless(servers: &[String], heard: &[Vec<Heard>]) -> Vec<Finding> {
    let without = servers
        .iter()
        .zip(heard)
        .filter(|(_, heard)| heard.is_empty());
    let finding = |(server, _): (&String, _)| {
        let advice = "give the name an address, or take it out of the zone";
        Finding::new(
            Outcome::Warning,
            server,
            "a name server without an address",
            LAME,
            advice,
        )
    };
    without.map(finding).collect()
}

fn judge(zone: &str, servers: usize, heard: &[Heard]) -> Vec<Finding> {
    let answered: Vec<(&Heard, &Said)> = heard
        .iter()
        .filter_map(|heard| Some((heard, heard.said.as_ref().ok()?)))
        .collect();
    if answered.is_empty() {
        let seen = "none of its name servers answered";
        let advice = "see whether this network lets DNS out to others than its resolver";
        return vec![Finding::could_not_tell(zone, seen, advice)];
    }
    let mut findings: Vec<Finding> = heard.iter().filter_map(silent_or_lame).collect();
    if servers < 2 {
        let advice = "have a second name server, in another network";
        findings.push(Finding::new(
            Outcome::Warning,
            zone,
            "one name server only",
            FEW,
            advice,
        ));
    }
    let good: Vec<(&Heard, &Said)> = answered
        .into_iter()
        .filter(|(_, said)| said.authoritative && said.failed.is_none())
        .collect();
    findings.extend(differences(zone, &good));
    findings.extend(good.iter().find_map(|(_, said)| insane(zone, said.ttl?)));
    if findings.is_empty() {
        let serial = good
            .iter()
            .find_map(|(_, said)| said.serial)
            .unwrap_or_default();
        let seen = format!("{servers} name servers agree, serial {serial}");
        findings.push(Finding::good(zone, seen));
    }
    findings
}

fn silent_or_lame(heard: &Heard) -> Option<Finding> {
    let about = format!("{} [{}]", heard.server, heard.address);
    let (outcome, seen, advice) = match &heard.said {
        Err(why) if heard.address.is_ipv6() => {
            let advice = "ask from a network with IPv6";
            return Some(Finding::could_not_tell(about, text::shown(why), advice));
        }
        Err(why) => (
            Outcome::Warning,
            text::shown(why),
            "repair it, or take it out of the zone",
        ),
        Ok(said) if !said.authoritative => (
            Outcome::Fault,
            "it answers without authority for the zone".to_owned(),
            "let it serve the zone, or take it out",
        ),
        Ok(said) => (
            Outcome::Warning,
            format!("no answer about MX: {}", said.failed.as_ref()?),
            "see its log",
        ),
    };
    Some(Finding::new(outcome, about, seen, LAME, advice))
}

fn differences(zone: &str, good: &[(&Heard, &Said)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let sets: BTreeSet<&BTreeSet<(u16, String)>> = good.iter().map(|(_, said)| &said.mx).collect();
    if sets.len() > 1 {
        let each = good.iter().map(|(heard, said)| {
            let mx = said
                .mx
                .iter()
                .map(|(preference, name)| format!("{preference} {name}"));
            format!("{}: {}", heard.server, text::list(mx))
        });
        let seen = text::shown(&format!(
            "different MX records; {}",
            each.collect::<Vec<_>>().join("; ")
        ));
        let advice = "see why the zone is not carried over to all of its servers";
        findings.push(Finding::new(Outcome::Fault, zone, seen, DIFFER, advice));
    }
    let serials: BTreeSet<u32> = good.iter().filter_map(|(_, said)| said.serial).collect();
    if serials.len() > 1 {
        let seen = format!("different serials: {}", text::list(&serials));
        let advice = "wait a while; if it stays so, see why the zone is not carried over";
        findings.push(Finding::new(Outcome::Notice, zone, seen, DIFFER, advice));
    }
    findings
}

fn insane(zone: &str, ttl: u32) -> Option<Finding> {
    if SANE.contains(&ttl) {
        return None;
    }
    let seen = format!("the MX records may be kept for {ttl} seconds");
    let advice = "five minutes to a week do; a day is usual";
    Some(Finding::new(Outcome::Notice, zone, seen, TTL, advice))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{outcomes, seen};

    fn said() -> Said {
        Said {
            authoritative: true,
            serial: Some(7),
            failed: None,
            mx: BTreeSet::from([(10, "a.example".to_owned())]),
            ttl: Some(3600),
        }
    }

    fn heard(server: &str, said: Result<Said, &str>) -> Heard {
        Heard {
            server: server.to_owned(),
            address: "192.0.2.53".parse().unwrap(),
            said: said.map_err(str::to_owned),
        }
    }

    #[test]
    fn servers_that_agree_are_good() {
        let both = [heard("ns1", Ok(said())), heard("ns2", Ok(said()))];
        assert_eq!(outcomes(&judge("d.example", 2, &both)), [Outcome::Good]);
    }

    #[test]
    fn what_is_wrong_with_one_of_them_is_told() {
        let lame = Said {
            authoritative: false,
            ..said()
        };
        let late = Said {
            serial: Some(6),
            ..said()
        };
        let other = Said {
            mx: BTreeSet::from([(10, "b.example".to_owned())]),
            ..said()
        };
        let failing = Said {
            failed: Some("Server Failure".to_owned()),
            mx: BTreeSet::new(),
            ..said()
        };
        for (second, outcome, told) in [
            (Ok(failing), Outcome::Warning, "no answer about MX: Server"),
            (Ok(lame), Outcome::Fault, "without authority"),
            (Ok(late), Outcome::Notice, "different serials: 6, 7"),
            (Ok(other), Outcome::Fault, "different MX records"),
            (
                Err("no answer in time"),
                Outcome::Warning,
                "no answer in time",
            ),
        ] {
            let both = [heard("ns1", Ok(said())), heard("ns2", second)];
            let findings = judge("d.example", 2, &both);
            assert_eq!(outcomes(&findings), [outcome]);
            assert!(seen(&findings).contains(told), "{findings:?}");
        }
    }

    #[test]
    fn one_server_is_too_few_and_times_to_live_have_bounds() {
        let one = [heard("ns1", Ok(said()))];
        assert_eq!(outcomes(&judge("d.example", 1, &one)), [Outcome::Warning]);
        for ttl in [0, 299, 604_801] {
            let odd = Said {
                ttl: Some(ttl),
                ..said()
            };
            let both = [heard("ns1", Ok(odd.clone())), heard("ns2", Ok(odd))];
            assert_eq!(
                outcomes(&judge("d.example", 2, &both)),
                [Outcome::Notice],
                "{ttl}"
            );
        }
    }

    #[test]
    fn where_nobody_answers_it_may_be_our_network() {
        let both = [
            heard("ns1", Err("no answer")),
            heard("ns2", Err("no answer")),
        ];
        assert_eq!(
            outcomes(&judge("d.example", 2, &both)),
            [Outcome::CouldNotTell]
        );
    }
}
