//! Who connected and how: addresses, listener, TLS parameters.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::facts::Logins;

/// The client as the listener saw it, or as a trusted front proxy named it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The client's address and port; IPv4-mapped IPv6 is already unmapped.
    pub address: SocketAddr,
    /// The address of ours that it connected to.
    pub local: SocketAddr,
    /// The listener's name in the configuration (`mx` for `[listen.mx]`).
    pub listener: Box<str>,
    /// The front proxy that named the client in a PROXY header, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<SocketAddr>,
    /// Wall time of the accept, seconds since 1970 UTC. The only clock a check can see: entries of
    /// the allow and deny lists expire by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// Whether users may log in at the listener.
    #[serde(default, skip_serializing_if = "Logins::is_none")]
    pub logins: Logins,
}

impl Client {
    /// A client at `address` that came straight to `local` of `listener`.
    #[must_use]
    pub fn new(address: SocketAddr, local: SocketAddr, listener: &str) -> Self {
        Self {
            address,
            local,
            listener: listener.into(),
            via: None,
            started: None,
            logins: Logins::None,
        }
    }

    /// The client's address without its port.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

/// What a TLS handshake agreed on, for log, record and trace header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsParameters {
    /// Protocol version, such as `TLSv1.3`.
    pub version: Box<str>,
    /// Cipher suite by its IANA name.
    pub cipher: Box<str>,
    /// The name the client asked for (SNI), if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<Box<str>>,
}
