//! Certificate and key pairs: read from files, checked, and chosen for each handshake.
//!
//! Chosen by the name the client asks for (SNI, RFC 6066 section 3), then by what it can verify, the cheapest signature
//! first: an RSA-2048 signature costs about ten times one with P-256. A handshake is never refused for want of a name:
//! senders of mail rarely look at the certificate, and an alert would lose mail.

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, Error, InconsistentKeys, RootCertStore, SignatureAlgorithm, SignatureScheme,
};

use super::{PairFiles, TlsProblem};

/// A certificate chain with its key, known to belong together.
#[derive(Clone, Debug)]
pub struct Pair {
    certified: Arc<CertifiedKey>,
}

impl Pair {
    /// Reads and checks a pair.
    ///
    /// # Errors
    /// [`TlsProblem`] naming the file, or both if they do not belong together.
    pub fn read(files: &PairFiles, provider: &CryptoProvider) -> Result<Self, TlsProblem> {
        let PairFiles { chain, key } = files;
        let certificates = read_chain(chain)?;
        let private =
            PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| TlsProblem::Key {
                file: key.clone(),
                reason: pem_reason(&error, "private key"),
            })?;
        let certified = CertifiedKey::from_der(certificates, private, provider);
        let certified = certified.map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsProblem::Mismatch {
                chain: chain.clone(),
                key: key.clone(),
            },
            Error::InvalidCertificate(reason) => TlsProblem::Certificate {
                file: chain.clone(),
                reason: certificate_reason(&reason),
            },
            other => TlsProblem::Key {
                file: key.clone(),
                reason: other.to_string(),
            },
        })?;
        Ok(Self {
            certified: Arc::new(certified),
        })
    }

    /// Whether the certificate is for `name`, wild cards included.
    #[must_use]
    pub fn is_for(&self, name: &str) -> bool {
        let Ok(name) = ServerName::try_from(name) else {
            return false;
        };
        let Ok(certificate) = self.certified.end_entity_cert() else {
            return false;
        };
        ParsedCertificate::try_from(certificate)
            .is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }

    /// Whether the certificate holds at `now`.
    #[must_use]
    pub fn validity(&self, now: SystemTime) -> Validity {
        let since = now.duration_since(SystemTime::UNIX_EPOCH);
        let now = UnixTime::since_unix_epoch(since.unwrap_or_default());
        let certificate = self.certified.end_entity_cert();
        let Ok(Ok(certificate)) = certificate.map(ParsedCertificate::try_from) else {
            return Validity::Holds;
        };
        // The time is looked at before anything else: without a root nothing passes, and what is not about the time
        // is not asked here.
        let roots = RootCertStore::empty();
        match verify_server_cert_signed_by_trust_anchor(&certificate, &roots, &[], now, &[]) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => Validity::Ended(at(not_after)),
            Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => Validity::Begins(at(not_before)),
            _ => Validity::Holds,
        }
    }

    fn serves(&self, schemes: &[SignatureScheme]) -> bool {
        self.certified.key.choose_scheme(schemes).is_some()
    }

    fn is_cheap(&self) -> bool {
        self.certified.key.algorithm() != SignatureAlgorithm::RSA
    }
}

/// Whether a certificate holds at a time (RFC 5280 section 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// It does.
    Holds,
    /// It ended before.
    Ended(SystemTime),
    /// It begins later.
    Begins(SystemTime),
}

fn at(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

fn read(file: &Path) -> Result<Vec<u8>, TlsProblem> {
    fs::read(file).map_err(|source| TlsProblem::Unreadable {
        file: file.to_owned(),
        source,
    })
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let problem = |reason| TlsProblem::Certificate {
        file: file.to_owned(),
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(&read(file)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| problem(pem_reason(&error, "certificate")))?;
    // A file without any PEM section is not an error to the reader.
    if chain.is_empty() {
        return Err(problem(pem_reason(
            &pem::Error::NoItemsFound,
            "certificate",
        )));
    }
    Ok(chain)
}

/// What the library dislikes about a certificate, in words for people.
fn certificate_reason(error: &CertificateError) -> String {
    match error {
        CertificateError::BadEncoding => "what it holds is no X.509 certificate".to_owned(),
        // The library names it by its own error only.
        CertificateError::Other(other) if other.to_string().contains("UnsupportedCertVersion") => {
            "it is an X.509 certificate of version 1; TLS wants version 3 (RFC 5280)".to_owned()
        }
        CertificateError::UnhandledCriticalExtension => {
            "it has a critical extension that is not known".to_owned()
        }
        _ => "it is an X.509 certificate of a form that is not supported".to_owned(),
    }
}

fn pem_reason(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("it has no PEM section with a {what}"),
        other => other.to_string(),
    }
}

/// The pairs in use; can be replaced while handshakes go on.
#[derive(Debug)]
pub struct Certificates {
    current: RwLock<Arc<Choice>>,
}

#[derive(Debug)]
struct Choice {
    /// Never empty.
    pairs: Vec<Pair>,
    /// Those that answer for an unknown name: the first, and if that is for the server's own name, its twins with
    /// other algorithms.
    default: Vec<Pair>,
}

impl Choice {
    fn new(pairs: Vec<Pair>, hostname: &str) -> Self {
        let own = pairs.first().is_some_and(|first| first.is_for(hostname));
        let twin = |(index, pair): &(usize, &Pair)| *index == 0 || own && pair.is_for(hostname);
        let default = pairs
            .iter()
            .enumerate()
            .filter(twin)
            .map(|(_, pair)| pair.clone())
            .collect();
        Self { pairs, default }
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<&Pair> {
        let named: Vec<&Pair> = match name {
            Some(name) if self.pairs.len() > 1 => {
                self.pairs.iter().filter(|pair| pair.is_for(name)).collect()
            }
            _ => Vec::new(),
        };
        cheapest(named.into_iter(), schemes)
            .or_else(|| cheapest(self.default.iter(), schemes))
            .or_else(|| cheapest(self.pairs.iter(), schemes))
            .or_else(|| self.pairs.first())
    }
}

/// The first pair that the client can verify, those with cheap signatures before the others.
fn cheapest<'a>(
    pairs: impl Iterator<Item = &'a Pair> + Clone,
    schemes: &[SignatureScheme],
) -> Option<&'a Pair> {
    let mut able = pairs.filter(|pair| pair.serves(schemes));
    able.clone()
        .find(|pair| pair.is_cheap())
        .or_else(|| able.next())
}

impl Certificates {
    pub(super) fn new(pairs: Vec<Pair>, hostname: &str) -> Self {
        Self {
            current: RwLock::new(Arc::new(Choice::new(pairs, hostname))),
        }
    }

    pub(super) fn replace(&self, pairs: Vec<Pair>, hostname: &str) {
        let choice = Arc::new(Choice::new(pairs, hostname));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = choice;
    }

    #[cfg(test)]
    pub(super) fn shown(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> CertificateDer<'static> {
        let choice = self.current();
        choice
            .choose(name, schemes)
            .unwrap()
            .certified
            .end_entity_cert()
            .unwrap()
            .clone()
            .into_owned()
    }

    fn current(&self) -> Arc<Choice> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let choice = self.current();
        let pair = choice.choose(hello.server_name(), hello.signature_schemes())?;
        Some(Arc::clone(&pair.certified))
    }
}
