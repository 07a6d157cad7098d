//! One pass over the checks: each asks for answers or concludes.
//!
//! A check is handed the same [`Examination`] again and again as answers come in. It asks with
//! [`Examination::answer`], which yields the answer if there is one and notes the question otherwise, together with the
//! least and most points that answer could still bring. From these spans [`crate::checks::judge`] knows when waiting
//! can no longer change anything. Nothing waits in here.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::checks::finding::{Finding, Outcome};
use crate::checks::points::Points;
use crate::facts::{Answer, Answered, DnsAnswer, Facts, Millis, Question, Silence};

/// The state of one pass over all checks.
#[derive(Debug)]
pub struct Examination<'a> {
    facts: &'a Facts,
    /// The answers among the facts, gathered once: they are searched for every question.
    answers: Vec<&'a Answered>,
    greet_wait: Duration,
    check: &'static str,
    pub(in crate::checks) findings: Vec<Finding>,
    pub(in crate::checks) questions: Vec<Question>,
    /// What the outstanding answers could still take off and add.
    pub(in crate::checks) least: Points,
    pub(in crate::checks) most: Points,
    /// Whether a question is outstanding that must be answered before the session goes on.
    pub(in crate::checks) must_wait: bool,
}

impl<'a> Examination<'a> {
    /// A pass over `facts`; `greet_wait` is the policy's wait before the greeting.
    #[must_use]
    pub fn new(facts: &'a Facts, greet_wait: Duration) -> Self {
        Self {
            facts,
            answers: facts.answers().collect(),
            greet_wait,
            check: "",
            findings: Vec::new(),
            questions: Vec::new(),
            least: Points::ZERO,
            most: Points::ZERO,
            must_wait: false,
        }
    }

    /// Says which check speaks from now on.
    pub(in crate::checks) fn enter(&mut self, check: &'static str) {
        self.check = check;
    }

    /// What is known about the session.
    #[must_use]
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// The policy's wait before the greeting.
    #[must_use]
    pub fn greet_wait(&self) -> Duration {
        self.greet_wait
    }

    /// The DNS answer to `question`, or `None` after noting that it must be asked. `could_bring` is
    /// the span of points that the answer, and whatever is asked because of it, could still add.
    pub fn dns(
        &mut self,
        question: Question,
        could_bring: RangeInclusive<Points>,
    ) -> Option<&'a DnsAnswer> {
        self.dns_timed(question, could_bring)
            .map(|(answer, _)| answer)
    }

    /// As [`Examination::dns`], with the time the answer took.
    pub fn dns_timed(
        &mut self,
        question: Question,
        could_bring: RangeInclusive<Points>,
    ) -> Option<(&'a DnsAnswer, Millis)> {
        match self
            .answers
            .iter()
            .find(|answered| answered.question == question)
        {
            Some(Answered {
                answer: Answer::Dns(answer),
                took,
                ..
            }) => Some((answer, *took)),
            Some(_) => None,
            None => {
                self.outstanding(question, could_bring);
                None
            }
        }
    }

    /// What the client did before the greeting, or `None` after noting that it must be watched for
    /// `wait`. The session does not go on before the answer is there.
    ///
    /// A watch of any length answers: how long it was stands in the answer, and what that is worth
    /// is for the check to say. With a teaser and without are two different questions.
    pub fn silence(
        &mut self,
        wait: Millis,
        teaser: bool,
        could_bring: RangeInclusive<Points>,
    ) -> Option<&'a Silence> {
        let watched = self.answers.iter().find_map(|answered| match answered {
            Answered {
                question: Question::Silence { teaser: with, .. },
                answer: Answer::Silence(silence),
                ..
            } if *with == teaser => Some(silence),
            _ => None,
        });
        if watched.is_none() {
            self.outstanding(Question::Silence { wait, teaser }, could_bring);
            self.must_wait = true;
        }
        watched
    }

    /// Concludes.
    pub fn found(
        &mut self,
        outcome: Outcome,
        points: Points,
        reason: impl Into<Cow<'static, str>>,
        evidence: impl Into<String>,
    ) {
        self.findings.push(Finding {
            check: Cow::Borrowed(self.check),
            outcome,
            points,
            reason: reason.into(),
            evidence: evidence.into(),
        });
    }

    fn outstanding(&mut self, question: Question, could_bring: RangeInclusive<Points>) {
        self.least += could_bring.start().below_zero();
        self.most += could_bring.end().above_zero();
        if !self.questions.contains(&question) {
            self.questions.push(question);
        }
    }
}
