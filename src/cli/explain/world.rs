//! Who answers an explanation's questions: the DNS is asked from here, and what only a running process knows, such as what is
//! remembered of a client, is asked of that process. Without one it is not known.
//!
//! Zones are tested before they are asked, as a process does: one that lists everything counts for nothing here either.

use std::sync::Arc;

use futures_util::future::join_all;

use crate::app::control::message::{self, Request};
use crate::app::zones;
use crate::cli::{ask, output};
use crate::config::Snapshot;
use crate::facts::{Answer, Answered, Millis, Question, Room, Silence, Source};
use crate::gather::{Answerer, Gather};

/// Who answers.
pub(super) struct World<'a> {
    gather: Arc<Gather>,
    /// The configuration of the process that runs, if one does.
    process: Option<&'a Snapshot>,
}

impl<'a> World<'a> {
    /// After a test of every zone that a policy asks.
    pub(super) async fn new(
        gather: Arc<Gather>,
        process: Option<&'a Snapshot>,
        all: &Snapshot,
    ) -> Self {
        gather.watch_zones(zones::watched(all)).await;
        gather.test_zones().await;
        Self { gather, process }
    }

    /// The answers, in the order of the questions.
    pub(super) async fn answers(&self, questions: &[Question]) -> Vec<Answered> {
        let mut answers: Vec<Answered> =
            join_all(questions.iter().map(|question| self.answer(question))).await;
        let ours = |answered: &&mut Answered| {
            matches!(
                answered.question,
                Question::Memory(_) | Question::Primary(_) | Question::Count(_)
            )
        };
        let asked: Vec<&mut Answered> = answers.iter_mut().filter(ours).collect();
        if let Some(known) = self.known(asked.iter().map(|answered| answered.question.clone())) {
            for (answered, answer) in asked.into_iter().zip(known) {
                answered.answer = answer;
            }
        }
        answers
    }

    async fn answer(&self, question: &Question) -> Answered {
        let started = tokio::time::Instant::now();
        let (answer, source) = match question {
            // Nobody to watch.
            Question::Silence { wait, .. } => (
                Answer::Silence(Silence::Silent { watched: *wait }),
                Source::Session,
            ),
            // Here everybody would be the first.
            Question::Count(_) => (Answer::Count(Room::Unknown), Source::Memory),
            _ => self.gather.ask(question).await,
        };
        Answered {
            question: question.clone(),
            answer,
            took: match source {
                Source::Live | Source::Cache => started.elapsed().into(),
                Source::Session | Source::Memory => Millis(0),
            },
            source,
        }
    }

    /// What the running process knows.
    fn known(&self, questions: impl Iterator<Item = Question>) -> Option<Vec<Answer>> {
        let questions: Vec<Question> = questions.collect();
        let process = self.process.filter(|_| !questions.is_empty())?;
        match ask::ask(process, &Request::Known { questions }) {
            Ok(message::Answer::Known(answers)) => Some(answers),
            Ok(_) => None,
            Err(error) => {
                let error = output::in_one_line(&error);
                output::complain(&format!("note: what is remembered is not known: {error}"));
                None
            }
        }
    }
}
