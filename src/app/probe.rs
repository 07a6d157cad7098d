//! Asks backends what they offer: once for `check-config --connect`; for `run` until each server has answered once, so
//! that clients are offered as much before the first of them has got through to it, and again whenever one fails a session.
//!
//! A backend that is not there is no reason not to start: its clients get 4xx until it is. The first failure is told,
//! one of another kind too, and the success; the repeats between them are not.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use crate::app::tasks::Tasks;
use crate::app::upstreams;
use crate::config::{self, ClientAddress, Problem, Snapshot};
use crate::net::backend::Blame;
use crate::session::context::Door;
use crate::session::upstream::{Server, Upstream};
use crate::session::{self, Trouble};

/// The pause behind the first failure; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause while a server is down.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause while it is there and wants nothing of us, which may take an operator.
const LONGEST_PAUSE_REFUSED: Duration = Duration::from_secs(60);

/// Begins to ask the backend of each door, each backend once.
pub(in crate::app) fn begin(
    tasks: &Tasks,
    doors: &BTreeMap<String, Arc<Door>>,
    draining: &CancellationToken,
) {
    let upstreams: BTreeMap<&str, &Arc<Upstream>> = doors
        .values()
        .map(|door| (&*door.upstream.name, &door.upstream))
        .collect();
    for upstream in upstreams.into_values() {
        for server in upstream.servers() {
            let (upstream, server) = (Arc::clone(upstream), Arc::clone(server));
            let draining = draining.clone();
            tasks.spawn(async move {
                // A drain has nobody left to offer anything to.
                let watched = watch(&upstream, &server);
                let _ = draining.run_until_cancelled(watched).await;
            });
        }
    }
}

/// Asks a server until it answers; and again whenever a session has had trouble with it, where there are others: an only
/// one is tried by the sessions themselves, for they have nowhere else to go.
async fn watch(upstream: &Upstream, server: &Arc<Server>) {
    let tell = |trouble: &Trouble| {
        let (backend, server) = (&upstream.name, server.address);
        tracing::error!(%backend, %server, "backend {trouble}; it gets no mail until it answers");
    };
    until_it_answers(tell, || probe(upstream, server)).await;
    while upstream.servers().len() > 1 {
        server.in_trouble().await;
        tokio::time::sleep(FIRST_PAUSE).await;
        // Whoever had the trouble has told of it.
        until_it_answers(|_| (), || probe(upstream, server)).await;
    }
}

/// Asks each backend once, and says which of them does not answer as it should.
pub async fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    let one = async |(name, backend): (&String, &config::Backend)| {
        // What is wrong with its certificates has been told.
        let Ok(upstream) = upstreams::upstream(name, backend) else {
            return Vec::new();
        };
        let servers = upstream.servers().iter();
        let troubles = join_all(servers.map(|server| probe(&upstream, server))).await;
        let troubles = troubles.into_iter().filter_map(Result::err);
        let told = |trouble: Trouble| {
            let (key, advice) = advice(&trouble, backend);
            let key = format!("backend.{name}.{key}");
            snapshot.problem(&key, &trouble.to_string(), advice)
        };
        troubles.map(told).collect()
    };
    let answers = join_all(snapshot.config.backend.iter().map(one)).await;
    answers.into_iter().flatten().collect()
}

/// The setting that is probably wrong, and what to do about it.
fn advice(trouble: &Trouble, backend: &config::Backend) -> (&'static str, &'static str) {
    let announces = matches!(
        backend.client_address,
        ClientAddress::ProxyV1 | ClientAddress::ProxyV2
    );
    match trouble {
        Trouble::Unreachable(error) if error.blame() == Blame::Us => (
            "source_address",
            "write an address of this host, or leave it out",
        ),
        Trouble::Unreachable(_) => ("address", "start the backend, or write where it listens"),
        Trouble::RefusesProxyHeader(_) => (
            "source_address",
            "let the backend take PROXY headers from this address (Exim: hosts_proxy)",
        ),
        Trouble::Refuses(said) if said.starts_with('4') => (
            "address",
            "the backend is there and takes nobody now: look into its log and at its limits",
        ),
        Trouble::Closes(_) => (
            "address",
            "the backend is there and closes at once: look into its log and at its limits",
        ),
        Trouble::Refuses(_) if announces => (
            "source_address",
            "let the backend expect PROXY headers from this address (Exim: hosts_proxy)",
        ),
        Trouble::Refuses(_) => (
            "client_address",
            "a backend that takes gatepost only wants a PROXY header: write \"proxy-v2\"",
        ),
        Trouble::NoXclient | Trouble::RefusesXclient(_) => (
            "client_address",
            "let the backend take XCLIENT from this address (Postfix: smtpd_authorized_xclient_hosts), or write \"proxy-v2\" \
             for one that takes PROXY headers",
        ),
        Trouble::NoStartTls => (
            "tls",
            "give the backend a certificate and let it offer STARTTLS here (Exim: tls_advertise_hosts), or write \"none\"",
        ),
        Trouble::Tls(_) => (
            "server_name",
            "see whether the backend speaks TLS there as tls says, its certificate is for server_name, and ca vouches for it",
        ),
        Trouble::Silent("greet") if !announces => (
            "client_address",
            "it may wait for a PROXY header: write \"proxy-v2\"; or it is no SMTP server",
        ),
        Trouble::Silent(_) | Trouble::Lost(_) | Trouble::Babble(_) => (
            "address",
            "see whether an SMTP server listens there that takes PROXY headers as client_address says, and its log",
        ),
        _ => ("address", "look into the backend's log"),
    }
}

/// Asks as any stranger would, in the name of a documentation address (RFC 5737).
async fn probe(upstream: &Upstream, server: &Arc<Server>) -> Result<(), Trouble> {
    let stranger = SocketAddr::from(([192, 0, 2, 1], 25));
    let local = SocketAddr::from(([192, 0, 2, 2], 25));
    session::probe(upstream, server, stranger, local).await
}

async fn until_it_answers<F>(tell: impl Fn(&Trouble), mut probe: impl FnMut() -> F)
where
    F: Future<Output = Result<(), Trouble>>,
{
    let mut told: Option<Discriminant<Trouble>> = None;
    let mut pause = FIRST_PAUSE;
    while let Err(trouble) = probe().await {
        let kind = discriminant(&trouble);
        if told.replace(kind) != Some(kind) {
            tell(&trouble);
        }
        tokio::time::sleep(pause).await;
        let longest = match trouble.marks_down() {
            true => LONGEST_PAUSE,
            false => LONGEST_PAUSE_REFUSED,
        };
        pause = (pause * 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::time::Instant;

    use super::*;

    /// When, in seconds, a backend is asked that answers at `answers`, with this trouble before.
    async fn asked_until(answers: u64, trouble: fn() -> Trouble) -> Vec<u64> {
        let begun = Instant::now();
        let asked = RefCell::new(Vec::new());
        until_it_answers(
            |_| (),
            || {
                let now = begun.elapsed().as_secs();
                asked.borrow_mut().push(now);
                async move {
                    match now >= answers {
                        true => Ok(()),
                        false => Err(trouble()),
                    }
                }
            },
        )
        .await;
        asked.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_is_asked_less_and_less_often_until_it_answers() {
        let down = || Trouble::Silent("greet");
        assert_eq!(asked_until(0, down).await, [0]);
        assert_eq!(asked_until(2, down).await, [0, 1, 3]);
        assert_eq!(asked_until(20, down).await, [0, 1, 3, 7, 12, 17, 22]);
        let refuses = || Trouble::Refuses("554 no".to_owned());
        let asked = asked_until(200, refuses).await;
        assert_eq!(asked, [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]);
    }
}
