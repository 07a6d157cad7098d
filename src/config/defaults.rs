//! The defaults of a check, read from its sample: what the sample says and what holds can not differ.

use figment::Provider;
use figment::providers::{Format, Toml};
use serde_json::{Map, Value};

use crate::checks::Kind;

/// A check's settings as its sample has them: the defaults.
pub(in crate::config) fn defaults(kind: &Kind) -> Map<String, Value> {
    let text = format!("enabled = true\n{}", kind.sample);
    let layers = Toml::string(&text).data().unwrap_or_default();
    let values = layers
        .into_values()
        .next()
        .and_then(|dict| serde_json::to_value(dict).ok());
    values
        .and_then(|values| values.as_object().cloned())
        .unwrap_or_default()
}
