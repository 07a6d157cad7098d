//! Which sets of a policy's checks keep a recipient, a mail transaction, a connection out.
//!
//! Each recipient is judged again with every set of the checks that matter for it. Many look alike: what was found decides,
//! not who it was, so the answer is kept for the next.

use dashmap::DashMap;

use crate::checks::finding::Outcome;
use crate::checks::points::Points;
use crate::checks::policy::Policy;
use crate::checks::survey::{Survey, action_by, has_triplets, relevant, set_of};
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{Facts, Stage};
use crate::measure::shares::Stopped;

/// Kinds of recipients that are kept.
const KEPT: usize = 20_000;

/// What was found about a recipient, as far as it decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    at_rcpt: bool,
    exempt: bool,
    of_users: bool,
    /// The check as a set; of none for the shield.
    found: Box<[(u32, Word, Points)]>,
}

/// What a finding is beside its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Word {
    Allow,
    Deny,
    PutOff,
    /// One of greylisting that lets through.
    Waited,
    Points,
}

/// Which sets stop what, of one policy.
#[derive(Debug)]
pub(in crate::measure) struct Effects {
    checks: usize,
    nobody: Stopped,
    greylist: u32,
    known: DashMap<Kind, Stopped>,
}

impl Effects {
    /// Of this policy.
    pub(in crate::measure) fn of(policy: &Policy) -> Self {
        let checks = policy.checks.len();
        Self {
            checks,
            nobody: Stopped::by(checks, |_| false),
            greylist: set_of(policy, "greylist"),
            known: DashMap::new(),
        }
    }

    /// Which sets of checks keep out whom `survey`, the judgement of `facts`, is about: refuse it, put it off or drop it.
    pub(in crate::measure) fn stopped(
        &self,
        policy: &Policy,
        facts: &Facts,
        survey: &Survey,
    ) -> Stopped {
        let verdict = &survey.verdict;
        let relevant = relevant(policy, facts, survey);
        if relevant == 0 && verdict.action == Action::Clear {
            return self.nobody.clone();
        }
        let judge = || {
            Stopped::by_relevant(self.checks, relevant, |set| {
                action_by(policy, facts, set) > Action::Clear
            })
        };
        if has_triplets(facts) || facts.is_remembered() {
            return judge();
        }
        let kind = self.kind(policy, facts, verdict);
        if let Some(known) = self.known.get(&kind) {
            return known.clone();
        }
        let stopped = judge();
        if self.known.len() < KEPT {
            self.known.insert(kind, stopped.clone());
        }
        stopped
    }

    fn kind(&self, policy: &Policy, facts: &Facts, verdict: &Verdict) -> Kind {
        let found = verdict.findings.iter().filter_map(|finding| {
            let set = set_of(policy, &finding.check);
            let word = match finding.outcome {
                Outcome::Allow => Word::Allow,
                Outcome::Deny => Word::Deny,
                Outcome::PutOff => Word::PutOff,
                _ if set == self.greylist => Word::Waited,
                _ if finding.points != Points::ZERO => Word::Points,
                _ => return None,
            };
            Some((set, word, finding.points))
        });
        Kind {
            at_rcpt: facts.stage() == Stage::Rcpt,
            exempt: facts.rcpt().is_some_and(|rcpt| policy.is_exempt(rcpt)),
            of_users: facts.is_of_users(),
            found: found.collect(),
        }
    }
}
