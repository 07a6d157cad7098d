//! The way to the backend: opened at the first cleared RCPT, kept for the session's next transactions.
//!
//! A connection is opened with the client's address in a PROXY header, waits for the 220, says EHLO with the client's
//! own name, and then carries MAIL and RCPT in one group if the backend pipelines (RFC 2920). Only typed commands go
//! out, only parsed replies come back. Whatever goes wrong on this side is [`Trouble`] and becomes 4xx to the client;
//! a 5xx before EHLO has succeeded concerns us and not the sender, so it is trouble too.
//!
//! Users' mail goes out on the connection on which they logged in ([`login`]), and on no other.
//!
//! There is no retry once a reply of this transaction depended on the connection; the client holds the message. Until then
//! another server may have it: the table is in `open`.

mod connection;
mod fit;
mod handshake;
mod login;
mod open;
mod self_test;
mod trouble;

pub(in crate::session) use connection::Relay;
pub(in crate::session) use login::Said;
pub use self_test::{Relaying, SeenAs, Tested, probe, self_test};
pub use trouble::Trouble;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::checks::client_name::client_name;
use crate::checks::verdict::Cleared;
use crate::config::ClientAddress;
use crate::session::relay::fit::{fit_recipient, fit_sender, is_hostname};
use crate::session::relay::open::Who;
use crate::session::{Session, replies};
use crate::smtp::domain::HeloName;
use crate::smtp::params::{MailParams, RcptParams};
use crate::smtp::path::{ForwardPath, ReversePath};
use crate::smtp::reply::{Reply, ReplyClass};
use crate::smtp::xclient::HostName;

/// The longest wait for the backend's word on a recipient, with all that goes before it for the first: clients wait 5
/// minutes (RFC 5321 §4.5.3.2.3), and are to hear from us before they give up.
const RECIPIENT: Duration = Duration::from_secs(280);

/// The mail transaction as far as it concerns the backend.
#[derive(Default)]
pub(in crate::session) struct Envelope {
    mail: Option<(ReversePath, MailParams)>,
    /// Whether the backend knows of this transaction.
    opened: bool,
    /// Why no recipient of this transaction can be accepted any more.
    refused: Option<Reply>,
    /// Recipients named in this transaction.
    pub(in crate::session) recipients: u32,
    /// Recipients named beyond `limits.recipients`.
    pub(in crate::session) surplus: u32,
    /// Whether its recipients so far are cleared only because they are exempt.
    pub(in crate::session) on_sufferance: bool,
    /// Whether the recipient named last need not be remembered: its decision was not kept, so nothing that can be
    /// replayed depends on it.
    pub(in crate::session) forgettable: bool,
}

impl Envelope {
    /// Whether the backend knows of this transaction.
    pub(in crate::session) const fn is_open(&self) -> bool {
        self.opened
    }

    /// A new transaction.
    pub(in crate::session) fn open(&mut self, path: ReversePath, params: MailParams) {
        *self = Self {
            mail: Some((path, params)),
            ..Self::default()
        };
    }
}

impl Session {
    /// Gives a cleared recipient to the backend and returns the backend's answer, or 4xx for our trouble with it.
    pub(in crate::session) async fn relay_recipient(
        &mut self,
        cleared: Cleared,
        path: &ForwardPath,
        params: &RcptParams,
    ) -> Reply {
        if let Some(refused) = &self.envelope.refused {
            return refused.clone();
        }
        let trying = timeout(RECIPIENT, self.try_recipient(&cleared, path, params)).await;
        match trying.unwrap_or(Err(Trouble::Silent("take the recipient"))) {
            Ok(reply) => reply,
            Err(trouble) => self.backend_failed(&trouble),
        }
    }

    async fn try_recipient(
        &mut self,
        cleared: &Cleared,
        path: &ForwardPath,
        params: &RcptParams,
    ) -> Result<Reply, Trouble> {
        if self.envelope.opened {
            return self.next_recipient(path, params).await;
        }
        let mut tried = Vec::new();
        loop {
            let reused = self.relay.as_ref().is_some_and(|relay| relay.used);
            let begun = self.begin(cleared, path, params, &mut tried).await;
            // Of this transaction the client has heard nothing that depends on the connection.
            match begun {
                // A login is on one connection only.
                begun if self.facts.is_of_users() => return begun,
                Err(trouble) if reused && !matches!(trouble, Trouble::Silent(_)) => {
                    // Backends close connections between transactions as they like. One that was silent has had its time.
                    tracing::debug!(id = %self.arrival.id, backend = %self.door.upstream.name, "backend {trouble}; connecting anew");
                }
                Err(trouble) if !reused && self.may_move(&trouble, &tried) => {
                    tracing::debug!(id = %self.arrival.id, backend = %self.door.upstream.name, "backend {trouble}; trying another server");
                    self.blame_server(&trouble);
                }
                begun => return begun,
            }
            self.relay = None;
        }
    }

    /// Whether another server may have the transaction that a fresh connection failed. Where there is none now, all that
    /// are up have been tried.
    fn may_move(&self, trouble: &Trouble, tried: &[SocketAddr]) -> bool {
        self.relay.is_some() && trouble.is_the_servers() && self.door.upstream.left(tried) > 0
    }

    /// Notes what the server at the other end has done; what happens on the way to one is noted there.
    fn blame_server(&self, trouble: &Trouble) {
        if let Some(relay) = &self.relay {
            self.door.upstream.failed(relay.server(), trouble);
        }
    }

    /// A further recipient of a transaction that the backend knows of.
    async fn next_recipient(
        &mut self,
        path: &ForwardPath,
        params: &RcptParams,
    ) -> Result<Reply, Trouble> {
        let within = self.door.upstream.backend.command_timeout;
        let Some(relay) = &mut self.relay else {
            return Err(Trouble::Lost("connection closed".to_owned()));
        };
        let rcpt = fit_recipient(path, params, &relay.offered)?;
        relay.ask(&rcpt, "answer RCPT", within).await
    }

    /// Opens the backend where that is due, and its transaction with this first recipient.
    async fn begin(
        &mut self,
        cleared: &Cleared,
        path: &ForwardPath,
        params: &RcptParams,
        tried: &mut Vec<SocketAddr>,
    ) -> Result<Reply, Trouble> {
        let who = self.who();
        let of_users = self.facts.is_of_users();
        let is_unfit =
            |relay: &Relay| (!of_users && relay.name != who.name) || relay.server().is_barred();
        if self.relay.as_deref().is_some_and(is_unfit) {
            self.part_with_backend().await;
        }
        if self.relay.is_none() {
            if of_users {
                return Err(Trouble::Lost("connection of the login closed".to_owned()));
            }
            let (upstream, suffered) = (&self.door.upstream, self.envelope.on_sufferance);
            self.relay = Some(Relay::open(cleared, upstream, &who, suffered, tried).await?);
        }
        let (Some(relay), Some(mail)) = (&mut self.relay, &self.envelope.mail) else {
            return Err(Trouble::Lost("no transaction".to_owned()));
        };
        let mail = fit_sender(&mail.0, &mail.1, &relay.offered)?;
        let rcpt = fit_recipient(path, params, &relay.offered)?;
        let within = self.door.upstream.backend.command_timeout;
        let (mailed, named) = relay.begin(mail, rcpt, within).await?;
        if mailed.class() != ReplyClass::Positive {
            // Some backends close behind a refusal; it stands all the same.
            if named.is_err() {
                self.relay = None;
            }
            // The client has had its 250 to MAIL: the refusal is told at each RCPT instead.
            self.envelope.refused = Some(mailed.clone());
            return Ok(mailed);
        }
        let named = named?;
        self.envelope.opened = true;
        Ok(named)
    }

    /// Says goodbye to the backend, if it is connected.
    pub(in crate::session) async fn part_with_backend(&mut self) {
        if self.message.take().is_some() {
            self.relay = None;
        }
        if let Some(relay) = self.relay.take() {
            relay.part().await;
        }
    }

    fn who(&self) -> Who {
        let client = self.client();
        let local = self
            .facts
            .client()
            .map_or(self.arrival.local, |client| client.local);
        let helo = self.facts.helo();
        let said = helo.map(|helo| helo.name.clone());
        // Only Postfix is told, and put together only for it.
        let host_name = match self.door.upstream.backend.client_address {
            ClientAddress::Xclient => client_name(&self.facts),
            _ => HostName::default(),
        };
        Who {
            client,
            local,
            name: said
                .filter(is_hostname)
                .unwrap_or_else(|| HeloName::literal(client.ip())),
            extended: helo.is_none_or(|helo| helo.extended),
            host_name,
        }
    }

    /// Notes trouble with the backend loudly, once, and says what the client is told.
    pub(in crate::session) fn backend_failed(&mut self, trouble: &Trouble) -> Reply {
        self.note_trouble(trouble);
        let reply = self.sign(trouble.reply());
        self.envelope.refused = Some(reply.clone());
        reply
    }

    /// Notes trouble with the backend loudly, once, and that there is no connection to it any more.
    pub(in crate::session) fn note_trouble(&mut self, trouble: &Trouble) {
        trouble.log(&self.arrival.id, &self.door.upstream.name);
        self.blame_server(trouble);
        self.relay = None;
    }

    /// Ends the transaction without a message: RSET, EHLO, STARTTLS.
    pub(in crate::session) fn abandon_transaction(&mut self) {
        // In the midst of mail data there is no other way to make the backend forget it.
        if self.message.take().is_some() {
            self.relay = None;
        }
        if let Some(relay) = &mut self.relay {
            relay.needs_reset |= self.envelope.opened;
        }
        self.close_transaction();
    }

    /// The transaction is over.
    pub(in crate::session) fn close_transaction(&mut self) {
        if self.envelope.mail.is_some() {
            self.note(self.stage, crate::facts::Fact::Reset);
        }
        self.envelope = Envelope::default();
    }

    /// Checks that client and backend are in the same phase. They always are; if ever they are not, replies have
    /// shifted, and the only safe thing is to cut the backend before it believes anything.
    pub(in crate::session) fn keep_in_step(&mut self) {
        let (Some(relay), true) = (&self.relay, self.envelope.opened) else {
            return;
        };
        if relay.phase() == self.server.phase() {
            return;
        }
        tracing::error!(
            id = %self.arrival.id, client = ?self.server.phase(), backend = ?relay.phase(),
            "defect: out of step with the backend, connection cut"
        );
        debug_assert!(false, "out of step with the backend");
        self.relay = None;
        self.envelope.refused = Some(replies::backend_broken());
    }
}
