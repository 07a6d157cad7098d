//! Values that are text with a unit or a syntax of their own: durations, sizes, rates, addresses, networks, words.
//!
//! A number without its unit is never guessed at: the message says what to write. Messages have the form
//! `found; what to write`. Durations as in `humantime` (`90s`, `1h 30m`), sizes as in `bytesize` (`50MiB`, `50MB`).

mod with;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;

pub(in crate::config) use with::{dns_servers, list, optional, optional_word, text, word};

use crate::config::found::quoted;
use crate::facts::{NO_LIMIT, Rate};

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
            () if !self.subsec_micros().is_multiple_of(1000) => format!("{}us", self.as_micros()),
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

impl Text for Option<Rate> {
    const EXPECTED: &'static str = "a rate, such as \"60/min\" or \"5/s\", or \"off\"";

    fn read(text: &str) -> Result<Self, String> {
        if text == NO_LIMIT {
            return Ok(None);
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return Err(without_unit::<Self>(text));
        }
        let rate = text.parse().map(Some);
        rate.map_err(|_| wrong::<Self>(text, "is not a rate"))
    }

    fn text(&self) -> String {
        self.map_or_else(|| NO_LIMIT.to_owned(), |rate| rate.to_string())
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

#[cfg(test)]
mod tests;
