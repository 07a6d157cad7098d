//! TLS toward the backend: which certificates are trusted, and the handshake.
//!
//! TLS 1.2 and 1.3 as toward clients. No client certificate and no ALPN: Exim 4.96 closes on a protocol that it was not
//! told of. A certificate must lead to a trusted root and be for the name that was configured (RFC 6125); nothing is
//! guessed from addresses. The one exception is a backend on this very machine, [`Trust::LoopbackOnly`]: what another
//! program could listen to there it could as well read from the disk.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Which backend is taken for the one that is meant.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// One whose certificate is for `name` and leads to a root.
    Full {
        /// The name, or the address, that the certificate is for.
        name: &'a str,
        /// The roots, PEM; those of the system if there is no file.
        roots: Option<&'a Path>,
    },
    /// Any on a loopback address, and none elsewhere.
    LoopbackOnly,
}

/// Why there can be no TLS toward a backend.
#[derive(Debug, thiserror::Error)]
pub enum TrustProblem {
    /// The file of roots cannot be read, or holds no usable certificate.
    #[error("no usable certificate in {}: {reason}", file.display())]
    Roots {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The system has no roots.
    #[error("the system has no trusted certificates ({0})")]
    NoSystemRoots(String),
    /// No certificate can be for this name.
    #[error("no certificate can be for {0:?}")]
    Name(String),
    /// The cryptographic library refuses.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

/// Makes connections to one backend secure; a cheap clone shares what is kept to resume sessions.
#[derive(Clone)]
pub struct Connector {
    inner: TlsConnector,
    /// `None`: any certificate will do, on loopback.
    name: Option<ServerName<'static>>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Connector {
    /// Reads the roots.
    ///
    /// # Errors
    /// [`TrustProblem`].
    pub fn new(trust: Trust<'_>) -> Result<Self, TrustProblem> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let (config, name) = match trust {
            Trust::Full { name, roots } => {
                let parsed = ServerName::try_from(name.to_owned());
                let name = parsed.map_err(|_| TrustProblem::Name(name.to_owned()))?;
                (
                    config.with_root_certificates(self::roots(roots)?),
                    Some(name),
                )
            }
            Trust::LoopbackOnly => {
                let anyone = Arc::new(Anyone(provider));
                let config = config.dangerous();
                (config.with_custom_certificate_verifier(anyone), None)
            }
        };
        Ok(Self {
            inner: TlsConnector::from(Arc::new(config.with_no_client_auth())),
            name,
        })
    }

    /// The handshake with the server at `address`, without a deadline.
    pub(in crate::net) async fn handshake(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> io::Result<TlsStream<TcpStream>> {
        let ip = address.ip().to_canonical();
        let name = match &self.name {
            Some(name) => name.clone(),
            None if ip.is_loopback() => ServerName::IpAddress(ip.into()),
            None => {
                let reason = "its certificate is not verified, and it is not on loopback";
                return Err(io::Error::other(reason));
            }
        };
        self.inner.connect(name, tcp).await
    }
}

/// Whom to trust: the roots in a file, or those of the system.
pub(in crate::net) fn roots(file: Option<&Path>) -> Result<RootCertStore, TrustProblem> {
    match file {
        Some(file) => read_roots(file),
        None => system_roots(),
    }
}

fn read_roots(file: &Path) -> Result<RootCertStore, TrustProblem> {
    let bad = |reason: String| TrustProblem::Roots {
        file: file.to_owned(),
        reason,
    };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| bad(told(&error)))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| bad(told(&error)))?;
        roots
            .add(certificate)
            .map_err(|error| bad(error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(bad("there is none".to_owned())),
        false => Ok(roots),
    }
}

/// What the operating system said, where it was that.
fn told(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// Among a system's many roots there may be one that is of no use here.
fn system_roots() -> Result<RootCertStore, TrustProblem> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(TrustProblem::NoSystemRoots(match errors.is_empty() {
            true => "none installed".to_owned(),
            false => errors.join("; "),
        }));
    }
    Ok(roots)
}

/// TLS with whoever answers, as mail servers speak it to each other when nothing tells them whom to expect (RFC 7435); no
/// session is resumed.
///
/// # Errors
///
/// The cryptographic library refuses.
pub fn tls_with_anyone() -> Result<TlsConnector, TrustProblem> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes every certificate whose key the server has.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
