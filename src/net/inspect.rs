//! TLS toward a server that is looked at: any certificate is taken, and what it is worth is told.
//!
//! Mail between servers takes any certificate (RFC 7435), so one that nobody vouches for hides behind a handshake that
//! works. Here the handshake goes on, and the certificate is judged beside it: by chain (RFC 5280 §6), by name (RFC 6125,
//! RFC 9525), by its dates. Nothing secret may be sent over such a connection.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ProtocolVersion, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::net::backend::{TrustProblem, roots, tls_with_anyone};
use crate::net::stream::Stream;
use crate::net::tls::pair::{Term, term};

/// Makes such connections.
#[derive(Clone)]
pub struct Inspector {
    connector: TlsConnector,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

/// What a handshake has shown.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The version of TLS, such as `TLSv1.3`.
    pub version: &'static str,
    /// The certificates that were sent, the server's own first.
    pub chain: Vec<CertificateDer<'static>>,
    /// From when to when the server's own holds.
    pub term: Term,
    /// Whether the certificate is for the name that was asked for.
    pub is_for_name: bool,
    /// Whether it leads to a root; if not, why.
    pub vouched: Result<(), String>,
}

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector")
            .field("roots", &self.roots.len())
            .finish_non_exhaustive()
    }
}

impl Inspector {
    /// Reads the roots: those in `file`, PEM, or those of the system.
    ///
    /// # Errors
    /// [`TrustProblem`].
    pub fn new(file: Option<&Path>) -> Result<Self, TrustProblem> {
        Ok(Self {
            connector: tls_with_anyone()?,
            roots: Arc::new(roots(file)?),
            provider: Arc::new(aws_lc_rs::default_provider()),
        })
    }

    /// The handshake as client of the server called `name`, at `now`. The deadline is the caller's, and so is what was
    /// read before.
    ///
    /// # Errors
    /// What went wrong; the connection is closed.
    pub async fn secure(
        &self,
        stream: Stream,
        name: &str,
        now: SystemTime,
    ) -> io::Result<(Stream, Seen)> {
        let Stream::Plain(tcp) = stream else {
            return Err(io::Error::other("not a plain connection"));
        };
        let server = match ServerName::try_from(name.to_owned()) {
            Ok(server) => server,
            Err(_) => ServerName::IpAddress(tcp.peer_addr()?.ip().into()),
        };
        let tls = Box::pin(self.connector.connect(server.clone(), tcp)).await?;
        let (_, session) = tls.get_ref();
        let version = match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLS of an unknown version",
        };
        let chain: Vec<CertificateDer<'static>> = session
            .peer_certificates()
            .unwrap_or_default()
            .iter()
            .map(|one| one.clone().into_owned())
            .collect();
        let seen = self.judge(version, chain, &server, now);
        Ok((Stream::TlsToServer(Box::new(tls)), seen))
    }

    fn judge(
        &self,
        version: &'static str,
        chain: Vec<CertificateDer<'static>>,
        name: &ServerName<'_>,
        now: SystemTime,
    ) -> Seen {
        // Of its own only: what else was sent may not be needed, and the way to a root is looked for at `now`.
        let term = term(chain.get(..1).unwrap_or_default());
        // What is out of date is told by the dates, and not once more as not vouched for.
        let at = match term.holds(now) {
            true => now,
            false => term.ends - Duration::from_secs(1),
        };
        let own = chain.split_first();
        let parsed =
            own.and_then(|(own, rest)| Some((ParsedCertificate::try_from(own).ok()?, rest)));
        let (is_for_name, vouched) = match &parsed {
            None => (false, Err("it can not be read".to_owned())),
            Some((own, rest)) => {
                let at = at
                    .duration_since(SystemTime::UNIX_EPOCH)
                    .unwrap_or_default();
                let vouched = verify_server_cert_signed_by_trust_anchor(
                    own,
                    &self.roots,
                    rest,
                    UnixTime::since_unix_epoch(at),
                    self.provider.signature_verification_algorithms.all,
                );
                let vouched = vouched.map_err(|error| why_not(&error));
                (verify_server_name(own, name).is_ok(), vouched)
            }
        };
        Seen {
            version,
            term,
            is_for_name,
            vouched,
            chain,
        }
    }
}

fn why_not(error: &rustls::Error) -> String {
    use rustls::CertificateError::{BadSignature, Other, UnknownIssuer};
    match error {
        // One that claims a name of the roots is signed with another key.
        rustls::Error::InvalidCertificate(UnknownIssuer | BadSignature) => {
            "nobody who is trusted vouches for it".to_owned()
        }
        rustls::Error::InvalidCertificate(Other(other))
            if other.to_string().contains("CaUsedAsEndEntity") =>
        {
            "it vouches for itself".to_owned()
        }
        other => other.to_string(),
    }
}

/// The public key of a certificate as DANE compares it, the SubjectPublicKeyInfo (RFC 6698 §2.1.2); `None` if it can not
/// be read.
#[must_use]
pub fn public_key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    Some(certificate.subject_public_key_info().to_vec())
}
