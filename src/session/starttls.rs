//! The upgrade to TLS (RFC 3207), and the handshake that implicit TLS shares with it.
//!
//! The raw socket goes to TLS only when nothing unread is left in plain text: octets behind STARTTLS end the session
//! (CVE-2011-0411 and its family), so nothing said before the handshake can be taken for something said after it.

use tokio::time::timeout;

use crate::facts::{Ended, Fact, Stage, TlsParameters};
use crate::net::stream::Stream;
use crate::session::{Session, replies};
use crate::smtp::verb::Verb;

impl Session {
    /// STARTTLS: 220, handshake, and everything said before is forgotten (RFC 3207 §4.2).
    pub(in crate::session) async fn start_tls(&mut self) -> Result<(), Ended> {
        self.reply(Verb::StartTls, replies::start_tls()).await?;
        // `reply` has looked for waiting input and ends the session if there was any.
        if !self.input.is_empty() {
            return Err(Ended::TlsFailed);
        }
        let parameters = Box::pin(self.handshake()).await?;
        self.server.reset_after_starttls();
        self.abandon_transaction();
        self.part_with_backend().await;
        self.stage = Stage::Helo;
        self.note(Stage::Helo, Fact::Tls(Box::new(parameters)));
        Ok(())
    }

    /// The handshake, within its deadline.
    pub(in crate::session) async fn handshake(&mut self) -> Result<TlsParameters, Ended> {
        let Some(acceptor) = self.door.acceptor.clone() else {
            return Err(Ended::Defect);
        };
        let plain = std::mem::replace(&mut self.stream, Stream::closed());
        match timeout(
            self.shared.limits.tls_handshake_timeout,
            plain.starttls(&acceptor),
        )
        .await
        {
            Ok(Ok((stream, parameters))) => {
                self.stream = stream;
                Ok(parameters)
            }
            Ok(Err(error)) => {
                tracing::info!(id = %self.arrival.id, client = %self.client(), %error, "TLS handshake failed");
                Err(Ended::TlsFailed)
            }
            Err(_) => Err(Ended::TlsFailed),
        }
    }
}
