//! What each check of a policy has to do with a verdict: what it found, which answers it used, whether it still waits for
//! one; and what the policy would have done with a part of its checks only.
//!
//! The same examination as the judge's, asked more. A set of checks is a number whose bit *i* stands for the policy's check
//! *i*. What a set would have asked and nobody did stays unknown, as in [`replay`](crate::checks::replay()).

use crate::checks::examination::PutOff;
use crate::checks::finding::{Finding, Outcome};
use crate::checks::judge::{EVERY, conclude, examined};
use crate::checks::points::Points;
use crate::checks::policy::Policy;
use crate::checks::verdict::{Action, Verdict};
use crate::checks::{greylist, rate};
use crate::facts::{Answer, Answered, Facts, Question, Recall, Room};

/// A judgement, check by check.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// The verdict, standing or so far.
    pub verdict: Verdict,
    /// The checks that lack an answer: they have not looked at all.
    pub waiting: u32,
    /// The checks that vouch for whom the client is known as.
    pub vouching: u32,
    /// The checks that have used each answer among the facts, in their order.
    pub used: Vec<u32>,
}

/// Judges as [`judge`](crate::checks::judge()) does, and tells what each check had to do with it.
#[must_use]
pub fn survey(policy: &Policy, facts: &Facts) -> Survey {
    let examination = examined(policy, facts, EVERY);
    let (waiting, vouching) = (examination.waiting, examination.vouching);
    let used = examination.used().collect();
    Survey {
        verdict: conclude(examination).into_verdict(),
        waiting,
        vouching,
        used,
    }
}

/// What `policy` calls for if only the checks in `among` are there. A recipient that would be in doubt, and whose triplet
/// was never asked for, is put off: it would have come for the first time.
#[must_use]
pub fn action_by(policy: &Policy, facts: &Facts, among: u32) -> Action {
    let mut examination = examined(policy, facts, among);
    let greylists = examination.waiting & set_of(policy, greylist::KIND.name) != 0;
    if examination.put_off == PutOff::Asked && greylists {
        examination.put_off = PutOff::InDoubt;
    }
    examination.action_at(examination.points())
}

/// The checks without which the verdict could be another, by what they have found; greylisting among them wherever something
/// speaks against the client. Empty: no set of the checks stops anything. Holds where the thresholds are above zero, as a
/// configuration's are; where zero points are too many, every check that trusts would matter too.
#[must_use]
pub fn relevant(policy: &Policy, facts: &Facts, survey: &Survey) -> u32 {
    let findings = &survey.verdict.findings;
    let against = |finding: &Finding| {
        finding.points > Points::ZERO || matches!(finding.outcome, Outcome::Deny | Outcome::PutOff)
    };
    if !findings.iter().any(against) {
        return 0;
    }
    let decides = |finding: &&Finding| {
        let named = matches!(
            finding.outcome,
            Outcome::Allow | Outcome::Deny | Outcome::PutOff
        );
        named || finding.points != Points::ZERO
    };
    let found = findings.iter().filter(decides);
    // Whoever is refused is not counted; without what refuses it, it may be one too many.
    let is_over = |answered: &Answered| matches!(answered.answer, Answer::Count(Room::Over { .. }));
    let rate = match facts.answers().any(is_over) {
        true => set_of(policy, rate::KIND.name),
        false => 0,
    };
    // As whom a client has waited depends on who vouches for it; and whoever could still be refused is neither put off nor
    // counted yet.
    let greylist = set_of(policy, greylist::KIND.name) | survey.vouching | survey.waiting;
    found.fold(greylist | rate, |set, finding| {
        set | set_of(policy, &finding.check)
    })
}

/// Whether the memory was asked for triplets: then a set of checks may stand otherwise than its findings alone would say.
#[must_use]
pub fn has_triplets(facts: &Facts) -> bool {
    let is_it = |question: &Question| matches!(question, Question::Memory(Recall::Triplet { .. }));
    facts.answers().any(|answered| is_it(&answered.question))
}

/// The set that holds the check of this name alone; empty if the policy has none.
#[must_use]
pub fn set_of(policy: &Policy, check: &str) -> u32 {
    let mut checks = policy.checks.iter().zip(0..u32::BITS);
    checks
        .find(|(one, _)| one.name() == check)
        .map_or(0, |(_, number)| 1 << number)
}
