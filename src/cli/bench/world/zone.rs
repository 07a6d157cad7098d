//! The names of a world, and what is answered for each at what time.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, LogNormal};
use rand_pcg::Pcg64Mcg;

use crate::facts::RecordData;
use crate::measure::trace::{Latency, List, Trouble, World};

/// How long answers may be kept, virtual seconds: names as their owners usually set them, lists as the large ones do.
const NAME_TTL: u32 = 3600;
pub(in crate::cli::bench) const LIST_TTL: u32 = 60;
/// The test entry of every list (RFC 5782 §5).
const TEST_ENTRY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Most CNAME records put into one answer.
const MOST_CNAMES: usize = 8;

/// All names.
pub(in crate::cli::bench) struct Names {
    records: HashMap<Box<str>, Vec<RData>>,
    /// Names without records that others stand below (RFC 8020).
    above: HashSet<Box<str>>,
    lists: Vec<Listed>,
    latency: Option<(LogNormal<f64>, f64)>,
    seed: u64,
    /// How often each question came: each time has its own luck.
    asked: Mutex<HashMap<u64, u32>>,
}

struct Listed {
    zone: Box<str>,
    entries: HashMap<IpAddr, Vec<(Duration, Ipv4Addr)>>,
    troubles: Vec<(std::ops::Range<Duration>, Trouble)>,
}

impl Names {
    /// The names of `world`; luck follows from `seed`.
    pub(in crate::cli::bench) fn new(world: &World, seed: u64) -> anyhow::Result<Self> {
        let mut names = Self {
            records: HashMap::with_capacity(world.records.len()),
            above: HashSet::new(),
            lists: world.lists.iter().map(Listed::new).collect(),
            latency: latency(world.latency)?,
            seed,
            asked: Mutex::default(),
        };
        for (name, data) in &world.records {
            names.add(name, data)?;
        }
        Ok(names)
    }

    fn add(&mut self, name: &str, data: &RecordData) -> anyhow::Result<()> {
        let name = folded(name);
        let mut rest = name.as_str();
        while let Some((_, above)) = rest.split_once('.') {
            if !self.above.insert(above.into()) {
                break;
            }
            rest = above;
        }
        self.records
            .entry(name.into())
            .or_default()
            .push(rdata(data)?);
        Ok(())
    }

    /// How late the answer is, in session time; `None` if it is lost.
    pub(super) fn delay(&self, query: &Query) -> Option<Duration> {
        let Some((late, lost)) = &self.latency else {
            return Some(Duration::ZERO);
        };
        let mut hasher = DefaultHasher::new();
        (
            self.seed,
            folded(&query.name().to_ascii()),
            u16::from(query.query_type()),
        )
            .hash(&mut hasher);
        let question = hasher.finish();
        let times = {
            let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
            let times = asked.entry(question).or_default();
            *times = times.saturating_add(1);
            *times
        };
        let mut luck = Pcg64Mcg::seed_from_u64(question ^ u64::from(times) << 32);
        if luck.random_bool(*lost) {
            return None;
        }
        Duration::try_from_secs_f64(late.sample(&mut luck).min(30.0)).ok()
    }

    /// Answers the question of `answer` in it as it is at `now`. Whether there is an answer.
    pub(super) fn fill(&self, answer: &mut Message, now: Duration) -> bool {
        let Some(query) = answer.queries.first().cloned() else {
            return false;
        };
        answer.metadata.authoritative = true;
        let name = folded(&query.name().to_ascii());
        let list = self.lists.iter().find_map(|list| {
            let inner = name.strip_suffix(&*list.zone)?;
            (inner.is_empty() || inner.ends_with('.')).then(|| (list, inner.trim_end_matches('.')))
        });
        match list {
            Some((list, inner)) => list.fill(answer, &query, inner, now),
            None => {
                self.fill_from_records(answer, &query);
                true
            }
        }
    }

    fn fill_from_records(&self, answer: &mut Message, query: &Query) {
        let kind = query.query_type();
        let mut name = query.name().clone();
        for _ in 0..=MOST_CNAMES {
            let key = folded(&name.to_ascii());
            let known = self
                .records
                .get(key.as_str())
                .map_or(&[][..], Vec::as_slice);
            let of = |kind: RecordType| known.iter().filter(move |data| data.record_type() == kind);
            answer.add_answers(
                of(kind).map(|data| Record::from_rdata(name.clone(), NAME_TTL, data.clone())),
            );
            let alias = of(RecordType::CNAME)
                .next()
                .filter(|_| kind != RecordType::CNAME);
            let Some(RData::CNAME(target)) = alias else {
                break;
            };
            answer.add_answer(Record::from_rdata(
                name,
                NAME_TTL,
                RData::CNAME(target.clone()),
            ));
            name = target.0.clone();
        }
        if answer
            .answers
            .iter()
            .any(|record| record.record_type() == kind)
        {
            return;
        }
        let key = folded(&name.to_ascii());
        if !self.records.contains_key(key.as_str()) && !self.above.contains(key.as_str()) {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        answer.add_authority(soa(&name.trim_to(1), NAME_TTL));
    }
}

impl Listed {
    fn new(list: &List) -> Self {
        let mut entries: HashMap<IpAddr, Vec<(Duration, Ipv4Addr)>> = HashMap::new();
        for listing in &list.listings {
            entries
                .entry(listing.address)
                .or_default()
                .push((listing.from, listing.answer));
        }
        entries.insert(
            TEST_ENTRY,
            vec![(Duration::ZERO, Ipv4Addr::new(127, 0, 0, 2))],
        );
        Self {
            zone: folded(&list.zone).into(),
            entries,
            troubles: list.troubles.clone(),
        }
    }

    fn fill(&self, answer: &mut Message, query: &Query, inner: &str, now: Duration) -> bool {
        let mut troubles = self.troubles.iter().filter(|(when, _)| when.contains(&now));
        let answers: Vec<Ipv4Addr> = match troubles.next() {
            Some((_, Trouble::Dead)) => return false,
            Some((_, Trouble::Says(code))) => vec![*code],
            None => {
                let entries = address(inner).and_then(|address| self.entries.get(&address));
                let listed = entries
                    .into_iter()
                    .flatten()
                    .filter(|(from, _)| *from <= now);
                listed.map(|(_, answer)| *answer).collect()
            }
        };
        let record = |data| Record::from_rdata(query.name().clone(), LIST_TTL, data);
        match query.query_type() {
            RecordType::A => {
                answer.add_answers(answers.iter().map(|address| record(RData::A(A(*address)))))
            }
            RecordType::TXT if !answers.is_empty() => {
                let text = TXT::new(vec!["listed (simulated)".to_owned()]);
                answer.add_answers([record(RData::TXT(text))])
            }
            _ => answer,
        };
        if answers.is_empty() && !inner.is_empty() {
            answer.metadata.response_code = ResponseCode::NXDomain;
        }
        if answer.answers.is_empty() {
            let labels = query.name().num_labels();
            let before = if inner.is_empty() {
                0
            } else {
                inner.split('.').count()
            };
            let zone = usize::from(labels).saturating_sub(before);
            answer.add_authority(soa(&query.name().trim_to(zone), LIST_TTL));
        }
        true
    }
}

/// The address that stands reversed before a list's zone (RFC 5782 §2.1, §2.4).
fn address(reversed: &str) -> Option<IpAddr> {
    let labels: Vec<&str> = reversed.split('.').rev().collect();
    match labels.len() {
        4 => labels.join(".").parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        32 => {
            let number = u128::from_str_radix(&labels.concat(), 16).ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(number)))
        }
        _ => None,
    }
}

fn latency(latency: Latency) -> anyhow::Result<Option<(LogNormal<f64>, f64)>> {
    if latency.median <= 0.0 {
        return Ok(None);
    }
    let late = LogNormal::new(latency.median.ln(), latency.sigma.max(0.0))?;
    Ok(Some((late, latency.lost.clamp(0.0, 1.0))))
}

fn rdata(data: &RecordData) -> anyhow::Result<RData> {
    Ok(match data {
        RecordData::A(address) => RData::A(A(*address)),
        RecordData::Aaaa(address) => RData::AAAA(AAAA(*address)),
        RecordData::Cname(canonical) => RData::CNAME(CNAME(target(canonical)?)),
        RecordData::Mx(preference, exchange) => RData::MX(MX::new(*preference, target(exchange)?)),
        RecordData::Ptr(host) => RData::PTR(PTR(target(host)?)),
        RecordData::Txt(text) => RData::TXT(TXT::from_bytes(text.as_bytes().chunks(255).collect())),
    })
}

fn target(name: &str) -> anyhow::Result<Name> {
    let mut target = Name::from_ascii(name)?;
    target.set_fqdn(true);
    Ok(target)
}

/// How long a name of `zone` is known not to be (RFC 2308 §3). Its names are some that resolvers do not stumble over.
fn soa(zone: &Name, ttl: u32) -> Record {
    let of = |label: &str| zone.prepend_label(label).unwrap_or_else(|_| zone.clone());
    let data = SOA::new(of("ns"), of("hostmaster"), 1, 3600, 600, 86_400, ttl);
    Record::from_rdata(zone.clone(), ttl, RData::SOA(data))
}

pub(super) fn folded(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
