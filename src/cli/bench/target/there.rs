//! A server that stands already: not started, not ended, not scaled here. What it does can be seen from outside only.
//!
//! Before the run one client of the traffic looks whether it is served as the players will have to be: else all of it would be
//! refused for a reason that has nothing to do with spam, and that is said minutes later.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;

use super::{Outcome, World, stage};
use crate::cli::bench::play::play;
use crate::cli::bench::player::{Doors, Entry, Stage};
use crate::cli::bench::speech;
use crate::cli::bench::wire::{Lost, Wire};
use crate::cli::bench::{Proxy, Setting};
use crate::measure::hidden::Hidden;
use crate::measure::trace::{Act, Class, Door, Errand, Label, Played, Trace};
use crate::smtp::reply::Reply;

/// The longest wait for a reply, before the run.
const REPLY: Duration = Duration::from_secs(60);
/// What helps where mail is refused for whom it is meant.
const USERS: &str = "the server must take mail for the traffic's domain and users (domain and users in --trace-out FILE)";

/// At a server that is not started and not ended here.
pub(super) async fn there(
    address: SocketAddr,
    setting: &Setting,
    trace: &Arc<Trace>,
    world: &World,
) -> anyhow::Result<Outcome> {
    let asked = match setting.dns {
        Some(dns) => Some(world.serve(dns).await?),
        None => None,
    };
    let doors = Doors {
        primary: address,
        secondary: None,
        submission: None,
    };
    let stage = stage(doors, setting, world)?;
    try_one(&stage, trace).await?;
    let before = asked.as_ref().map_or(0, |(_, asked)| asked.questions());
    world.clock.start();
    let mut performance = play(trace, stage, setting.after, &address.to_string()).await?;
    let questions = asked.map(|(dns, asked)| (dns, asked.questions().saturating_sub(before)));
    let played = Played {
        target: address.to_string(),
        ran: std::mem::take(&mut performance.ran),
        arrived: None,
        dns_questions: questions.map(|(_, count)| count),
        hidden: Hidden {
            addresses: setting.proxy == Proxy::None,
            names: questions.is_none_or(|(_, count)| count == 0),
            secondary: true,
        },
        took: world.clock.elapsed(),
        clock: setting.clock.into(),
        ..Played::default()
    };
    Ok(Outcome::new(
        played,
        performance,
        None,
        notes(setting, questions),
    ))
}

/// What has to be known to read the figures.
fn notes(setting: &Setting, questions: Option<(SocketAddr, u64)>) -> Vec<String> {
    let mut notes = vec![
        "what arrived behind the server can not be seen, nor what it cost: what it took (2xx) counts as delivered".to_owned(),
        format!(
            "the server's own waits and memory are not scaled: traffic comes {} times as fast as it would, clients wait {} \
             times as fast; who is put off comes back sooner by as much",
            setting.clock, setting.session_clock
        ),
        "users are left out; who goes to a secondary comes to this server".to_owned(),
    ];
    notes.push(match questions {
        None => "the server asks a DNS in which the scenario's clients are not (--dns): what depends on lists, reverse names and \
                 SPF is not known"
            .to_owned(),
        Some((dns, 0)) => format!(
            "the server has asked the scenario's DNS at {dns} nothing: what depends on lists, reverse names and SPF is not known"
        ),
        Some((dns, _)) => format!("the server asked the scenario's DNS at {dns}"),
    });
    notes
}

/// Lets one good client come as far as RCPT.
///
/// # Errors
///
/// When it is refused for good, or not answered at all.
async fn try_one(stage: &Stage, trace: &Trace) -> anyhow::Result<()> {
    let Some((errand, from, to)) = somebody(trace) else {
        return Ok(());
    };
    let door = stage.doors.primary;
    let Some(first) = errand.tries.first() else {
        return Ok(());
    };
    let mut wire = match stage.open(first.from).await {
        Ok(wire) => wire,
        Err(error) => bail!("{door} takes no connection: {error}"),
    };
    let hint = match stage.entry {
        Entry::Proxy(_) => {
            "does it take PROXY headers from this machine? --proxy none goes without"
        }
        Entry::Loopback | Entry::Same => "does it want PROXY headers? --proxy v2 sends them",
    };
    let greeting = wire.reply(REPLY).await;
    let hello = match &greeting {
        Ok(reply) if reply.is_positive() => {
            say(&mut wire, &format!("EHLO {}\r\n", errand.speech.helo)).await
        }
        _ => bail!(
            "{door} does not greet a client: {}; {hint}",
            told(&greeting)
        ),
    };
    if !matches!(&hello, Ok(reply) if reply.is_positive()) {
        bail!("{door} refuses EHLO: {}; {hint}", told(&hello));
    }
    let dialect = errand.speech.dialect;
    for command in [speech::mail(dialect, from), speech::rcpt(dialect, to)] {
        let answer = say(&mut wire, &command).await;
        if matches!(&answer, Ok(reply) if reply.code < 500) {
            continue;
        }
        bail!(
            "{door} refuses a good client's {}: {}; {USERS}",
            command.trim_end(),
            told(&answer)
        );
    }
    let _ = say(&mut wire, "QUIT\r\n").await;
    wire.close().await;
    Ok(())
}

async fn say(wire: &mut Wire, command: &str) -> Result<Reply, Lost> {
    wire.send(command.as_bytes()).await?;
    wire.reply(REPLY).await
}

fn told(answer: &Result<Reply, Lost>) -> String {
    match answer {
        Ok(reply) => reply.to_string(),
        Err(Lost::Late) => format!("no reply within {REPLY:?}"),
        Err(Lost::Closed | Lost::Leaves) => {
            "it closes the connection, or says what is no reply".to_owned()
        }
    }
}

/// A good client, a company's where there is one, with its sender and a recipient.
fn somebody(trace: &Trace) -> Option<(&Errand, &str, &str)> {
    let comes = |errand: &&Errand| {
        let first = errand.tries.first();
        let is_mail = first.is_some_and(|planned| planned.door == Door::Primary);
        is_mail && errand.class.label() == Label::Legitimate && !errand.traits.listed
    };
    let good = || trace.errands.iter().filter(comes);
    let company = good().filter(|errand| errand.class == Class::G3);
    company
        .chain(good())
        .find_map(|errand| with_mail(errand, trace))
}

fn with_mail<'t>(errand: &'t Errand, trace: &Trace) -> Option<(&'t Errand, &'t str, &'t str)> {
    let Act::Mail { envelopes, .. } = &errand.speech.act else {
        return None;
    };
    let envelope = envelopes.first()?;
    let exists = |to: &&String| {
        let local = to.rsplit_once('@').map(|(local, _)| local.to_lowercase());
        local.is_some_and(|local| trace.users.contains(&local))
    };
    let to = envelope.to.iter().find(exists)?;
    Some((errand, &envelope.from, to))
}
