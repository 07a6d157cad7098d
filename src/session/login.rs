//! AUTH (RFC 4954): the exchange between client and backend, line by line, and the backend's word on it.
//!
//! gatepost knows no passwords: it asks the backend, and believes its 235. What the client says is held for as long as it
//! takes to hand it on; nothing of it is logged or recorded but the mechanism, and the user's name once the backend has
//! accepted it. Where too many logins have failed, nobody may try for a while.

use tokio::time::{Instant, timeout_at};

use crate::checks::finding::Outcome;
use crate::checks::login::{MayLogIn, may_log_in};
use crate::facts::{Ended, Fact, Limit, Login, Logins};
use crate::session::relay::{Relay, Said, Trouble};
use crate::session::{Session, replies};
use crate::smtp::auth::{Answer, Named};
use crate::smtp::command::InitialResponse;
use crate::smtp::fault::Fault;
use crate::smtp::reply::{Reply, ReplyClass};
use crate::smtp::server::Event;
use crate::smtp::verb::Verb;

/// Challenges of one exchange; the longest mechanism has three.
const CHALLENGES: usize = 8;

/// How an exchange ended.
enum Tried {
    Accepted(Box<Relay>, Reply, Named),
    /// By the backend.
    Refused(Reply),
    /// The client gave it up, or said something that is no answer.
    GivenUp(Reply),
    /// The client broke the protocol.
    Fault(Fault),
    Trouble(Trouble),
}

impl Session {
    /// AUTH, from the command to the last reply.
    pub(in crate::session) async fn log_in(
        &mut self,
        mechanism: Box<str>,
        initial: Option<InitialResponse>,
    ) -> Result<(), Ended> {
        let Some(key) = may_log_in(&self.facts) else {
            return self.reproach(Fault::NotOffered(Verb::Auth)).await;
        };
        if self.is_shut_out() {
            return Err(self.shut_out(&mechanism).await);
        }
        self.look_behind(Verb::Auth).await?;
        self.part_with_backend().await;
        let tried = self.exchange(&key, &mechanism, initial).await;
        if let Err(Ended::ClientLeft | Ended::ClientTimeout) = tried {
            // Who goes away in the midst of it has kept a place at the backend for nothing.
            self.note_login(&mechanism, 0, None);
            self.has_failed(&mechanism, 0);
        }
        match tried? {
            Tried::Accepted(relay, reply, named) => {
                self.relay = Some(relay);
                self.note_login(&mechanism, reply.code, named.accepted());
                self.reply(Verb::Auth, reply).await
            }
            Tried::Refused(reply) => {
                self.note_login(&mechanism, reply.code, None);
                if reply.class() == ReplyClass::Permanent {
                    self.has_failed(&mechanism, reply.code);
                }
                // Of a backend's words about a login none are kept: who knows whether they repeat what was said.
                self.keep_refusal(&Reply::new(reply.code, None, "login refused"));
                self.reply(Verb::Auth, reply).await?;
                self.notes.faults += 1;
                self.lose_patience().await
            }
            Tried::GivenUp(reply) => {
                self.note_login(&mechanism, reply.code, None);
                let reply = self.sign(reply);
                self.reply(Verb::Auth, reply).await?;
                self.count_fruitless().await
            }
            Tried::Fault(fault) => self.reproach(fault).await,
            Tried::Trouble(trouble) => {
                self.note_trouble(&trouble);
                let reply = self.sign(replies::no_login_now());
                self.note_login(&mechanism, reply.code, None);
                self.reply(Verb::Auth, reply).await?;
                self.count_fruitless().await
            }
        }
    }

    async fn exchange(
        &mut self,
        key: &MayLogIn,
        mechanism: &str,
        initial: Option<InitialResponse>,
    ) -> Result<Tried, Ended> {
        let within = self.door.upstream.backend.command_timeout;
        let mut named = Named::begun(mechanism, initial.as_ref());
        let begun = async {
            let backend = self.open_for_login(key).await?;
            backend.begin(mechanism.into(), initial, within).await
        };
        let mut said = begun.await;
        for _ in 0..CHALLENGES {
            let (backend, challenge) = match said {
                Ok(Said::Challenge(backend, challenge)) => (backend, challenge),
                Ok(Said::Accepted(relay, reply)) => {
                    return Ok(Tried::Accepted(relay, reply, named));
                }
                Ok(Said::Refused(reply)) => return Ok(Tried::Refused(reply)),
                Err(trouble) => return Ok(Tried::Trouble(trouble)),
            };
            self.reply(Verb::Auth, challenge.reply()).await?;
            // Whoever gives up leaves a connection on which nothing else can be said: it is closed.
            let response = match self.hear_answer().await? {
                Ok(Answer::Response(response)) => response,
                Ok(Answer::Cancel) => return Ok(Tried::GivenUp(replies::login_given_up())),
                Ok(Answer::Garbage) => return Ok(Tried::GivenUp(replies::no_base64())),
                Err(fault) => return Ok(Tried::Fault(fault)),
            };
            named.answered(mechanism, &challenge, &response);
            said = backend.answer(&response, within).await;
        }
        Ok(Tried::Trouble(Trouble::StrangeLogin))
    }

    /// The client's next line. It has less time than for a command: the backend waits as well.
    async fn hear_answer(&mut self) -> Result<Result<Answer, Fault>, Ended> {
        let deadline = Instant::now() + self.door.upstream.backend.idle_timeout;
        loop {
            let step = self.server.next(&self.input);
            let consumed = step.consumed;
            let heard = match step.event {
                Event::AuthLine(line) => Some(Ok(Answer::read(line))),
                Event::Fault(fault) => Some(Err(fault)),
                _ => None,
            };
            self.consume(consumed);
            if let Some(heard) = heard {
                self.command_begun = None;
                return Ok(heard);
            }
            match timeout_at(deadline, self.listen()).await {
                Ok(listened) => listened?,
                Err(_) => return Err(self.out_of_time().await),
            }
        }
    }

    /// What keeps this client from sending mail: it has to log in first, or its login is lost.
    pub(in crate::session) async fn must_log_in(&mut self) -> Result<Option<Reply>, Ended> {
        let (must, may) = (self.facts.logins() == Logins::Required, self.facts.user());
        match (must, may) {
            (false, None) => Ok(None),
            (true, None) => {
                self.count_fruitless().await?;
                let reply = match self.stream.is_tls() {
                    true => replies::log_in_first(),
                    false => replies::starttls_first(),
                };
                Ok(Some(self.sign(reply)))
            }
            (_, Some(_)) if self.relay.is_some() => Ok(None),
            // It was made on a connection that is gone, and is not made up for by another.
            (_, Some(_)) => {
                let reply = self.sign(replies::login_lost());
                self.part(reply).await;
                Err(Ended::BackendClosed)
            }
        }
    }

    /// Whether nobody from where this client is may log in now. An allow entry of the operator's is above that.
    pub(in crate::session) fn is_shut_out(&mut self) -> bool {
        self.shared.logins.is_shut_out(self.client().ip()) && !self.is_allowed()
    }

    fn is_allowed(&mut self) -> bool {
        let judgement = self.consult();
        let mut findings = judgement.verdict().findings.iter();
        findings.any(|finding| finding.outcome == Outcome::Allow)
    }

    async fn shut_out(&mut self, mechanism: &str) -> Ended {
        tracing::info!(
            id = %self.arrival.id, client = %self.client().ip(), listener = %self.door.name, mechanism,
            "login refused: too many have failed"
        );
        let reply = self.sign(replies::not_admitted(Limit::FailedLogins));
        self.keep_login("shut_out", mechanism, reply.code, None);
        self.part(reply).await;
        Ended::Refused(Limit::FailedLogins)
    }

    /// Counts a failed login, and says so in one line. Not whose it was: people type passwords in the place of names.
    fn has_failed(&mut self, mechanism: &str, code: u16) {
        let client = self.client().ip();
        tracing::info!(
            id = %self.arrival.id, %client, listener = %self.door.name, mechanism, code,
            "login failed"
        );
        if !self.is_allowed() {
            self.shared.logins.failed(client);
        }
    }

    fn note_login(&mut self, mechanism: &str, code: u16, name: Option<Box<str>>) {
        if let (235, name) = (code, name.as_deref().unwrap_or("-")) {
            tracing::info!(
                id = %self.arrival.id, client = %self.client().ip(), listener = %self.door.name, mechanism,
                user = %name.escape_debug(), "logged in"
            );
        }
        self.keep_login(outcome(code), mechanism, code, name);
    }

    fn keep_login(
        &mut self,
        outcome: &'static str,
        mechanism: &str,
        code: u16,
        name: Option<Box<str>>,
    ) {
        self.shared.metrics.login(&self.door.name, outcome);
        let mechanism = mechanism.into();
        let login = Login {
            mechanism,
            code,
            name,
        };
        self.note(self.stage, Fact::Login(Box::new(login)));
    }
}

/// What became of a login that was answered so, for metrics; 0: the client left before.
fn outcome(code: u16) -> &'static str {
    match ReplyClass::of(code) {
        _ if code == 0 => "left",
        ReplyClass::Positive => "accepted",
        ReplyClass::Permanent => "rejected",
        _ => "deferred",
    }
}
