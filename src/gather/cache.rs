//! The cache of DNS answers that all sessions share: bounded, every answer with its own end.
//!
//! It does not ask and does not know who does. How long an answer is kept is decided here (RFC 2308 for negative
//! answers, clamped) and by the record's time to live. Time is tokio's, so that simulated time counts.

use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::facts::{DnsAnswer, DnsName, RecordData, RecordType};
use crate::net::pace;

/// Least time a positive or negative answer is kept, so that a time to live of 0 can not be used to make us ask for
/// every session.
const LEAST: Duration = Duration::from_mins(1);
/// Longest time a positive answer is kept.
const POSITIVE_MOST: Duration = Duration::from_hours(24);
/// Longest time a negative answer is kept.
const NEGATIVE_MOST: Duration = Duration::from_hours(1);
/// How long a failure is kept.
const FAILURE: Duration = Duration::from_secs(30);
/// Octets that count as one entry of the bound: most answers are smaller.
const OCTETS_PER_ENTRY: usize = 256;

/// What was asked, as it goes over the wire: it may hold a secret, so it can not be printed.
///
/// Not keyed by the shown name: that may be a real name too, which anybody can make us ask for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(in crate::gather) struct Key {
    name: Box<str>,
    kind: RecordType,
}

impl Key {
    /// The key of a question: names compare without case and final dot.
    pub(in crate::gather) fn new(name: &DnsName, kind: RecordType) -> Self {
        let asked = name.asked();
        let name = asked
            .strip_suffix('.')
            .unwrap_or(asked)
            .to_ascii_lowercase();
        Self {
            name: name.into(),
            kind,
        }
    }

    /// The name to put on the wire, lower case, without the final dot. Never print it.
    pub(in crate::gather) fn name(&self) -> &str {
        &self.name
    }

    /// The record type.
    pub(in crate::gather) const fn kind(&self) -> RecordType {
        self.kind
    }
}

/// How long `answer` is kept. `ttl` is the least time to live of its records, or what the SOA record says for a
/// negative answer (RFC 2308 §5), if it says anything.
pub(in crate::gather) fn keep(answer: &DnsAnswer, ttl: Option<u32>) -> Duration {
    let ttl = Duration::from_secs(ttl.unwrap_or(0).into());
    match answer {
        DnsAnswer::Found(_) => ttl.clamp(LEAST, POSITIVE_MOST),
        DnsAnswer::NoName | DnsAnswer::NoData => ttl.clamp(LEAST, NEGATIVE_MOST),
        DnsAnswer::Failed(_) => FAILURE,
    }
}

#[derive(Clone)]
struct Kept {
    answer: DnsAnswer,
    until: Instant,
}

#[derive(Clone)]
struct Size;

impl Weighter<Key, Kept> for Size {
    fn weight(&self, key: &Key, kept: &Kept) -> u64 {
        let octets: usize = kept
            .answer
            .records()
            .iter()
            .map(|record| size(&record.data))
            .sum();
        let entries = 1 + (key.name.len() + octets) / OCTETS_PER_ENTRY;
        u64::try_from(entries).unwrap_or(u64::MAX)
    }
}

fn size(data: &RecordData) -> usize {
    let text = match data {
        RecordData::A(_) | RecordData::Aaaa(_) => 0,
        RecordData::Cname(text)
        | RecordData::Mx(_, text)
        | RecordData::Ptr(text)
        | RecordData::Txt(text) => text.len(),
    };
    size_of::<crate::facts::Record>() + text
}

/// Answers by question.
pub(in crate::gather) struct Answers {
    kept: Cache<Key, Kept, Size>,
}

impl Answers {
    /// A cache for `entries` answers of usual size; large ones count for several.
    pub(in crate::gather) fn new(entries: usize) -> Self {
        let capacity = u64::try_from(entries).unwrap_or(u64::MAX);
        Self {
            kept: Cache::with_weighter(entries, capacity, Size),
        }
    }

    /// The answer, if it is there and its time has not passed.
    pub(in crate::gather) fn get(&self, key: &Key) -> Option<DnsAnswer> {
        let kept = self.kept.get(key)?;
        if kept.until > pace::now() {
            return Some(kept.answer);
        }
        // Another task may have put a fresh one there meanwhile.
        self.kept.remove_if(key, |now| now.until == kept.until);
        None
    }

    /// Keeps `answer` for `time`.
    pub(in crate::gather) fn put(&self, key: Key, answer: DnsAnswer, time: Duration) {
        self.kept.insert(
            key,
            Kept {
                answer,
                until: pace::now() + time,
            },
        );
    }

    /// Forgets every answer about names that end in `suffix` (lower case).
    pub(in crate::gather) fn forget(&self, suffix: &str) {
        self.kept.retain(|key, _| !key.name.ends_with(suffix));
    }

    /// How many answers are held, those past their time included.
    pub(in crate::gather) fn len(&self) -> usize {
        self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Failure, Record};

    fn key(name: &str) -> Key {
        Key::new(&DnsName::new(name), RecordType::A)
    }

    fn found(texts: usize) -> DnsAnswer {
        let record = Record {
            ttl: 300,
            data: RecordData::Txt("t".repeat(200).into()),
        };
        DnsAnswer::Found(vec![record; texts])
    }

    #[test]
    fn time_kept_is_clamped() {
        let minutes = |minutes| Duration::from_mins(minutes);
        assert_eq!(keep(&found(1), Some(300)), minutes(5));
        assert_eq!(keep(&found(1), Some(0)), minutes(1));
        assert_eq!(keep(&found(1), Some(u32::MAX)), minutes(24 * 60));
        assert_eq!(keep(&DnsAnswer::NoName, Some(600)), minutes(10));
        assert_eq!(keep(&DnsAnswer::NoName, None), minutes(1));
        assert_eq!(keep(&DnsAnswer::NoData, Some(86_400)), minutes(60));
        let failed = DnsAnswer::Failed(Failure::ServFail);
        assert_eq!(keep(&failed, Some(86_400)), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_there_until_its_time_has_passed() {
        let answers = Answers::new(10);
        answers.put(key("a.example"), found(1), Duration::from_secs(60));
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(answers.get(&key("A.example.")), Some(found(1)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(answers.get(&key("a.example")), None);
        assert_eq!(answers.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn types_and_secrets_are_kept_apart() {
        let answers = Answers::new(10);
        let secret = DnsName::secret("2.0.0.127.key.dq.example", "2.0.0.127.dq.example");
        answers.put(
            Key::new(&secret, RecordType::A),
            found(1),
            Duration::from_secs(60),
        );
        assert_eq!(answers.get(&Key::new(&secret, RecordType::Txt)), None);
        assert_eq!(answers.get(&key("2.0.0.127.dq.example")), None);
        assert_eq!(
            answers.get(&Key::new(&secret, RecordType::A)),
            Some(found(1))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_zone_is_forgotten_alone() {
        let answers = Answers::new(10);
        for name in ["2.0.0.127.bl.example", "2.0.0.127.other.example"] {
            answers.put(key(name), found(1), Duration::from_secs(60));
        }
        answers.forget(".bl.example");
        assert_eq!(answers.get(&key("2.0.0.127.bl.example")), None);
        assert_eq!(answers.get(&key("2.0.0.127.other.example")), Some(found(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_cache_is_bounded_by_size_too() {
        let small = Answers::new(1000);
        let large = Answers::new(1000);
        for number in 0..5000 {
            let name = format!("{number}.example");
            small.put(key(&name), DnsAnswer::NoName, Duration::from_secs(60));
            large.put(key(&name), found(60), Duration::from_secs(60));
        }
        assert!(small.len() <= 1000 && small.len() > 500, "{}", small.len());
        assert!(large.len() <= 25, "{}", large.len());
    }
}
