//! A backend that is opened for a login: the AUTH exchange, and nothing else, until the backend has said 235.
//!
//! It is a type of its own, so that mail on such a connection does not compile before that. Then it is a [`Relay`] like
//! any other, except that there is no second one: whoever logged in did so on this connection alone.

use std::time::Duration;

use crate::checks::login::MayLogIn;
use crate::session::Session;
use crate::session::relay::{Relay, Trouble};
use crate::smtp::auth::{Challenge, Response};
use crate::smtp::command::{Command, InitialResponse};
use crate::smtp::reply::{Reply, ReplyClass};

/// An open connection whose client has not proven who it is.
pub(in crate::session) struct Unproven(Box<Relay>);

/// What the backend says in an exchange.
pub(in crate::session) enum Said {
    /// It wants to hear more.
    Challenge(Unproven, Challenge),
    /// It has accepted the client.
    Accepted(Box<Relay>, Reply),
    /// It has not; the connection is closed.
    Refused(Reply),
}

impl Session {
    /// Opens the backend for a login.
    pub(in crate::session) async fn open_for_login(
        &mut self,
        _: &MayLogIn,
    ) -> Result<Unproven, Trouble> {
        let (who, mut tried) = (self.who(), Vec::new());
        let upstream = &self.door.upstream;
        let relay = Relay::open_with_place(upstream, &who, false, &mut tried).await?;
        Ok(Unproven(relay))
    }
}

impl Unproven {
    /// Begins the exchange.
    pub(in crate::session) async fn begin(
        mut self,
        mechanism: Box<str>,
        initial: Option<InitialResponse>,
        within: Duration,
    ) -> Result<Said, Trouble> {
        if !self.0.offered.has_mechanism(&mechanism) {
            return Err(Trouble::Shrunk("AUTH with this mechanism"));
        }
        let auth = Command::Auth { mechanism, initial };
        let reply = self.0.ask(&auth, "answer AUTH", within).await?;
        self.said(reply).await
    }

    /// Goes on with it.
    pub(in crate::session) async fn answer(
        mut self,
        response: &Response,
        within: Duration,
    ) -> Result<Said, Trouble> {
        let reply = self.0.respond(response, within).await?;
        self.said(reply).await
    }

    async fn said(self, reply: Reply) -> Result<Said, Trouble> {
        match (reply.class(), reply.code) {
            (ReplyClass::Intermediate, _) => {
                let challenge = Challenge::read(&reply).ok_or(Trouble::StrangeLogin)?;
                Ok(Said::Challenge(self, challenge))
            }
            (_, 235) => Ok(Said::Accepted(self.0, reply)),
            (ReplyClass::Positive, _) => Err(Trouble::StrangeLogin),
            _ => {
                self.0.part().await;
                Ok(Said::Refused(reply))
            }
        }
    }
}
