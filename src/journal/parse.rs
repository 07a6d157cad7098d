//! A line of the journal to a record.
//!
//! Facts are most of a record, and most facts are answers of the DNS. The writer always writes these alike, so they are read
//! here word by word; all else, and whatever is not written just so, is read by serde, the form's only authority. What is
//! read here, serde would read alike: tests hold both against each other.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::value::{Error, StrDeserializer};

use crate::facts::{
    Answer, Answered, DnsAnswer, DnsName, Entry, Fact, Facts, Millis, Question, Record, RecordData,
};
use crate::journal::record::{SessionRecord, VERSION};

/// What stands before the facts of a record.
const FACTS: &str = "\"facts\":[";

/// The record in a line, if it holds one of this version.
#[must_use]
pub fn parse(line: &[u8]) -> Option<SessionRecord> {
    let record: SessionRecord = parse_as(line, |record: &mut SessionRecord| &mut record.facts)?;
    (record.version == VERSION).then_some(record)
}

/// What a line holds, read as any form of a record; `facts` says where in it the facts belong.
pub fn parse_as<T: DeserializeOwned>(
    line: &[u8],
    facts: impl FnOnce(&mut T) -> &mut Facts,
) -> Option<T> {
    let line = std::str::from_utf8(line).ok()?;
    if let Some((entries, rest)) = cut(line)
        && let Ok(mut record) = serde_json::from_str::<T>(&rest)
    {
        *facts(&mut record) = entries.into();
        return Some(record);
    }
    serde_json::from_str(line).ok()
}

/// The facts of a line, and the line without them; `None` where serde has to look.
fn cut(line: &str) -> Option<(Vec<Entry>, String)> {
    let (before, facts) = line.split_once(FACTS)?;
    // Only the record itself has begun: these are its facts, not those of something in it.
    if memchr::memchr2_iter(b'{', b'[', before.as_bytes()).count() != 1 {
        return None;
    }
    let mut reader = Reader { rest: facts };
    let entries = reader.list(Reader::entry)?;
    Some((entries, [before, FACTS, "]", reader.rest].concat()))
}

/// What is left of a line.
struct Reader<'l> {
    rest: &'l str,
}

impl<'l> Reader<'l> {
    fn entry(&mut self) -> Option<Entry> {
        self.or_any(|reader| {
            reader.eat("{\"stage\":")?;
            let stage = reader.word()?;
            reader.eat(",\"at\":")?;
            let at = Millis(reader.number()?);
            reader.eat(",\"fact\":")?;
            let fact = reader.or_any(Self::answered)?;
            reader.eat("}")?;
            Some(Entry { stage, at, fact })
        })
    }

    fn answered(&mut self) -> Option<Fact> {
        self.eat("{\"answered\":{\"question\":")?;
        let question = self.or_any(Self::question)?;
        self.eat(",\"answer\":")?;
        let answer = self.or_any(Self::answer)?;
        self.eat(",\"took\":")?;
        let took = Millis(self.number()?);
        self.eat(",\"source\":")?;
        let source = self.word()?;
        self.eat("}}")?;
        Some(Fact::Answered(Box::new(Answered {
            question,
            answer,
            took,
            source,
        })))
    }

    fn question(&mut self) -> Option<Question> {
        self.eat("{\"dns\":{\"name\":")?;
        let name = DnsName::new(self.text()?);
        self.eat(",\"kind\":")?;
        let kind = self.word()?;
        self.eat("}}")?;
        Some(Question::Dns { name, kind })
    }

    fn answer(&mut self) -> Option<Answer> {
        self.eat("{\"dns\":")?;
        let answer = if self.eat("{\"found\":[").is_some() {
            let records = self.list(Self::record)?;
            self.eat("}")?;
            DnsAnswer::Found(records)
        } else if self.eat("{\"failed\":").is_some() {
            let failure = self.word()?;
            self.eat("}")?;
            DnsAnswer::Failed(failure)
        } else {
            self.word()?
        };
        self.eat("}")?;
        Some(Answer::Dns(answer))
    }

    fn record(&mut self) -> Option<Record> {
        self.eat("{\"ttl\":")?;
        let ttl = self.number()?;
        self.eat(",\"data\":{")?;
        let kind = self.text()?;
        self.eat(":")?;
        let data = match kind {
            "A" => RecordData::A(self.text()?.parse().ok()?),
            "AAAA" => RecordData::Aaaa(self.text()?.parse().ok()?),
            "CNAME" => RecordData::Cname(self.text()?.into()),
            "MX" => {
                self.eat("[")?;
                let preference = u16::try_from(self.number()?).ok()?;
                self.eat(",")?;
                let exchange = self.text()?.into();
                self.eat("]")?;
                RecordData::Mx(preference, exchange)
            }
            "PTR" => RecordData::Ptr(self.text()?.into()),
            "TXT" => RecordData::Txt(self.text()?.into()),
            _ => return None,
        };
        self.eat("}}")?;
        Some(Record { ttl, data })
    }

    /// What `item` reads, with commas between, up to the bracket behind it.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut list = Vec::new();
        if self.eat("]").is_some() {
            return Some(list);
        }
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

#[cfg(test)]
mod tests;
