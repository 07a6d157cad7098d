//! A line of the journal to a record.
//!
//! Facts and decisions are most of a record. The writer always writes them alike, so they are read here word by word; all
//! else, and whatever is not written just so, is read by serde, the form's only authority. What is read here, serde would
//! read alike: tests hold both against each other.

mod decisions;
mod facts;
#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

use crate::checks::replay::Decision;
use crate::facts::{Entry, Facts};
use crate::journal::record::{SessionRecord, VERSION};

/// What stands before the facts of a record, and before its decisions.
const FACTS: &str = "\"facts\":[";
const DECISIONS: &str = ",\"decisions\":[";
/// Room for the entries of most sessions.
const ENTRIES: usize = 24;

/// A record, or a part of one, as it is read from a line.
pub trait Form: DeserializeOwned {
    /// What of the decisions is kept.
    const KEEP: Keep;

    /// Puts the facts and decisions that were read apart from it where they belong.
    fn put(&mut self, facts: Facts, decisions: Vec<Decision>);
}

/// What of decisions is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything.
    All,
    /// What was decided and not why.
    NoFindings,
}

impl Form for SessionRecord {
    const KEEP: Keep = Keep::All;

    fn put(&mut self, facts: Facts, decisions: Vec<Decision>) {
        (self.facts, self.decisions) = (facts, decisions);
    }
}

/// The record in a line, if it holds one of this version.
#[must_use]
pub fn parse(line: &[u8]) -> Option<SessionRecord> {
    let record: SessionRecord = parse_as(line)?;
    (record.version == VERSION).then_some(record)
}

/// What a line holds.
#[must_use]
pub fn parse_as<T: Form>(line: &[u8]) -> Option<T> {
    let line = std::str::from_utf8(line).ok()?;
    if let Some((entries, decisions, rest)) = cut(line, T::KEEP)
        && let Ok(mut record) = serde_json::from_str::<T>(&rest)
    {
        record.put(entries.into(), decisions);
        return Some(record);
    }
    serde_json::from_str(line).ok()
}

/// The facts of a line, its decisions, and the line without them; `None` where serde has to look.
fn cut(line: &str, keep: Keep) -> Option<(Vec<Entry>, Vec<Decision>, String)> {
    let (before, facts) = line.split_once(FACTS)?;
    // Only the record itself has begun: these are its facts, not those of something in it.
    let begun = memchr::memchr2_iter(b'{', b'[', before.as_bytes()).count();
    if begun != 1 || !before.ends_with(['{', ',']) {
        return None;
    }
    let mut reader = Reader { rest: facts };
    let entries = reader.list(ENTRIES, Reader::entry)?;
    reader.eat(DECISIONS)?;
    let decisions = reader.list(1, |reader| reader.decision(keep))?;
    let rest = [before, FACTS, "]", DECISIONS, "]", reader.rest].concat();
    Some((entries, decisions, rest))
}

/// What is left of a line.
struct Reader<'l> {
    rest: &'l str,
}

impl<'l> Reader<'l> {
    /// What `item` reads, with commas between, up to the bracket behind it; mostly so many.
    fn list<T>(&mut self, usual: usize, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        if self.eat("]").is_some() {
            return Some(Vec::new());
        }
        let mut list = Vec::with_capacity(usual);
        loop {
            list.push(item(self)?);
            if self.eat(",").is_none() {
                return self.eat("]").map(|()| list);
            }
        }
    }

    /// What `usual` reads, or serde if that does not.
    fn or_any<T: DeserializeOwned>(
        &mut self,
        usual: impl FnOnce(&mut Self) -> Option<T>,
    ) -> Option<T> {
        let begin = self.rest;
        if let Some(value) = usual(self) {
            return Some(value);
        }
        let mut values = serde_json::Deserializer::from_str(begin).into_iter();
        let value = values.next()?.ok()?;
        self.rest = begin.get(values.byte_offset()..)?;
        Some(value)
    }

    fn eat(&mut self, expected: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    /// A text in which nothing is escaped.
    fn text(&mut self) -> Option<&'l str> {
        let inside = self.rest.strip_prefix('"')?;
        let end = memchr::memchr2(b'"', b'\\', inside.as_bytes())?;
        let (text, behind) = inside.split_at_checked(end)?;
        // What JSON has to escape, and did not.
        if text.bytes().any(|octet| octet < b' ') {
            return None;
        }
        self.rest = behind.strip_prefix('"')?;
        Some(text)
    }

    /// One of the words of an enum.
    fn word<T: Deserialize<'l>>(&mut self) -> Option<T> {
        T::deserialize(StrDeserializer::<Error>::new(self.text()?)).ok()
    }

    /// A text that is read further by its type, as serde has it read.
    fn parsed<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.text()?.parse().ok()
    }

    fn number(&mut self) -> Option<u32> {
        let end = self
            .rest
            .bytes()
            .position(|octet| !octet.is_ascii_digit())?;
        let (digits, behind) = self.rest.split_at_checked(end)?;
        if digits.len() > 1 && digits.starts_with('0') {
            return None;
        }
        let number = digits.parse().ok()?;
        self.rest = behind;
        Some(number)
    }
}
