//! Certificate and key pairs: read from files, checked, and chosen for each handshake.
//!
//! Chosen by the name the client asks for (SNI, RFC 6066 section 3), then by what it can verify, the cheapest signature
//! first: an RSA-2048 signature costs about ten times one with P-256. A handshake is never refused for want of a name:
//! senders of mail rarely look at the certificate, and an alert would lose mail.

use std::fs;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys, SignatureAlgorithm, SignatureScheme};

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
                reason: format!("{reason:?}"),
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

    fn serves(&self, schemes: &[SignatureScheme]) -> bool {
        self.certified.key.choose_scheme(schemes).is_some()
    }

    fn is_cheap(&self) -> bool {
        self.certified.key.algorithm() != SignatureAlgorithm::RSA
    }
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
