//! What all sessions know together about one backend: its settings, its servers, and how many connections to it are open.
//!
//! Connections are not shared: behind a PROXY header a connection belongs to one client (PROXY protocol §2), so there
//! is no pool. Shared are the EHLO keywords of the last session that got so far with each server, for they decide what is
//! offered to clients before their own backend connection exists; which servers are down ([`Server`]), so that their
//! clients go elsewhere or get their 4xx at once; and the places, so that no client takes all of what the backend has.

mod server;
mod sufferance;

pub(in crate::session) use server::Seat;
pub use server::{Server, Standing};

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::config::{self, ClientAddress};
use crate::net::backend::Connector;
use crate::session::upstream::sufferance::{Sufferance, Suffered};
use crate::session::{Relaying, SeenAs, Tested, Trouble};
use crate::smtp::auth::handed_through;
use crate::smtp::extension::Extensions;

/// A backend as its sessions see it.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration (`exim` for `[backend.exim]`).
    pub name: Box<str>,
    /// Its settings.
    pub backend: config::Backend,
    /// What makes its connections secure, where `tls` is on.
    pub connector: Option<Connector>,
    servers: Box<[Arc<Server>]>,
    places: Arc<Semaphore>,
    /// Of the places those for clients that would be denied if they did not write to an exempt recipient.
    on_sufferance: Arc<Sufferance>,
}

/// A place at the backend; given back when dropped.
#[derive(Debug)]
pub(in crate::session) struct Place {
    _place: OwnedSemaphorePermit,
    sufferance: Option<Suffered>,
}

impl Place {
    /// Whether it is one of the few for clients that are let through only because of whom they write to.
    pub(in crate::session) const fn is_on_sufferance(&self) -> bool {
        self.sufferance.is_some()
    }
}

/// How long a client waits for a place.
const PLACE_WAIT: Duration = Duration::from_secs(5);

impl Upstream {
    /// A backend about which nothing is known yet.
    #[must_use]
    pub fn new(name: impl Into<Box<str>>, backend: config::Backend) -> Self {
        let places = backend.max_connections;
        let servers = backend.address.iter();
        let barred = !backend.allow_open_backend;
        let server = |address: &SocketAddr| Arc::new(Server::new(*address, barred));
        Self {
            name: name.into(),
            servers: servers.map(server).collect(),
            backend,
            connector: None,
            places: Arc::new(Semaphore::new(places)),
            on_sufferance: Arc::new(Sufferance::new((places / 20).max(2))),
        }
    }

    /// The same with TLS.
    #[must_use]
    pub fn with_tls(self, connector: Option<Connector>) -> Self {
        Self { connector, ..self }
    }

    /// The same backend with other secrets of its TLS: what is known of its servers, and who is there, stays.
    #[must_use]
    pub fn renewed(&self, connector: Option<Connector>) -> Self {
        Self {
            name: self.name.clone(),
            backend: self.backend.clone(),
            connector,
            servers: self.servers.clone(),
            places: Arc::clone(&self.places),
            on_sufferance: Arc::clone(&self.on_sufferance),
        }
    }

    /// Its servers, in the order of the configuration.
    #[must_use]
    pub fn servers(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// What every server that is up offered when last asked, or every server if none is: a session may come to any of
    /// them. Nothing but the basics before one was asked.
    #[must_use]
    pub fn offered(&self) -> Extensions {
        let known: Vec<_> = self
            .servers
            .iter()
            .filter_map(|one| one.offered())
            .collect();
        let up = known.iter().any(|(up, _)| *up);
        let counting = known.into_iter().filter(|(is_up, _)| *is_up || !up);
        counting
            .map(|(_, offered)| offered)
            .reduce(|all, one| all.common(&one))
            .unwrap_or_default()
    }

    /// The SASL mechanisms by which users can log in; the usual ones as long as no server has been heard of, for then that
    /// is told to each client that tries.
    #[must_use]
    pub fn mechanisms(&self) -> Option<Box<str>> {
        let is_known = |server: &Arc<Server>| server.offered().is_some();
        if !self.servers.iter().any(is_known) {
            return Some("PLAIN LOGIN".into());
        }
        self.offered().auth.as_deref().and_then(handed_through)
    }

    /// The next server for a session that has `tried` some: one that is up, has not just refused a session and has the
    /// fewest connections; the first of equals. Where none is up, one that has been down for a while, and its session
    /// finds out.
    pub(in crate::session) fn choose(&self, tried: &[SocketAddr]) -> Option<Seat> {
        let up = self.others(tried).filter(|server| server.is_up());
        let best = up.min_by_key(|server| (server.is_shunned(), server.connections()));
        let chosen = match best {
            Some(server) => server,
            // Those that are up have been tried: the session has had its chance.
            None if self.others(&[]).any(|server| server.is_up()) => return None,
            None => {
                let slowest = self.backend.greeting_timeout;
                self.others(tried).find(|server| server.may_try(slowest))?
            }
        };
        Some(Seat::new(chosen))
    }

    /// Notes that a server got as far as a session, and what it offers.
    pub(in crate::session) fn answered(&self, server: &Server, offered: Extensions) {
        if server.answered(offered) {
            tracing::info!(backend = %self.name, server = %server.address, "backend answers");
        }
    }

    /// Notes that a server failed a session. Where there are others the sessions hear nothing of it, so it is said here.
    pub(in crate::session) fn failed(&self, server: &Server, trouble: &Trouble) {
        if server.failed(trouble) && self.servers.len() > 1 {
            tracing::error!(backend = %self.name, server = %server.address, "backend {trouble}; its other servers are asked");
        }
    }

    /// Notes what a self-test of a server has shown, and says it: loudly each time where something is wrong.
    pub(in crate::session) fn tested(&self, server: &Server, tested: Tested) {
        let (open, allowed) = (
            tested.relaying == Relaying::Open,
            self.backend.allow_open_backend,
        );
        let news = server.tested(tested, open && !allowed);
        let barred = server.is_barred();
        let (backend, server) = (&self.name, server.address);
        match tested.relaying {
            Relaying::Open if allowed => tracing::error!(
                %backend, %server, "backend would relay for strangers; it is used all the same, as allow_open_backend says"
            ),
            Relaying::Open => tracing::error!(
                %backend, %server, "backend would relay for strangers: it gets no mail; see allow_open_backend"
            ),
            Relaying::Refused if news => {
                tracing::info!(%backend, %server, "backend refuses to relay for strangers");
            }
            Relaying::Unknown if news && barred => tracing::warn!(
                %backend, %server, "backend does not say any more whether it would relay for strangers, as it would when last it said; it gets no mail"
            ),
            Relaying::Unknown if news => tracing::warn!(
                %backend, %server, "backend does not say whether it would relay for strangers; it is used, and asked again every five minutes"
            ),
            Relaying::Refused | Relaying::Unknown => {}
        }
        if let Some(address) = self.mistakes_clients(tested) {
            tracing::error!(
                %backend, %server, "backend takes every client for {address}; see client_address"
            );
        }
    }

    /// Whom it takes every client for, though it is told better.
    #[must_use]
    pub fn mistakes_clients(&self, tested: Tested) -> Option<IpAddr> {
        match tested.seen {
            SeenAs::Another(address) if self.backend.client_address != ClientAddress::None => {
                Some(address)
            }
            _ => None,
        }
    }

    /// Why there is no server for a session that was [chosen](Self::choose) none.
    pub(in crate::session) fn why_none(&self) -> Trouble {
        let mut barred = self.servers.iter().filter(|server| server.is_barred());
        match barred.clone().count() == self.servers.len() {
            true if barred.any(|server| server.awaits_test()) => Trouble::Untested,
            true => Trouble::Relays,
            false => Trouble::BacksOff,
        }
    }

    /// How many servers are up beside those that were `tried`.
    pub(in crate::session) fn left(&self, tried: &[SocketAddr]) -> u32 {
        let up = self.others(tried).filter(|server| server.is_up());
        u32::try_from(up.count()).unwrap_or(u32::MAX)
    }

    fn others<'a>(&'a self, tried: &'a [SocketAddr]) -> impl Iterator<Item = &'a Arc<Server>> {
        let new =
            move |server: &&Arc<Server>| !server.is_barred() && !tried.contains(&server.address);
        self.servers.iter().filter(new)
    }

    /// A place, if one becomes free soon; one of the few for a client `on_sufferance`.
    pub(in crate::session) async fn place(
        &self,
        on_sufferance: Option<IpAddr>,
    ) -> Result<Place, Trouble> {
        let sufferance = match on_sufferance {
            Some(client) => Some(self.on_sufferance.place(client).await?),
            None => None,
        };
        let place = timeout(PLACE_WAIT, Arc::clone(&self.places).acquire_owned()).await;
        Ok(Place {
            _place: place.ok().and_then(Result::ok).ok_or(Trouble::Busy)?,
            sufferance,
        })
    }

    /// Connections open now.
    #[must_use]
    pub fn in_use(&self) -> usize {
        let most = self.backend.max_connections;
        most.saturating_sub(self.places.available_permits())
    }

    /// Whether a server answered when last asked; `None` before that.
    #[must_use]
    pub fn answers(&self) -> Option<bool> {
        let known = self
            .servers
            .iter()
            .filter_map(|server| server.standing().up);
        known.reduce(|one, other| one || other)
    }
}

#[cfg(test)]
mod tests;
