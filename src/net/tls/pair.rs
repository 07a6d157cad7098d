//! One certificate chain with its key: read from its files, checked, and what it says about itself.
//!
//! Whether somebody vouches for it is not asked: that is the client's affair. The dates are those of the whole chain, since
//! a client that verifies wants all of it (RFC 5280 section 4.1.2.5).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{self, SHA256};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{
    CertificateError, Error, InconsistentKeys, RootCertStore, SignatureAlgorithm, SignatureScheme,
};

use super::{PairFiles, TlsProblem};

/// Octets of a file that are read at most; a chain has a few thousand.
const LARGEST: u64 = 1024 * 1024;

/// A certificate chain with its key, known to belong together.
#[derive(Clone, Debug)]
pub struct Pair {
    pub(super) certified: Arc<CertifiedKey>,
    files: PairFiles,
    digest: Box<[u8]>,
    names: Box<[Box<str>]>,
    term: Term,
}

/// From when to when a chain holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// The latest beginning in it.
    pub begins: SystemTime,
    /// The earliest end in it.
    pub ends: SystemTime,
    /// Whose end that is: 0 is the server's own certificate.
    pub ends_first: usize,
}

impl Term {
    /// Whether `now` is in it.
    #[must_use]
    pub fn holds(&self, now: SystemTime) -> bool {
        (self.begins..=self.ends).contains(&now)
    }
}

impl Pair {
    /// Reads and checks a pair.
    ///
    /// # Errors
    /// [`TlsProblem`] naming the file, or both if they do not belong together.
    pub fn read(files: &PairFiles, provider: &CryptoProvider) -> Result<Self, TlsProblem> {
        let PairFiles { chain, key } = files;
        let (chain_octets, key_octets) = (read(chain)?, read(key)?);
        let certificates = parse_chain(chain, &chain_octets)?;
        let private =
            PrivateKeyDer::from_pem_slice(&key_octets).map_err(|error| TlsProblem::Key {
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
            names: names(&certified),
            term: term(&certified.cert),
            certified: Arc::new(certified),
            files: files.clone(),
            digest: fingerprint(&chain_octets, &key_octets),
        })
    }

    /// Where it was read.
    #[must_use]
    pub fn files(&self) -> &PairFiles {
        &self.files
    }

    /// Whether the files had the same content, octet by octet.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.digest == other.digest
    }

    /// The host names it is for, wild cards included, in lower case.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
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

    /// From when to when it holds.
    #[must_use]
    pub fn term(&self) -> Term {
        self.term
    }

    /// What its key is, for people.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self.certified.key.algorithm() {
            SignatureAlgorithm::RSA => "RSA",
            SignatureAlgorithm::ECDSA => "ECDSA",
            SignatureAlgorithm::ED25519 => "Ed25519",
            _ => "other",
        }
    }

    pub(super) fn serves(&self, schemes: &[SignatureScheme]) -> bool {
        self.certified.key.choose_scheme(schemes).is_some()
    }

    pub(super) fn is_cheap(&self) -> bool {
        self.certified.key.algorithm() != SignatureAlgorithm::RSA
    }
}

/// Of both files, in this order.
fn fingerprint(chain: &[u8], key: &[u8]) -> Box<[u8]> {
    let mut context = digest::Context::new(&SHA256);
    context.update(digest::digest(&SHA256, chain).as_ref());
    context.update(digest::digest(&SHA256, key).as_ref());
    context.finish().as_ref().into()
}

fn names(certified: &CertifiedKey) -> Box<[Box<str>]> {
    let Ok(own) = certified.end_entity_cert() else {
        return Box::default();
    };
    webpki::EndEntityCert::try_from(own).map_or_else(
        |_| Box::default(),
        |own| {
            own.valid_dns_names()
                .map(|name| name.to_ascii_lowercase().into())
                .collect()
        },
    )
}

/// From when to when a chain holds.
pub(in crate::net) fn term(chain: &[CertificateDer<'_>]) -> Term {
    let mut whole = Term {
        begins: SystemTime::UNIX_EPOCH,
        ends: at(FOREVER),
        ends_first: 0,
    };
    for (index, certificate) in chain.iter().enumerate() {
        let Ok(certificate) = ParsedCertificate::try_from(certificate) else {
            continue;
        };
        let (begins, ends) = dates(&certificate);
        whole.begins = whole.begins.max(begins);
        if ends < whole.ends {
            whole.ends = ends;
            whole.ends_first = index;
        }
    }
    whole
}

/// Later than any date in a certificate, which has four digits for the year.
const FOREVER: UnixTime = UnixTime::since_unix_epoch(Duration::from_secs(1 << 38));

/// The library tells the dates only to who asks at the wrong time: before the beginning and after the end. It looks at the
/// time before anything else; without a root nothing passes, and what is not about the time is not asked here.
fn dates(certificate: &ParsedCertificate<'_>) -> (SystemTime, SystemTime) {
    let roots = RootCertStore::empty();
    let ask = |time| verify_server_cert_signed_by_trust_anchor(certificate, &roots, &[], time, &[]);
    let begins = match ask(UnixTime::since_unix_epoch(Duration::ZERO)) {
        Err(Error::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before, ..
        })) => at(not_before),
        _ => SystemTime::UNIX_EPOCH,
    };
    let ends = match ask(FOREVER) {
        Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            at(not_after)
        }
        _ => at(FOREVER),
    };
    (begins, ends)
}

fn at(time: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs())
}

fn read(file: &Path) -> Result<Vec<u8>, TlsProblem> {
    read_whole(file).map_err(|source| TlsProblem::Unreadable {
        file: file.to_owned(),
        source,
    })
}

fn read_whole(file: &Path) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe waits for who writes to it.
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut octets = Vec::new();
    File::open(file)?
        .take(LARGEST + 1)
        .read_to_end(&mut octets)?;
    if octets.len() as u64 > LARGEST {
        return Err(io::Error::other(format!(
            "it has more than {LARGEST} octets"
        )));
    }
    Ok(octets)
}

fn parse_chain(file: &Path, octets: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsProblem> {
    let problem = |reason| TlsProblem::Certificate {
        file: file.to_owned(),
        reason,
    };
    let chain = CertificateDer::pem_slice_iter(octets)
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

#[cfg(test)]
mod tests;
