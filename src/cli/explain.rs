//! `gatepost explain ADDRESS`: what a client from this address would get, and why; `gatepost explain ID`: what the recorded
//! session of this id got.
//!
//! The same checks, the same judge and the same questions as in a session; only the silence before the greeting is
//! assumed, for there is nobody to watch.

mod listed;
mod listener;
mod recorded;
mod said;
mod show;
mod world;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::app::{self, tasks::Tasks};
use crate::checks::policy::Policy;
use crate::checks::verdict::{Action, Verdict};
use crate::checks::{Judgement, judge};
use crate::cli::config_file::ConfigFile;
use crate::cli::output;
use crate::cli::report::Place;
use crate::config::{Backend, ClientAddress};
use crate::facts::{Fact, Facts, Helo, Listed, Mail, Millis, Rcpt, Stage};
use crate::gather::Gather;
use crate::net::backend::may_be_told_of;
use crate::net::unmap;
use crate::smtp::domain::HeloName;
use crate::smtp::path::{ForwardPath, ReversePath};
use crate::smtp::reply::Reply;
use said::Who;
use world::World;

/// Arguments of `gatepost explain`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The client's address; or the id of a recorded session, which is then shown as it went
    #[arg(value_name = "ADDRESS|ID", value_parser = said::who)]
    who: Who,
    /// The name it says with EHLO
    #[arg(long, value_name = "NAME", value_parser = said::helo)]
    helo: Option<HeloName>,
    /// The envelope sender, such as someone@example.org; empty for the null reverse-path
    #[arg(long, value_name = "ADDRESS", value_parser = said::from)]
    from: Option<ReversePath>,
    /// The recipient; by default somebody at our host name
    #[arg(long, value_name = "ADDRESS", value_parser = said::rcpt)]
    rcpt: Option<ForwardPath>,
    /// The listener it comes to; by default the one of role "mx"
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The directory of the records in which a session is looked for; the configuration's by default
    #[arg(long, value_name = "DIRECTORY")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Serialize)]
struct Explanation<'a> {
    address: IpAddr,
    listener: &'a str,
    policy: &'a str,
    facts: &'a Facts,
    verdict: &'a Verdict,
    reply: String,
}

/// Explains.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let asked_for = match &arguments.who {
        Who::Address(address) => *address,
        Who::Session(id) => {
            return match Place::new(&arguments.config, arguments.journal.as_deref()) {
                Ok(place) => recorded::run(&place.directory, id, arguments.json),
                Err(code) => Ok(code),
            };
        }
    };
    let snapshot = match output::load(&arguments.config) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let (name, listen) = listener::choose(&snapshot, arguments.listener.as_deref())?;
    let policy = snapshot
        .policies
        .get(&listen.policy)
        .context("the listener's policy is missing")?;
    let local = listen
        .address
        .first()
        .copied()
        .unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 25)));
    let recipient = match &arguments.rcpt {
        Some(path) => path.clone(),
        None => said::rcpt(&format!("somebody@{}", snapshot.config.hostname))
            .map_err(anyhow::Error::msg)?,
    };
    let address = unmap(SocketAddr::new(asked_for, 25));
    let mut facts = Facts::new(app::client_now(address, local, name));
    let listed = listed::all(&snapshot);
    let process = listed.is_some().then_some(&snapshot);
    let listed = listed.unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let verdict = runtime.block_on(async {
        let gather = Gather::new(
            &app::gather_settings(&snapshot.config.resolver),
            Tasks::default().spawner(),
        )?;
        let world = World::new(gather, process, &snapshot).await;
        anyhow::Ok(walk(policy, &world, &mut facts, arguments, &recipient, &listed).await)
    })?;
    let backend = snapshot
        .config
        .backend
        .get(&listen.backend)
        .context("the listener's backend is missing")?;
    let reply = reply(&verdict, address.ip(), &recipient, backend);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let explanation = Explanation {
            address: address.ip(),
            listener: name,
            policy: &policy.name,
            facts: &facts,
            verdict: &verdict,
            reply: reply.to_string(),
        };
        serde_json::to_writer_pretty(&mut out, &explanation)?;
        writeln!(out)?;
    } else {
        show::explanation(&mut out, policy, &facts, &verdict, &reply)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Walks the stages of a session with what is known, asking the live questions on the way.
async fn walk(
    policy: &Policy,
    world: &World<'_>,
    facts: &mut Facts,
    arguments: &Arguments,
    recipient: &ForwardPath,
    listed: &[Listed],
) -> Verdict {
    listed::note(listed, facts, Stage::Connect);
    settle(policy, world, facts, Stage::Connect).await;
    if let Some(name) = &arguments.helo {
        let helo = Helo {
            extended: true,
            name: name.clone(),
        };
        facts.push(Stage::Helo, Millis(0), Fact::Helo(Box::new(helo)));
        listed::note(listed, facts, Stage::Helo);
    }
    if let Some(path) = &arguments.from {
        let mail = Mail {
            path: path.clone(),
            size: None,
        };
        facts.push(Stage::Mail, Millis(0), Fact::Mail(Box::new(mail)));
        listed::note(listed, facts, Stage::Mail);
    }
    facts.push(
        Stage::Rcpt,
        Millis(0),
        Fact::Rcpt(Box::new(Rcpt {
            path: recipient.clone(),
        })),
    );
    settle(policy, world, facts, Stage::Rcpt).await
}

/// Asks until nothing is left to ask: unlike a session it waits for every answer, since people want to see them all.
async fn settle(policy: &Policy, world: &World<'_>, facts: &mut Facts, stage: Stage) -> Verdict {
    loop {
        let judgement = judge(policy, facts);
        let questions = judgement.questions().to_vec();
        if questions.is_empty() {
            return match judgement {
                Judgement::Decide { verdict, .. } => verdict,
                Judgement::Ask { so_far, .. } => so_far,
            };
        }
        for answered in world.answers(&questions).await {
            facts.push(stage, Millis(0), Fact::Answered(Box::new(answered)));
        }
    }
}

/// What the recipient would be answered.
fn reply(verdict: &Verdict, client: IpAddr, recipient: &ForwardPath, backend: &Backend) -> Reply {
    match verdict.enforced() {
        Action::Deny => verdict.denial(client, recipient),
        Action::Drop => verdict.farewell(client),
        Action::Greylist => verdict.put_off(client),
        Action::Clear => match kept_from(backend, client) {
            Some(why) => Reply::new(451, Some((4, 3, 5)), format!("({why})")),
            None => Reply::new(250, None, "(the backend's own answer to RCPT)"),
        },
    }
}

/// Why the backend is not told of this client, so that even a cleared one is not handed on.
fn kept_from(backend: &Backend, client: IpAddr) -> Option<String> {
    let announced = backend.client_address != ClientAddress::None;
    if !announced || may_be_told_of(client, backend.loopback_clients) {
        return None;
    }
    Some(match client.is_loopback() {
        true => format!(
            "the backend is not told of {client}: it may take a client on loopback for a program of its own host and \
             relay for it; see loopback_clients in [backend]"
        ),
        false => format!("the backend is not told of {client}: no client can have this address"),
    })
}
