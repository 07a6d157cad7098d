//! Values whose serialised form is their wire form: written with `Display`, read back through the
//! same strict parser that reads a client's octets. And the keyword, a word that several grammars share.

/// A text that is not what it should be; names what was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct BadText(pub(super) &'static str);

/// esmtp-keyword of RFC 5321 §4.1.2.
pub(super) fn is_keyword(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
}

/// Gives a type `FromStr`, `Serialize` and `Deserialize` through its own `parse` function
/// (`fn(&str) -> Option<Self>`) and its `Display`.
macro_rules! serde_as_text {
    ($type:ty, $name:literal, $parse:expr) => {
        impl std::str::FromStr for $type {
            type Err = $crate::smtp::text::BadText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let parse: fn(&str) -> Option<Self> = $parse;
                parse(text).ok_or($crate::smtp::text::BadText($name))
            }
        }

        $crate::smtp::text::serde_through_text!($type);
    };
}

/// Gives a type `Serialize` and `Deserialize` through its `Display` and its `FromStr`.
macro_rules! serde_through_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(super) use serde_as_text;
pub(crate) use serde_through_text;
