//! How what was found is shown to people: quoted, escaped and cut, so that a problem stays one line whatever the file
//! holds.

use figment::value::Value;

/// The most characters of a value that a problem repeats.
const QUOTED: usize = 60;

/// A value of the configuration as a problem shows it.
pub(in crate::config) fn describe(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::String(_, text)) => quoted(text),
        Some(Value::Char(_, letter)) => quoted(&letter.to_string()),
        Some(Value::Bool(_, word)) => word.to_string(),
        Some(Value::Dict(..)) => "a table".to_owned(),
        Some(Value::Array(..)) => "a list".to_owned(),
        Some(Value::Empty(..)) => "nothing".to_owned(),
        Some(Value::Num(_, number)) => {
            let whole = number
                .to_i128()
                .or_else(|| number.to_u128().and_then(|number| number.try_into().ok()));
            let text = whole.map(|number| number.to_string());
            text.or_else(|| number.to_f64().map(|number| number.to_string()))
                .unwrap_or_default()
        }
    }
}

/// The same for a value of a check's table.
pub(in crate::config) fn describe_json(value: Option<&serde_json::Value>) -> String {
    match value {
        Some(serde_json::Value::String(text)) => quoted(text),
        Some(serde_json::Value::Object(_)) => "a table".to_owned(),
        Some(serde_json::Value::Array(_)) => "a list".to_owned(),
        Some(other) => other.to_string(),
        None => "nothing".to_owned(),
    }
}

/// `text` in quotes, escaped and cut.
pub(in crate::config) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// `text` without anything that could break the line.
pub(in crate::config) fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}
