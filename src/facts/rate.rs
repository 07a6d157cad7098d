//! Rates: so many in a second, a minute or an hour, written as `60/min`.
//!
//! Plain data: counting against a rate is done by those who can see a clock.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use crate::smtp::text::serde_through_text;

/// So many in a time. So many may also come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how long.
    pub per: Per,
}

/// The time of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

/// What stands in the place of a rate where there is no limit.
pub const NO_LIMIT: &str = "off";

impl Rate {
    /// A rate; `None` for one of zero, which nobody means.
    #[must_use]
    pub const fn new(count: u32, per: Per) -> Option<Self> {
        match NonZeroU32::new(count) {
            Some(count) => Some(Self { count, per }),
            None => None,
        }
    }
}

impl Per {
    /// As a length of time.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
        })
    }

    /// As it is written behind the slash.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "min",
            Self::Hour => "h",
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.label())
    }
}

/// A text that is no rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a rate, such as 60/min or 5/s")]
pub struct BadRate;

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Self, BadRate> {
        let (count, per) = text.split_once('/').ok_or(BadRate)?;
        let mut all = [Per::Second, Per::Minute, Per::Hour].into_iter();
        let per = all.find(|known| known.label() == per.trim());
        Ok(Self {
            count: count.trim().parse().map_err(|_| BadRate)?,
            per: per.ok_or(BadRate)?,
        })
    }
}

serde_through_text!(Rate);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_written_as_it_is_read() {
        for text in ["60/min", "5/s", "1000/h"] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), text);
            let json = serde_json::to_string(&rate).unwrap();
            assert_eq!(serde_json::from_str::<Rate>(&json).unwrap(), rate);
        }
        assert_eq!(" 60 / min ".parse(), "60/min".parse::<Rate>());
        assert_eq!("60/min".parse().ok(), Rate::new(60, Per::Minute));
        for text in ["", "60", "0/s", "-1/s", "1/d", "1/", "/s", "off", "1.5/s"] {
            assert_eq!(text.parse::<Rate>(), Err(BadRate), "{text}");
        }
        assert_eq!(Rate::new(0, Per::Second), None);
    }
}
