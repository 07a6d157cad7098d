//! The suite's form: YAML documents, each a scenario of cases and the zones they live in.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_norway::Value;

#[derive(Deserialize)]
pub(crate) struct Scenario {
    pub(crate) tests: BTreeMap<String, Case>,
    /// By name, in any case: maps of one record each, or the word `TIMEOUT`.
    zonedata: BTreeMap<String, Vec<Value>>,
}

#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) helo: String,
    pub(crate) host: String,
    pub(crate) mailfrom: String,
    pub(crate) result: Expected,
    pub(crate) explanation: Option<String>,
}

/// One result, or several that are allowed.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Expected {
    One(String),
    AnyOf(Vec<String>),
}

impl Expected {
    pub(crate) fn allows(&self, result: &str) -> bool {
        match self {
            Self::One(expected) => expected == result,
            Self::AnyOf(expected) => expected.iter().any(|expected| expected == result),
        }
    }
}

/// What a name has.
#[derive(Default)]
pub(crate) struct Entries {
    /// Type and data, in order.
    pub(crate) records: Vec<(String, Value)>,
    /// Whether all types that are not among the records time out.
    pub(crate) times_out: bool,
}

impl Scenario {
    /// What `name`, in lower case, has; `None` when it does not exist.
    pub(crate) fn entries(&self, name: &str) -> Option<Entries> {
        let (_, listed) = self
            .zonedata
            .iter()
            .find(|(listed, _)| listed.eq_ignore_ascii_case(name))?;
        let mut entries = Entries::default();
        for entry in listed {
            match entry {
                Value::String(word) if word == "TIMEOUT" => entries.times_out = true,
                Value::Mapping(record) => {
                    let pairs = record.iter();
                    let pairs = pairs.map(|(kind, data)| (kind.as_str().unwrap(), data));
                    let owned = pairs.map(|(kind, data)| (kind.to_owned(), data.clone()));
                    entries.records.extend(owned);
                }
                _ => panic!("{name}: {entry:?}"),
            }
        }
        entries.copy_spf_to_txt();
        Some(entries)
    }
}

impl Entries {
    /// As the suite wants it: records of the former type SPF are TXT records too, unless there are TXT records. `TXT:
    /// NONE` is none, and keeps the others from being copied.
    fn copy_spf_to_txt(&mut self) {
        if !self.records.iter().any(|(kind, _)| kind == "TXT") {
            for (kind, _) in &mut self.records {
                if kind == "SPF" {
                    *kind = "TXT".to_owned();
                }
            }
        }
        self.records
            .retain(|(kind, data)| kind != "SPF" && data.as_str() != Some("NONE"));
    }
}

pub(crate) fn read(text: &str) -> Vec<Scenario> {
    serde_norway::Deserializer::from_str(text)
        .map(|document| Scenario::deserialize(document).unwrap())
        .collect()
}

/// A case that was made by chance, with its world.
pub(crate) fn of(case: &serde_json::Value) -> (Scenario, Case) {
    let text = |key: &str| case[key].as_str().unwrap().to_owned();
    let zonedata = serde_norway::from_str(&case["zonedata"].to_string()).unwrap();
    let scenario = Scenario {
        tests: BTreeMap::new(),
        zonedata,
    };
    let case = Case {
        helo: text("helo"),
        host: text("host"),
        mailfrom: text("mailfrom"),
        result: Expected::AnyOf(Vec::new()),
        explanation: None,
    };
    (scenario, case)
}
