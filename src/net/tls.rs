//! TLS toward the client: versions, tickets, the handshake, and why one failed.
//!
//! TLS 1.2 and 1.3 (RFC 5246, RFC 8446) with the suites rustls has: all forward-secret and authenticated. No client
//! certificates, no early data. ALPN (RFC 7301) is not asked for, but a client that offers only other protocols is
//! refused: see [`ALPN`]. Certificates are chosen in [`certificates`], made in [`self_signed`] when
//! none is configured. Not here: deadlines, which belong to the caller, and whether STARTTLS may be offered.

pub mod certificates;
mod failure;
pub mod self_signed;

pub use failure::{HandshakeFailure, TlsError};

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CipherSuite, ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::facts::TlsParameters;
use certificates::{Certificates, Pair};

/// One certificate chain and its private key, both PEM; they may be the same file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairFiles {
    /// The server's certificate first, then those that lead to its root.
    pub chain: PathBuf,
    /// The private key: PKCS #8, PKCS #1 or SEC 1, not encrypted.
    pub key: PathBuf,
}

/// Why TLS cannot be had, or not with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsProblem {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A certificate file without a certificate, or with one that is none.
    #[error("no usable certificate in {}: {reason}", file.display())]
    Certificate {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A key file without a private key, or with one that is none.
    #[error("no usable private key in {}: {reason}", file.display())]
    Key {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key are not a pair.
    #[error(
        "the key in {} does not belong to the first certificate in {}", key.display(), chain.display()
    )]
    Mismatch {
        /// The certificate file.
        chain: PathBuf,
        /// The key file.
        key: PathBuf,
    },
    /// The self-signed certificate cannot be kept.
    #[error(
        "cannot write the self-signed certificate to the state directory {}: {source}; make the directory \
         writable, or configure certificates",
        directory.display()
    )]
    StateDirectory {
        /// The directory.
        directory: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The self-signed certificate cannot be made, such as for a name no certificate can hold.
    #[error("cannot make a self-signed certificate for {hostname:?}: {reason}")]
    SelfSigned {
        /// The name it was to be for.
        hostname: String,
        /// What is wrong.
        reason: String,
    },
    /// The cryptographic library refuses.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// The one protocol spoken here, as Postfix names it; IANA has registered no name for SMTP. A client that offers only
/// others, such as `h2`, is one whose connection was led here from another server with a certificate of the same name,
/// so that what we answer is taken for that server's word (ALPACA): it hears `no_application_protocol`. Mail clients
/// rarely offer any, and are served without.
const ALPN: &[u8] = b"smtp";

/// Accepts TLS; a cheap clone shares certificates and ticket keys.
#[derive(Clone)]
pub struct Acceptor {
    inner: TlsAcceptor,
    certificates: Arc<Certificates>,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor")
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

/// Reads the certificates, or, when `files` is empty, the self-signed one of `hostname` in `state_directory`, which is
/// made if it is not there.
///
/// `now` is the present time, for the validity of a new certificate.
///
/// # Errors
/// [`TlsProblem`], naming the files.
pub fn load(
    files: &[PairFiles],
    hostname: &str,
    state_directory: &Path,
    now: SystemTime,
) -> Result<Acceptor, TlsProblem> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let pairs = pairs(&provider, files, hostname, state_directory, now)?;
    let certificates = Arc::new(Certificates::new(pairs, hostname));
    let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&certificates) as _);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Keys change every 6 hours and are gone after 12.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    // Mail clients rarely come back at once with several connections; each ticket costs a record.
    config.send_tls13_tickets = 1;
    Ok(Acceptor {
        inner: TlsAcceptor::from(Arc::new(config)),
        certificates,
        provider,
    })
}

/// Reads a certificate and its key and checks that they are a pair, without keeping or making anything.
///
/// # Errors
/// [`TlsProblem`], naming the file.
pub fn check(files: &PairFiles) -> Result<Pair, TlsProblem> {
    Pair::read(files, &aws_lc_rs::default_provider())
}

fn pairs(
    provider: &CryptoProvider,
    files: &[PairFiles],
    hostname: &str,
    state_directory: &Path,
    now: SystemTime,
) -> Result<Vec<Pair>, TlsProblem> {
    if files.is_empty() {
        return Ok(vec![self_signed::load_or_make(
            hostname,
            state_directory,
            now,
            provider,
        )?]);
    }
    files
        .iter()
        .map(|files| Pair::read(files, provider))
        .collect()
}

impl Acceptor {
    /// Takes up new certificates, found as by [`load`]. Handshakes from now on use them; ticket keys stay. When it
    /// fails, the old ones stay as well.
    ///
    /// # Errors
    /// [`TlsProblem`], naming the files.
    pub fn reload(
        &self,
        files: &[PairFiles],
        hostname: &str,
        state_directory: &Path,
        now: SystemTime,
    ) -> Result<(), TlsProblem> {
        let pairs = pairs(&self.provider, files, hostname, state_directory, now)?;
        self.certificates.replace(pairs, hostname);
        Ok(())
    }

    /// The handshake over `io`, without a deadline. On failure the alert has been sent and `io` is dropped.
    pub(super) async fn handshake<S>(
        &self,
        io: S,
    ) -> Result<(TlsStream<S>, TlsParameters), TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = self
            .inner
            .accept(io)
            .await
            .map_err(|error| TlsError::of(&error))?;
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
