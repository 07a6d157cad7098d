//! The judge: a pure function from a policy and facts to questions or a verdict.
//!
//! It holds no state, sees no clock and may be called after every new fact. Before a recipient is named the only thing
//! it can decide is to drop; at RCPT it decides for that recipient; behind that, where the recipients have had their
//! answers, an exempt one perhaps among them, it can only drop again. It decides as soon as no outstanding answer could
//! change the action: every check states the least and most points its answers could still bring, and the action
//! follows the total in steps, so it is enough to look at both ends of the span.
//!
//! Users, on a listener for them or logged in elsewhere, are judged by the checks that say so, and by no shield.

use crate::checks::examination::{Examination, PutOff};
use crate::checks::points::Points;
use crate::checks::policy::{Mode, Policy};
use crate::checks::shield;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{Facts, Question};

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

    /// As [`Judgement::verdict`], by itself.
    #[must_use]
    pub fn into_verdict(self) -> Verdict {
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
    conclude(examined(policy, facts, EVERY))
}

/// Every set of checks holds the check of number *i* where its bit *i* is set.
pub(in crate::checks) const EVERY: u32 = u32::MAX;

/// What the shield and the checks of the set `among` find.
pub(in crate::checks) fn examined<'a>(
    policy: &'a Policy,
    facts: &'a Facts,
    among: u32,
) -> Examination<'a> {
    let mut examination = Examination::new(policy, facts);
    let of_users = facts.is_of_users();
    if examination.is_at_rcpt() && !of_users && !examination.is_exempt() {
        examination.enter(shield::NAME, 0);
        shield::examine(&policy.shield, &mut examination);
    }
    for (check, number) in policy.checks.iter().zip(0..u32::BITS) {
        let set = 1 << number;
        if among & set != 0 && (!of_users || check.judges_users()) {
            examination.enter(check.name(), set);
            check.examine(&mut examination);
        }
    }
    examination
}

impl Examination<'_> {
    /// What a total calls for, as far as has been looked.
    pub(in crate::checks) fn action_at(&self, total: Points) -> Action {
        let policy = self.policy;
        match () {
            () if self.is_allowed() => Action::Clear,
            () if total >= policy.drop_points => Action::Drop,
            () if !self.is_at_rcpt() => Action::Clear,
            () if self.is_exempt() && self.put_off == PutOff::OneTooMany => Action::Greylist,
            () if self.is_exempt() => Action::Clear,
            () if self.put_off == PutOff::All => Action::Greylist,
            () if self.is_denied() || total >= policy.deny_points => Action::Deny,
            () if self.put_off == PutOff::OneTooMany => Action::Greylist,
            () if total >= policy.doubt_from() && self.put_off == PutOff::InDoubt => {
                Action::Greylist
            }
            () => Action::Clear,
        }
    }

    /// An entry of the lists decides outright: nothing more is asked about that client, but whether there is room.
    fn is_outright(&self) -> bool {
        self.is_allowed() || (self.is_denied() && self.policy.mode == Mode::Enforce)
    }

    /// What is done, if nothing that is outstanding could change it.
    fn settled(&self) -> Option<Action> {
        let points = self.points();
        if self.is_outright() {
            return Some(self.action_at(points));
        }
        let action = self.action_at(points + self.least);
        let settled = self.put_off != PutOff::Asked && action == self.action_at(points + self.most);
        settled.then_some(action)
    }

    /// Whether the recipient named last is let through, as far as the checks before this one say; `None` if there is none, or
    /// while an answer is outstanding that could change it.
    #[must_use]
    pub fn lets_through(&self) -> Option<bool> {
        if !self.is_at_rcpt() || self.facts().rcpt().is_none() {
            return None;
        }
        self.settled().map(|action| action == Action::Clear)
    }
}

pub(in crate::checks) fn conclude(examination: Examination<'_>) -> Judgement {
    let points = examination.points();
    let settled = examination.settled().is_some();
    let outright = examination.is_outright();
    let verdict = Verdict {
        action: examination.action_at(points),
        points,
        exempt: examination.is_exempt() && examination.is_at_rcpt(),
        observed: examination.policy.mode == Mode::Observe,
        findings: examination.findings,
        known_as: examination.identities,
    };
    let mut questions = examination.questions;
    if outright {
        questions.retain(|question| matches!(question, Question::Count(_)));
    }
    let dropped = verdict.enforced() == Action::Drop;
    match () {
        () if outright && questions.is_empty() => Judgement::Decide {
            verdict,
            wanted: questions,
        },
        // Nothing comes behind a drop, neither the greeting nor a stage that could want answers.
        () if settled && dropped => Judgement::Decide {
            verdict,
            wanted: Vec::new(),
        },
        () if settled && !outright && !examination.must_wait => Judgement::Decide {
            verdict,
            wanted: questions,
        },
        () => Judgement::Ask {
            questions,
            so_far: verdict,
        },
    }
}
