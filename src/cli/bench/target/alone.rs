//! A server without gatepost, started for the run: Exim with DNSBLs in its own ACL, or postscreen before Postfix's smtpd.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::{Outcome, Target, World, reach, stage};
use crate::cli::bench::Setting;
use crate::cli::bench::exim::{Exim, Part};
use crate::cli::bench::gate::Asks;
use crate::cli::bench::group::Group;
use crate::cli::bench::play::play;
use crate::cli::bench::player::Doors;
use crate::cli::bench::postscreen::{Pace, Postscreen};
use crate::measure::trace::{Arrival, List, Played, Trace};

/// A server that is compared.
enum Peer {
    Exim(Box<Exim>),
    Postscreen(Box<Postscreen>),
}

/// At an Exim or a Postfix of the run.
pub(super) async fn at_peer(
    target: &Target,
    setting: &Setting,
    trace: &Arc<Trace>,
    directory: &Path,
    world: &World,
) -> anyhow::Result<Outcome> {
    let (dns, asked) = world.serve_system().await?;
    let asks = Asks::of(setting.config.as_deref(), &setting.policy)?.within(&trace.world);
    let peer = match target {
        Target::Postscreen => Peer::postscreen(setting, trace, &asks, directory, dns).await?,
        _ => Peer::exim(trace, &asks, directory, dns).await?,
    };
    let before = (peer.group().cpu(), peer.sessions(), asked.questions());
    let stage = stage(peer.doors(), setting, world)?;
    world.clock.start();
    let mut performance = play(trace, stage, setting.after, &target.name()).await?;
    let (took, questions) = (world.clock.elapsed(), asked.questions() - before.2);
    let mut notes = peer.notes();
    if !peer.deliver_all().await {
        notes.push(format!(
            "{} has not delivered everything in time",
            target.name()
        ));
    }
    let cpu = peer.group().cpu() - before.0;
    let sessions = peer.sessions().saturating_sub(before.1);
    reach(&mut performance, &peer.clients());
    let arrived = peer.arrived()?;
    peer.end().await;
    let played = Played {
        target: target.name(),
        ran: std::mem::take(&mut performance.ran),
        arrived: Some(arrived),
        // It is both: what it costs it costs as the mail server.
        server_cpu: Some(0.0),
        backend_cpu: Some(cpu),
        backend_sessions: Some(sessions),
        dns_questions: Some(questions),
        took,
        clock: setting.clock.into(),
        ..Played::default()
    };
    Ok(Outcome::new(played, performance, None, notes))
}

impl Peer {
    async fn exim(
        trace: &Trace,
        asks: &Asks,
        directory: &Path,
        dns: SocketAddr,
    ) -> anyhow::Result<Self> {
        let zone = |zone: &str| trace.world.lists.iter().find(|list| list.zone == zone);
        let zones = asks.listings.iter().map(|listing| listing.zone.asked());
        let lists: Vec<&List> = zones.filter_map(zone).collect();
        let exim = Exim::start(Part::Front, trace, &lists, directory, dns).await?;
        anyhow::ensure!(
            exim.asks_us,
            "Exim asks this system's resolver, where the lists of the scenario are not: only root can give it another"
        );
        Ok(Self::Exim(Box::new(exim)))
    }

    async fn postscreen(
        setting: &Setting,
        trace: &Trace,
        asks: &Asks,
        directory: &Path,
        dns: SocketAddr,
    ) -> anyhow::Result<Self> {
        let pace = Pace {
            clock: setting.clock,
            session_clock: setting.session_clock,
        };
        let unpacked = setting.postfix.as_deref();
        let postfix = Postscreen::start(unpacked, pace, trace, asks, directory, dns).await?;
        Ok(Self::Postscreen(Box::new(postfix)))
    }

    fn doors(&self) -> Doors {
        match self {
            Self::Exim(exim) => Doors {
                primary: exim.mail,
                secondary: Some(exim.secondary),
                submission: Some(exim.users),
            },
            // A second postscreen would need a memory of its own.
            Self::Postscreen(postfix) => Doors {
                primary: postfix.mail,
                secondary: None,
                submission: None,
            },
        }
    }

    /// What has to be known to read its figures.
    fn notes(&self) -> Vec<String> {
        match self {
            Self::Exim(_) => vec![
                "exim: no kept answers between it and the DNS of the scenario, its waits are not scaled".to_owned(),
            ],
            Self::Postscreen(postfix) => {
                let mut notes: Vec<String> = postfix.scaled.iter().map(|line| format!("scaled: {line}")).collect();
                notes.push("postscreen: one door, to which those come who go to a secondary elsewhere; users are left out at all servers".to_owned());
                notes.push("postscreen: no kept answers between it and the DNS of the scenario; CPU is that of all of Postfix".to_owned());
                notes
            }
        }
    }

    fn group(&self) -> &Group {
        match self {
            Self::Exim(exim) => &exim.group,
            Self::Postscreen(postfix) => &postfix.group,
        }
    }

    fn sessions(&self) -> u64 {
        match self {
            Self::Exim(exim) => exim.sessions(),
            Self::Postscreen(postfix) => postfix.sessions(),
        }
    }

    fn clients(&self) -> HashSet<SocketAddr> {
        match self {
            Self::Exim(exim) => exim.clients(),
            Self::Postscreen(postfix) => postfix.clients(),
        }
    }

    async fn deliver_all(&self) -> bool {
        match self {
            Self::Exim(exim) => exim.deliver_all().await,
            Self::Postscreen(postfix) => postfix.deliver_all().await,
        }
    }

    fn arrived(&self) -> anyhow::Result<Vec<Arrival>> {
        match self {
            Self::Exim(exim) => exim.arrived(),
            Self::Postscreen(postfix) => postfix.arrived(),
        }
    }

    async fn end(self) {
        match self {
            Self::Exim(exim) => exim.group.end().await,
            Self::Postscreen(postfix) => postfix.group.end().await,
        }
    }
}
