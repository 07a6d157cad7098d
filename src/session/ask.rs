//! Between thinking and the world: starts questions, collects answers, asks the judge again.
//!
//! The only loop of that kind. Answers are collected whenever a session waits for something (the greeting, a verdict);
//! those that come after the session has ended go to the cache, not here.

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use crate::checks::verdict::Verdict;
use crate::checks::{Judgement, judge};
use crate::facts::{Answered, Fact, Question, Stage};
use crate::session::Session;

/// The questions a session has asked, and the answers still to come.
#[derive(Default)]
pub(in crate::session) struct Asking {
    asked: Vec<Question>,
    pending: FuturesUnordered<BoxFuture<'static, Answered>>,
}

impl Asking {
    /// The next answer; pends for ever when nothing is outstanding.
    pub(in crate::session) async fn next(&mut self) -> Answered {
        match self.pending.next().await {
            Some(answered) => answered,
            None => std::future::pending().await,
        }
    }

    /// The next answer, if it is there already. Whoever asks so must wait for [`Asking::next`] afterwards, which is woken.
    fn ready(&mut self) -> Option<Answered> {
        self.pending.next().now_or_never().flatten()
    }

    /// Recipients whose counting is forgotten may be counted anew.
    pub(in crate::session) fn forget_counts(&mut self) {
        self.asked
            .retain(|question| !matches!(question, Question::Count(_)));
    }

    /// Whether any answer is still to come.
    pub(in crate::session) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }
}

impl Session {
    /// Notes a fact at the offset of now.
    pub(in crate::session) fn note(&mut self, stage: Stage, fact: Fact) {
        let at = self.elapsed();
        self.memory.take(fact.octets());
        self.facts.push(stage, at, fact);
    }

    /// Notes an answer at the stage the session has reached.
    pub(in crate::session) fn note_answer(&mut self, answered: Answered) {
        self.note(self.stage, Fact::Answered(Box::new(answered)));
    }

    /// Notes an answer and starts whatever questions follow from it: the text of a listing follows the listing.
    pub(in crate::session) fn collect(&mut self, answered: Answered) {
        self.note_answers(answered);
        let _ = self.consult();
    }

    /// Notes an answer, and with it those that have come as well: the judge looks at all of them at once.
    pub(in crate::session) fn note_answers(&mut self, answered: Answered) {
        self.note_answer(answered);
        while let Some(answered) = self.asking.ready() {
            self.note_answer(answered);
        }
    }

    /// Asks the judge, and starts whatever questions it has that were not asked before. [`Question::Silence`] is left
    /// to [`crate::session::greet`], which watches the socket.
    pub(in crate::session) fn consult(&mut self) -> Judgement {
        let judgement = judge(&self.door.policy, &self.facts);
        let points = judgement.verdict().points;
        self.shared.live.see(self.seat, self.stage, Some(points));
        for question in judgement.questions() {
            self.start(question);
        }
        judgement
    }

    /// Waits until the judge decides about the recipient named last.
    pub(in crate::session) async fn settle(&mut self) -> Verdict {
        loop {
            let judgement = self.consult();
            match judgement {
                Judgement::Decide { verdict, .. } => return verdict,
                // Nothing more will come: a question no one answers counts as unanswered.
                Judgement::Ask { so_far, .. } if !self.asking.is_waiting() => return so_far,
                Judgement::Ask { .. } => {}
            }
            let answered = self.asking.next().await;
            self.note_answers(answered);
        }
    }

    /// Whether what is known calls for ending the session at once.
    pub(in crate::session) fn drop_verdict(&mut self) -> Option<Verdict> {
        use crate::checks::verdict::Action;
        let verdict = match self.consult() {
            Judgement::Decide { verdict, .. } => verdict,
            Judgement::Ask { so_far, .. } => so_far,
        };
        (verdict.enforced() == Action::Drop).then_some(verdict)
    }

    fn start(&mut self, question: &Question) {
        if matches!(question, Question::Silence { .. }) || self.asking.asked.contains(question) {
            return;
        }
        self.asking.asked.push(question.clone());
        let question = question.clone();
        let client = self.client().ip();
        let answer = self.shared.answerer.ask_for(client, &question);
        let started = Instant::now();
        self.asking.pending.push(Box::pin(async move {
            let (answer, source) = answer.await;
            Answered {
                question,
                answer,
                took: started.elapsed().into(),
                source,
            }
        }));
    }
}
