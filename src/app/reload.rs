//! A changed configuration, taken up while sessions go on: all of it or nothing.
//!
//! Everything that can fail is done first: the file is read and judged, certificates are opened, new addresses are bound,
//! new backends are tested. Then all is changed at once, and nothing can fail any more. Who is being served is served to the end
//! with what held when it came. What is the same stays: sockets, backends with what is known of them, certificates with
//! their ticket keys. What was counted and what is remembered always stays.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::app::accept::Listening;
use crate::app::control::desk::Scene;
use crate::app::control::message::Reload;
use crate::app::generation::{self, Generation, Secure};
use crate::app::sockets::{self, Open, Origin, Wanted};
use crate::app::{
    Running, StartProblem, addresses, admission_limits, certificates, clock, complain_of_unused,
    descriptors, handshakes, probe, registered, remarks, tasks, upstreams,
};
use crate::config::{self, Config, Snapshot};
use crate::net::handshakes::Handshakes;
use crate::net::tls::Acceptor;
use crate::session::context::{Shared, failed_logins};
use crate::session::upstream::Upstream;

/// All that a new configuration needs, made and not yet in use.
struct Prepared {
    snapshot: Snapshot,
    upstreams: BTreeMap<String, Arc<Upstream>>,
    /// TLS, where it is another than before.
    acceptor: Option<Acceptor>,
    opened: Vec<Open<TcpListener>>,
    /// Sockets of the ident responder, with the addresses they were opened for.
    ident: Vec<(SocketAddr, TcpListener)>,
    /// Keys that have changed and wait for a restart.
    restart: Vec<&'static str>,
}

impl Running {
    /// Takes up what `file` says now, and logs how that went. May be given up while it waits: then nothing has changed.
    pub async fn reload(&mut self, file: &Path) {
        let mut reload = Reload {
            at: clock::seconds().unwrap_or_default(),
            ..Reload::default()
        };
        match self.read(file).await {
            Ok(prepared) => {
                reload.taken = true;
                let restart = prepared.restart.iter();
                reload.restart = restart.map(|key| (*key).to_owned()).collect();
                self.take(prepared).await;
            }
            Err(problems) => {
                for problem in &problems {
                    tracing::error!("{problem}");
                }
                tracing::error!(
                    problems = problems.len(),
                    "the changed configuration is refused; the one before holds"
                );
                reload.problems = problems;
            }
        }
        self.desk.reloaded(reload);
    }

    async fn read(&self, file: &Path) -> Result<Prepared, Vec<String>> {
        let file = file.to_owned();
        match tasks::on_a_thread(move || config::load(Some(&file), &[])).await {
            Some(Ok(snapshot)) => self.prepare(snapshot).await,
            Some(Err(problems)) => Err(problems.iter().map(ToString::to_string).collect()),
            None => Err(vec!["defect: the file could not be read".to_owned()]),
        }
    }

    /// Does all that can fail, and changes nothing.
    async fn prepare(&self, mut snapshot: Snapshot) -> Result<Prepared, Vec<String>> {
        let before = &self.now;
        let restart = keep(&mut snapshot.config, &before.config);
        let mut problems = Vec::new();
        let mut note = |problem: StartProblem| problems.push(problem.to_string());
        let acceptor = self.acceptor(&snapshot).map_err(&mut note);
        let upstreams = upstreams::all(&snapshot, &before.upstreams).map_err(&mut note);
        let opened = self.open(&snapshot).map_err(&mut note);
        let ident = sockets::ident(&snapshot, &self.ident.have());
        let ident = ident.and_then(registered).map_err(&mut note);
        let (Ok(acceptor), Ok(upstreams), Ok(opened), Ok(ident)) =
            (acceptor, upstreams, opened, ident)
        else {
            return Err(problems);
        };
        let is_new = |(name, upstream): &(&String, &Arc<Upstream>)| {
            let known = before.upstreams.get(*name);
            known.is_none_or(|known| known.backend != upstream.backend)
        };
        let new = upstreams.iter().filter(is_new);
        let new = new.map(|(name, upstream)| (name.clone(), Arc::clone(upstream)));
        let tested = probe::first(&snapshot, &new.collect()).await;
        tested.map_err(|problem| vec![problem.to_string()])?;
        Ok(Prepared {
            snapshot,
            upstreams,
            acceptor,
            opened,
            ident,
            restart,
        })
    }

    /// Opens the addresses that are not open yet.
    fn open(&self, snapshot: &Snapshot) -> Result<Vec<Open<TcpListener>>, StartProblem> {
        let have = self.listening.iter();
        let have: Vec<(Wanted, Origin)> = have
            .map(|listening| (listening.wanted.clone(), listening.origin))
            .collect();
        let opened = sockets::listeners(snapshot, &self.passed, &have)?;
        opened.into_iter().map(Open::register).collect()
    }

    /// TLS anew, if it is to be another than before. The same files are looked at by who keeps them.
    fn acceptor(&self, snapshot: &Snapshot) -> Result<Option<Acceptor>, StartProblem> {
        let (before, config) = (&self.now.config, &snapshot.config);
        let wanted = generation::wants_tls(config);
        let same = (&before.tls, &before.hostname) == (&config.tls, &config.hostname);
        if same && (self.now.secure.is_some() || !wanted) {
            return Ok(None);
        }
        match certificates::configured(snapshot)? {
            None if wanted => certificates::self_signed(snapshot).map(Some),
            configured => Ok(configured),
        }
    }

    /// Changes over. Nothing here can fail.
    async fn take(&mut self, prepared: Prepared) {
        let Prepared {
            snapshot,
            upstreams,
            acceptor,
            opened,
            ident,
            restart,
        } = prepared;
        for note in snapshot.notes.iter().chain(&remarks::notes(&snapshot)) {
            tracing::warn!("{note}");
        }
        let shared = self.shared(&snapshot.config);
        let secure = self.secure(acceptor, &snapshot.config);
        let next = Generation::new(&snapshot, upstreams, secure, shared);
        let mut kept = Vec::new();
        for mut listening in std::mem::take(&mut self.listening) {
            let wanted = sockets::served(&next.config, &listening.wanted, listening.origin);
            match wanted.and_then(|wanted| Some((next.post(&wanted.listener)?, wanted))) {
                Some((post, wanted)) => {
                    listening.change(wanted, post);
                    kept.push(listening);
                }
                None => {
                    let (listener, address) = (&listening.wanted.listener, listening.address);
                    tracing::info!(%listener, %address, "no longer listening; its sessions go on");
                }
            }
        }
        for open in opened {
            if let Some(post) = next.post(&open.wanted.listener) {
                kept.push(Listening::begin(open, post, &self.tasks, &self.heart));
            }
        }
        self.listening = kept;
        self.ident.change(&next.config.ident.address, ident);
        self.heart
            .depends_on(self.listening.iter().map(Listening::beat).collect());
        self.addresses = addresses(&self.listening);
        self.desk.look_at(Scene::new(&next, &self.addresses));
        let before = std::mem::replace(&mut self.now, next);
        before.over.cancel();
        complain_of_unused(&self.passed, &self.now.config);
        if !restart.is_empty() {
            tracing::warn!(
                keys = restart.join(", "),
                "changed, and waits for a restart; the rest holds now"
            );
        }
        tracing::info!("the configuration is taken up: it holds for sessions that begin now");
        let Self {
            tasks,
            gather,
            clinic,
            ..
        } = &*self;
        self.now.watch(&snapshot, tasks, gather, clinic).await;
    }

    /// What sessions share: as before, but for what the configuration says.
    fn shared(&self, config: &Config) -> Arc<Shared> {
        let before = &self.now.shared;
        let limits = &config.limits;
        let connections = descriptors::make_room(limits.connections);
        before
            .admission
            .change(admission_limits(limits, connections));
        // Places that are taken are in the old ones until they are given back.
        let tarpit = match limits.tarpit == before.limits.tarpit {
            true => Arc::clone(&before.tarpit),
            false => Arc::new(Semaphore::new(limits.tarpit)),
        };
        let handshakes = match limits.tls_handshakes == before.limits.tls_handshakes {
            true => before.handshakes.clone(),
            false => Handshakes::new(handshakes(limits.tls_handshakes)),
        };
        // Who is shut out is forgotten with the limit that has shut it out.
        let of = |limits: &config::Limits| {
            let per_address = limits.failed_logins_per_address;
            (
                per_address,
                limits.failed_logins_per_network,
                limits.failed_logins_pause,
            )
        };
        let logins = match of(limits) == of(&before.limits) {
            true => Arc::clone(&before.logins),
            false => failed_logins(limits),
        };
        Arc::new(Shared {
            hostname: config.hostname.as_str().into(),
            limits: limits.clone(),
            mail_data: config.mail_data,
            tarpit,
            handshakes,
            logins,
            ..Shared::clone(before)
        })
    }

    fn secure(&self, acceptor: Option<Acceptor>, config: &Config) -> Option<Secure> {
        let before = self.now.secure.as_ref();
        let Some(acceptor) = acceptor else {
            if let Some(before) = before {
                before.keeper.look();
            }
            return before.cloned();
        };
        if let Some(before) = before {
            before.over.cancel();
        }
        let draining = &self.now.shared.draining;
        Some(Secure::new(acceptor, config, &self.tasks, draining))
    }
}

/// What can not be changed while the process runs stays as it was. Returns what would have changed.
fn keep(config: &mut Config, before: &Config) -> Vec<&'static str> {
    fn one<T: Clone + PartialEq>(
        key: &'static str,
        new: &mut T,
        before: &T,
        kept: &mut Vec<&'static str>,
    ) {
        if *new != *before {
            new.clone_from(before);
            kept.push(key);
        }
    }
    let mut kept = Vec::new();
    one("user", &mut config.user, &before.user, &mut kept);
    one(
        "resolver",
        &mut config.resolver,
        &before.resolver,
        &mut kept,
    );
    one("store", &mut config.store, &before.store, &mut kept);
    one("journal", &mut config.journal, &before.journal, &mut kept);
    one("admin", &mut config.admin, &before.admin, &mut kept);
    one("log", &mut config.log, &before.log, &mut kept);
    kept
}
