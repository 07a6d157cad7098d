//! Values that are text with a unit or a syntax of their own: durations, sizes, rates, addresses, networks, words.
//!
//! A number without its unit is never guessed at: the message says what to write. Messages have the form
//! `found; what to write`. Durations as in `humantime` (`90s`, `1h 30m`), sizes as in `bytesize` (`50MiB`, `50MB`).

use std::fmt;
use std::marker::PhantomData;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::config::problem::quoted;

/// A value that is written as text.
pub(in crate::config) trait Text: Sized {
    /// What is expected, after "write".
    const EXPECTED: &'static str;

    /// Reads it; the error is `found; what to write`.
    fn read(text: &str) -> Result<Self, String>;

    /// Writes it so that [`Text::read`] gives the same again.
    fn text(&self) -> String;

    /// What to write instead of a bare number.
    fn with_unit(number: &str) -> Option<String> {
        let _ = number;
        None
    }
}

impl Text for Duration {
    const EXPECTED: &'static str = "a duration with its unit, such as \"90s\", \"5m\" or \"2h\"";

    fn read(text: &str) -> Result<Self, String> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return Err(without_unit::<Self>(text));
        }
        humantime::parse_duration(text).map_err(|_| wrong::<Self>(text, "is not a duration"))
    }

    fn text(&self) -> String {
        let seconds = self.as_secs();
        match () {
            () if self.subsec_micros() % 1000 != 0 => format!("{}us", self.as_micros()),
            () if self.subsec_millis() != 0 => format!("{}ms", self.as_millis()),
            () if seconds == 0 => "0s".to_owned(),
            () if seconds.is_multiple_of(86400) => format!("{}d", seconds / 86400),
            () if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
            () if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            () => format!("{seconds}s"),
        }
    }

    fn with_unit(number: &str) -> Option<String> {
        Some(format!("{number}s"))
    }
}

impl Text for ByteSize {
    const EXPECTED: &'static str = "a size with its unit, such as \"50MiB\" or \"64KiB\"";

    fn read(text: &str) -> Result<Self, String> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return Err(without_unit::<Self>(text));
        }
        text.parse()
            .map_err(|_| wrong::<Self>(text, "is not a size"))
    }

    fn text(&self) -> String {
        let bytes = self.as_u64();
        let units = [
            (bytesize::GIB, "GiB"),
            (bytesize::MIB, "MiB"),
            (bytesize::KIB, "KiB"),
        ];
        let unit = units
            .into_iter()
            .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit));
        unit.map_or_else(
            || format!("{bytes}B"),
            |(unit, name)| format!("{}{name}", bytes / unit),
        )
    }

    fn with_unit(number: &str) -> Option<String> {
        Some(format!("{number}MiB\" or \"{number}B"))
    }
}

/// So many in a second, minute or hour. The burst is the number itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how long: a second, a minute or an hour.
    pub per: Duration,
}

const PERIODS: [(&str, u64); 3] = [("s", 1), ("min", 60), ("h", 3600)];

impl Text for Option<Rate> {
    const EXPECTED: &'static str = "a rate, such as \"60/min\" or \"5/s\", or \"off\"";

    fn read(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(None);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return Err(without_unit::<Self>(text));
        }
        let wrong = || wrong::<Self>(text, "is not a rate");
        let (count, period) = text.split_once('/').ok_or_else(wrong)?;
        let seconds = PERIODS
            .iter()
            .find(|(name, _)| *name == period.trim())
            .ok_or_else(wrong)?
            .1;
        let count = count.trim().parse().map_err(|_| wrong())?;
        Ok(Some(Rate {
            count,
            per: Duration::from_secs(seconds),
        }))
    }

    fn text(&self) -> String {
        let Some(rate) = self else {
            return "off".to_owned();
        };
        let period = PERIODS
            .iter()
            .find(|(_, seconds)| *seconds == rate.per.as_secs());
        format!("{}/{}", rate.count, period.map_or("s", |(name, _)| name))
    }

    fn with_unit(number: &str) -> Option<String> {
        Some(format!("{number}/min"))
    }
}

impl Text for SocketAddr {
    const EXPECTED: &'static str =
        "an address with its port, such as \"0.0.0.0:25\" or \"[::]:25\"";

    fn read(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<Self>() {
            return Ok(address);
        }
        match bare_address(text) {
            Some(IpAddr::V4(address)) => Err(format!(
                "{} has no port; write \"{address}:25\"",
                quoted(text)
            )),
            Some(IpAddr::V6(address)) => Err(format!(
                "{} has no port; write \"[{address}]:25\"",
                quoted(text)
            )),
            None => Err(wrong::<Self>(text, "is not an address with a port")),
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// The address of a DNS server: port 53 unless another is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct DnsServer(pub(in crate::config) SocketAddr);

impl Text for DnsServer {
    const EXPECTED: &'static str =
        "an address, with a port if it is not 53, such as \"127.0.0.1:5353\" or \"::1\"";

    fn read(text: &str) -> Result<Self, String> {
        if let Some(address) = bare_address(text) {
            return Ok(Self(SocketAddr::new(address, 53)));
        }
        text.parse()
            .map(Self)
            .map_err(|_| wrong::<Self>(text, "is not an address"))
    }

    fn text(&self) -> String {
        self.0.to_string()
    }
}

impl Text for IpAddr {
    const EXPECTED: &'static str = "an address without a port, such as \"127.0.0.2\"";

    fn read(text: &str) -> Result<Self, String> {
        text.parse()
            .map_err(|_| wrong::<Self>(text, "is not an address"))
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Text for IpNet {
    const EXPECTED: &'static str = "a network, such as \"192.0.2.0/24\" or \"2001:db8::/32\"";

    fn read(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::from(address));
        }
        let network: Self = text
            .parse()
            .map_err(|_| wrong::<Self>(text, "is not a network"))?;
        if network != network.trunc() {
            let found = format!("{} has bits set behind its prefix", quoted(text));
            return Err(format!(
                "{found}; write \"{}\" or \"{}\"",
                network.trunc(),
                network.addr()
            ));
        }
        Ok(network)
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// An address without a port, with or without brackets.
fn bare_address(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    inner.parse().ok()
}

fn wrong<T: Text>(text: &str, what: &str) -> String {
    format!("{} {what}; write {}", quoted(text), T::EXPECTED)
}

fn without_unit<T: Text>(number: &str) -> String {
    match T::with_unit(number) {
        Some(text) => format!("{} has no unit; write \"{text}\"", quoted(number)),
        None => format!("found the number {number}; write {}", T::EXPECTED),
    }
}

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

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Some(*self).text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same_again<T: Text + PartialEq + fmt::Debug>(texts: &[&str]) {
        for text in texts {
            let value = T::read(text).unwrap();
            assert_eq!(value.text(), *text);
            assert_eq!(T::read(&value.text()).unwrap(), value);
        }
    }

    #[test]
    fn every_unit_is_written_as_it_is_read() {
        same_again::<Duration>(&["0s", "6s", "90s", "5m", "2h", "30d", "1500ms", "250us"]);
        same_again::<ByteSize>(&["0B", "1000B", "64KiB", "50MiB", "1GiB"]);
        same_again::<Option<Rate>>(&["60/min", "5/s", "1000/h", "off"]);
        same_again::<SocketAddr>(&["0.0.0.0:25", "[::]:25", "127.0.0.1:0"]);
        same_again::<DnsServer>(&["127.0.0.1:5353", "[::1]:53"]);
        same_again::<IpNet>(&["192.0.2.0/24", "2001:db8::/32", "192.0.2.1/32"]);
        assert_eq!(Duration::read("1h 30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(ByteSize::read("50 MB").unwrap(), ByteSize::mb(50));
        assert_eq!(DnsServer::read("9.9.9.9").unwrap().text(), "9.9.9.9:53");
        assert_eq!(
            IpNet::read("192.0.2.7").unwrap().to_string(),
            "192.0.2.7/32"
        );
        assert_eq!(
            IpNet::read("2001:db8::1").unwrap().to_string(),
            "2001:db8::1/128"
        );
    }

    #[test]
    fn what_is_wrong_says_what_to_write() {
        for (message, expected) in [
            (
                Duration::read("6").unwrap_err(),
                "\"6\" has no unit; write \"6s\"",
            ),
            (
                ByteSize::read("50").unwrap_err(),
                "\"50\" has no unit; write \"50MiB\" or \"50B\"",
            ),
            (
                <Option<Rate>>::read("60").unwrap_err(),
                "\"60\" has no unit; write \"60/min\"",
            ),
            (
                SocketAddr::read("0.0.0.0").unwrap_err(),
                "\"0.0.0.0\" has no port; write \"0.0.0.0:25\"",
            ),
            (
                SocketAddr::read("::").unwrap_err(),
                "\"::\" has no port; write \"[::]:25\"",
            ),
            (
                SocketAddr::read("[::1]").unwrap_err(),
                "\"[::1]\" has no port; write \"[::1]:25\"",
            ),
            (
                IpNet::read("192.0.2.7/24").unwrap_err(),
                "\"192.0.2.7/24\" has bits set behind its prefix; write \"192.0.2.0/24\" or \"192.0.2.7\"",
            ),
        ] {
            assert_eq!(message, expected);
        }
        for text in ["", "six", "-1s", "5 parsecs"] {
            assert!(Duration::read(text).is_err(), "{text}");
        }
        for text in ["0/min", "60/year", "/s", "-1/s", "99999999999/s"] {
            assert!(<Option<Rate>>::read(text).is_err(), "{text}");
        }
        for text in ["", "mail", "5 stones", "-1MiB"] {
            assert!(ByteSize::read(text).is_err(), "{text}");
        }
    }
}
