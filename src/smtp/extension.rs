//! Service extensions: what a server offers in its reply to EHLO.
//!
//! A list of our own. A keyword that is not a field here can neither be learnt from a backend nor
//! offered to a client: PIPECONNECT, XCLIENT, XFORWARD, ETRN, VRFY, BINARYMIME, REQUIRETLS and the
//! rest do not exist for us. RFC 5321 §2.2, §4.1.1.1; RFC 1870 SIZE, RFC 6152 8BITMIME, RFC 6531
//! SMTPUTF8, RFC 3461 DSN, RFC 2034 ENHANCEDSTATUSCODES, RFC 2920 PIPELINING, RFC 3030 CHUNKING,
//! RFC 3207 STARTTLS, RFC 4954 AUTH.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::{
    params::{MailParams, RcptParams},
    reply::Reply,
};

/// The extensions offered. The default offers none, as after HELO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// SIZE with the largest message in octets; `Some(0)` offers it without a limit.
    pub size: Option<u64>,
    /// 8BITMIME.
    pub eight_bit_mime: bool,
    /// SMTPUTF8.
    pub smtputf8: bool,
    /// DSN.
    pub dsn: bool,
    /// ENHANCEDSTATUSCODES.
    pub enhanced_status_codes: bool,
    /// PIPELINING.
    pub pipelining: bool,
    /// CHUNKING.
    pub chunking: bool,
    /// STARTTLS.
    pub starttls: bool,
    /// AUTH with its SASL mechanisms, separated by single spaces.
    pub auth: Option<Box<str>>,
}

impl Extensions {
    /// What a server's positive reply to EHLO offers: the lines behind the first, keywords in any
    /// case. A keyword with a bad parameter is not offered; of a repeated one the last counts.
    pub fn from_ehlo_reply(reply: &Reply) -> Self {
        let mut extensions = Self::default();
        for line in reply.lines.iter().skip(1) {
            extensions.learn(line);
        }
        extensions
    }

    fn learn(&mut self, line: &str) {
        let (keyword, params) = line
            .trim_ascii()
            .split_once(' ')
            .unwrap_or((line.trim_ascii(), ""));
        let params = params.trim_ascii();
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => self.size = size(params),
            "AUTH" => self.auth = mechanisms(params.split_ascii_whitespace()),
            _ if !params.is_empty() && !keyword.eq_ignore_ascii_case("STARTTLS") => {}
            "8BITMIME" => self.eight_bit_mime = true,
            "SMTPUTF8" => self.smtputf8 = true,
            "DSN" => self.dsn = true,
            "ENHANCEDSTATUSCODES" => self.enhanced_status_codes = true,
            "PIPELINING" => self.pipelining = true,
            "CHUNKING" => self.chunking = true,
            "STARTTLS" => self.starttls = true,
            _ => {}
        }
    }

    /// The reply to EHLO: `hostname` greets `client`, then one line a keyword. Without an enhanced
    /// code (RFC 2034 §4).
    pub fn ehlo_reply(&self, hostname: &str, client: &str) -> Reply {
        let mut reply = Reply::new(250, None, format!("{hostname} Hello {client}"));
        let flags = [
            (self.pipelining, "PIPELINING"),
            (self.eight_bit_mime, "8BITMIME"),
            (self.smtputf8, "SMTPUTF8"),
            (self.dsn, "DSN"),
            (self.chunking, "CHUNKING"),
            (self.enhanced_status_codes, "ENHANCEDSTATUSCODES"),
            (self.starttls, "STARTTLS"),
        ];
        reply.lines.extend(self.size.map(|octets| match octets {
            0 => Cow::Borrowed("SIZE"),
            _ => Cow::Owned(format!("SIZE {octets}")),
        }));
        let offered = flags.into_iter().filter(|(offered, _)| *offered);
        reply
            .lines
            .extend(offered.map(|(_, keyword)| Cow::Borrowed(keyword)));
        reply.lines.extend(
            self.auth
                .as_ref()
                .map(|auth| Cow::Owned(format!("AUTH {auth}"))),
        );
        reply
    }

    /// What we may offer a client when we are ready to offer `self` and the backend offers
    /// `backend`. PIPELINING, STARTTLS and ENHANCEDSTATUSCODES end at us and stay as in `self`; of
    /// two sizes the smaller; everything else only where both have it.
    #[must_use]
    pub fn intersect(&self, backend: &Self) -> Self {
        Self {
            size: self
                .size
                .zip(backend.size)
                .map(|(ours, theirs)| smaller(ours, theirs)),
            eight_bit_mime: self.eight_bit_mime && backend.eight_bit_mime,
            smtputf8: self.smtputf8 && backend.smtputf8,
            dsn: self.dsn && backend.dsn,
            enhanced_status_codes: self.enhanced_status_codes,
            pipelining: self.pipelining,
            chunking: self.chunking && backend.chunking,
            starttls: self.starttls,
            auth: self
                .auth
                .as_deref()
                .zip(backend.auth.as_deref())
                .and_then(common),
        }
    }

    /// What two servers both offer; of two sizes the smaller.
    #[must_use]
    pub fn common(&self, other: &Self) -> Self {
        Self {
            enhanced_status_codes: self.enhanced_status_codes && other.enhanced_status_codes,
            pipelining: self.pipelining && other.pipelining,
            starttls: self.starttls && other.starttls,
            ..self.intersect(other)
        }
    }

    /// True when a message of `octets` is over the SIZE offered.
    pub fn is_too_big(&self, octets: u64) -> bool {
        self.size.is_some_and(|limit| limit != 0 && octets > limit)
    }

    /// True when AUTH is offered with this SASL mechanism, in upper case.
    pub fn has_mechanism(&self, mechanism: &str) -> bool {
        let names = self.auth.as_deref().unwrap_or_default();
        names.split(' ').any(|name| name == mechanism)
    }

    /// True when each parameter belongs to an extension offered.
    pub const fn covers_mail(&self, params: &MailParams) -> bool {
        let MailParams {
            size,
            body,
            smtputf8,
            ret,
            envid,
            auth,
        } = params;
        (size.is_none() || self.size.is_some())
            && (body.is_none() || self.eight_bit_mime)
            && (!*smtputf8 || self.smtputf8)
            && ((ret.is_none() && envid.is_none()) || self.dsn)
            && (auth.is_none() || self.auth.is_some())
    }

    /// True when each parameter belongs to an extension offered.
    pub const fn covers_rcpt(&self, params: &RcptParams) -> bool {
        let RcptParams { notify, orcpt } = params;
        (notify.is_none() && orcpt.is_none()) || self.dsn
    }
}

/// `SIZE` alone and `SIZE 0` offer no limit, RFC 1870 §4; a bad number offers nothing.
fn size(params: &str) -> Option<u64> {
    let digits = params.bytes().all(|octet| octet.is_ascii_digit());
    match params {
        "" => Some(0),
        _ if digits => params.parse().ok(),
        _ => None,
    }
}

const fn smaller(one: u64, other: u64) -> u64 {
    match (one, other) {
        (0, limit) | (limit, 0) => limit,
        _ if one < other => one,
        _ => other,
    }
}

/// The SASL mechanisms (RFC 4422 §3.1) among `words`, in upper case; None when there is none.
fn mechanisms<'a>(words: impl Iterator<Item = &'a str>) -> Option<Box<str>> {
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    let names: Vec<_> = words
        .filter(|word| matches!(word.len(), 1..=20) && word.bytes().all(is_name))
        .map(str::to_ascii_uppercase)
        .collect();
    (!names.is_empty()).then(|| names.join(" ").into())
}

/// The mechanisms of `ours` that `theirs` has too.
fn common((ours, theirs): (&str, &str)) -> Option<Box<str>> {
    let has = |name: &&str| {
        theirs
            .split(' ')
            .any(|theirs| theirs.eq_ignore_ascii_case(name))
    };
    mechanisms(ours.split(' ').filter(has))
}
