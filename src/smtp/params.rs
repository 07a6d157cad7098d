//! Parameters of MAIL and RCPT.
//!
//! Syntax only: whether a parameter's extension was offered is for `server.rs` to say. Runs of
//! spaces between parameters are taken; every parameter is written anew, in a fixed order.
//! RFC 5321 §4.1.2 (esmtp-param), RFC 1870 (SIZE), RFC 6152 (BODY), RFC 6531 (SMTPUTF8), RFC 3461
//! (RET ENVID NOTIFY ORCPT), RFC 6533 §3 (ORCPT with UTF-8), RFC 4954 §5 (AUTH).

use std::fmt;

use serde::{Deserialize, Serialize};

pub use super::xtext::{Orcpt, Xtext};
use super::{
    fault::Fault,
    limits,
    text::{is_keyword, serde_as_text},
    verb::Verb,
};

/// BODY= of MAIL. BINARYMIME is never offered and never taken (RFC 3030 needs BDAT for it).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyKind {
    /// `7BIT`.
    SevenBit,
    /// `8BITMIME`.
    EightBitMime,
}

impl BodyKind {
    /// The value on the wire.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
        }
    }
}

/// RET= of MAIL: what a failure report shall carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ret {
    /// `FULL`, the whole message.
    Full,
    /// `HDRS`, the header only.
    Headers,
}

impl Ret {
    /// The value on the wire.
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        }
    }
}

/// NOTIFY= of RCPT: when to report. None of the three is `NEVER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Notify {
    /// On delivery.
    pub success: bool,
    /// On failure.
    pub failure: bool,
    /// On delay.
    pub delay: bool,
}

impl Notify {
    /// No reports at all.
    pub const NEVER: Self = Self {
        success: false,
        failure: false,
        delay: false,
    };

    /// Reads the whole value; NEVER stands alone.
    pub fn parse(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Some(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for word in text.split(',') {
            match () {
                () if word.eq_ignore_ascii_case("SUCCESS") => notify.success = true,
                () if word.eq_ignore_ascii_case("FAILURE") => notify.failure = true,
                () if word.eq_ignore_ascii_case("DELAY") => notify.delay = true,
                () => return None,
            }
        }
        Some(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NEVER {
            return f.write_str("NEVER");
        }
        let words = [
            (self.success, "SUCCESS"),
            (self.failure, "FAILURE"),
            (self.delay, "DELAY"),
        ];
        let mut comma = "";
        for (_, word) in words.into_iter().filter(|(wanted, _)| *wanted) {
            write!(f, "{comma}{word}")?;
            comma = ",";
        }
        Ok(())
    }
}

serde_as_text!(Notify, "NOTIFY value", Notify::parse);

/// Parameters of MAIL. `Display` writes each with a space in front, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct MailParams {
    /// SIZE=, octets of mail data as the client estimates them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// BODY=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyKind>,
    /// SMTPUTF8.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub smtputf8: bool,
    /// RET=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ret: Option<Ret>,
    /// ENVID=, at most 100 octets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envid: Option<Xtext>,
    /// AUTH=, a mailbox or `<>` as xtext.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<Xtext>,
}

impl MailParams {
    /// Reads what stands behind the path: nothing, or parameters with a space in front of each.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut params = Self::default();
        for param in split(text, Verb::Mail)? {
            params
                .set(param)
                .map_err(|problem| problem.fault(Verb::Mail))?;
        }
        Ok(params)
    }

    fn set(&mut self, Param { keyword, value }: Param<'_>) -> Result<(), Problem> {
        if keyword.eq_ignore_ascii_case("SIZE") {
            once(&mut self.size, value.and_then(number))
        } else if keyword.eq_ignore_ascii_case("BODY") {
            once(&mut self.body, value.and_then(body_kind))
        } else if keyword.eq_ignore_ascii_case("SMTPUTF8") {
            let repeated = std::mem::replace(&mut self.smtputf8, true);
            (!repeated && value.is_none())
                .then_some(())
                .ok_or(Problem::Bad)
        } else if keyword.eq_ignore_ascii_case("RET") {
            once(&mut self.ret, value.and_then(ret))
        } else if keyword.eq_ignore_ascii_case("ENVID") {
            let value = value.filter(|value| value.len() <= limits::ENVID);
            once(&mut self.envid, value.and_then(Xtext::parse))
        } else if keyword.eq_ignore_ascii_case("AUTH") {
            once(&mut self.auth, value.and_then(Xtext::parse))
        } else {
            Err(Problem::Unknown)
        }
    }
}

impl fmt::Display for MailParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        if let Some(body) = self.body {
            write!(f, " BODY={}", body.keyword())?;
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        if let Some(ret) = self.ret {
            write!(f, " RET={}", ret.keyword())?;
        }
        if let Some(envid) = &self.envid {
            write!(f, " ENVID={envid}")?;
        }
        self.auth
            .as_ref()
            .map_or(Ok(()), |auth| write!(f, " AUTH={auth}"))
    }
}

/// Parameters of RCPT. `Display` writes each with a space in front, in a fixed order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct RcptParams {
    /// NOTIFY=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// ORCPT=.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orcpt: Option<Orcpt>,
}

impl RcptParams {
    /// Reads what stands behind the path: nothing, or parameters with a space in front of each.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut params = Self::default();
        for param in split(text, Verb::Rcpt)? {
            params
                .set(param)
                .map_err(|problem| problem.fault(Verb::Rcpt))?;
        }
        Ok(params)
    }

    fn set(&mut self, Param { keyword, value }: Param<'_>) -> Result<(), Problem> {
        if keyword.eq_ignore_ascii_case("NOTIFY") {
            once(&mut self.notify, value.and_then(Notify::parse))
        } else if keyword.eq_ignore_ascii_case("ORCPT") {
            once(&mut self.orcpt, value.and_then(Orcpt::parse))
        } else {
            Err(Problem::Unknown)
        }
    }

    /// True when a parameter may only stand in a transaction with SMTPUTF8.
    pub fn needs_smtputf8(&self) -> bool {
        self.orcpt
            .as_ref()
            .is_some_and(|orcpt| !orcpt.as_str().is_ascii())
    }
}

impl fmt::Display for RcptParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(notify) = self.notify {
            write!(f, " NOTIFY={notify}")?;
        }
        self.orcpt
            .as_ref()
            .map_or(Ok(()), |orcpt| write!(f, " ORCPT={orcpt}"))
    }
}

/// One parameter as written.
struct Param<'a> {
    keyword: &'a str,
    value: Option<&'a str>,
}

impl<'a> Param<'a> {
    fn new(text: &'a str) -> Self {
        match text.split_once('=') {
            Some((keyword, value)) => Self {
                keyword,
                value: Some(value),
            },
            None => Self {
                keyword: text,
                value: None,
            },
        }
    }
}

/// What is wrong with a parameter.
enum Problem {
    Unknown,
    Bad,
}

impl Problem {
    const fn fault(self, verb: Verb) -> Fault {
        match self {
            Self::Unknown => Fault::UnknownParameter(verb),
            Self::Bad => Fault::BadParameter(verb),
        }
    }
}

/// The parameters in order. A first one glued to the path is a syntax fault; one whose keyword is
/// no keyword is bad, not unknown.
fn split(text: &str, verb: Verb) -> Result<impl Iterator<Item = Param<'_>>, Fault> {
    if !(text.is_empty() || text.starts_with(' ')) {
        return Err(Fault::Syntax(verb));
    }
    let params = || {
        text.split(' ')
            .filter(|param| !param.is_empty())
            .map(Param::new)
    };
    if !params().all(|param| is_keyword(param.keyword)) {
        return Err(Fault::BadParameter(verb));
    }
    Ok(params())
}

/// Sets a value that must be good and not set yet.
fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Result<(), Problem> {
    if slot.is_some() {
        return Err(Problem::Bad);
    }
    *slot = Some(value.ok_or(Problem::Bad)?);
    Ok(())
}

/// 1*20DIGIT that fits 64 bits: what does not is refused, never cut.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_number = text.len() <= limits::SIZE_DIGITS && text.bytes().all(|c| c.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

fn body_kind(text: &str) -> Option<BodyKind> {
    [BodyKind::SevenBit, BodyKind::EightBitMime]
        .into_iter()
        .find(|kind| text.eq_ignore_ascii_case(kind.keyword()))
}

fn ret(text: &str) -> Option<Ret> {
    [Ret::Full, Ret::Headers]
        .into_iter()
        .find(|ret| text.eq_ignore_ascii_case(ret.keyword()))
}

#[cfg(test)]
mod tests;
