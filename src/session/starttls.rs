//! The upgrade to TLS (RFC 3207), and the handshake that implicit TLS shares with it (RFC 8314 §3.3).
//!
//! The raw socket goes to TLS only when nothing unread is left in plain text: octets behind STARTTLS end the session
//! (CVE-2011-0411 and its family), so nothing said before the handshake can be taken for something said after it.
//!
//! The client's hello is read first, then the session waits for its turn, then the answer is computed; one deadline for all.

use tokio::time::{Instant, timeout, timeout_at};

use crate::config::TlsMode;
use crate::facts::{Ended, Fact, Limit, Stage, TlsParameters};
use crate::net::handshakes::Turn;
use crate::net::stream::Stream;
use crate::net::tls::TlsError;
use crate::net::tls::hello::{Hello, NoHello, Reader};
use crate::session::context::Shared;
use crate::session::{Session, replies};
use crate::smtp::reply::Reply;
use crate::smtp::verb::Verb;

impl Session {
    /// STARTTLS: 220, handshake, and everything said before is forgotten (RFC 3207 §4.2).
    pub(in crate::session) async fn start_tls(&mut self) -> Result<(), Ended> {
        if !may_start_tls(&self.shared).await {
            let reply = self.sign(replies::not_admitted(Limit::TlsHandshakes));
            return self.reply(Verb::StartTls, reply).await;
        }
        self.reply(Verb::StartTls, replies::start_tls()).await?;
        // `reply` has looked for waiting input and ends the session if there was any.
        if !self.input.is_empty() {
            return Err(Ended::TlsFailed);
        }
        let parameters = Box::pin(self.handshake()).await?;
        self.server.reset_after_starttls();
        self.abandon_transaction();
        self.part_with_backend().await;
        self.reach(Stage::Helo);
        self.note(Stage::Helo, Fact::Tls(Box::new(parameters)));
        Ok(())
    }

    /// The handshake, within its deadline.
    pub(in crate::session) async fn handshake(&mut self) -> Result<TlsParameters, Ended> {
        let Some(acceptor) = self.door.acceptor.clone() else {
            return Err(Ended::Defect);
        };
        let deadline = Instant::now() + self.shared.limits.tls_handshake_timeout;
        let hello = self.client_hello(deadline).await?;
        let turn = self.turn(&hello, deadline).await?;
        let plain = std::mem::replace(&mut self.stream, Stream::closed());
        match timeout_at(deadline, plain.starttls(hello, &acceptor, Some(turn))).await {
            Ok(Ok((stream, parameters))) => {
                self.stream = stream;
                Ok(parameters)
            }
            Ok(Err(error)) => Err(self.tls_failed(&error)),
            Err(_) => Err(Ended::TlsFailed),
        }
    }

    async fn client_hello(&mut self, deadline: Instant) -> Result<Hello, Ended> {
        let mut reader = Reader::default();
        match timeout_at(deadline, reader.read(&mut self.stream)).await {
            Ok(Ok(hello)) => Ok(hello),
            Ok(Err(no)) => Err(self.no_hello(&no).await),
            Err(_) => {
                if self.is_tls_first() && !reader.has_begun() {
                    self.part_signed(replies::no_hello()).await;
                }
                Err(Ended::TlsFailed)
            }
        }
    }

    /// Waits for the turn to be computed.
    async fn turn(&mut self, hello: &Hello, deadline: Instant) -> Result<Turn, Ended> {
        if let Ok(Ok(turn)) = timeout_at(deadline, self.shared.handshakes.enter()).await {
            return Ok(turn);
        }
        // Between its hello and the answer a client understands nothing but an alert.
        let _ = self.send(hello.refusal()).await;
        Err(Ended::Refused(Limit::TlsHandshakes))
    }

    /// Tells the client what was wrong in the language that it seems to speak.
    async fn no_hello(&mut self, no: &NoHello) -> Ended {
        if no.is_text && self.is_tls_first() {
            self.part_signed(replies::tls_first()).await;
            return Ended::NotTls;
        }
        let _ = self.send(no.alert()).await;
        self.tls_failed(&no.error)
    }

    async fn part_signed(&mut self, reply: Reply) {
        let reply = self.sign(reply);
        self.part(reply).await;
    }

    fn is_tls_first(&self) -> bool {
        self.door.listen.tls == TlsMode::Implicit
    }

    fn tls_failed(&self, error: &TlsError) -> Ended {
        tracing::info!(id = %self.arrival.id, client = %self.client(), %error, "TLS handshake failed");
        Ended::TlsFailed
    }
}

/// Whether a turn would have come: the last moment at which it can be said in words that none does. The turn is not kept,
/// since the client's hello is still to come and may take its time.
async fn may_start_tls(shared: &Shared) -> bool {
    let limit = shared.limits.tls_handshake_timeout;
    matches!(timeout(limit, shared.handshakes.enter()).await, Ok(Ok(_)))
}
