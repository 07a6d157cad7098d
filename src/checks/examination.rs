//! One pass over the checks: each asks for answers or concludes.
//!
//! A check is handed the same [`Examination`] again and again as answers come in. It asks with
//! [`Examination::dns`] or [`Examination::silence`], which yield the answer if there is one and note
//! the question otherwise, together with the least and most points that answer could still bring.
//! From these spans [`judge`](crate::checks::judge()) knows when waiting can no longer change
//! anything. Nothing waits in here.

mod given;

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::checks::finding::{Finding, Outcome};
use crate::checks::points::Points;
use crate::checks::policy::Policy;
use crate::facts::{
    Answer, Answered, Counting, DnsAnswer, Facts, Identity, Millis, Primary, Question, Recall,
    Recalled, RecordType, Room, Silence, Stage,
};
use given::{Given, Glance};

pub use given::InZone;

/// Whether a recipient is put off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOff {
    /// It has waited, or nobody remembers whether it has: it is let through.
    No,
    /// That has been asked.
    Asked,
    /// It is in doubt and has not waited yet (RFC 6647).
    InDoubt,
    /// So is every other, in doubt or not.
    All,
    /// It would be let through, but is one too many at this time.
    OneTooMany,
}

/// The state of one pass over all checks.
#[derive(Debug)]
pub struct Examination<'a> {
    pub(in crate::checks) policy: &'a Policy,
    facts: &'a Facts,
    /// Whether the recipient named last is exempt.
    exempt: bool,
    /// Whether the recipient named last is put off.
    pub(in crate::checks) put_off: PutOff,
    /// The answers among the facts, gathered once: they are searched for every question.
    answers: Vec<Given<'a>>,
    check: &'static str,
    /// The check that speaks, as a set of the policy's checks; of none for the shield.
    speaks: u32,
    /// The checks that wait for an answer.
    pub(in crate::checks) waiting: u32,
    /// The checks that vouch for an identity.
    pub(in crate::checks) vouching: u32,
    pub(in crate::checks) findings: Vec<Finding>,
    /// Names under which the client is known too, because something vouches for them.
    pub(in crate::checks) identities: Vec<Identity>,
    pub(in crate::checks) questions: Vec<Question>,
    /// What the outstanding answers could still take off and add.
    pub(in crate::checks) least: Points,
    pub(in crate::checks) most: Points,
    /// Whether a question is outstanding that must be answered before the session goes on.
    pub(in crate::checks) must_wait: bool,
}

impl<'a> Examination<'a> {
    /// A pass over `facts` under `policy`.
    #[must_use]
    pub fn new(policy: &'a Policy, facts: &'a Facts) -> Self {
        Self {
            policy,
            facts,
            exempt: facts.rcpt().is_some_and(|rcpt| policy.is_exempt(rcpt)),
            answers: gathered(facts),
            put_off: PutOff::No,
            check: "",
            speaks: 0,
            waiting: 0,
            vouching: 0,
            // Room is made at the first: a session that waits keeps its verdict, which mostly has none yet.
            findings: Vec::new(),
            identities: Vec::new(),
            questions: Vec::new(),
            least: Points::ZERO,
            most: Points::ZERO,
            must_wait: false,
        }
    }

    /// Whether a recipient is to be judged now.
    #[must_use]
    pub fn is_at_rcpt(&self) -> bool {
        self.facts.stage() == Stage::Rcpt
    }

    /// Whether the recipient named last is exempt from filtering.
    #[must_use]
    pub const fn is_exempt(&self) -> bool {
        self.exempt
    }

    /// Whether an entry of the operator's lists lets the client through.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.has(Outcome::Allow)
    }

    /// Whether an entry of the operator's lists denies the client.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.has(Outcome::Deny)
    }

    fn has(&self, outcome: Outcome) -> bool {
        let mut findings = self.findings.iter();
        findings.any(|finding| finding.outcome == outcome)
    }

    /// The total of what has been found so far.
    #[must_use]
    pub fn points(&self) -> Points {
        self.findings.iter().map(|finding| finding.points).sum()
    }

    /// Whether the total, as far as the checks before this one and their outstanding answers say, may be one to greylist.
    /// An entry of the operator's lists leaves no doubt.
    #[must_use]
    pub fn may_be_in_doubt(&self) -> bool {
        if !self.is_at_rcpt() || self.exempt || self.is_allowed() || self.is_denied() {
            return false;
        }
        let points = self.points();
        points + self.most >= self.policy.doubt_from()
            && points + self.least < self.policy.deny_points
    }

    /// Says which check speaks from now on, by its name and as a set of the policy's checks.
    pub(in crate::checks) fn enter(&mut self, check: &'static str, speaks: u32) {
        (self.check, self.speaks) = (check, speaks);
    }

    /// The checks that have used each answer among the facts, in their order, as sets.
    pub(in crate::checks) fn used(&self) -> impl Iterator<Item = u32> {
        self.answers.iter().map(Given::used_by)
    }

    /// What is known about the session.
    #[must_use]
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// The policy's wait before the greeting.
    #[must_use]
    pub fn greet_wait(&self) -> Duration {
        self.policy.greet_wait
    }

    /// The DNS answer to a question, or `None` after noting that it must be asked. `could_bring` is
    /// the span of points that the answer, and whatever is asked because of it, could still add.
    pub fn dns(
        &mut self,
        name: &str,
        kind: RecordType,
        could_bring: RangeInclusive<Points>,
    ) -> Option<&'a DnsAnswer> {
        let answer = self.dns_in_zone(InZone::plain(name), kind, could_bring);
        answer.map(|(answer, _)| answer)
    }

    /// As [`Examination::dns`], for a name in a list's zone, with the time the answer took.
    pub fn dns_in_zone(
        &mut self,
        name: InZone<'_>,
        kind: RecordType,
        could_bring: RangeInclusive<Points>,
    ) -> Option<(&'a DnsAnswer, Millis)> {
        if let Some(answered) = self.answered(name, kind) {
            return dns_answer(answered);
        }
        self.ask([(name, kind)], could_bring);
        None
    }

    /// The DNS answer to a question, if there is one, with the time it took. Notes nothing: for questions that are asked
    /// together, see [`Examination::ask`].
    #[must_use]
    pub fn known(&self, name: InZone<'_>, kind: RecordType) -> Option<(&'a DnsAnswer, Millis)> {
        self.answered(name, kind).and_then(dns_answer)
    }

    /// Notes that those of `questions` that have no answer must be asked. `could_bring` is the span of points that their
    /// answers, and whatever is asked because of them, could still add *together*.
    pub fn ask<'n>(
        &mut self,
        questions: impl IntoIterator<Item = (InZone<'n>, RecordType)>,
        could_bring: RangeInclusive<Points>,
    ) {
        let mut could_bring = could_bring;
        for (name, kind) in questions {
            if self.answered(name, kind).is_some() {
                continue;
            }
            let name = name.name();
            self.outstanding(Question::Dns { name, kind }, could_bring);
            could_bring = Points::ZERO.span();
        }
    }

    fn answered(&self, name: InZone<'_>, kind: RecordType) -> Option<&'a Answered> {
        let glance = name.glance(kind);
        let mut answers = self.answers.iter();
        let given = answers.find(|given| given.is(&name, glance))?;
        Some(given.use_by(self.speaks))
    }

    /// The answer to a question that is none of the DNS.
    fn find(&self, is_it: impl Fn(&Question) -> bool) -> Option<&'a Answered> {
        let mut others = self.others();
        let given = others.find(|given| is_it(&given.answered.question))?;
        Some(given.use_by(self.speaks))
    }

    /// The answers that are none of the DNS.
    fn others(&self) -> impl Iterator<Item = &Given<'a>> {
        let others = self.answers.iter();
        others.filter(|given| given.glance == Glance::OTHER)
    }

    /// What the memory knows, or `None` after noting that it must be asked.
    pub fn recall(
        &mut self,
        recall: &Recall,
        could_bring: RangeInclusive<Points>,
    ) -> Option<&'a Recalled> {
        let is_it = |asked: &Question| matches!(asked, Question::Memory(asked) if asked == recall);
        match self.find(is_it) {
            Some(Answered {
                answer: Answer::Memory(recalled),
                ..
            }) => Some(recalled),
            Some(_) => None,
            None => {
                self.outstanding(Question::Memory(recall.clone()), could_bring);
                None
            }
        }
    }

    /// How the primary mail server is, or `None` after noting that it must be asked.
    pub fn primary(&mut self, addresses: &str) -> Option<Primary> {
        let is_it =
            |asked: &Question| matches!(asked, Question::Primary(asked) if **asked == *addresses);
        match self.find(is_it) {
            Some(Answered {
                answer: Answer::Primary(primary),
                ..
            }) => Some(*primary),
            Some(_) => Some(Primary::Unknown),
            None => {
                let question = Question::Primary(addresses.into());
                self.outstanding(question, Points::ZERO.span());
                None
            }
        }
    }

    /// Whether there was room for one more recipient, or `None` after noting that it must be asked.
    pub fn count(&mut self, counting: &Counting) -> Option<Room> {
        let is_it =
            |asked: &Question| matches!(asked, Question::Count(asked) if **asked == *counting);
        match self.find(is_it) {
            Some(Answered {
                answer: Answer::Count(room),
                ..
            }) => Some(*room),
            Some(_) => Some(Room::Unknown),
            None => {
                let question = Question::Count(Box::new(counting.clone()));
                self.outstanding(question, Points::ZERO.span());
                None
            }
        }
    }

    /// The session does not go on before what is outstanding is answered.
    pub fn hold(&mut self) {
        self.must_wait = true;
    }

    /// Says that the client is also known as `identity`: another host of its own would be too.
    pub fn vouch(&mut self, identity: Identity) {
        self.vouching |= self.speaks;
        self.identities.push(identity);
    }

    /// Whom the client is known as beside its address.
    #[must_use]
    pub fn known_as(&self) -> &[Identity] {
        &self.identities
    }

    /// Whether the client has a pass, as its address or as whom it is known by now; `None` after noting what must be asked.
    pub fn has_pass(&mut self) -> Option<bool> {
        let client = self.facts.client()?.ip();
        let known_as = self.identities.iter().cloned();
        let identities = std::iter::once(Identity::client(client)).chain(known_as);
        let mut all_known = true;
        for identity in identities.collect::<Vec<_>>() {
            match self.recall(&Recall::Pass(identity), Points::ZERO.span()) {
                Some(Recalled::Pass { .. }) => return Some(true),
                Some(_) => {}
                None => all_known = false,
            }
        }
        all_known.then_some(false)
    }

    /// Says whether the recipient is put off. Who puts off all is not overruled.
    pub fn put_off(&mut self, put_off: PutOff) {
        if self.put_off != PutOff::All {
            self.put_off = put_off;
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
        let is_it = |asked: &Question| matches!(asked, Question::Silence { teaser: with, .. } if *with == teaser);
        let watched = self
            .find(is_it)
            .and_then(|answered| match &answered.answer {
                Answer::Silence(silence) => Some(silence),
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
        if self.findings.is_empty() {
            self.findings.reserve(USUAL);
        }
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
        self.waiting |= self.speaks;
        if !self.questions.contains(&question) {
            self.questions.push(question);
        }
    }
}

/// Room for the findings of most sessions.
const USUAL: usize = 12;

fn gathered(facts: &Facts) -> Vec<Given<'_>> {
    let mut answers = Vec::with_capacity(facts.entries().len());
    answers.extend(facts.answers().map(Given::new));
    answers
}

/// Nothing, if the answer is not one of the DNS: it does not come again by asking again.
fn dns_answer(answered: &Answered) -> Option<(&DnsAnswer, Millis)> {
    match &answered.answer {
        Answer::Dns(answer) => Some((answer, answered.took)),
        _ => None,
    }
}
