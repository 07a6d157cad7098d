//! From findings to a verdict, from a verdict to the reply the client gets; and [`Cleared`], the key to the backend.
//!
//! The only file that turns points into an [`Action`] and an action into words. Codes: RFC 5321 §4.2, RFC 3463, 521 of
//! RFC 7504. A denial always names its reason and the way out (write to postmaster@).

use serde::{Deserialize, Serialize};

use crate::checks::finding::{Finding, Outcome};
use crate::checks::points::Points;
use crate::checks::{rate, shield};
use crate::facts::Identity;
use crate::smtp::path::ForwardPath;
use crate::smtp::reply::Reply;

/// What is done with a recipient or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The backend answers.
    Clear,
    /// Put off: until the triplet has waited (RFC 6647), or until there is room again.
    Greylist,
    /// The recipient is refused.
    Deny,
    /// The session ends at once.
    Drop,
}

impl Action {
    /// The action as one word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Greylist => "greylist",
            Self::Deny => "deny",
            Self::Drop => "drop",
        }
    }
}

/// What the policy makes of a session so far, for the recipient named last if there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What the points call for.
    pub action: Action,
    /// The total of all findings.
    pub points: Points,
    /// Whether the recipient is exempt from filtering.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exempt: bool,
    /// Whether the action is only recorded (`mode = "observe"`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// Every finding, in the order of the checks.
    pub findings: Vec<Finding>,
    /// Names that something vouches for, under which the client is known beside its address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_as: Vec<Identity>,
}

/// Proof that a passing verdict was given: the only key to a backend. It can be made by [`Verdict::cleared`] alone.
///
/// ```compile_fail,E0451
/// let forged = gatepost::checks::verdict::Cleared { _private: () };
/// ```
#[derive(Debug)]
pub struct Cleared {
    _private: (),
}

impl Verdict {
    /// What is done in fact: nothing but clearing while a policy observes.
    #[must_use]
    pub fn enforced(&self) -> Action {
        match self.observed {
            true => Action::Clear,
            false => self.action,
        }
    }

    /// The key to the backend, if this verdict lets the recipient through.
    #[must_use]
    pub fn cleared(&self) -> Option<Cleared> {
        (self.enforced() == Action::Clear).then_some(Cleared { _private: () })
    }

    /// Whether the recipient is let through only because it is exempt; `deny_points` are the policy's.
    #[must_use]
    pub fn is_on_sufferance(&self, deny_points: Points) -> bool {
        let found = |outcome| self.findings.iter().any(|found| found.outcome == outcome);
        let judged = self.exempt && !self.observed && !found(Outcome::Allow);
        judged && (found(Outcome::Deny) || self.points >= deny_points)
    }

    /// The findings that bring points, or take some away.
    pub fn counted(&self) -> impl Iterator<Item = &Finding> {
        let counts = |finding: &&Finding| finding.points != Points::ZERO;
        self.findings.iter().filter(counts)
    }

    /// The finding that weighs most: a deny entry, else the one with most points.
    #[must_use]
    pub fn governing(&self) -> Option<&Finding> {
        let denied = self
            .findings
            .iter()
            .find(|finding| finding.outcome == Outcome::Deny);
        denied.or_else(|| {
            let against = self
                .findings
                .iter()
                .filter(|finding| finding.points > Points::ZERO);
            // `max_by_key` takes the last of equals; the first in the order of checks is meant.
            against.rev().max_by_key(|finding| finding.points)
        })
    }

    /// The reply to RCPT when this verdict refuses `recipient`.
    #[must_use]
    pub fn denial(&self, client: std::net::IpAddr, recipient: &ForwardPath) -> Reply {
        let reason = self.reason(client);
        let way_out = match recipient {
            ForwardPath::Mailbox(mailbox) => format!("postmaster@{}", mailbox.domain),
            ForwardPath::Postmaster(_) => "postmaster".to_owned(),
        };
        Reply::new(
            550,
            Some((5, 7, 1)),
            format!("Refused: {reason}; if this is wrong, write to <{way_out}>"),
        )
    }

    /// The reply to RCPT when this verdict puts the recipient off: a temporary failure, with what the client can do (RFC
    /// 6647 §2.1).
    #[must_use]
    pub fn put_off(&self, client: std::net::IpAddr) -> Reply {
        let why = self
            .findings
            .iter()
            .find(|finding| finding.outcome == Outcome::PutOff);
        match why {
            Some(why) if why.check == shield::NAME => {
                Reply::new(451, Some((4, 7, 1)), capitalised(&why.evidence))
            }
            Some(why) if why.check == rate::KIND.name => {
                Reply::new(450, Some((4, 7, 1)), capitalised(&why.evidence))
            }
            why => {
                let when = why.map_or("try again later", |why| why.evidence.as_str());
                let reason = self.reason(client);
                let text = format!("Greylisted, {when}; in doubt because of: {reason}");
                Reply::new(450, Some((4, 7, 1)), text)
            }
        }
    }

    /// The reply that ends the session at once.
    #[must_use]
    pub fn farewell(&self, client: std::net::IpAddr) -> Reply {
        Reply::new(
            521,
            Some((5, 7, 1)),
            format!("Refused: {}", self.reason(client)),
        )
    }

    fn reason(&self, client: std::net::IpAddr) -> String {
        match self.governing() {
            Some(finding) if finding.evidence.is_empty() => format!("{client}: {}", finding.reason),
            Some(finding) => format!("{client} {}", finding.evidence),
            None => format!("{client} by local policy"),
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
