//! A session judged again: what each check had to do with it, which sets of checks would have kept it out, and what it cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::checks::finding::{Finding, Outcome};
use crate::checks::points::Points;
use crate::checks::policy::Policy;
use crate::checks::replay::Decision;
use crate::checks::survey::{Survey, set_of, survey};
use crate::facts::{Answered, Entry, Fact, Facts, Question, Source, Stage};
use crate::measure::shares::{MOST, Stopped};
use crate::measure::tally::effect::Effects;
use crate::measure::tally::look::ZONES;
use crate::measure::tally::look::recorded::count;

/// A policy and what was learnt about it.
#[derive(Debug)]
pub(in crate::measure) struct Known {
    pub(in crate::measure) policy: Arc<Policy>,
    pub(in crate::measure) effects: Effects,
}

/// The policies by which records are judged again, and the zones they ask.
#[derive(Debug)]
pub(in crate::measure) struct Book {
    pub(in crate::measure) policies: BTreeMap<Box<str>, Known>,
    /// As they are shown, at most [`ZONES`].
    pub(in crate::measure) zones: Vec<String>,
}

impl Book {
    pub(in crate::measure) fn new(policies: &BTreeMap<String, Arc<Policy>>) -> Self {
        let mut zones = Vec::new();
        let checks = policies.values().flat_map(|policy| &policy.checks);
        for (zone, _) in checks.flat_map(|check| check.zones()) {
            let zone = zone.shown().to_owned();
            if zones.len() < ZONES && !zones.contains(&zone) {
                zones.push(zone);
            }
        }
        let known = policies.iter().map(|(name, policy)| {
            let known = Known {
                policy: Arc::clone(policy),
                effects: Effects::of(policy),
            };
            (name.as_str().into(), known)
        });
        Self {
            policies: known.collect(),
            zones,
        }
    }
}

/// What a check cost in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::measure) struct Cost {
    /// Questions to the DNS that were asked then.
    pub(in crate::measure) live: u32,
    /// Questions that the cache answered.
    pub(in crate::measure) cached: u32,
    /// The slowest answer that was asked for, milliseconds.
    pub(in crate::measure) slowest: u32,
    /// How long the greeting was held, milliseconds.
    pub(in crate::measure) held: u32,
}

/// What each check had to do with a session.
#[derive(Debug, Default)]
pub(in crate::measure) struct Judged {
    /// Whether a verdict would be another today.
    pub(in crate::measure) otherwise: bool,
    /// Checks that spoke against the client.
    pub(in crate::measure) against: u32,
    /// Checks that spoke for it.
    pub(in crate::measure) in_favour: u32,
    /// Checks that could look.
    pub(in crate::measure) looked: u32,
    pub(in crate::measure) recipients: Vec<Stopped>,
    pub(in crate::measure) transactions: Vec<Stopped>,
    pub(in crate::measure) connection: Option<Stopped>,
    /// By check.
    pub(in crate::measure) costs: Vec<Cost>,
}

/// A session that is judged again, decision by decision, the last one first.
pub(in crate::measure::tally) struct Again<'b> {
    known: Option<&'b Known>,
    facts: Facts,
    /// What came after what is known now, newest first.
    later: Vec<Entry>,
    /// Who used each answer.
    used: Vec<u32>,
    /// By the number of the transaction.
    transactions: BTreeMap<u64, Stopped>,
    /// What would have dropped the connection where no recipient was judged.
    dropped: Option<Stopped>,
    is_begun: bool,
    judged: Judged,
}

impl<'b> Again<'b> {
    /// The session of these facts, under a policy if it is known.
    pub(in crate::measure::tally) fn new(known: Option<&'b Known>, facts: Facts) -> Self {
        Self {
            known,
            facts,
            later: Vec::new(),
            used: Vec::new(),
            transactions: BTreeMap::new(),
            dropped: None,
            is_begun: false,
            judged: Judged::default(),
        }
    }

    /// What was known at a decision, which is judged again.
    pub(in crate::measure::tally) fn decide(&mut self, decision: &Decision) -> &Facts {
        self.facts.wind(decision.seen, &mut self.later);
        if let Some(known) = self.known {
            let survey = survey(&known.policy, &self.facts);
            let (was, now) = (&decision.verdict, &survey.verdict);
            self.judged.otherwise |= (was.action, was.points) != (now.action, now.points);
            self.note(known, &survey);
            self.add(known.effects.stopped(&known.policy, &self.facts, &survey));
        }
        &self.facts
    }

    /// What was found in a session in which nothing was decided, and what each check had to do with it.
    pub(in crate::measure::tally) fn finish(mut self) -> (Option<Judged>, Vec<Finding>) {
        self.facts.wind(usize::MAX, &mut self.later);
        let Some(known) = self.known else {
            return (None, Vec::new());
        };
        let mut findings = Vec::new();
        if !self.is_begun {
            let survey = survey(&known.policy, &self.facts);
            self.note(known, &survey);
            findings = survey.verdict.findings;
        }
        // A drop where no recipient is judged tells of the connection, and only if nothing else does.
        self.judged.connection = self.judged.connection.or(self.dropped);
        self.judged.transactions = self.transactions.into_values().collect();
        self.judged.costs = costs(&self.facts, &self.used, known.policy.checks.len());
        (Some(self.judged), findings)
    }

    /// Adds what would have kept out whom the decision was about.
    fn add(&mut self, stopped: Stopped) {
        if self.facts.stage() != Stage::Rcpt || self.facts.rcpt().is_none() {
            self.dropped.get_or_insert(stopped);
            return;
        }
        let connection = &mut self.judged.connection;
        let and = |other: &Stopped| other.and(&stopped);
        *connection = Some(connection.as_ref().map_or_else(|| stopped.clone(), and));
        let number = count(&self.facts, |fact| matches!(fact, Fact::Mail(_)));
        let together = self
            .transactions
            .get(&number)
            .map_or_else(|| stopped.clone(), and);
        self.transactions.insert(number, together);
        self.judged.recipients.push(stopped);
    }

    /// Notes who used which answer, who spoke, and, of the last judgement, who could look: who has found something, and who
    /// lacked no answer when a recipient was judged.
    fn note(&mut self, known: &Known, survey: &Survey) {
        if self.used.len() < survey.used.len() {
            self.used.resize(survey.used.len(), 0);
        }
        for (used, by) in self.used.iter_mut().zip(&survey.used) {
            *used |= by;
        }
        let mut found = 0;
        for finding in &survey.verdict.findings {
            let set = set_of(&known.policy, &finding.check);
            found |= set;
            match side(finding) {
                Side::Against => self.judged.against |= set,
                Side::For => self.judged.in_favour |= set,
                Side::Neither => {}
            }
        }
        if !std::mem::replace(&mut self.is_begun, true) {
            let at_rcpt = self.facts.stage() == Stage::Rcpt;
            self.judged.looked = found | if at_rcpt { !survey.waiting } else { 0 };
        }
    }
}

enum Side {
    Against,
    For,
    Neither,
}

fn side(finding: &Finding) -> Side {
    match finding.outcome {
        Outcome::Deny | Outcome::PutOff => Side::Against,
        Outcome::Allow => Side::For,
        _ if finding.points > Points::ZERO => Side::Against,
        _ if finding.points < Points::ZERO => Side::For,
        _ => Side::Neither,
    }
}

fn costs(facts: &Facts, used: &[u32], checks: usize) -> Vec<Cost> {
    let mut costs = vec![Cost::default(); checks.min(MOST)];
    for (answered, used) in facts.answers().zip(used) {
        for (number, cost) in costs.iter_mut().enumerate() {
            if used >> number & 1 == 1 {
                cost.add(answered);
            }
        }
    }
    costs
}

impl Cost {
    fn add(&mut self, answered: &Answered) {
        match (&answered.question, answered.source) {
            (Question::Dns { .. }, Source::Live) => {
                self.live += 1;
                self.slowest = self.slowest.max(answered.took.0);
            }
            (Question::Dns { .. }, _) => self.cached += 1,
            (Question::Silence { .. }, _) => self.held += answered.took.0,
            _ => {}
        }
    }
}
