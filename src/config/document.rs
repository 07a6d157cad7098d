//! A file of TOML other than the configuration, such as a scenario of made traffic, read with the same care: unknown keys
//! are problems, and every problem names the file, the line, the key and what to write instead.

use std::path::Path;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Format, Toml};
use figment::value::Value;
use serde::de::DeserializeOwned;

use crate::config::load;
use crate::config::place::{Place, Places};
use crate::config::problem::{Complaint, Problem};
use crate::config::raw::{find, remove};
use crate::config::report::Report;

/// Something that was read and does not make sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key as the path of its parts; parts of lists are decimal numbers.
    pub key: Vec<String>,
    /// What was found.
    pub found: String,
    /// What is allowed.
    pub allowed: String,
}

/// Reads a file's text.
///
/// # Errors
///
/// When it can not be read or is not UTF-8; `hint` says what else to do about a file that is not there.
pub fn read_document(path: &Path, hint: &str) -> Result<String, Vec<Problem>> {
    load::read(path, hint)
}

/// Reads `text`, which stands in the file `name`, and has `judge` say what does not make sense in it.
///
/// # Errors
///
/// All problems that were found, in the order of their places.
pub fn document<T: DeserializeOwned>(
    name: &Path,
    text: &str,
    judge: impl FnOnce(&T) -> Vec<Fault>,
) -> Result<T, Vec<Problem>> {
    let places = Places::new(Some((name, text)), Vec::new(), Vec::new())
        .map_err(|(source, message)| vec![load::syntax(source, &message)])?;
    let mut values = Figment::from(Toml::string(text))
        .find_value("")
        .map_err(|error| {
            let source = Place::File(name.to_owned(), None);
            vec![load::syntax(source, &error.kind.to_string())]
        })?;
    let mut report = Report::new(&places);
    let mut whole = true;
    let read = loop {
        let error = match values.deserialize::<T>() {
            Ok(read) => break Some(read),
            Err(error) => error,
        };
        whole = false;
        let complaint = Complaint::from_figment(&error.kind, find(&values, &error.path));
        let nearest = complaint.nearest.clone();
        report.refused(&error.path, complaint);
        if !correct(&mut values, &error, nearest) {
            break None;
        }
    };
    if let Some(read) = read.as_ref().filter(|_| whole) {
        for fault in judge(read) {
            report.complain(&fault.key, fault.found, fault.allowed);
        }
    }
    match (read, report.finish().0) {
        (Some(read), problems) if problems.is_empty() => Ok(read),
        (_, problems) => Err(problems),
    }
}

/// Reads on as if the unknown key or word were written as was probably meant, so that one slip is not told twice; without
/// the key if it is unlike any. Says whether it can be read on.
fn correct(values: &mut Value, error: &figment::Error, nearest: Option<String>) -> bool {
    let Some((last, parent)) = error.path.split_last() else {
        return false;
    };
    match &error.kind {
        // A word that stands as a value. Where it is a key, the path ends with it.
        Kind::UnknownVariant(word, _) if word != last => {
            let (value, nearest) = (find_mut(values, &error.path), nearest.map(Value::from));
            let corrected = value.zip(nearest).map(|(value, nearest)| *value = nearest);
            return corrected.is_some();
        }
        Kind::UnknownVariant(..) | Kind::UnknownField(..) => {}
        _ => return false,
    }
    let value = find(values, &error.path).cloned();
    if !remove(values, &error.path) {
        return false;
    }
    if let (Some(value), Some(nearest)) = (value, nearest)
        && let Some(Value::Dict(_, table)) = find_mut(values, parent)
    {
        table.entry(nearest).or_insert(value);
    }
    true
}

fn find_mut<'v>(mut value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    for part in path {
        value = match value {
            Value::Dict(_, table) => table.get_mut(part)?,
            Value::Array(_, list) => list.get_mut(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

#[cfg(test)]
mod tests;
