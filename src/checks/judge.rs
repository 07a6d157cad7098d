//! The judge: a pure function from a policy and facts to questions or a verdict.
//!
//! It holds no state, sees no clock and may be called after every new fact. Before a recipient is named the only thing
//! it can decide is to drop; at RCPT it decides for that recipient; behind that, where the recipients have had their
//! answers, an exempt one perhaps among them, it can only drop again. It decides as soon as no outstanding answer could
//! change the action: every check states the least and most points its answers could still bring, and the action
//! follows the total in steps, so it is enough to look at both ends of the span.

use crate::checks::examination::{Examination, PutOff};
use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::policy::{Mode, Policy};
use crate::checks::shield;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{Facts, Question, Stage};

/// What the judge says.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Answers are needed before the session goes on.
    Ask {
        /// The questions that have no answer yet; each is asked at most once per session.
        questions: Vec<Question>,
        /// The verdict if none of them were ever answered.
        so_far: Verdict,
    },
    /// The verdict stands.
    Decide {
        /// The verdict.
        verdict: Verdict,
        /// Questions whose answers a later stage will want: start them now, wait for none.
        wanted: Vec<Question>,
    },
}

impl Judgement {
    /// The verdict, standing or so far.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        match self {
            Self::Ask { so_far, .. } => so_far,
            Self::Decide { verdict, .. } => verdict,
        }
    }

    /// The questions without an answer.
    #[must_use]
    pub fn questions(&self) -> &[Question] {
        match self {
            Self::Ask { questions, .. } => questions,
            Self::Decide { wanted, .. } => wanted,
        }
    }
}

/// Applies `policy` to `facts`.
#[must_use]
pub fn judge(policy: &Policy, facts: &Facts) -> Judgement {
    let mut examination = Examination::new(facts, policy.greet_wait);
    if facts.stage() == Stage::Rcpt && !is_exempt(policy, facts) {
        let from = policy.shield.doubt_from(policy.greylist_points);
        examination = examination.in_doubt_between(from, policy.deny_points);
        examination.enter(shield::NAME);
        policy.shield.examine(&mut examination);
    }
    for check in &policy.checks {
        examination.enter(check.name());
        check.examine(&mut examination);
    }
    conclude(policy, facts, examination)
}

fn is_exempt(policy: &Policy, facts: &Facts) -> bool {
    facts.rcpt().is_some_and(|rcpt| policy.is_exempt(rcpt))
}

fn conclude(policy: &Policy, facts: &Facts, examination: Examination<'_>) -> Judgement {
    let Examination {
        findings,
        questions,
        least,
        most,
        must_wait,
        put_off,
        ..
    } = examination;
    let exempt = is_exempt(policy, facts);
    let doubt_from = policy.shield.doubt_from(policy.greylist_points);
    let at_rcpt = facts.stage() == Stage::Rcpt;
    let points: Points = findings.iter().map(|finding| finding.points).sum();
    let allowed = findings
        .iter()
        .any(|finding| finding.outcome == Outcome::Allow);
    let denied = findings
        .iter()
        .any(|finding| finding.outcome == Outcome::Deny);

    let action = |total: Points| match () {
        () if allowed => Action::Clear,
        () if total >= policy.drop_points => Action::Drop,
        () if exempt || !at_rcpt => Action::Clear,
        () if put_off == PutOff::All => Action::Greylist,
        () if denied || total >= policy.deny_points => Action::Deny,
        () if total >= doubt_from && put_off == PutOff::InDoubt => Action::Greylist,
        () => Action::Clear,
    };
    let settled = put_off != PutOff::Asked && action(points + least) == action(points + most);
    let verdict = Verdict {
        action: action(points),
        points,
        exempt: exempt && at_rcpt,
        observed: policy.mode == Mode::Observe,
        findings,
    };
    let dropped = verdict.enforced() == Action::Drop;
    match () {
        // An entry of the lists decides outright: nothing more is asked about that client.
        () if allowed || (denied && !verdict.observed) => Judgement::Decide {
            verdict,
            wanted: Vec::new(),
        },
        // Nothing comes behind a drop, neither the greeting nor a stage that could want answers.
        () if settled && dropped => Judgement::Decide {
            verdict,
            wanted: Vec::new(),
        },
        () if settled && !must_wait => Judgement::Decide {
            verdict,
            wanted: questions,
        },
        () => Judgement::Ask {
            questions,
            so_far: verdict,
        },
    }
}
