//! DNS over hickory-resolver: one lookup over UDP, and over TCP when the answer was truncated (RFC 1035, RFC 7766).
//!
//! No cache (ours is [`crate::gather::cache`]), no retry of refusals, no search list, no hosts file. Names may hold
//! secrets: nothing here prints one. hickory's own log lines do; the application switches those off.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record as Raw, RecordType as RawType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;

use crate::facts::{DnsAnswer, Failure, Record, RecordData, RecordType, TXT_MAX};
use crate::gather::GatherProblem;

/// A name that no client has chosen: every resolver has it in its memory, or gets it from the root's own servers.
const OWN: &str = "a.root-servers.net";
/// Most records of the type asked for; an answer with more says nothing usable.
const MOST_RECORDS: usize = 64;
/// Most CNAME records followed.
const MOST_CNAMES: usize = 8;
/// Most characters of all texts of an answer; one with more says nothing usable.
const MOST_TEXT: usize = 4 * TXT_MAX;

/// The resolver.
pub(in crate::gather) struct Wire {
    resolver: TokioResolver,
}

/// What a lookup brought.
pub(in crate::gather) struct Looked {
    /// The answer.
    pub(in crate::gather) answer: DnsAnswer,
    /// Its time to live, seconds, if it says one.
    pub(in crate::gather) ttl: Option<u32>,
}

impl Wire {
    /// A resolver that asks `servers`, or those of the system when there are none, and gives a lookup up after
    /// `patience`. Lost packets are sent again within it.
    ///
    /// # Errors
    ///
    /// When the system's configuration is missing or names no server.
    pub(in crate::gather) fn new(
        servers: &[SocketAddr],
        patience: Duration,
    ) -> Result<Self, GatherProblem> {
        let config = ResolverConfig::from_name_servers(name_servers(servers)?);
        let runtime = TokioRuntimeProvider::default();
        let mut builder = TokioResolver::builder_with_config(config, runtime);
        set(builder.options_mut(), patience);
        let resolver = builder.build().map_err(GatherProblem::Resolver)?;
        Ok(Self { resolver })
    }

    /// Asks.
    pub(in crate::gather) async fn look_up(&self, name: Name, kind: RecordType) -> Looked {
        let raw = match kind {
            RecordType::A => RawType::A,
            RecordType::Aaaa => RawType::AAAA,
            RecordType::Mx => RawType::MX,
            RecordType::Ptr => RawType::PTR,
            RecordType::Txt => RawType::TXT,
        };
        match self.resolver.lookup(name.clone(), raw).await {
            Ok(lookup) => read(&name, kind, &lookup),
            Err(error) => refused(&error),
        }
    }

    /// Whether the resolver answers at all within `most`, whatever it says.
    pub(in crate::gather) async fn is_answered(&self, most: Duration) -> bool {
        let Some(name) = wire_name(OWN) else {
            return false;
        };
        let asking = self.look_up(name, RecordType::A);
        timeout(most, asking)
            .await
            .is_ok_and(|looked| looked.answer != DnsAnswer::Failed(Failure::Timeout))
    }
}

fn name_servers(servers: &[SocketAddr]) -> Result<Vec<NameServerConfig>, GatherProblem> {
    if servers.is_empty() {
        let (system, _) = read_system_conf().map_err(GatherProblem::SystemServers)?;
        return Ok(system.name_servers);
    }
    let connections = |port| {
        let mut udp = ConnectionConfig::udp();
        udp.port = port;
        let mut tcp = ConnectionConfig::tcp();
        tcp.port = port;
        vec![udp, tcp]
    };
    let server = |at: &SocketAddr| NameServerConfig::new(at.ip(), true, connections(at.port()));
    Ok(servers.iter().map(server).collect())
}

fn set(options: &mut ResolverOpts, patience: Duration) {
    options.timeout = patience;
    // Attempts are retries, and they repeat SERVFAIL at once. Lost packets are sent again within one attempt.
    options.attempts = 0;
    // With one at a time a silent first server would never be failed over.
    options.num_concurrent_reqs = 2;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.edns0 = true;
    // Against forged answers; a server that does not keep the case is asked over TCP.
    options.case_randomization = true;
}

/// The name to ask for, fully qualified; `None` when it can not be asked for.
pub(in crate::gather) fn wire_name(asked: &str) -> Option<Name> {
    let asked = asked.strip_suffix('.').unwrap_or(asked);
    if !asked.is_ascii() {
        let mut name = Name::from_utf8(asked).ok()?;
        name.set_fqdn(true);
        return Some(name);
    }
    // A space is possible (RFC 2181 §11), and comes out of SPF macros.
    if !asked.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return None;
    }
    Name::from_labels(asked.split('.').map(str::as_bytes)).ok()
}

fn read(name: &Name, kind: RecordType, lookup: &Lookup) -> Looked {
    let answers = lookup.answers();
    let aliases = aliases(name, answers);
    let owners: HashSet<&Name> = aliases
        .iter()
        .map(|(_, owner)| *owner)
        .chain([name])
        .collect();
    let wanted = answers
        .iter()
        .filter(|record| owners.contains(&record.name));
    let mut records: Vec<Record> = wanted
        .filter_map(|record| record_of(kind, record))
        .take(MOST_RECORDS + 1)
        .collect();
    let ttl = answers.iter().map(|record| record.ttl).min();
    let answer = match records.len() {
        0 => {
            return Looked {
                answer: DnsAnswer::NoData,
                ttl: None,
            };
        }
        1..=MOST_RECORDS if has_room(&records) => {
            records.splice(..0, aliases.iter().map(alias));
            DnsAnswer::Found(records)
        }
        _ => DnsAnswer::Failed(Failure::Malformed),
    };
    Looked { answer, ttl }
}

/// The CNAME records that lead on from the name asked for, in their order: time to live and target of each.
fn aliases<'a>(name: &'a Name, answers: &'a [Raw]) -> Vec<(u32, &'a Name)> {
    let mut aliases: Vec<(u32, &Name)> = Vec::new();
    let mut last = name;
    for _ in 0..MOST_CNAMES {
        let next = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *last => Some((record.ttl, &target.0)),
            _ => None,
        });
        let Some((ttl, next)) = next else { break };
        if next == name || aliases.iter().any(|(_, known)| *known == next) {
            break;
        }
        aliases.push((ttl, next));
        last = next;
    }
    aliases
}

fn alias((ttl, target): &(u32, &Name)) -> Record {
    Record {
        ttl: *ttl,
        data: RecordData::Cname(host(target)),
    }
}

fn record_of(kind: RecordType, raw: &Raw) -> Option<Record> {
    let data = match (kind, &raw.data) {
        (RecordType::A, RData::A(address)) => RecordData::A(address.0),
        (RecordType::Aaaa, RData::AAAA(address)) => RecordData::Aaaa(address.0),
        (RecordType::Mx, RData::MX(mx)) => RecordData::Mx(mx.preference, host(&mx.exchange)),
        (RecordType::Ptr, RData::PTR(name)) => RecordData::Ptr(host(&name.0)),
        (RecordType::Txt, RData::TXT(text)) => {
            RecordData::Txt(clean(text.txt_data.iter().flatten()))
        }
        _ => return None,
    };
    Some(Record { ttl: raw.ttl, data })
}

/// A name for facts: printable, without the final dot; the root, which null MX uses (RFC 7505), is a dot.
fn host(name: &Name) -> Box<str> {
    let text = name.to_ascii();
    match text.strip_suffix('.') {
        Some("") | None => text.into(),
        Some(text) => text.into(),
    }
}

/// Whether the texts are not too much to be remembered by every session that asks.
fn has_room(records: &[Record]) -> bool {
    let characters = records.iter().map(|record| match &record.data {
        RecordData::Txt(text) => text.chars().count(),
        _ => 0,
    });
    characters.sum::<usize>() <= MOST_TEXT
}

/// A text for facts: printable ASCII and bounded, and where it was not, that can be seen.
fn clean<'a>(octets: impl Iterator<Item = &'a u8>) -> Box<str> {
    let printable = |octet: &u8| match octet {
        b' '..=b'~' => char::from(*octet),
        _ => char::REPLACEMENT_CHARACTER,
    };
    octets
        .take(TXT_MAX)
        .map(printable)
        .collect::<String>()
        .into()
}

fn refused(error: &NetError) -> Looked {
    let negative = |answer, ttl: &Option<u32>| Looked { answer, ttl: *ttl };
    let failure = match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords {
            response_code,
            negative_ttl,
            ..
        })) => match response_code {
            ResponseCode::NXDomain => return negative(DnsAnswer::NoName, negative_ttl),
            ResponseCode::NoError => return negative(DnsAnswer::NoData, negative_ttl),
            _ => Failure::ServFail,
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Failure::Refused,
        NetError::Dns(_) => Failure::ServFail,
        NetError::Timeout | NetError::Io(_) | NetError::NoConnections | NetError::Busy => {
            Failure::Timeout
        }
        _ => Failure::Malformed,
    };
    Looked {
        answer: DnsAnswer::Failed(failure),
        ttl: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_can_not_be_asked_for_are_told_before_any_packet() {
        let long = format!("{}.example", "a".repeat(64));
        let longest = "abcdefghi.".repeat(26);
        for name in ["", ".", "a..b", "a\u{7}b", "a\u{0}", ".a", &long, &longest] {
            assert!(wire_name(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn names_are_asked_for_octet_by_octet() {
        for name in [
            "-a.example",
            "_dmarc.example",
            "*.example",
            "a b.example",
            "a\\066.example",
            "2.0.0.127.zen",
        ] {
            let wire = wire_name(name).unwrap();
            let labels: Vec<&[u8]> = wire.iter().collect();
            assert_eq!(labels.join(&b'.'), name.as_bytes());
            assert!(wire.is_fqdn());
        }
        assert_eq!(
            wire_name("bücher.example").unwrap().to_ascii(),
            "xn--bcher-kva.example."
        );
        assert_eq!(wire_name("a.example."), wire_name("a.example"));
    }

    #[test]
    fn texts_are_printable_and_bounded() {
        let printed = clean(b"a\r\nb\x1b[0m\xfc?".iter());
        assert_eq!(&*printed, "a\u{fffd}\u{fffd}b\u{fffd}[0m\u{fffd}?");
        assert_eq!(clean([b'x'; 5000].iter()).len(), TXT_MAX);
    }

    #[test]
    fn hosts_lose_the_final_dot_but_not_the_root() {
        assert_eq!(&*host(&wire_name("mx.example").unwrap()), "mx.example");
        assert_eq!(&*host(&Name::root()), ".");
        let odd = Name::from_labels([&b"a\nb"[..], &b"example"[..]]).unwrap();
        assert_eq!(&*host(&odd), "a\\012b.example");
    }
}
