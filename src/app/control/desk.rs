//! Answers requests: looks at what the process shares, and changes what it remembers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::app::certificates::keeper::{self, Keeper};
use crate::app::clock;
use crate::app::control::about;
use crate::app::control::message::{
    Answer, Backend, Certificate, Entries, Listener, Lookups, Memory, Policy, Reload, Request,
    Server, Sessions, Status, Zone,
};
use crate::app::doctor::Clinic;
use crate::app::generation::Generation;
use crate::checks::access;
use crate::checks::policy::Mode;
use crate::facts::{Identity, Listed, Question, Subject};
use crate::gather::memory::Remembrance;
use crate::gather::{Gather, Standing};
use crate::session::SeenAs;
use crate::session::context::{Door, Shared};
use crate::session::upstream::{self, Upstream};
use crate::store;
use crate::telemetry::metrics::Metrics;
use tokio_util::sync::CancellationToken;

/// An entry that is to hold longer than this may as well hold for good.
pub const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 60 * 60);

/// What requests are answered from.
pub struct Desk {
    gather: Arc<Gather>,
    clinic: Arc<Clinic>,
    scene: Mutex<Arc<Scene>>,
    reload: Mutex<Option<Reload>>,
    draining: CancellationToken,
    started: u64,
}

/// What the configuration that holds was made into.
pub(in crate::app) struct Scene {
    shared: Arc<Shared>,
    doors: Vec<Arc<Door>>,
    addresses: Vec<(String, SocketAddr)>,
    certificates: Option<Arc<Keeper>>,
}

impl Scene {
    /// Of `generation`, with the addresses it listens on.
    pub(in crate::app) fn new(
        generation: &Generation,
        addresses: &[(String, SocketAddr)],
    ) -> Arc<Self> {
        let secure = generation.secure.as_ref();
        Arc::new(Self {
            shared: Arc::clone(&generation.shared),
            doors: generation.doors.values().cloned().collect(),
            addresses: addresses.to_owned(),
            certificates: secure.map(|secure| Arc::clone(&secure.keeper)),
        })
    }
}

impl Desk {
    /// A process that begins now.
    pub(in crate::app) fn new(
        gather: Arc<Gather>,
        clinic: &Arc<Clinic>,
        scene: Arc<Scene>,
    ) -> Self {
        Self {
            gather,
            clinic: Arc::clone(clinic),
            draining: scene.shared.draining.clone(),
            scene: Mutex::new(scene),
            reload: Mutex::default(),
            started: clock::seconds().unwrap_or_default(),
        }
    }

    /// Answers from `scene` from now on.
    pub(in crate::app) fn look_at(&self, scene: Arc<Scene>) {
        *self.scene.lock().unwrap_or_else(PoisonError::into_inner) = scene;
    }

    /// Notes how the last reload went.
    pub(in crate::app) fn reloaded(&self, reload: Reload) {
        let mut last = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(reload);
    }

    fn scene(&self) -> Arc<Scene> {
        let scene = self.scene.lock();
        Arc::clone(&scene.unwrap_or_else(PoisonError::into_inner))
    }

    /// Cancelled when the process drains.
    pub(in crate::app) fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }

    /// What every session shares.
    pub(in crate::app) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.scene().shared)
    }

    /// What was counted.
    pub(in crate::app) fn metrics(&self) -> Metrics {
        self.scene().shared.metrics.clone()
    }

    /// Does what is asked.
    pub(super) async fn answer(&self, request: Request) -> Answer {
        let scene = self.scene();
        let memory = match (&request, &scene.shared.memory) {
            (Request::Status {}, _) => return Answer::Status(Box::new(self.status())),
            (Request::Known { questions }, _) => return self.known(questions).await,
            (Request::Log { level }, _) => return about::set_level(level.as_deref()),
            (_, Some(memory)) => memory,
            (_, None) => return Answer::Refused("there is no memory to change".to_owned()),
        };
        let done = match request {
            Request::Forget { what } => forget(memory, &what).await,
            Request::Keep {
                allow,
                subject,
                seconds,
                comment,
            } => self.keep(memory, allow, &subject, seconds, &comment).await,
            Request::Status {}
            | Request::Known { .. }
            | Request::Log { .. }
            | Request::Entries {} => Ok(Answer::Entries(memory.entries(|_| true))),
        };
        done.unwrap_or_else(Answer::Refused)
    }

    async fn known(&self, questions: &[Question]) -> Answer {
        let mut answers = Vec::with_capacity(questions.len());
        for question in questions {
            match self.gather.known(question).await {
                Some(answer) => answers.push(answer),
                None => return Answer::Refused(format!("{question}: ask somebody else")),
            }
        }
        Answer::Known(answers)
    }

    async fn keep(
        &self,
        memory: &Remembrance,
        allow: bool,
        subject: &str,
        seconds: Option<u64>,
        comment: &str,
    ) -> Result<Answer, String> {
        let subject = access::subject(subject)?;
        let lifetime = seconds.map(Duration::from_secs);
        if lifetime.is_some_and(|lifetime| lifetime.is_zero() || lifetime > LONGEST) {
            return Err("an entry holds for a second at least and a hundred years at most".into());
        }
        let listed = Listed { allow, subject };
        let entry = memory.keep_entry(&listed, lifetime, comment);
        let entry = entry.ok_or_else(|| {
            format!(
                "there is no room: at most {} entries can be added by command",
                store::MOST_ENTRIES
            )
        })?;
        let mut notes = self.notes(allow);
        if !memory.flush().await {
            notes.push("it is kept in memory, and gone after a restart".to_owned());
        }
        tracing::info!(subject = %entry.subject, allow, comment, "an entry was added by command");
        Ok(Answer::Kept {
            entry: Box::new(entry),
            notes,
        })
    }

    /// Where an entry has less effect than whoever adds it may think.
    fn notes(&self, allow: bool) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for policy in self.scene().doors.iter().map(|door| &door.policy) {
            let looks = policy.checks.iter().any(|check| check.name() == "access");
            let note = match policy.mode {
                _ if !looks => format!(
                    "policy {} does not look at it: its check access is off",
                    policy.name
                ),
                Mode::Observe if !allow => {
                    format!("policy {} observes, and refuses nobody", policy.name)
                }
                _ => continue,
            };
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes
    }

    /// How the process is doing.
    pub(in crate::app) fn status(&self) -> Status {
        let health = self.gather.health();
        let scene = self.scene();
        let (ended, delivered, refused) = scene.shared.tally.totals();
        let memory = scene.shared.memory.as_ref();
        let reload = self.reload.lock();
        let now = clock::seconds().unwrap_or_default();
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: scene.shared.hostname.to_string(),
            started: self.started,
            uptime: now.saturating_sub(self.started),
            listeners: scene.listeners(),
            backends: scene.backends(),
            certificates: scene.certificates(),
            resolver: zone(&health.resolver),
            zones: health.zones.iter().map(zone).collect(),
            lookups: Lookups {
                under_way: health.under_way,
                kept: health.kept,
                from_cache: health.from_cache,
                joined: health.joined,
                overloaded: health.overloaded,
            },
            sessions: Sessions {
                open: scene.shared.tally.open(),
                ended,
                delivered,
                refused,
            },
            policies: scene.policies(),
            journal: scene.shared.journal.as_ref().map(about::journal),
            log: about::log(),
            memory: memory.map(|memory| remembered(&memory.standing())),
            entries: memory.map(entries).unwrap_or_default(),
            doctor: self.clinic.examined(),
            reload: reload.unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

impl Scene {
    fn listeners(&self) -> Vec<Listener> {
        let listener = |(name, address): &(String, SocketAddr)| {
            let door = self.doors.iter().find(|door| *door.name == **name)?;
            Some(Listener {
                name: name.clone(),
                address: *address,
                policy: door.policy.name.to_string(),
                mode: door.policy.mode.label().to_owned(),
                backend: door.upstream.name.to_string(),
            })
        };
        self.addresses.iter().filter_map(listener).collect()
    }

    fn policies(&self) -> Vec<Policy> {
        let policies = self.doors.iter().map(|door| &door.policy);
        let policies: BTreeMap<&str, Policy> = policies
            .map(|policy| (&*policy.name, about::policy(policy)))
            .collect();
        policies.into_values().collect()
    }

    fn certificates(&self) -> Vec<Certificate> {
        let standing = self
            .certificates
            .iter()
            .flat_map(|keeper| keeper.standing());
        standing.map(certificate).collect()
    }

    fn backends(&self) -> Vec<Backend> {
        let upstreams = self
            .doors
            .iter()
            .map(|door| (&*door.upstream.name, &*door.upstream));
        let upstreams: BTreeMap<&str, &Upstream> = upstreams.collect();
        let backend = |(name, upstream): (&str, &Upstream)| Backend {
            name: name.to_owned(),
            up: upstream.answers(),
            connections: upstream.in_use(),
            max_connections: upstream.backend.max_connections,
            servers: upstream.servers().iter().map(|one| server(one)).collect(),
        };
        upstreams.into_iter().map(backend).collect()
    }
}

async fn forget(memory: &Remembrance, what: &str) -> Result<Answer, String> {
    let what = what.trim();
    let (subject, identities) = match what.parse::<Identity>() {
        Ok(identity @ (Identity::Spf(_) | Identity::Name(_))) => (None, vec![identity]),
        _ => {
            let subject = access::subject(what)?;
            let identities = identities(&subject);
            (Some(subject), identities)
        }
    };
    let entry = subject.is_some_and(|subject| memory.remove_entry(&subject));
    let mut client = false;
    for identity in &identities {
        client |= memory.forget(identity).await;
    }
    memory.flush().await;
    tracing::info!(what, entry, client, "forgotten by command");
    Ok(Answer::Forgotten { entry, client })
}

/// Under what a subject's client may be remembered.
fn identities(subject: &Subject) -> Vec<Identity> {
    match subject {
        Subject::Network(network) if network.prefix_len() == network.max_prefix_len() => vec![
            Identity::Network(*network),
            Identity::client(network.addr()),
        ],
        Subject::Network(network) => vec![Identity::Network(*network)],
        Subject::Helo(name) => vec![Identity::Spf(name.clone()), Identity::Name(name.clone())],
        Subject::Sender(_) => Vec::new(),
    }
}

fn server(server: &upstream::Server) -> Server {
    let standing = server.standing();
    let (down, why) = standing.down.unzip();
    let (ago, tested) = standing.tested.unzip();
    Server {
        address: server.address,
        up: standing.up,
        down: down.map(|down| down.as_secs()),
        why,
        connections: standing.connections,
        test: tested.map(|tested| tested.relaying.label().to_owned()),
        takes_client_for: tested.and_then(|tested| match tested.seen {
            SeenAs::Itself => Some("client".to_owned()),
            SeenAs::Another(address) => Some(address.to_string()),
            SeenAs::Unsaid => None,
        }),
        tested: ago.map(|ago| ago.as_secs()),
    }
}

fn certificate(standing: keeper::Standing) -> Certificate {
    let keeper::Standing {
        pair,
        self_signed,
        trouble,
    } = standing;
    let expires = pair.term().ends.duration_since(SystemTime::UNIX_EPOCH);
    Certificate {
        chain: pair.files().chain.clone(),
        names: pair.names().iter().map(ToString::to_string).collect(),
        key: pair.algorithm().to_owned(),
        self_signed,
        expires: expires.unwrap_or_default().as_secs(),
        trouble,
    }
}

fn zone(standing: &Standing) -> Zone {
    Zone {
        name: standing.name.to_string(),
        answered: standing.answered,
        failed: standing.failed,
        failed_in_a_row: standing.failed_in_a_row,
        suspended: standing.suspended,
        trouble: standing.trouble,
        test: standing.fitness.label().to_owned(),
        tested: standing.tested.map(|ago| ago.as_secs()),
    }
}

fn remembered(standing: &store::Standing) -> Memory {
    let kept = standing.kept.iter();
    Memory {
        on_disk: standing.on_disk,
        kept: kept
            .map(|(table, count)| ((*table).to_owned(), *count))
            .collect(),
        waiting: standing.waiting,
        dropped: standing.dropped,
        evicted: standing.evicted,
        expired: standing.expired,
        failures: standing.failures,
    }
}

fn entries(memory: &Remembrance) -> Entries {
    let all = memory.entries(|_| true);
    let allow = all.iter().filter(|entry| entry.allow).count();
    Entries {
        allow,
        deny: all.len() - allow,
    }
}
