//! Who is judged: the MAIL FROM identity, or the HELO identity where the reverse-path is null (RFC
//! 7208 §2.3, §2.4); and what is said about him.

use std::borrow::Cow;

use crate::checks::spf::{Evaluation, SpfResult};
use crate::facts::Facts;
use crate::smtp::domain::Host;
use crate::smtp::path::ReversePath;

/// Characters of what is no domain that are shown.
const DOMAIN_MAX: usize = 100;
/// Characters of a term, and of a complaint about a record, that are shown.
const BECAUSE_MAX: usize = 100;
/// Characters of an explanation that are shown.
const WORDS_MAX: usize = 200;

/// The sender, as far as SPF is concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Identity<'f> {
    /// Empty for postmaster.
    pub(super) local_part: Cow<'f, str>,
    /// The domain in A-labels; empty if it has none.
    pub(super) domain: Cow<'f, str>,
    /// What stands in place of a domain, for people.
    shown: Cow<'f, str>,
    is_helo: bool,
}

impl<'f> Identity<'f> {
    /// The identity of the open mail transaction.
    pub(super) fn of(facts: &'f Facts) -> Option<Self> {
        let mail = facts.mail()?;
        let identity = match &mail.path {
            ReversePath::Mailbox(mailbox) => Self {
                local_part: mailbox.local_part.unquoted(),
                domain: a_labels(&mailbox.domain),
                shown: match &mailbox.domain {
                    Host::Domain(domain) => Cow::Borrowed(domain.as_str()),
                    Host::Literal(literal) => Cow::Owned(literal.to_string()),
                },
                is_helo: false,
            },
            ReversePath::Null => {
                let name = &facts.helo()?.name;
                let domain = name.host().map(|host| a_labels(&host).into_owned());
                Self {
                    local_part: Cow::Borrowed(""),
                    domain: Cow::Owned(domain.unwrap_or_default()),
                    shown: Cow::Borrowed(name.as_str()),
                    is_helo: true,
                }
            }
        };
        Some(identity)
    }

    /// Its property in RFC 8601 §2.7.2.
    pub(super) const fn property(&self) -> &'static str {
        if self.is_helo { "helo" } else { "mailfrom" }
    }

    /// What was found, behind the client's address: `192.0.2.1 may not send for example.org (-all)`.
    pub(super) fn evidence(&self, evaluation: &Evaluation<'_>, words: Option<&str>) -> String {
        let domain = match self.domain.as_ref() {
            "" => shown(&self.shown, DOMAIN_MAX),
            domain => Cow::Borrowed(domain),
        };
        let helo = if self.is_helo { "HELO " } else { "" };
        let because = shown(&evaluation.because, BECAUSE_MAX);
        let decided = &evaluation.domain;
        let of = match decided.eq_ignore_ascii_case(&domain) {
            true => String::new(),
            false => format!(" of {decided}"),
        };
        match evaluation.result {
            SpfResult::Pass => ["may send for ", helo, &domain, " (", &because, &of, ")"].concat(),
            SpfResult::Fail => {
                let words = words.map(|words| shown(words, WORDS_MAX));
                let words = words.map(|words| format!(": {decided} explains: {words}"));
                let words = words.unwrap_or_default();
                format!("may not send for {helo}{domain} ({because}{of}){words}")
            }
            SpfResult::Softfail => format!("should not send for {helo}{domain} ({because}{of})"),
            SpfResult::Neutral => format!("may or may not send for {helo}{domain} ({because}{of})"),
            SpfResult::None => format!("sends for {helo}{domain}, which has no SPF record"),
            SpfResult::Permerror => {
                format!("sends for {helo}{domain}, whose SPF record is broken ({because}{of})")
            }
            SpfResult::Temperror => {
                format!("sends for {helo}{domain}, whose SPF can not be told ({because}{of})")
            }
        }
    }
}

/// A domain as the DNS has it (RFC 7208 §4.3, RFC 5890); nothing for what is none.
fn a_labels(host: &Host) -> Cow<'_, str> {
    match host {
        Host::Domain(domain) if domain.as_str().is_ascii() => Cow::Borrowed(domain.as_str()),
        Host::Domain(domain) => idna::domain_to_ascii(domain.as_str())
            .map(Cow::Owned)
            .unwrap_or_default(),
        Host::Literal(_) => Cow::Borrowed(""),
    }
}

/// A stranger's text, fit to be shown.
fn shown(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most && text.bytes().all(|octet| matches!(octet, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let mut shown: String = text.chars().take(most).map(printable).collect();
    if text.chars().nth(most).is_some() {
        shown.push_str("...");
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests;
