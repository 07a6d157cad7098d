//! `gatepost bench`: plays made traffic at a server over real sockets and says what it stopped, what it spared and what it
//! cost in good mail.
//!
//! The traffic and the score are `measure`'s; here are the players, the servers that are started for them, their DNS, and
//! the words. The label of who is who never leaves this process.

mod arguments;
mod arrivals;
mod clock;
mod exim;
mod folder;
mod gate;
mod group;
mod html;
mod play;
mod player;
mod postscreen;
mod result;
mod share;
mod speech;
mod target;
mod text;
mod traffic;
mod wire;
mod world;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::cli::demo::EndSignals;
use crate::cli::output::{self, Paint};
use crate::measure::trace::{Played, Trace};
pub(in crate::cli) use arguments::Arguments;
use arguments::{BackendKind, Proxy, Setting, setting, targets};
use folder::{Folder, folder};
use result::{Results, Server};
use target::{Outcome, Target, perform, without_users};
use traffic::traffic;

/// Plays and tells.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let targets = targets(arguments)?;
    let setting = setting(arguments, &targets)?;
    let (mut trace, scenario) = match traffic(arguments)? {
        Ok(traffic) => traffic,
        Err(problems) => {
            for problem in &problems {
                output::complain(&problem.to_string());
            }
            return Ok(ExitCode::from(1));
        }
    };
    let knows_logins = |target: &Target| target.knows_logins(setting.backend);
    if !targets.iter().all(knows_logins) {
        without_users(&mut trace);
    }
    let trace = Arc::new(trace);
    if let Some(file) = &arguments.html {
        try_file(file)?;
    }
    // Those that know logins are those with an Exim.
    let has_exim = targets.iter().any(knows_logins);
    let folder = folder(arguments.keep.as_deref(), has_exim)?;
    if targets.contains(&Target::Postscreen) {
        postscreen::check(setting.postfix.as_deref(), folder.path())?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let played = runtime.block_on(async {
        let mut signals = EndSignals::listen()?;
        tokio::select! {
            played = at_all(&targets, &setting, &trace, &folder) => played,
            // The servers go with what is dropped here.
            () = signals.received() => bail!("ended before everything was played"),
        }
    });
    let outcomes = played?;
    let servers = outcomes.iter().map(|outcome| {
        let checks = share::shares(&trace, outcome, &setting.policy)?;
        Ok(Server::new(&trace, scenario.as_ref(), outcome, checks))
    });
    let servers = servers.collect::<anyhow::Result<Vec<_>>>()?;
    let mut results = Results::new(&trace, &setting, servers, &outcomes);
    results.judge(&arguments.limits);
    // Before the files: a full disk must not cost the result.
    tell(&results, arguments.json)?;
    if let Folder::Kept(path) = &folder {
        keep(path, &trace, &outcomes)?;
    }
    if let Some(file) = &arguments.html {
        let page = html::page(&results)?;
        std::fs::write(file, page).with_context(|| no_page(file))?;
    }
    Ok(ExitCode::from(u8::from(!results.broken.is_empty())))
}

/// Whether the page can be written is known before the run, which takes minutes. What stands in the file stays until then.
fn try_file(file: &Path) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    options.open(file).map(drop).with_context(|| no_page(file))
}

fn no_page(file: &Path) -> String {
    format!("--html {} can not be written", file.display())
}

/// Plays at one server after the other.
async fn at_all(
    targets: &[Target],
    setting: &Setting,
    trace: &Arc<Trace>,
    folder: &Folder,
) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for target in targets {
        outcomes.push(perform(target, setting, trace, folder.path()).await?);
    }
    Ok(outcomes)
}

fn tell(results: &Results, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, results)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", text::text(results, Paint::stdout()))?;
    }
    Ok(())
}

/// What was played, and what came of it, beside the files of the servers.
fn keep(folder: &Path, trace: &Trace, outcomes: &[Outcome]) -> anyhow::Result<()> {
    let file = |name: &str| std::fs::File::create(folder.join(name)).map(std::io::BufWriter::new);
    serde_json::to_writer(file("trace.json")?, trace)?;
    let played: Vec<&Played> = outcomes.iter().map(|outcome| &outcome.played).collect();
    serde_json::to_writer(file("played.json")?, &played)?;
    Ok(())
}
