//! A server without gatepost: Exim with DNSBLs in its own ACL, or one that stands already.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::{Outcome, Target, World, reach, stage};
use crate::cli::bench::Setting;
use crate::cli::bench::exim::{Exim, Part};
use crate::cli::bench::gate;
use crate::cli::bench::play::play;
use crate::cli::bench::player::Doors;
use crate::measure::trace::{List, Played, Trace};

/// At an Exim of the run.
pub(super) async fn at_exim(
    setting: &Setting,
    trace: &Arc<Trace>,
    directory: &Path,
    world: &World,
) -> anyhow::Result<Outcome> {
    let (dns, asked) = world.serve_system().await?;
    let asked_lists = gate::lists(setting.config.as_deref(), &setting.policy)?;
    let zone = |zone: &String| trace.world.lists.iter().find(|list| list.zone == *zone);
    let lists: Vec<&List> = asked_lists.iter().filter_map(zone).collect();
    let exim = Exim::start(Part::Front, trace, &lists, directory, dns).await?;
    anyhow::ensure!(
        exim.asks_us,
        "Exim asks this system's resolver, where the lists of the scenario are not: only root can give it another"
    );
    let doors = Doors {
        primary: exim.mail,
        secondary: Some(exim.secondary),
        submission: Some(exim.users),
    };
    let before = (exim.group.cpu(), exim.sessions(), asked.questions());
    let stage = stage(doors, setting, world)?;
    let mut performance = play(trace, stage, setting.after, "exim").await?;
    let (took, questions) = (world.clock.elapsed(), asked.questions() - before.2);
    let mut notes = vec![
        "exim: no kept answers between it and the DNS of the scenario, its waits are not scaled"
            .to_owned(),
    ];
    if !exim.deliver_all().await {
        notes.push("Exim has not delivered everything in time".to_owned());
    }
    let cpu = exim.group.cpu() - before.0;
    let sessions = exim.sessions().saturating_sub(before.1);
    reach(&mut performance, &exim.clients());
    let arrived = exim.arrived()?;
    exim.group.end().await;
    let played = Played {
        target: Target::Exim.name(),
        ran: std::mem::take(&mut performance.ran),
        arrived: Some(arrived),
        // It is both: what it costs it costs as the mail server.
        server_cpu: Some(0.0),
        backend_cpu: Some(cpu),
        backend_sessions: Some(sessions),
        dns_questions: questions,
        took,
        clock: setting.clock.into(),
    };
    Ok(Outcome::new(played, performance, None, notes))
}

/// At a server that is not started and not ended here.
pub(super) async fn there(
    address: SocketAddr,
    setting: &Setting,
    trace: &Arc<Trace>,
    world: &World,
) -> anyhow::Result<Outcome> {
    let mut notes = vec![
        "what arrived behind the server can not be seen, nor what it cost; its own waits and memory are not scaled".to_owned(),
        "users are left out".to_owned(),
    ];
    let asked = match setting.dns {
        Some(dns) => {
            let (dns, asked) = world.serve(dns).await?;
            notes.push(format!(
                "the scenario's DNS stands at {dns}; the server must ask it"
            ));
            asked
        }
        None => {
            notes.push(
                "the server asks a DNS in which the scenario's clients are not (--dns)".to_owned(),
            );
            Arc::default()
        }
    };
    let doors = Doors {
        primary: address,
        secondary: None,
        submission: None,
    };
    let stage = stage(doors, setting, world)?;
    let mut performance = play(trace, stage, setting.after, &address.to_string()).await?;
    let played = Played {
        target: address.to_string(),
        ran: std::mem::take(&mut performance.ran),
        arrived: None,
        dns_questions: asked.questions(),
        took: world.clock.elapsed(),
        clock: setting.clock.into(),
        ..Played::default()
    };
    Ok(Outcome::new(played, performance, None, notes))
}
