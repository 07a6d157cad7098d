//! TLS toward the client: versions, tickets, the handshake, and why one failed.
//!
//! TLS 1.2 and 1.3 (RFC 5246, RFC 8446) with the suites rustls has: all forward-secret and authenticated. No client
//! certificates, no early data. ALPN (RFC 7301) is not asked for, but a client that offers only other protocols is
//! refused: see [`ALPN`]. Certificates are read in [`pair`], chosen in [`certificates`], made in [`self_signed`] when
//! none is configured. Not here: deadlines, which belong to the caller, when files are looked at again, and whether
//! STARTTLS may be offered.

pub mod certificates;
mod failure;
pub mod hello;
pub mod pair;
mod problem;
pub mod self_signed;

pub use failure::{HandshakeFailure, TlsError};
pub use problem::TlsProblem;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::ServerSessionMemoryCache;
use rustls::{
    CipherSuite, HandshakeKind, ServerConfig, ServerConnection, SupportedProtocolVersion, version,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::StartHandshake;
use tokio_rustls::server::TlsStream;

use crate::facts::TlsParameters;
use crate::net::handshakes::Turn;
use certificates::Certificates;
use hello::Hello;
use pair::Pair;

/// One certificate chain and its private key, both PEM; they may be the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairFiles {
    /// The server's certificate first, then those that lead to its root.
    pub chain: PathBuf,
    /// The private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
}

/// The one protocol spoken here, as Postfix names it; IANA has registered no name for SMTP. A client that offers only
/// others, such as `h2`, is one whose connection was led here from another server with a certificate of the same name,
/// so that what we answer is taken for that server's word (ALPACA): it hears `no_application_protocol`. Mail clients
/// rarely offer any, and are served without.
const ALPN: &[u8] = b"smtp";

/// Sessions kept for clients of TLS 1.2 that take no ticket; some hundred octets each.
const SESSIONS: usize = 4096;

const BOTH: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
const ONLY_13: &[&SupportedProtocolVersion] = &[&version::TLS13];

/// What TLS is to be like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The certificates; none: a self-signed one.
    pub files: Vec<PairFiles>,
    /// The server's own name.
    pub hostname: String,
    /// Where the self-signed certificate is kept.
    pub state_directory: PathBuf,
    /// Whether a client must have TLS 1.3.
    pub only_tls13: bool,
}

/// Accepts TLS; a cheap clone shares certificates and ticket keys.
#[derive(Clone)]
pub struct Acceptor {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    provider: Arc<CryptoProvider>,
    settings: Arc<Settings>,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor")
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

/// Reads the certificates, or, when there are none, the self-signed one in the state directory, which is made if it is
/// not there.
///
/// `now` is the present time, for the validity of a new certificate.
///
/// # Errors
/// [`TlsProblem`], naming the files.
pub fn load(settings: Settings, now: SystemTime) -> Result<Acceptor, TlsProblem> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pairs = match settings.files.is_empty() {
        true => vec![self_signed::load_or_make(
            &settings.hostname,
            &settings.state_directory,
            now,
            &provider,
        )?],
        false => {
            let read = |files| Pair::read(files, &provider);
            settings.files.iter().map(read).collect::<Result<_, _>>()?
        }
    };
    let certificates = Arc::new(Certificates::new(pairs, &settings.hostname));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(match settings.only_tls13 {
            true => ONLY_13,
            false => BOTH,
        })?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&certificates) as _);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Keys change every 6 hours and are gone after 12.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
    // Mail clients rarely come back at once with several connections; each ticket costs a record.
    config.send_tls13_tickets = 1;
    Ok(Acceptor {
        config: Arc::new(config),
        certificates,
        provider,
        settings: Arc::new(settings),
    })
}

/// Reads a certificate and its key and checks that they are a pair, without keeping or making anything.
///
/// # Errors
/// [`TlsProblem`], naming the file.
pub fn check(files: &PairFiles) -> Result<Pair, TlsProblem> {
    Pair::read(files, &aws_lc_rs::default_provider())
}

impl Acceptor {
    /// Reads the configured files anew, each pair by itself, in the order of [`Self::pairs`]; nothing is taken up. Empty
    /// when none are configured.
    #[must_use]
    pub fn read(&self) -> Vec<Result<Pair, TlsProblem>> {
        let read = |files| Pair::read(files, &self.provider);
        self.settings.files.iter().map(read).collect()
    }

    /// The pairs in use.
    #[must_use]
    pub fn pairs(&self) -> Vec<Pair> {
        self.certificates.pairs()
    }

    /// Whether the certificate in use is the self-signed one.
    #[must_use]
    pub fn is_self_signed(&self) -> bool {
        self.settings.files.is_empty()
    }

    /// Takes up `pairs`: handshakes from now on use them. Ticket keys stay, and so do sessions under way. No pairs change
    /// nothing.
    pub fn take_up(&self, pairs: Vec<Pair>) {
        if !pairs.is_empty() {
            self.certificates.replace(pairs, &self.settings.hostname);
        }
    }

    /// The handshake over `io`, from the ClientHello on, without a deadline. On failure the alert has been sent and `io` is
    /// dropped. `turn` is let go when the answer to the ClientHello has been computed, which is nearly all the work. If that
    /// answer is HelloRetryRequest (RFC 8446 §4.1.4) the work is still to come: then it is taken anew whenever there is some.
    pub(super) async fn handshake<S>(
        &self,
        hello: Hello,
        io: S,
        turn: Option<Turn>,
    ) -> Result<(TlsStream<S>, TlsParameters), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut retried = false;
        let kind = Some(HandshakeKind::FullWithHelloRetryRequest);
        let begun = StartHandshake::from_parts(hello.0, io).into_stream_with(
            Arc::clone(&self.config),
            |session| {
                retried = session.handshake_kind() == kind;
            },
        );
        let stream = match turn.filter(|_| retried) {
            Some(turn) => turn.at_each_poll(begun).await,
            None => begun.await,
        };
        let stream = stream.map_err(|error| TlsError::of(&error))?;
        let parameters = parameters(stream.get_ref().1);
        Ok((stream, parameters))
    }
}

fn parameters(session: &ServerConnection) -> TlsParameters {
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "unknown",
    };
    let suite = session.negotiated_cipher_suite().map(|suite| suite.suite());
    TlsParameters {
        version: version.into(),
        cipher: suite.map_or_else(|| "unknown".into(), iana_name),
        server_name: session.server_name().map(Into::into),
    }
}

/// rustls writes `TLS13_` where the registry (RFC 8446 appendix B.4) writes `TLS_`.
fn iana_name(suite: CipherSuite) -> Box<str> {
    let name = format!("{suite:?}");
    name.strip_prefix("TLS13_")
        .map_or_else(|| name.clone(), |rest| format!("TLS_{rest}"))
        .into()
}

#[cfg(test)]
mod tests;
