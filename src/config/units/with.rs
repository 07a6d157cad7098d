//! Serde's side of the units: readers and writers for `#[serde(with)]` and `#[serde(deserialize_with)]`.
//!
//! They take text alone; a number gets the message what to write instead.

use std::fmt;
use std::marker::PhantomData;
use std::net::SocketAddr;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serializer};

use crate::config::units::{DnsServer, Text};

/// Reads a [`Text`] from text alone.
struct Reader<T>(PhantomData<T>);

impl<T: Text> Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::read(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        Err(E::custom(number_found::<T>(&number.to_string())))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        Err(E::custom(number_found::<T>(&number.to_string())))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        Err(E::custom(number_found::<T>(&number.to_string())))
    }
}

fn number_found<T: Text>(number: &str) -> String {
    match T::with_unit(number).filter(|_| !number.starts_with('-')) {
        Some(text) => format!("{number} has no unit; write \"{text}\""),
        None => format!("found the number {number}; write {}", T::EXPECTED),
    }
}

/// For `#[serde(with)]`: one value.
pub(in crate::config) mod text {
    use super::*;

    pub(in crate::config) fn serialize<T: Text, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.text())
    }

    pub(in crate::config) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        deserializer.deserialize_str(Reader(PhantomData))
    }
}

/// For `#[serde(with)]`: a value that may be missing.
pub(in crate::config) mod optional {
    use super::*;

    pub(in crate::config) fn serialize<T: Text, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&value.text()),
            None => serializer.serialize_none(),
        }
    }

    pub(in crate::config) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        text::deserialize(deserializer).map(Some)
    }
}

/// For `#[serde(with)]`: a list of values, or one value by itself.
pub(in crate::config) mod list {
    use super::*;

    pub(in crate::config) fn serialize<T: Text, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Text::text))
    }

    pub(in crate::config) fn deserialize<'de, T: Text, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_any(ListReader(PhantomData))
    }
}

/// For `#[serde(with)]`: DNS servers.
pub(in crate::config) mod dns_servers {
    use super::*;

    pub(in crate::config) fn serialize<S: Serializer>(
        servers: &[SocketAddr],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        list::serialize(servers, serializer)
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SocketAddr>, D::Error> {
        let servers: Vec<DnsServer> = list::deserialize(deserializer)?;
        Ok(servers.into_iter().map(|server| server.0).collect())
    }
}

struct ListReader<T>(PhantomData<T>);

impl<'de, T: Text> Visitor<'de> for ListReader<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list; each is {}", T::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<T>, E> {
        Ok(vec![T::read(text).map_err(E::custom)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(Element(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(values)
    }
}

struct Element<T>(T);

impl<'de, T: Text> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text::deserialize(deserializer).map(Self)
    }
}

/// For `#[serde(deserialize_with)]`: a word of an enumeration. The derived reader would take its number, too.
pub(in crate::config) fn word<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct WordReader<T>(PhantomData<T>);

    impl<T: DeserializeOwned> Visitor<'_> for WordReader<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a word in quotes")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            let word: StrDeserializer<'_, E> = text.into_deserializer();
            T::deserialize(word)
        }
    }

    deserializer.deserialize_str(WordReader(PhantomData))
}

/// The same for a word that may be missing.
pub(in crate::config) fn optional_word<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    word(deserializer).map(Some)
}
