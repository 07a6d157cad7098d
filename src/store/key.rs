//! Keys: who or what something is remembered about, in a fixed number of octets.
//!
//! Networks stand in their keys as they are; every other name is hashed with a secret of the store (HMAC-SHA-256, cut to
//! 128 bits, RFC 2104 §5), so that keys are short whatever a client sends, nobody can aim at the key of another, and the
//! file does not tell who wrote to whom.

use std::fmt;

use aws_lc_rs::hmac;
use ipnet::IpNet;

use crate::facts::Identity;

/// The key of a greylist triplet: who sent it, from whom, to whom, as one number. See [`crate::store::Memory`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TripletKey(pub(in crate::store) Key);

/// Octets of a key.
pub(in crate::store) const KEY_LENGTH: usize = 18;
/// The first octet of keys that are hashes; networks have 4 or 6 there.
const HASHED: u8 = b'#';

/// A key in any table: family, length of the prefix, address; or a mark and a hash. Networks of one family and length
/// lie in the order of their addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Key(pub(in crate::store) [u8; KEY_LENGTH]);

impl Key {
    /// No key is in front of it.
    pub(in crate::store) const FIRST: Self = Self([0; KEY_LENGTH]);
    /// No key is behind it.
    pub(in crate::store) const LAST: Self = Self([0xff; KEY_LENGTH]);

    fn new(mark: u8, length: u8, octets: &[u8]) -> Self {
        let mut key = [0; KEY_LENGTH];
        let parts = [mark, length].into_iter().chain(octets.iter().copied());
        for (place, octet) in key.iter_mut().zip(parts) {
            *place = octet;
        }
        Self(key)
    }

    /// The key of a network.
    pub(in crate::store) fn network(network: &IpNet) -> Self {
        match network {
            IpNet::V4(net) => Self::new(4, net.prefix_len(), &net.network().octets()),
            IpNet::V6(net) => Self::new(6, net.prefix_len(), &net.network().octets()),
        }
    }

    /// Whether it means something only together with the secret it was made with.
    pub(in crate::store) const fn is_hashed(&self) -> bool {
        let [mark, ..] = self.0;
        mark == HASHED
    }
}

/// The secret that keys are hashed with. It can not be printed.
#[derive(Clone)]
pub(in crate::store) struct Secret {
    octets: [u8; 16],
    key: hmac::Key,
}

impl Secret {
    /// A new one, from the system's source of randomness.
    pub(in crate::store) fn random() -> Self {
        let mut octets = [0; 16];
        // Where the system has no randomness there is no TLS either: it has been said elsewhere.
        let _ = aws_lc_rs::rand::fill(&mut octets);
        Self::from(octets)
    }

    /// As it is kept.
    pub(in crate::store) const fn octets(&self) -> &[u8; 16] {
        &self.octets
    }

    /// The key of an identity.
    pub(in crate::store) fn identity(&self, identity: &Identity) -> Key {
        match identity {
            Identity::Network(network) => Key::network(network),
            named => self.hash("identity", &[&named.to_string()]),
        }
    }

    /// A key for the parts of a name; `kind` keeps equal names of different kinds apart.
    pub(in crate::store) fn hash(&self, kind: &str, parts: &[&str]) -> Key {
        let mut context = hmac::Context::with_key(&self.key);
        for part in std::iter::once(&kind).chain(parts) {
            // With their lengths, so that no other parts make the same text.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        Key::new(HASHED, 0, context.sign().as_ref())
    }
}

impl From<[u8; 16]> for Secret {
    fn from(octets: [u8; 16]) -> Self {
        Self {
            octets,
            key: hmac::Key::new(hmac::HMAC_SHA256, &octets),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
