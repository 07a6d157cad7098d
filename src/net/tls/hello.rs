//! The first thing a client says under TLS: its ClientHello (RFC 8446 section 4.1.2), whole, before anything is computed.
//!
//! Read by itself for two reasons. A client that speaks plain text can still be answered in plain text; and a client that
//! is slow to send it takes no place among the handshakes that are computed ([`crate::net::handshakes`]).

use bytes::BytesMut;
use rustls::server::{Accepted, Acceptor};

use super::failure::{HandshakeFailure, TlsError};
use crate::net::Stream;

/// Octets read at a time; most are 300 to 1800 long.
const READ: usize = 4096;

/// A fatal `internal_error` (RFC 8446 section 6.2), in plain text as every alert before the ServerHello.
const INTERNAL_ERROR: [u8; 7] = [21, 3, 3, 0, 2, 2, 80];

/// A whole ClientHello.
pub struct Hello(pub(super) Accepted);

/// What came is none.
#[derive(Debug)]
pub struct NoHello {
    /// Why.
    pub error: TlsError,
    /// Whether it begins as a line of text does.
    pub is_text: bool,
    alert: Vec<u8>,
}

/// Reads a ClientHello.
#[derive(Default)]
pub struct Reader {
    acceptor: Acceptor,
    begun: bool,
}

impl Reader {
    /// Whether anything has come.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// Reads until it is whole. What came behind it stays with it. A future that is dropped loses nothing.
    ///
    /// # Errors
    /// [`NoHello`]; the client has not been told.
    pub async fn read(&mut self, stream: &mut Stream) -> Result<Hello, NoHello> {
        if stream.is_tls() {
            return Err(NoHello::silent(TlsError::already()));
        }
        loop {
            let mut input = BytesMut::new();
            match stream.read_into(&mut input, READ).await {
                Ok(1..) => {}
                Ok(0) => return Err(NoHello::closed("the client has closed")),
                Err(error) => return Err(NoHello::closed(&error.to_string())),
            }
            let first = !std::mem::replace(&mut self.begun, true);
            if first && is_text(&input) {
                return Err(NoHello::text());
            }
            if let Some(hello) = self.take(&input)? {
                return Ok(hello);
            }
        }
    }

    fn take(&mut self, mut octets: &[u8]) -> Result<Option<Hello>, NoHello> {
        while !octets.is_empty() {
            // Takes nothing when it holds more than any handshake message may have.
            if !matches!(self.acceptor.read_tls(&mut octets), Ok(1..)) {
                return Err(NoHello::too_long());
            }
        }
        match self.acceptor.accept() {
            Ok(accepted) => Ok(accepted.map(Hello)),
            Err((error, mut alert)) => {
                let mut told = Vec::new();
                // Writing to memory does not fail.
                let _ = alert.write_all(&mut told);
                Err(NoHello {
                    error: TlsError::of_library(&error),
                    is_text: false,
                    alert: told,
                })
            }
        }
    }
}

impl NoHello {
    fn closed(detail: &str) -> Self {
        Self::silent(TlsError::new(HandshakeFailure::Closed, detail))
    }

    fn silent(error: TlsError) -> Self {
        Self {
            error,
            is_text: false,
            alert: Vec::new(),
        }
    }

    fn text() -> Self {
        Self {
            error: TlsError::new(HandshakeFailure::NotTls, "plain text in place of TLS"),
            is_text: true,
            // As the library answers what is not TLS.
            alert: vec![21, 3, 3, 0, 2, 2, 50],
        }
    }

    fn too_long() -> Self {
        Self {
            error: TlsError::new(HandshakeFailure::Misbehaved, "a ClientHello without end"),
            is_text: false,
            alert: INTERNAL_ERROR.to_vec(),
        }
    }

    /// The TLS alert that says so, in octets; none when nobody is there to hear it.
    #[must_use]
    pub fn alert(&self) -> &[u8] {
        &self.alert
    }
}

impl Hello {
    /// The TLS alert that turns its client away, in octets.
    #[must_use]
    pub fn refusal(&self) -> &'static [u8] {
        &INTERNAL_ERROR
    }
}

/// A record begins with its type, 20 to 23 (RFC 8446 section 5.1), the oldest hellos with an octet over 127.
fn is_text(octets: &[u8]) -> bool {
    matches!(octets.first(), Some(b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}
