//! The DNS of a scenario, which answers at once or in its own time.

use std::collections::BTreeMap;

use gatepost::checks::spf::Answers;
use gatepost::facts::{DnsAnswer, Failure, Record, RecordData, RecordType};
use serde_norway::Value;

use crate::suite::Scenario;

/// How answers come.
#[derive(Clone, Copy)]
pub(crate) enum Arrival {
    /// Every question is answered before the evaluation is made again.
    AtOnce,
    /// One question of those that were asked, chosen by a seed.
    OneByOne(u64),
}

type Asked = (String, &'static str);

pub(crate) struct World<'s> {
    scenario: &'s Scenario,
    arrival: Arrival,
    answers: BTreeMap<Asked, &'static DnsAnswer>,
    /// Questions without an answer.
    open: Vec<(String, RecordType)>,
}

impl<'s> World<'s> {
    pub(crate) fn new(scenario: &'s Scenario, arrival: Arrival) -> Self {
        Self {
            scenario,
            arrival,
            answers: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    /// How many different questions were asked.
    pub(crate) fn asked(&self) -> usize {
        self.answers.len() + self.open.len()
    }

    /// Makes the evaluation again and again until it concludes.
    pub(crate) fn settle<T>(
        &mut self,
        mut evaluation: impl FnMut(&mut Answers<'_, 'static>) -> Option<T>,
    ) -> T {
        for _ in 0..1000 {
            let before = self.open.len();
            let mut waits = false;
            let concluded = evaluation(&mut |name, kind| {
                let asked = (name.to_owned(), kind.as_str());
                let answer = self.answers.get(&asked).copied();
                let question = (name.to_owned(), kind);
                if answer.is_none() && !self.open.contains(&question) {
                    self.open.push(question);
                }
                waits |= answer.is_none();
                answer
            });
            match concluded {
                Some(concluded) => return concluded,
                None => assert!(waits, "it waits for nothing"),
            }
            assert!(before > 0 || !self.open.is_empty());
            self.answer();
        }
        panic!("it does not come to an end");
    }

    fn answer(&mut self) {
        let chosen = match &mut self.arrival {
            Arrival::AtOnce => std::mem::take(&mut self.open),
            Arrival::OneByOne(state) => {
                *state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let at = usize::try_from(*state >> 33).unwrap() % self.open.len();
                vec![self.open.swap_remove(at)]
            }
        };
        for (name, kind) in chosen {
            let answer = look_up(self.scenario, &name, kind, 0);
            let known = self
                .answers
                .insert((name, kind.as_str()), Box::leak(Box::new(answer)));
            assert!(known.is_none(), "asked twice");
        }
    }
}

fn look_up(scenario: &Scenario, name: &str, kind: RecordType, depth: usize) -> DnsAnswer {
    assert_eq!(
        name,
        name.to_ascii_lowercase(),
        "names are asked for in lower case"
    );
    assert!(name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len())));
    let Some(entries) = scenario.entries(name) else {
        return DnsAnswer::NoName;
    };
    let wanted = entries
        .records
        .iter()
        .filter(|(listed, _)| listed == kind.as_str());
    let records: Vec<_> = wanted.map(|(_, data)| record(kind, data)).collect();
    if !records.is_empty() {
        return DnsAnswer::Found(records);
    }
    if entries.times_out {
        return DnsAnswer::Failed(Failure::Timeout);
    }
    match entries.records.iter().find(|(listed, _)| listed == "CNAME") {
        Some(_) if depth > 8 => DnsAnswer::Failed(Failure::ServFail),
        Some((_, target)) => look_up(
            scenario,
            &host(target).to_ascii_lowercase(),
            kind,
            depth + 1,
        ),
        None => DnsAnswer::NoData,
    }
}

fn record(kind: RecordType, data: &Value) -> Record {
    let text = || data.as_str().unwrap();
    let data = match kind {
        RecordType::A => RecordData::A(text().parse().unwrap()),
        RecordType::Aaaa => RecordData::Aaaa(text().parse().unwrap()),
        RecordType::Ptr => RecordData::Ptr(host(data).into()),
        RecordType::Txt => RecordData::Txt(clean(data).into()),
        RecordType::Mx => {
            let preference = data[0].as_u64().unwrap().try_into().unwrap();
            let exchange = match host(&data[1]) {
                root if root.is_empty() => ".".into(),
                exchange => exchange.into(),
            };
            RecordData::Mx(preference, exchange)
        }
    };
    Record { ttl: 60, data }
}

/// A name, as an answer has it.
fn host(name: &Value) -> String {
    let name = name.as_str().unwrap();
    name.strip_suffix('.').unwrap_or(name).to_owned()
}

/// A text, or several that belong together, as an answer has it.
fn clean(text: &Value) -> String {
    let parts: String = match text {
        Value::Sequence(parts) => parts.iter().map(|part| part.as_str().unwrap()).collect(),
        text => text.as_str().unwrap().to_owned(),
    };
    let printable = |c| {
        if matches!(c, ' '..='~') {
            c
        } else {
            char::REPLACEMENT_CHARACTER
        }
    };
    parts.chars().map(printable).collect()
}
