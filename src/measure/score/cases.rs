//! The special cases, each with its own rule of what passes.

use serde::Serialize;

use super::outcome::{Fate, Message, Outcome, is_exempt, is_positive};
use crate::measure::hidden::Hidden;
use crate::measure::trace::{Act, Case, Trace, Tried};

/// How many failures of a case are told.
const TOLD: usize = 5;

/// What became of a special case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseScore {
    /// Its word.
    pub case: &'static str,
    /// What it is.
    pub about: &'static str,
    /// What passes.
    pub rule: &'static str,
    /// How many there were.
    pub sent: u64,
    /// How many were delivered (or answered) in full.
    pub delivered: u64,
    /// How many of them not at the first try.
    pub delayed: u64,
    /// Whether it can be told: some came, the server was shown what is special about them, or some failed all the same.
    pub known: bool,
    /// Whether all of them keep the rule; not if that is not known.
    pub passed: bool,
    /// How many do not.
    pub failed: u64,
    /// Why, the first few: the errand's number and what happened.
    pub why: Vec<String>,
}

/// What passes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Arrives,
    AtOnce,
    Exempt,
}

impl Rule {
    const fn of(case: Case) -> Self {
        match case {
            Case::NoRetry
            | Case::ShortPatience
            | Case::SlightPipelining
            | Case::Spelling
            | Case::NoFallback
            | Case::ListedUser => Self::AtOnce,
            Case::ListedToPostmaster | Case::PostmasterAmongOthers => Self::Exempt,
            _ => Self::Arrives,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Arrives => "arrives, at once or later",
            Self::AtOnce => "arrives at the first try",
            Self::Exempt => {
                "arrives at the first try for postmaster@ or abuse@; for others if the client is not listed"
            }
        }
    }
}

/// Of every case, in their order.
pub(super) fn all(outcomes: &[Outcome<'_>], trace: &Trace, hidden: Hidden) -> Vec<CaseScore> {
    let of = |case: &Case| {
        let such = outcomes.iter().filter(|one| one.errand.case == Some(*case));
        score(*case, such, trace, hidden)
    };
    Case::ALL.iter().map(of).collect()
}

fn score<'o>(
    case: Case,
    outcomes: impl Iterator<Item = &'o Outcome<'o>>,
    trace: &Trace,
    hidden: Hidden,
) -> CaseScore {
    let rule = Rule::of(case);
    let mut score = CaseScore {
        case: case.name(),
        about: case.about(),
        rule: rule.words(),
        sent: 0,
        delivered: 0,
        delayed: 0,
        known: false,
        passed: false,
        failed: 0,
        why: Vec::new(),
    };
    for outcome in outcomes {
        score.sent += 1;
        score.delivered += u64::from(arrives(outcome).is_none());
        score.delayed += u64::from(outcome.messages().any(Message::is_delayed));
        if let Some(why) = fails(rule, outcome, trace) {
            score.failed += 1;
            if score.why.len() < TOLD {
                score
                    .why
                    .push(format!("errand {}: {why}", outcome.errand.id));
            }
        }
    }
    score.known = score.sent > 0 && !hides(hidden, case) || score.failed > 0;
    score.passed = score.known && score.failed == 0;
    score
}

/// Whether what makes a case special was hidden, so that it says nothing when it arrives.
const fn hides(hidden: Hidden, case: Case) -> bool {
    match case {
        Case::PoolRetry | Case::ChangingIpv6 => hidden.addresses,
        Case::BadNames
        | Case::Forwarder
        | Case::ListedToPostmaster
        | Case::PostmasterAmongOthers
        | Case::ListedUser => hidden.addresses || hidden.names,
        Case::GoodSecondary => hidden.secondary,
        _ => false,
    }
}

/// Why an errand does not keep the rule.
fn fails(rule: Rule, outcome: &Outcome<'_>, trace: &Trace) -> Option<String> {
    if let Some(trouble) = outcome.trouble() {
        return Some(format!("the client had trouble: {trouble}"));
    }
    match rule {
        Rule::Arrives => arrives(outcome),
        Rule::AtOnce => arrives(outcome).or_else(|| late(outcome)),
        // Who is not listed gets everything through.
        Rule::Exempt if !outcome.errand.traits.listed => arrives(outcome).or_else(|| late(outcome)),
        Rule::Exempt => exempt_fails(outcome, trace),
    }
}

fn arrives(outcome: &Outcome<'_>) -> Option<String> {
    if let Act::Look(_) = outcome.errand.speech.act {
        let greeted = outcome
            .tries()
            .any(|tried| tried.greeted.is_some() && !tried.cut);
        return (!greeted).then(|| format!("was not greeted ({})", last(outcome)));
    }
    let failed = outcome
        .messages()
        .find(|message| message.fate != Fate::Delivered)?;
    let what = match failed.fate {
        Fate::Rejected => "was refused",
        Fate::Partly => "arrived only for some",
        Fate::Lost | Fate::Delivered => "did not arrive",
    };
    Some(format!("{what} ({})", last(outcome)))
}

fn late(outcome: &Outcome<'_>) -> Option<String> {
    let late = outcome.messages().find(|message| message.is_delayed())?;
    let (number, after) = late.delivered?;
    let first = outcome.tries().next().map(told).unwrap_or_default();
    Some(format!(
        "arrived at try {} only, after {} s ({first})",
        number + 1,
        after.as_secs()
    ))
}

/// Every exempt recipient is accepted and gets the message, at the first try.
fn exempt_fails(outcome: &Outcome<'_>, trace: &Trace) -> Option<String> {
    let Act::Mail { envelopes, .. } = &outcome.errand.speech.act else {
        return None;
    };
    let first = outcome.tries().next();
    for (of, envelope) in (0..).zip(envelopes) {
        let local = |to: &str| to.ends_with(&trace.domain);
        let exempt = (0_u32..)
            .zip(&envelope.to)
            .filter(|(_, to)| is_exempt(to) && local(to));
        for (place, to) in exempt {
            let mut sent = first.into_iter().flat_map(|tried| &tried.envelopes);
            let got = sent.any(|sent| {
                let at = sent.to.iter().position(|to| *to == place);
                let code = at.and_then(|at| sent.rcpt.get(at)).copied();
                sent.of == of && code.is_some_and(is_positive) && is_positive(sent.data)
            });
            if !got {
                return Some(format!(
                    "{to} did not get it at the first try ({})",
                    last(outcome)
                ));
            }
        }
    }
    None
}

/// What was heard last.
fn last(outcome: &Outcome<'_>) -> String {
    outcome
        .tries()
        .last()
        .map_or_else(|| "no try was made".to_owned(), told)
}

fn told(tried: &Tried) -> String {
    let sent = tried.envelopes.last().map(|sent| {
        let rcpt: Vec<String> = sent.rcpt.iter().map(u16::to_string).collect();
        format!(
            "MAIL {}, RCPT {}, data {}",
            sent.mail,
            rcpt.join(" "),
            sent.data
        )
    });
    let cut = if tried.cut { ", cut" } else { "" };
    let heard = sent.unwrap_or_else(|| format!("last reply {}", tried.last));
    format!("{heard}{cut}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_shown_hides_the_cases_that_hang_on_it_and_no_others() {
        let hidden = |hidden: Hidden| -> Vec<&str> {
            let cases = Case::ALL.iter().filter(|case| hides(hidden, **case));
            cases.map(|case| case.name()).collect()
        };
        assert_eq!(hidden(Hidden::default()), [""; 0]);
        let secondary = Hidden {
            secondary: true,
            ..Hidden::default()
        };
        assert_eq!(hidden(secondary), ["good_secondary"]);
        let names = Hidden {
            names: true,
            ..Hidden::default()
        };
        assert!(!hidden(names).contains(&"pool_retry") && hidden(names).contains(&"forwarder"));
        let addresses = Hidden {
            addresses: true,
            ..Hidden::default()
        };
        assert_eq!(hidden(addresses).len(), 7);
    }
}
