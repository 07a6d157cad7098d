//! The beginning of a session: PROXY header, admission, implicit TLS, the wait, the greeting (RFC 5321 §3.1).
//!
//! The wait is a question like any other ([`Question::Silence`]); it is answered here, because only the session can
//! watch its socket. Lookups run during the wait. What an early talker sent stays in the input and is read as commands
//! after the greeting, so that one session both convicts it and lets it write to postmaster@.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::checks::Judgement;
use crate::checks::verdict::{Action, Verdict};
use crate::facts::{
    Answer, Answered, Client, Ended, Fact, Limit, Logins, Question, Recall, Silence, Source, Stage,
};
use crate::net::proxy_header;
use crate::session::READ_LIMIT;
use crate::session::{Session, replies};
use crate::smtp::verb::Verb;

/// Octets of early talk that are kept as evidence.
const EARLY_BYTES: usize = 512;

impl Session {
    /// Greets the client, or says how the session ended instead.
    pub(in crate::session) async fn greet(&mut self) -> Result<(), Ended> {
        if self.permit.is_none() {
            self.read_proxy_header().await?;
            self.admit().await?;
        }
        self.remember_visit();
        self.note_entries();
        if self.facts.logins() == Logins::Required && self.is_shut_out() {
            self.refuse(Limit::FailedLogins).await;
            return Err(Ended::Refused(Limit::FailedLogins));
        }
        if self.door.listen.tls == crate::config::TlsMode::Implicit {
            Box::pin(self.implicit_tls()).await?;
        }
        if let Some(verdict) = self.watch().await? {
            return Err(self.dismiss(&verdict).await);
        }
        let greeting = replies::greeting(&self.shared.hostname);
        self.reply(Verb::Connect, greeting).await?;
        self.reach(Stage::Helo);
        Ok(())
    }

    /// Reads the header that a front proxy must send first (PROXY protocol §2: a receiver does not guess).
    async fn read_proxy_header(&mut self) -> Result<(), Ended> {
        let header = timeout(
            self.shared.limits.proxy_header_timeout,
            proxy_header::read(&mut self.stream),
        )
        .await;
        let problem = match header {
            Ok(Ok((client, local))) => {
                let mut named = Client::new(client, local, &self.door.name);
                named.via = Some(self.arrival.peer);
                named.logins = self.door.listen.logins();
                named.started = self.facts.client().and_then(|client| client.started);
                self.facts = crate::facts::Facts::new(named);
                self.shared.live.name_client(self.seat, client.ip());
                return Ok(());
            }
            Ok(Err(problem)) => problem.to_string(),
            Err(_) => "no PROXY header in time".to_owned(),
        };
        tracing::info!(id = %self.arrival.id, peer = %self.arrival.peer, problem, "refused");
        Err(Ended::ProxyHeader)
    }

    /// Admission of a client that was only named by its PROXY header.
    async fn admit(&mut self) -> Result<(), Ended> {
        match self.shared.admission.admit(self.client().ip()) {
            Ok(permit) => {
                self.permit = Some(permit);
                Ok(())
            }
            Err(limit) => {
                self.refuse(limit).await;
                Err(Ended::Refused(limit))
            }
        }
    }

    async fn refuse(&mut self, limit: Limit) {
        // Whoever expects TLS would not understand a word.
        if self.door.listen.tls == crate::config::TlsMode::Implicit {
            return;
        }
        let mut out = Vec::new();
        replies::not_admitted(limit).write(&mut out);
        // The client is turned away either way; whether it reads why is its own affair.
        let _ = timeout(Duration::from_secs(1), self.stream.write_all_flush(&out)).await;
    }

    /// Answers [`Question::Silence`], if the policy asks it, while answers to other questions come in. The verdict, if
    /// it calls for ending the session at once.
    async fn watch(&mut self) -> Result<Option<Verdict>, Ended> {
        loop {
            let judgement = self.consult();
            let silence = judgement
                .questions()
                .iter()
                .find_map(|question| match question {
                    Question::Silence { wait, teaser } => Some((*wait, *teaser)),
                    _ => None,
                });
            let questions = match judgement {
                Judgement::Ask { so_far, .. } if so_far.enforced() == Action::Drop => {
                    return Ok(Some(so_far));
                }
                Judgement::Ask { questions, .. } => questions,
                Judgement::Decide { verdict, .. } => {
                    return Ok((verdict.enforced() == Action::Drop).then_some(verdict));
                }
            };
            let Some((wait, teaser)) = silence else {
                // Whether the client has to be watched at all is known in a moment.
                let open = questions.iter().any(is_about_a_pass) && self.asking.is_waiting();
                drop(questions);
                if !open {
                    return Ok(None);
                }
                let answered = self.asking.next().await;
                self.note_answers(answered);
                continue;
            };
            let question = Question::Silence { wait, teaser };
            if teaser {
                self.send(replies::teaser(&self.shared.hostname)).await?;
            }
            let answer = self.watch_socket(wait.into()).await;
            let left = matches!(answer, Silence::Left { .. });
            let took = self.elapsed();
            self.note_answer(Answered {
                question,
                answer: Answer::Silence(answer),
                took,
                source: Source::Session,
            });
            if left {
                return Err(Ended::ClientLeft);
            }
        }
    }

    /// Watches the socket for `wait`; returns early when the client speaks or leaves.
    async fn watch_socket(&mut self, wait: Duration) -> Silence {
        let begun = Instant::now();
        let deadline = begun + wait;
        if !self.input.is_empty() {
            return self.spoke();
        }
        loop {
            tokio::select! {
                biased;
                read = self.stream.read_into(&mut self.input, READ_LIMIT) => {
                    return match read {
                        Ok(0) | Err(_) => Silence::Left { after: self.elapsed() },
                        Ok(read) => {
                            self.notes.bytes_in += read as u64;
                            self.spoke()
                        }
                    };
                }
                answered = self.asking.next() => self.collect(answered),
                () = tokio::time::sleep_until(deadline) => {
                    return Silence::Silent { watched: begun.elapsed().into() };
                }
            }
        }
    }

    fn spoke(&self) -> Silence {
        let first = self.input.get(..EARLY_BYTES).unwrap_or(&self.input);
        Silence::Spoke {
            after: self.elapsed(),
            bytes: without_credentials(first).escape_ascii().to_string().into(),
        }
    }

    /// TLS before anything is said (RFC 8314 §3).
    async fn implicit_tls(&mut self) -> Result<(), Ended> {
        let parameters = self.handshake().await?;
        self.note(Stage::Connect, Fact::Tls(Box::new(parameters)));
        Ok(())
    }
}

/// Whether it depends on the answer if the client is watched.
const fn is_about_a_pass(question: &Question) -> bool {
    matches!(question, Question::Memory(Recall::Pass(_)))
}

/// What was said up to the first AUTH, which may carry a password, and may go on with one in the lines behind it.
fn without_credentials(said: &[u8]) -> &[u8] {
    const AUTH: &[u8] = b"auth";
    let begins = |at: &usize| {
        said.get(*at..at + AUTH.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(AUTH))
    };
    match (0..said.len()).find(begins) {
        Some(at) => said.get(..at + AUTH.len()).unwrap_or_default(),
        None => said,
    }
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn credentials_are_withheld() {
        let cases: [(&[u8], &[u8]); 4] = [
            (
                b"EHLO a\r\nMAIL FROM:<a@b>\r\n",
                b"EHLO a\r\nMAIL FROM:<a@b>\r\n",
            ),
            (b"EHLO a\r\nAUTH PLAIN AGEAYg==\r\n", b"EHLO a\r\nAUTH"),
            (b"auth login\r\nYQ==\r\nYg==\r\n", b"auth"),
            (b"", b""),
        ];
        for (said, kept) in cases {
            assert_eq!(without_credentials(said), kept);
        }
    }
}
