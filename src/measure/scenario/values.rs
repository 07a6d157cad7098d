//! How values of a scenario are written: durations as text with their unit.

use std::time::Duration;

/// The default of `addresses`.
pub(super) const fn one() -> u32 {
    1
}

fn read(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| {
        format!(
            "found {text:?}; write a duration with its unit, such as \"90s\", \"5m\" or \"6m 2s\""
        )
    })
}

fn text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

pub(super) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::measure::scenario) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::text(*duration))
    }

    pub(in crate::measure::scenario) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Duration, D::Error> {
        super::read(&String::deserialize(from)?).map_err(de::Error::custom)
    }
}

pub(super) mod durations {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(in crate::measure::scenario) fn serialize<S: Serializer>(
        durations: &[Duration],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(durations.iter().map(|duration| super::text(*duration)))
    }

    pub(in crate::measure::scenario) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Duration>, D::Error> {
        let texts = Vec::<String>::deserialize(from)?;
        let read = texts.iter().map(|text| super::read(text));
        read.collect::<Result<_, _>>().map_err(de::Error::custom)
    }
}
