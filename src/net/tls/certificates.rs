//! Certificate and key pairs in use: chosen for each handshake, replaced while handshakes go on.
//!
//! Chosen by the name the client asks for (SNI, RFC 6066 section 3), then by what it can verify, the cheapest signature
//! first: an RSA-2048 signature costs about ten times one with P-256. A handshake is never refused for want of a name:
//! senders of mail rarely look at the certificate, and an alert would lose mail.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::SignatureScheme;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::Pair;

/// The pairs in use; can be replaced while handshakes go on.
#[derive(Debug)]
pub struct Certificates {
    current: RwLock<Arc<Choice>>,
}

#[derive(Debug)]
struct Choice {
    /// In the order of the configuration; never empty.
    pairs: Vec<Pair>,
    /// Which pairs are for a name. A wild card stands without its first label: `.example.org`.
    names: HashMap<Box<str>, Vec<usize>>,
    /// Those that answer for an unknown name: the first, and if that is for the server's own name, its twins with
    /// other algorithms.
    default: Vec<usize>,
}

impl Choice {
    fn new(pairs: Vec<Pair>, hostname: &str) -> Self {
        let own = pairs.first().is_some_and(|first| first.is_for(hostname));
        let twin = |index: &usize| {
            let pair = pairs.get(*index);
            *index == 0 || own && pair.is_some_and(|pair| pair.is_for(hostname))
        };
        let default = (0..pairs.len()).filter(twin).collect();
        let mut names: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for (index, pair) in pairs.iter().enumerate() {
            for name in pair.names() {
                let name = name.strip_prefix('*').unwrap_or(name);
                names.entry(name.into()).or_default().push(index);
            }
        }
        Self {
            pairs,
            names,
            default,
        }
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<&Pair> {
        let name = name.unwrap_or_default().to_ascii_lowercase();
        let wild = name.find('.').and_then(|dot| name.get(dot..));
        let of = |name| self.names.get(name).map_or(&[][..], Vec::as_slice);
        self.cheapest(of(&*name), schemes)
            .or_else(|| self.cheapest(of(wild?), schemes))
            .or_else(|| self.cheapest(&self.default, schemes))
            .or_else(|| {
                let all: Vec<usize> = (0..self.pairs.len()).collect();
                self.cheapest(&all, schemes)
            })
            .or_else(|| self.pairs.first())
    }

    /// The first pair that the client can verify, those with cheap signatures before the others.
    fn cheapest(&self, pairs: &[usize], schemes: &[SignatureScheme]) -> Option<&Pair> {
        let pairs = pairs.iter().filter_map(|index| self.pairs.get(*index));
        let mut able = pairs.filter(|pair| pair.serves(schemes));
        able.clone()
            .find(|pair| pair.is_cheap())
            .or_else(|| able.next())
    }
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

    pub(super) fn pairs(&self) -> Vec<Pair> {
        self.current().pairs.clone()
    }

    #[cfg(test)]
    pub(super) fn shown(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> rustls::pki_types::CertificateDer<'static> {
        let choice = self.current();
        let pair = choice.choose(name, schemes).unwrap();
        pair.certified
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
