//! Replay: what another policy would have made of a session that is over.
//!
//! The same judge, the recorded facts, no world to ask. A question that nobody answered then stays
//! unanswered and is named. History is as it was: what a client would have done after another reply
//! is not known.

use serde::{Deserialize, Serialize};

use crate::checks::judge::{Judgement, judge};
use crate::checks::policy::Policy;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{Answer, Answered, Entry, Fact, Facts, Millis, Question, Room, Source};

/// A decision of a session, as its record keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// How many entries of the facts the judge saw.
    pub seen: usize,
    /// What it made of them.
    pub verdict: Verdict,
}

/// A decision as another policy would have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// How it compares.
    pub change: Change,
    /// What the policy makes of the facts; without the missing answers where it is undecided.
    pub verdict: Verdict,
}

/// How a decision compares with the recorded one, by what is done in fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The same is done.
    Same,
    /// More is done against the client.
    Harsher,
    /// Less is done against the client.
    Milder,
    /// The session was dropped here and would have gone on; what would have followed is not known.
    WentOn,
    /// Questions that were not asked then could decide it either way.
    Undecided(Vec<Question>),
}

/// Judges a session again under `policy`, decision by decision.
///
/// Each decision is made from the facts that were there when it was made. Only when `policy` would
/// have waited for more are answers taken from later on in the record, which it would have had.
/// Once `policy` drops the session, that is its decision for all that followed.
#[must_use]
pub fn replay(policy: &Policy, facts: &Facts, decisions: &[Decision]) -> Vec<Replayed> {
    replay_owned(policy, facts.clone(), decisions)
}

/// As [`replay`], without a copy of the facts.
#[must_use]
pub fn replay_owned(policy: &Policy, facts: Facts, decisions: &[Decision]) -> Vec<Replayed> {
    let mut replayed = Vec::with_capacity(decisions.len());
    let (mut known, mut later) = (facts, Vec::new());
    // From the last to the first: what one decision saw is wound back from what the next one saw.
    for decision in decisions.iter().rev() {
        known.wind(decision.seen, &mut later);
        replayed.push(again(policy, &known, &later, decision));
    }
    replayed.reverse();
    drop_the_rest(&mut replayed, decisions);
    replayed
}

/// `later` is what came after, newest first.
fn again(policy: &Policy, known: &Facts, later: &[Entry], decision: &Decision) -> Replayed {
    let judgement = match judge(policy, known) {
        Judgement::Ask { questions, .. } => judge_later(policy, known.clone(), later, questions),
        decided @ Judgement::Decide { .. } => decided,
    };
    match judgement {
        Judgement::Ask { questions, so_far } => Replayed {
            change: Change::Undecided(questions),
            verdict: so_far,
        },
        Judgement::Decide { verdict, .. } => Replayed {
            change: compare(decision.verdict.enforced(), verdict.enforced()),
            verdict,
        },
    }
}

/// Lets the policy wait for answers that came later in the session.
fn judge_later(
    policy: &Policy,
    mut known: Facts,
    later: &[Entry],
    mut questions: Vec<Question>,
) -> Judgement {
    let stage = known.stage();
    loop {
        let mut learnt = false;
        for (entry, answered) in later.iter().rev().filter_map(answer) {
            if questions.iter().any(|question| answers(answered, question)) {
                learnt |= known.push(stage, entry.at, entry.fact.clone());
            }
        }
        learnt |= note_uncounted(&mut known, &questions);
        match judge(policy, &known) {
            // A question that is asked again was answered with something that does not answer it.
            Judgement::Ask {
                questions: next, ..
            } if learnt && next != questions => {
                questions = next;
            }
            judgement => return judgement,
        }
    }
}

/// What was not counted then can not be counted now: it stays unknown, as in `explain`, and decides nothing.
fn note_uncounted(known: &mut Facts, questions: &[Question]) -> bool {
    let (stage, mut learnt) = (known.stage(), false);
    for question in questions {
        if matches!(question, Question::Count(_)) && known.answer(question).is_none() {
            let answered = Answered {
                question: question.clone(),
                answer: Answer::Count(Room::Unknown),
                took: Millis(0),
                source: Source::Memory,
            };
            learnt |= known.push(stage, Millis(0), Fact::Answered(Box::new(answered)));
        }
    }
    learnt
}

fn answer(entry: &Entry) -> Option<(&Entry, &Answered)> {
    match &entry.fact {
        Fact::Answered(answered) => Some((entry, answered)),
        _ => None,
    }
}

/// Whether an answer is one to `question`; a watch before the greeting of any length is.
fn answers(answered: &Answered, question: &Question) -> bool {
    match (&answered.question, question) {
        (Question::Silence { teaser: was, .. }, Question::Silence { teaser, .. }) => was == teaser,
        (asked, question) => asked == question,
    }
}

/// Compares what was done with what would be done.
fn compare(was: Action, would_be: Action) -> Change {
    match would_be.cmp(&was) {
        std::cmp::Ordering::Equal => Change::Same,
        std::cmp::Ordering::Greater => Change::Harsher,
        std::cmp::Ordering::Less if was == Action::Drop => Change::WentOn,
        std::cmp::Ordering::Less => Change::Milder,
    }
}

fn drop_the_rest(replayed: &mut [Replayed], decisions: &[Decision]) {
    let dropped = |replayed: &Replayed| {
        !matches!(replayed.change, Change::Undecided(_))
            && replayed.verdict.enforced() == Action::Drop
    };
    let Some(at) = replayed.iter().position(dropped) else {
        return;
    };
    let Some((first, rest)) = replayed.get_mut(at..).and_then(<[_]>::split_first_mut) else {
        return;
    };
    for (replayed, decision) in rest.iter_mut().zip(decisions.iter().skip(at + 1)) {
        replayed.change = compare(decision.verdict.enforced(), Action::Drop);
        replayed.verdict = first.verdict.clone();
    }
}
