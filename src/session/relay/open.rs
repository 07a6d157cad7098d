//! A connection to the backend, by way of the first of its servers that gets as far as a session.
//!
//! | stage that fails | what follows |
//! |---|---|
//! | connection, PROXY header, TLS, greeting, EHLO, XCLIENT | the next server; 4xx when there is none |
//! | MAIL, and RCPT of the first recipient, before the client has heard of it | the next server; 4xx when there is none |
//! | any later RCPT, DATA, mail data, the reply to the final dot | 4xx, and no other server in this transaction |
//!
//! Up to the first recipient's reply the client has heard nothing that came from the server, and the server holds nothing
//! that could be delivered. Behind it the client counts on what that server said; and behind the dot it may have the
//! message, so that another would have it twice. A server's own 4xx or 5xx to MAIL or RCPT is no failure: it stands.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::timeout;

use crate::checks::verdict::Cleared;
use crate::config::{Backend, BackendTls, ClientAddress};
use crate::net::backend::{self, Target, may_be_told_of};
use crate::net::proxy_header::Version;
use crate::session::relay::{Relay, Trouble};
use crate::session::upstream::{Seat, Upstream};
use crate::smtp::domain::HeloName;
use crate::smtp::xclient::HostName;

/// On whose behalf a backend is opened.
#[derive(Clone, Debug)]
pub(in crate::session) struct Who {
    pub(in crate::session) client: SocketAddr,
    pub(in crate::session) local: SocketAddr,
    /// What is said with EHLO.
    pub(in crate::session) name: HeloName,
    /// Whether the client said EHLO itself.
    pub(in crate::session) extended: bool,
    /// Its host's name, for a backend that is told.
    pub(in crate::session) host_name: HostName,
}

impl Relay {
    /// Opens the backend for a client that was cleared, `on_sufferance` if only because of whom it writes to. Servers
    /// that were `tried` are left out, and those that are tried now are added.
    pub(in crate::session::relay) async fn open(
        _: &Cleared,
        upstream: &Upstream,
        who: &Who,
        on_sufferance: bool,
        tried: &mut Vec<SocketAddr>,
    ) -> Result<Box<Self>, Trouble> {
        Self::open_with_place(upstream, who, on_sufferance, tried).await
    }

    /// The same for whoever has another key: see [`login`](crate::session::relay::login).
    pub(in crate::session::relay) async fn open_with_place(
        upstream: &Upstream,
        who: &Who,
        on_sufferance: bool,
        tried: &mut Vec<SocketAddr>,
    ) -> Result<Box<Self>, Trouble> {
        let suffered = on_sufferance.then(|| who.client.ip());
        let place = upstream.place(suffered).await?;
        loop {
            let Some(seat) = upstream.choose(tried) else {
                return Err(upstream.why_none());
            };
            let address = seat.server().address;
            tried.push(address);
            match Self::connect(upstream, seat, who, upstream.left(tried)).await {
                Ok(mut relay) => {
                    relay.place = Some(place);
                    return Ok(Box::new(relay));
                }
                Err(trouble) if trouble.is_the_servers() && upstream.left(tried) > 0 => {
                    tracing::debug!(backend = %upstream.name, server = %address, "backend {trouble}; trying another server");
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// A connection to one server, ready for a transaction; what that shows of the server is noted. Where others are
    /// `left` it must hurry.
    pub(in crate::session::relay) async fn connect(
        upstream: &Upstream,
        seat: Seat,
        who: &Who,
        left: u32,
    ) -> Result<Self, Trouble> {
        let server = Arc::clone(seat.server());
        let tried = Self::try_to_connect(upstream, seat, who, left).await;
        match &tried {
            Ok(relay) => upstream.answered(&server, relay.offered.clone()),
            Err(trouble) => upstream.failed(&server, trouble),
        }
        tried
    }

    async fn try_to_connect(
        upstream: &Upstream,
        seat: Seat,
        who: &Who,
        left: u32,
    ) -> Result<Self, Trouble> {
        let backend = &upstream.backend;
        let announced = backend.client_address == ClientAddress::Xclient;
        if announced && !may_be_told_of(who.client.ip(), backend.loopback_clients) {
            return Err(Trouble::NotForThisClient(who.client.ip().to_canonical()));
        }
        let target = target(backend, seat.server().address, left);
        let stream = backend::connect(target, who.client, who.local).await?;
        let mut relay = Self::new(stream, who.name.clone(), seat);
        let beginning = relay.shake_hands(upstream, who);
        match left {
            0 => beginning.await?,
            _ => timeout(backend.connect_timeout, beginning)
                .await
                .unwrap_or(Err(Trouble::Hurried))?,
        }
        Ok(relay)
    }

    async fn shake_hands(&mut self, upstream: &Upstream, who: &Who) -> Result<(), Trouble> {
        let backend = &upstream.backend;
        if backend.tls == BackendTls::Implicit {
            self.secure(upstream).await?;
        }
        self.be_greeted(backend.greeting_timeout).await?;
        let mut hello = self.hello(backend.command_timeout).await?;
        if backend.tls == BackendTls::Starttls {
            self.start_tls(upstream).await?;
            hello = self.hello(backend.command_timeout).await?;
        }
        if backend.client_address == ClientAddress::Xclient {
            self.introduce(upstream, who, &hello).await?;
            self.hello(backend.command_timeout).await?;
        }
        Ok(())
    }
}

/// How a server is connected to: those that are `left` want their share of the time.
fn target(backend: &Backend, address: SocketAddr, left: u32) -> Target {
    Target {
        address,
        source: backend.source_address,
        header: match backend.client_address {
            ClientAddress::ProxyV1 => Some(Version::V1),
            ClientAddress::ProxyV2 => Some(Version::V2),
            ClientAddress::Xclient | ClientAddress::None => None,
        },
        loopback_clients: backend.loopback_clients,
        timeout: backend.connect_timeout / left.saturating_add(1),
    }
}
