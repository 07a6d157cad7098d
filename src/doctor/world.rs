//! What probes look with: the DNS, connections, certificates, what is known about the site; and whatever only the application
//! can do for them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::RecordType as RawType;

use crate::checks::address::is_public;
use crate::checks::policy::Policy;
use crate::doctor::Parcel;
use crate::facts::{Answer, DnsAnswer, DnsName, Failure, Question, RecordType};
use crate::gather::direct::{self, Asked, Unanswered};
use crate::gather::{Answerer, Gather};
use crate::net::inspect::Inspector;

/// What is known about the site, and how patient the probes are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name said in EHLO.
    pub hostname: String,
    /// Addresses that mail of the domain leaves from.
    pub outgoing: Vec<IpAddr>,
    /// DKIM selectors of the domain.
    pub selectors: Vec<String>,
    /// Connections that are made elsewhere.
    pub reach: BTreeMap<SocketAddr, SocketAddr>,
    /// The longest wait for a connection, a greeting or a reply.
    pub patience: Duration,
    /// The message to be sent through backup exchangers, if one is to be.
    pub parcel: Option<Parcel>,
    /// The time of day.
    pub now: SystemTime,
}

/// What probes look with.
pub struct World {
    /// What is known.
    pub settings: Settings,
    /// The DNS as checks see it.
    pub gather: Arc<Gather>,
    /// The resolvers, for questions that no check asks; not empty.
    pub resolvers: Vec<SocketAddr>,
    /// TLS.
    pub inspector: Inspector,
    /// Policies, for their lists.
    pub policies: Vec<Arc<Policy>>,
    /// What only the application can do.
    pub hands: Arc<dyn Hands>,
}

/// What only the application can do.
pub trait Hands: Send + Sync {
    /// Tests every server of every backend.
    fn backends(&self) -> BoxFuture<'_, Vec<Tested>>;

    /// Asks Exim for the values of these options; `None` where there is no Exim.
    fn exim<'h>(
        &'h self,
        options: &'h [&'static str],
    ) -> BoxFuture<'h, Option<Result<String, String>>>;

    /// Where the message with this token has arrived, if it has.
    fn arrived<'h>(&'h self, token: &'h str) -> BoxFuture<'h, Option<String>>;
}

/// The self-test of one server of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The backend's name.
    pub backend: String,
    /// The server.
    pub server: SocketAddr,
    /// What it has shown, or why it has come to no end.
    pub outcome: Result<Shown, String>,
}

/// What a self-test has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Whether it relays for strangers; `None`: that did not show.
    pub relays: Option<bool>,
    /// Whom it takes every client for, if for another than the client itself.
    pub mistakes: Option<IpAddr>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl World {
    /// What the DNS says.
    pub(in crate::doctor) async fn dns(&self, name: &str, kind: RecordType) -> DnsAnswer {
        let name = DnsName::new(name.to_ascii_lowercase());
        match self.gather.ask(&Question::Dns { name, kind }).await {
            (Answer::Dns(answer), _) => answer,
            _ => DnsAnswer::Failed(Failure::Malformed),
        }
    }

    /// The addresses of a name, of both families, and whether a lookup has failed.
    pub(in crate::doctor) async fn addresses(&self, name: &str) -> Addresses {
        let (four, six) = tokio::join!(
            self.dns(name, RecordType::A),
            self.dns(name, RecordType::Aaaa)
        );
        let failed = [&four, &six].into_iter().find_map(|answer| match answer {
            DnsAnswer::Failed(failure) => Some(*failure),
            _ => None,
        });
        Addresses {
            alias: four.is_alias() || six.is_alias(),
            found: four.addresses().chain(six.addresses()).collect(),
            failed,
        }
    }

    /// The whole answer of the resolver, with its flags.
    pub(in crate::doctor) async fn resolve(
        &self,
        name: &str,
        kind: RawType,
    ) -> Result<Message, Unanswered> {
        let asked = Asked {
            name,
            kind,
            recursion: true,
        };
        let mut last = Unanswered::Failed("there is no resolver".to_owned());
        for server in &self.resolvers {
            match direct::ask(*server, asked, self.dns_patience()).await {
                Ok(message) => return Ok(message),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The whole answer of one of a zone's own servers.
    pub(in crate::doctor) async fn ask_server(
        &self,
        server: IpAddr,
        name: &str,
        kind: RawType,
    ) -> Result<Message, Unanswered> {
        let asked = Asked {
            name,
            kind,
            recursion: false,
        };
        let way = self.way_to(SocketAddr::new(server, 53));
        let not_public = || Unanswered::Failed(NOT_PUBLIC.to_owned());
        let server = way.ok_or_else(not_public)?;
        direct::ask(server, asked, self.dns_patience()).await
    }

    /// Whether the resolver's word that it has validated an answer can be believed: nobody stands between us and one on
    /// loopback (RFC 4035 §4.9.3).
    pub(in crate::doctor) fn resolver_is_near(&self) -> bool {
        self.resolvers
            .iter()
            .all(|server| server.ip().to_canonical().is_loopback())
    }

    /// Where an address is reached from here. `None` for one that is not public and for which nobody has said where: a domain
    /// must not lead us to what stands beside us.
    pub(in crate::doctor) fn way_to(&self, to: SocketAddr) -> Option<SocketAddr> {
        let known = self.settings.reach.get(&to).copied();
        known.or_else(|| is_public(to.ip()).then_some(to))
    }

    /// DNS servers answer soon or not at all.
    fn dns_patience(&self) -> Duration {
        self.settings.patience.min(DNS)
    }
}

/// Why there is no way to an address.
pub(in crate::doctor) const NOT_PUBLIC: &str = "no public address, so it is not called";

/// The longest wait for a DNS server.
const DNS: Duration = Duration::from_secs(5);

/// The addresses of a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::doctor) struct Addresses {
    /// Whether the name is another name for the one that has them.
    pub(in crate::doctor) alias: bool,
    /// The addresses, IPv4 first.
    pub(in crate::doctor) found: Vec<IpAddr>,
    /// How a lookup has failed, if one has.
    pub(in crate::doctor) failed: Option<Failure>,
}
