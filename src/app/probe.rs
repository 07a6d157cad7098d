//! Asks backends what they offer, and whether they would relay for strangers: once for `check-config --connect`; for `run`
//! until each server has answered once, so that clients are offered as much before the first of them has got through to
//! it, and again every hour and whenever one was away.
//!
//! A backend that is not there is no reason not to start: its clients get 4xx until it is. The first failure is told,
//! one of another kind too, and the success; the repeats between them are not. One that would relay is: found so in time
//! it stops the start, and later it gets no mail. Nor does one whose test is not over yet.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::app::tasks::Tasks;
use crate::app::upstreams;
use crate::config::{self, ClientAddress, Problem, Snapshot};
use crate::facts::Logins;
use crate::net::backend::Blame;
use crate::session::context::Door;
use crate::session::upstream::{Server, Upstream};
use crate::session::{Relaying, Tested, Trouble, probe, self_test};

/// The pause behind the first failure; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The time between two self-tests.
const HOUR: Duration = Duration::from_secs(60 * 60);
/// The time to the next one if the last has not shown whether it would relay.
const UNSURE: Duration = Duration::from_secs(5 * 60);
/// How long a start waits for the first self-test. Behind a PROXY header Exim looks up a name before it greets.
const FIRST_TEST: Duration = Duration::from_secs(5);
/// The longest pause while a server is down.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest pause while it is there and wants nothing of us, which may take an operator.
const LONGEST_PAUSE_REFUSED: Duration = Duration::from_secs(60);

/// Begins to watch the backend of each door, each server for itself, until the configuration is over.
pub(in crate::app) fn begin(
    tasks: &Tasks,
    doors: &BTreeMap<String, Arc<Door>>,
    over: &CancellationToken,
) {
    let upstreams: BTreeMap<&str, &Arc<Upstream>> = doors
        .values()
        .map(|door| (&*door.upstream.name, &door.upstream))
        .collect();
    for upstream in upstreams.into_values() {
        let logins = |door: &Arc<Door>| {
            door.upstream.name == upstream.name && door.listen.logins() != Logins::None
        };
        let has_users = doors.values().any(logins);
        for server in upstream.servers() {
            let (upstream, server) = (Arc::clone(upstream), Arc::clone(server));
            let over = over.clone();
            tasks.spawn(async move {
                // A drain has nobody left to offer anything to, and the next configuration watches for itself.
                let watched = watch(&upstream, &server, has_users);
                let _ = over.run_until_cancelled(watched).await;
            });
        }
    }
}

/// Tests a server as soon as it answers, every hour, and whenever it has been away. One that is down is asked until it is
/// back, also an only one: it is tried by a session as well, but how long that takes may be up to its client. Where there are
/// others it is also asked after any trouble with a session.
async fn watch(upstream: &Upstream, server: &Arc<Server>, has_users: bool) {
    let several = upstream.servers().len() > 1;
    if server.standing().tested.is_none() {
        let tell = |trouble: &Trouble| {
            let (backend, server) = (&upstream.name, server.address);
            tracing::error!(%backend, %server, "backend {trouble}; it gets no mail until it answers");
        };
        until_it_answers(tell, || self_test(upstream, server)).await;
    }
    if has_users && upstream.mechanisms().is_none() {
        tracing::error!(backend = %upstream.name, "{}; {}", NO_LOGIN.0, NO_LOGIN.1);
    }
    // Who watched it before this configuration may have tested it.
    let ago = server.standing().tested.map(|(ago, _)| ago);
    let mut next = Instant::now() + valid(server).saturating_sub(ago.unwrap_or_default());
    loop {
        // Whoever watched it before may have heard that it is down, and not have asked it to the end.
        let is_known = !server.is_down() && !server.wants_test();
        let is_due = is_known && timeout_at(next, server.news()).await.is_err();
        if server.is_down() || several && server.is_in_trouble() {
            tokio::time::sleep(FIRST_PAUSE).await;
            server.ask_last(Instant::now() + upstream.backend.greeting_timeout);
            // Whoever had the trouble has told of it.
            until_it_answers(|_| (), || probe(upstream, server)).await;
        }
        if is_due || server.wants_test() {
            until_it_answers(|_| (), || self_test(upstream, server)).await;
            next = Instant::now() + valid(server);
        }
    }
}

/// For how long a self-test holds.
fn valid(server: &Server) -> Duration {
    match server.standing().tested {
        Some((_, tested)) if tested.relaying == Relaying::Unknown => UNSURE,
        _ => HOUR,
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
        let tests = join_all(servers.map(|server| self_test(&upstream, server))).await;
        let told = |test: Result<Tested, Trouble>| match test {
            Ok(tested) => misgiving(&upstream, tested),
            Err(trouble) => {
                let (key, advice) = advice(&trouble, backend);
                Some((key, trouble.to_string(), advice))
            }
        };
        let told = tests.into_iter().filter_map(told);
        let problem = |(key, found, advice): (&str, String, &str)| {
            snapshot.problem(&format!("backend.{name}.{key}"), &found, advice)
        };
        let mut problems: Vec<Problem> = told.map(problem).collect();
        if upstream.mechanisms().is_none() {
            let listeners = snapshot.config.listen.iter();
            let users = listeners
                .filter(|(_, listen)| listen.backend == *name && listen.logins() != Logins::None);
            let key = |(listener, _)| format!("listen.{listener}.backend");
            problems.extend(users.map(|one| snapshot.problem(&key(one), NO_LOGIN.0, NO_LOGIN.1)));
        }
        problems
    };
    let answers = join_all(snapshot.config.backend.iter().map(one)).await;
    answers.into_iter().flatten().collect()
}

/// Tests each of `upstreams` that a listener has, each server once, for as long as a start may wait for it.
///
/// # Errors
///
/// One that would relay for strangers.
pub(in crate::app) async fn first(
    snapshot: &Snapshot,
    upstreams: &BTreeMap<String, Arc<Upstream>>,
) -> Result<(), Problem> {
    let listeners = snapshot.config.listen.values();
    let used: BTreeSet<&String> = listeners.map(|listen| &listen.backend).collect();
    let used = upstreams.iter().filter(|(name, _)| used.contains(name));
    let one = async |(name, upstream): (&String, &Arc<Upstream>)| {
        let tests = upstream.servers().iter().map(async |server| {
            let tested = timeout(FIRST_TEST, self_test(upstream, server)).await;
            tested.is_ok_and(|tested| tested.is_ok_and(|it| it.relaying == Relaying::Open))
        });
        let open = join_all(tests).await.contains(&true);
        (open && !upstream.backend.allow_open_backend).then(|| {
            let key = format!("backend.{name}.address");
            snapshot.problem(&key, OPEN.0, OPEN.1)
        })
    };
    let problem = join_all(used.map(one)).await.into_iter().flatten().next();
    problem.map_or(Ok(()), Err)
}

/// What is said of a backend by which nobody can log in, and what to do about it.
const NO_LOGIN: (&str, &str) = (
    "the backend offers no AUTH by which users could log in",
    "let it offer AUTH PLAIN to gatepost (Exim: config/exim4/README.md, \"Users\"), or name the backend that does",
);

/// What is said of a backend that relays, and what to do about it.
const OPEN: (&str, &str) = (
    "the backend would relay for strangers: it took mail for <self-test@relay.gatepost.example>",
    "let it refuse domains that are not its own to clients that it does not know, by their own address (Exim: \
     config/exim4/README.md); or, if it takes every recipient and refuses later, write allow_open_backend = true",
);

/// What a self-test found wrong: the setting, what is wrong, and what to do about it.
fn misgiving(upstream: &Upstream, tested: Tested) -> Option<(&'static str, String, &'static str)> {
    if tested.relaying == Relaying::Open && !upstream.backend.allow_open_backend {
        return Some(("address", OPEN.0.to_owned(), OPEN.1));
    }
    let address = upstream.mistakes_clients(tested)?;
    let found = format!("the backend takes every client for {address}");
    let advice = "let the backend believe what client_address says, from source_address";
    Some(("client_address", found, advice))
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
        Trouble::Refuses(said) | Trouble::RefusesName(said) if said.starts_with('4') => (
            "address",
            "the backend is there and takes nobody now: look into its log and at its limits",
        ),
        Trouble::Closes(_) => (
            "address",
            "the backend is there and closes at once: look into its log and at its limits",
        ),
        Trouble::Refuses(_) | Trouble::RefusesName(_) if announces => (
            "source_address",
            "let the backend expect PROXY headers from this address (Exim: hosts_proxy)",
        ),
        Trouble::Refuses(_) | Trouble::RefusesName(_) => (
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

async fn until_it_answers<F, T>(tell: impl Fn(&Trouble), mut probe: impl FnMut() -> F)
where
    F: Future<Output = Result<T, Trouble>>,
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
mod tests;
