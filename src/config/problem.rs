//! What is wrong in the configuration, where, and what to write instead.
//!
//! One problem is one line: `place: key: what was found; what is allowed`. Finding the place is `place.rs`, showing what
//! was found there is `found.rs`.

use std::fmt;

use figment::error::Kind;
use figment::value::Value;
use serde::{Serialize, Serializer};

use crate::config::found::{describe, one_line, quoted};
use crate::config::place::Place;

/// One thing that is wrong, or, as a note, one thing worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where it is written.
    pub source: Place,
    /// The key with its tables, such as `listen.mx.address[0]`; empty when the file as a whole is meant.
    pub key: String,
    /// What was found.
    pub found: String,
    /// What is allowed or what to write instead.
    pub allowed: String,
    /// The allowed spelling nearest to what was found.
    pub nearest: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.source)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        match &self.nearest {
            Some(nearest) => write!(
                f,
                "{}, did you mean {}? {}",
                self.found,
                quoted(nearest),
                self.allowed
            ),
            None => write!(f, "{}; {}", self.found, self.allowed),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What was found, what is allowed, the nearest spelling: a problem before its place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Complaint {
    pub(in crate::config) found: String,
    pub(in crate::config) allowed: String,
    pub(in crate::config) nearest: Option<String>,
}

impl Complaint {
    pub(in crate::config) fn new(found: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            allowed: allowed.into(),
            nearest: None,
        }
    }

    /// A word that is none of `words`.
    pub(in crate::config) fn unknown<'a>(
        what: &str,
        word: &str,
        words: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        let list: Vec<String> = words.clone().into_iter().map(quoted).collect();
        let allowed = match list.is_empty() {
            true => "there is none yet".to_owned(),
            false => format!("allowed: {}", list.join(", ")),
        };
        Self {
            found: format!("{what} {} is unknown", quoted(word)),
            allowed,
            nearest: nearest(word, words),
        }
    }

    /// A key that is none of `keys`.
    pub(in crate::config) fn unknown_key<'a>(
        key: &str,
        keys: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        let mut list: Vec<&str> = keys.clone().into_iter().collect();
        list.sort_unstable();
        Self {
            found: "unknown key".to_owned(),
            allowed: format!("allowed here: {}", list.join(", ")),
            nearest: nearest(key, keys),
        }
    }

    /// What figment says about `value`, in our words.
    pub(in crate::config) fn from_figment(kind: &Kind, value: Option<&Value>) -> Self {
        match kind {
            Kind::UnknownField(key, keys) => Self::unknown_key(key, keys.iter().copied()),
            Kind::UnknownVariant(word, words) => {
                Self::unknown("the word", word, words.iter().copied())
            }
            Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => Self::new(
                format!("found {}", describe(value)),
                format!("write {}", plain(expected)),
            ),
            Kind::Message(message) => Self::from_message(message, &describe(value)),
            other => Self::from_message(&other.to_string(), &describe(value)),
        }
    }

    /// What a check's settings or one of our own readers say, as `found; allowed` or in the words of serde.
    pub(in crate::config) fn from_message(message: &str, value: &str) -> Self {
        if let Some(rest) = message.strip_prefix("unknown field ") {
            let (key, keys) = ticked(rest);
            return Self::unknown_key(key, keys);
        }
        if let Some(rest) = message.strip_prefix("unknown variant ") {
            let (word, words) = ticked(rest);
            return Self::unknown("the word", word, words);
        }
        if let Some(rest) = message
            .strip_prefix(value)
            .and_then(|rest| rest.strip_prefix(": "))
        {
            return Self::new(format!("found {value}"), one_line(rest));
        }
        if let Some(rest) = message.strip_prefix("missing field ") {
            let key = ticked(rest).0;
            return Self::new(format!("no {key}"), format!("write {key} = ... here"));
        }
        let (found, expected) = match message.split_once("; ") {
            Some((found, allowed)) => return Self::new(one_line(found), one_line(allowed)),
            None => message.split_once(", expected ").unwrap_or(("", "")),
        };
        if found.starts_with("invalid ") {
            return Self::new(
                format!("found {value}"),
                format!("write {}", plain(expected)),
            );
        }
        Self::new(format!("found {value}"), one_line(message))
    }
}

/// The words in backticks: the first, and the others.
fn ticked(text: &str) -> (&str, Vec<&str>) {
    let mut words = text.split('`').skip(1).step_by(2);
    (words.next().unwrap_or_default(), words.collect())
}

/// What serde expected, in words for people.
fn plain(expected: &str) -> String {
    match expected {
        "a string" | "string" | "a character" => "text in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a map" | "map" => "a table".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative".to_owned(),
        structure if structure.starts_with("struct ") => "a table".to_owned(),
        other => one_line(other),
    }
}

/// The word of `words` that was probably meant: at most one slip in four letters, and one more.
pub(in crate::config) fn nearest<'a>(
    word: &str,
    words: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let flat = |word: &str| word.to_lowercase().replace('_', "-");
    let wanted = flat(word);
    let slips = 1 + wanted.chars().count() / 4;
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&wanted, &flat(candidate));
    let best = words.into_iter().min_by_key(distance)?;
    (distance(&best) <= slips).then(|| best.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_spelling_is_found_and_nothing_far_fetched() {
        let words = ["address", "backend", "policy", "tls"];
        for (word, expected) in [
            ("adress", Some("address")),
            ("Backend", Some("backend")),
            ("polcy", Some("policy")),
            ("tsl", Some("tls")),
            ("greeting", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, words).as_deref(), expected, "{word}");
        }
        assert_eq!(
            nearest("proxy_v2", ["proxy-v1", "proxy-v2"]).as_deref(),
            Some("proxy-v2")
        );
    }

    #[test]
    fn a_problem_is_one_line_whatever_the_file_holds() {
        let hostile = "a\nb\u{2028}c\r\x1b[31m".repeat(20);
        let complaint = Complaint::from_message(&format!("{hostile}; {hostile}"), "x");
        let problem = Problem {
            source: Place::Default,
            key: crate::config::place::key_text(std::slice::from_ref(&hostile)),
            found: complaint.found,
            allowed: format!("{} {}", complaint.allowed, quoted(&hostile)),
            nearest: Some(hostile),
        };
        assert!(
            problem
                .to_string()
                .chars()
                .all(|c| !c.is_control() && c != '\u{2028}'),
            "{problem}"
        );
    }

    #[test]
    fn serde_messages_are_put_in_our_words() {
        let complaint = Complaint::from_message(
            "unknown field `zonez`, expected `zones` or `lookup_private`",
            "1",
        );
        assert_eq!(complaint.nearest.as_deref(), Some("zones"));
        assert_eq!(complaint.allowed, "allowed here: lookup_private, zones");
        let complaint =
            Complaint::from_message("invalid type: integer `5`, expected a sequence", "5");
        assert_eq!(
            (complaint.found.as_str(), complaint.allowed.as_str()),
            ("found 5", "write a list")
        );
    }
}
