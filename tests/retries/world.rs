//! The gate: a primary and a secondary door over one memory, a mail store behind them, and a wall clock that is turned by hand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use gatepost::app::tasks::Tasks;
use gatepost::cli::demo::backend::MailStore;
use gatepost::config::{self, Layers, Snapshot};
use gatepost::facts::{Answer, Question, Recall, Recalled};
use gatepost::gather::memory::{Clock, Remembrance};
use gatepost::gather::{Answerer, Gather, Settings};
use gatepost::net::Stream;
use gatepost::net::admission::{Admission, Limits};
use gatepost::session;
use gatepost::session::context::{Arrival, Door, Shared, Tally, failed_logins};
use gatepost::session::upstream::Upstream;
use gatepost::store::{self, Memory};
use ipnet::IpNet;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::dns::{Answers, DOUBT, Dns};
use crate::situation::Situation;

/// The beginning of the outage on the wall clock.
const ZERO: u64 = 1_800_000_000;
/// Things the memory sweeps at a time: all.
const BUDGET: usize = 1000;
/// Where the secondary looks for the primary.
const PRIMARY: &str = "192.0.2.25:25";

/// What all worlds share: a mail store, and a port where nobody listens.
pub(crate) struct Stage {
    runtime: Runtime,
    store: Arc<MailStore>,
    backend: SocketAddr,
    nobody: Socket,
    /// By shield, and whether the secondary asks who has tried the primary.
    snapshots: RefCell<BTreeMap<(&'static str, bool), Rc<Snapshot>>>,
    _maildir: TempDir,
    props: Tasks,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let props = Tasks::default();
        let maildir = tempfile::tempdir().unwrap();
        let store = MailStore::new("example.com", maildir.path()).unwrap();
        let backend = runtime.block_on(async {
            let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let backend = socket.local_addr().unwrap();
            props.spawn(Arc::clone(&store).serve(socket, props.clone()));
            backend
        });
        // Bound and not listening: refused at once, and nobody else can have it.
        let nobody = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        nobody.bind(&port.into()).unwrap();
        Self {
            runtime,
            store,
            backend,
            nobody,
            snapshots: RefCell::default(),
            _maildir: maildir,
            props,
        }
    }

    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn snapshot(&self, situation: &Situation) -> Rc<Snapshot> {
        let shield = situation.shield.unwrap_or("off");
        let mut snapshots = self.snapshots.borrow_mut();
        let snapshot = snapshots
            .entry((shield, situation.asks_who_tried))
            .or_insert_with(|| {
                let dead = self.nobody.local_addr().unwrap().as_socket().unwrap();
                Rc::new(snapshot(situation, self.backend, dead))
            });
        Rc::clone(snapshot)
    }
}

/// Everything around the sessions.
pub(crate) struct World<'a> {
    stage: &'a Stage,
    now: Arc<AtomicU64>,
    memory: Arc<dyn Memory>,
    gather: Arc<Gather>,
    primary: Arc<Door>,
    busy: Arc<Door>,
    secondary: Arc<Door>,
    shared: Arc<Shared>,
}

/// A door to knock at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Host {
    Primary,
    BusyPrimary,
    Secondary,
}

impl<'a> World<'a> {
    pub(crate) fn new(stage: &'a Stage, situation: &Situation, dns: Dns) -> Self {
        let snapshot = stage.snapshot(situation);
        let (kept, keeper) = store::open(None, 100_000);
        std::thread::spawn(move || keeper.run());
        let memory: Arc<dyn Memory> = Arc::new(kept);
        let now = Arc::new(AtomicU64::new(ZERO));
        let turned = Arc::clone(&now);
        let clock: Clock = Arc::new(move || turned.load(Ordering::Relaxed));
        let remembrance = Remembrance::new(Arc::clone(&memory), clock);
        let gather = gather(&stage.props);
        gather.remember_with(remembrance.clone());
        let answerer = Arc::new(Answers {
            dns,
            gather: Arc::clone(&gather),
        });
        Self {
            stage,
            now,
            memory,
            gather,
            primary: door(&snapshot, "mx", "store"),
            busy: door(&snapshot, "mx", "nobody"),
            secondary: door(&snapshot, "backup", "store"),
            shared: Arc::new(shared(&snapshot, answerer, remembrance)),
        }
    }

    /// Sets the wall clock to so many seconds after the beginning of the outage.
    pub(crate) fn set_clock(&self, time: i64) {
        let now = ZERO.checked_add_signed(time).unwrap();
        self.now.store(now, Ordering::Relaxed);
    }

    /// Has the memory swept, as it is all the time.
    pub(crate) async fn sweep(&self) {
        let now = self.now.load(Ordering::Relaxed);
        self.memory.sweep(now, BUDGET).await;
    }

    /// What a look of the secondary at the primary brought.
    pub(crate) fn looked(&self, greets: bool) {
        self.gather.saw_primary(PRIMARY, greets);
    }

    /// Whether a client of this network is known to have been at the primary.
    pub(crate) async fn has_tried(&self, network: IpNet) -> bool {
        let listener = "mx".into();
        let question = Question::Memory(Recall::Tried { network, listener });
        let (answer, _) = self.gather.ask(&question).await;
        matches!(answer, Answer::Memory(Recalled::Tried { .. }))
    }

    /// Messages that have arrived.
    pub(crate) fn delivered(&self) -> u64 {
        self.stage.store.delivered()
    }

    /// Connects; what the client holds is its end of the pipe, and the session.
    pub(crate) fn connect(
        &self,
        host: Host,
        client: std::net::IpAddr,
    ) -> (tokio::io::DuplexStream, impl Future + use<>) {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let door = match host {
            Host::Primary => &self.primary,
            Host::BusyPrimary => &self.busy,
            Host::Secondary => &self.secondary,
        };
        let now = Duration::from_secs(self.now.load(Ordering::Relaxed));
        let arrival = Arrival {
            id: "s1".into(),
            wall: SystemTime::UNIX_EPOCH + now,
            peer: SocketAddr::new(client, 40_000),
            local: SocketAddr::from(([192, 0, 2, 25], 25)),
        };
        let permit = self.shared.admission.admit(client).unwrap();
        let session = session::run(
            Stream::Pipe(theirs),
            arrival,
            Arc::clone(door),
            Arc::clone(&self.shared),
            Some(permit),
        );
        (ours, session)
    }
}

fn gather(props: &Tasks) -> Arc<Gather> {
    let settings = Settings {
        servers: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 9))],
        timeout: Duration::from_secs(1),
        cache_size: 1000,
    };
    Gather::new(&settings, props.spawner()).unwrap()
}

fn snapshot(situation: &Situation, backend: SocketAddr, dead: SocketAddr) -> Snapshot {
    let shield = situation.shield.unwrap_or("off");
    let tried = match situation.asks_who_tried {
        true => "checks.secondary_mx.primary = [\"mx\"]",
        false => "",
    };
    let text = format!(
        r#"
hostname = "mx.example.com"
[listen.mx]
address = ["192.0.2.25:25"]
tls = "none"
backend = "store"
[listen.backup]
address = ["192.0.2.26:25"]
tls = "none"
backend = "store"
policy = "backup"
[backend.store]
address = ["{backend}"]
source_address = "127.0.0.2"
allow_open_backend = true
[backend.nobody]
address = ["{dead}"]
source_address = "127.0.0.2"
allow_open_backend = true
[policy.default]
greet_wait = "0s"
[policy.default.checks.dnsbl]
zones = [{{ zone = "zen.spamhaus.org", points = 5 }}, {{ zone = "{DOUBT}", points = 3 }}]
[policy.backup]
inherit = "default"
shield = "{shield}"
primary = ["{PRIMARY}"]
{tried}
"#
    );
    let layers = Layers {
        file: Some((Path::new("retries.toml"), &text)),
        ..Layers::default()
    };
    config::from_layers(&layers).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}\n{text}", lines.join("\n"))
    })
}

fn door(snapshot: &Snapshot, name: &str, backend: &str) -> Arc<Door> {
    let listen = snapshot.config.listen[name].clone();
    Arc::new(Door {
        name: name.into(),
        policy: Arc::clone(&snapshot.policies[&listen.policy]),
        is_primary: name == "mx",
        upstream: Arc::new(Upstream::new(
            backend,
            snapshot.config.backend[backend].clone(),
        )),
        acceptor: None,
        listen,
    })
}

fn shared(snapshot: &Snapshot, answerer: Arc<Answers>, memory: Remembrance) -> Shared {
    let limits = snapshot.config.limits.clone();
    Shared {
        hostname: "mx.example.com".into(),
        admission: Admission::new(Limits {
            connections: limits.connections,
            per_address: limits.connections_per_address,
            per_network: limits.connections_per_network,
            rate: None,
        }),
        logins: failed_logins(&limits),
        tarpit: Arc::new(Semaphore::new(limits.tarpit)),
        handshakes: gatepost::net::handshakes::Handshakes::new(1),
        limits,
        mail_data: snapshot.config.mail_data,
        answerer,
        memory: Some(memory),
        journal: None,
        draining: CancellationToken::new(),
        cut: CancellationToken::new(),
        metrics: gatepost::telemetry::metrics::Metrics::default(),
        live: Arc::default(),
        recent: Arc::default(),
        tally: Tally::default(),
    }
}
