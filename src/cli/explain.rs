//! `gatepost explain ADDRESS`: what a client from this address would get, and why.
//!
//! The same checks, the same judge and the same questions as in a session; only the silence before the greeting is
//! assumed, for there is nobody to watch.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use futures_util::future::join_all;
use serde::Serialize;

use crate::app::{self, tasks::Tasks};
use crate::checks::finding::{Finding, Outcome};
use crate::checks::policy::Policy;
use crate::checks::verdict::{Action, Verdict};
use crate::checks::{Judgement, judge};
use crate::cli::output::{self, Paint};
use crate::facts::{
    Answer, Answered, Client, DnsAnswer, Fact, Facts, Helo, Mail, Millis, Question, Rcpt,
    RecordData, Silence, Source, Stage,
};
use crate::gather::{Answerer, Gather};
use crate::smtp::domain::HeloName;
use crate::smtp::path::{ForwardPath, ReversePath};
use crate::smtp::reply::Reply;

/// Arguments of `gatepost explain`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The client's address
    address: IpAddr,
    /// The name it says with EHLO
    #[arg(long, value_name = "NAME")]
    helo: Option<String>,
    /// The envelope sender, such as someone@example.org; empty for the null reverse-path
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// The recipient; by default somebody at our host name
    #[arg(long, value_name = "ADDRESS")]
    rcpt: Option<String>,
    /// The listener it comes to; by default the first one
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// The configuration file
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/gatepost/gatepost.toml",
        env = "GATEPOST_CONFIG"
    )]
    config: PathBuf,
}

#[derive(Serialize)]
struct Explanation<'a> {
    address: IpAddr,
    policy: &'a str,
    facts: &'a Facts,
    verdict: &'a Verdict,
    reply: String,
}

/// Explains.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let snapshot = match output::load(&arguments.config) {
        Ok(snapshot) => snapshot,
        Err(code) => return Ok(code),
    };
    let (name, listen) = match &arguments.listener {
        Some(name) => match snapshot.config.listen.get_key_value(name) {
            Some(found) => found,
            None => bail!(
                "there is no [listen.{name}] in {}",
                arguments.config.display()
            ),
        },
        None => snapshot
            .config
            .listen
            .iter()
            .next()
            .context("the configuration has no listener")?,
    };
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
        Some(text) => forward_path(text)?,
        None => forward_path(&format!("somebody@{}", snapshot.config.hostname))?,
    };
    let mut facts = Facts::new(Client::new(
        SocketAddr::new(arguments.address, 25),
        local,
        name,
    ));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let verdict = runtime.block_on(async {
        let gather = Gather::new(
            &app::gather_settings(&snapshot.config.resolver),
            Tasks::default().spawner(),
        )?;
        walk(policy, &gather, &mut facts, arguments, &recipient).await
    })?;
    let reply = reply(&verdict, arguments.address, &recipient);
    let mut out = std::io::stdout().lock();
    if arguments.json {
        let explanation = Explanation {
            address: arguments.address,
            policy: &policy.name,
            facts: &facts,
            verdict: &verdict,
            reply: reply.to_string(),
        };
        serde_json::to_writer_pretty(&mut out, &explanation)?;
        writeln!(out)?;
    } else {
        print(&mut out, policy, &facts, &verdict, &reply)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Walks the stages of a session with what is known, asking the live questions on the way.
async fn walk(
    policy: &Policy,
    gather: &Arc<Gather>,
    facts: &mut Facts,
    arguments: &Arguments,
    recipient: &ForwardPath,
) -> anyhow::Result<Verdict> {
    settle(policy, gather, facts, Stage::Connect).await;
    if let Some(helo) = &arguments.helo {
        let name: HeloName =
            HeloName::parse(helo).with_context(|| format!("'{helo}' can not be a HELO name"))?;
        facts.push(
            Stage::Helo,
            Millis(0),
            Fact::Helo(Box::new(Helo {
                extended: true,
                name,
            })),
        );
    }
    let path = match arguments.from.as_deref() {
        None | Some("" | "<>") => ReversePath::Null,
        Some(text) => {
            let text = bracketed(text);
            ReversePath::parse(&text).with_context(|| format!("'{text}' is not an address"))?
        }
    };
    if arguments.from.is_some() {
        facts.push(
            Stage::Mail,
            Millis(0),
            Fact::Mail(Box::new(Mail { path, size: None })),
        );
    }
    facts.push(
        Stage::Rcpt,
        Millis(0),
        Fact::Rcpt(Box::new(Rcpt {
            path: recipient.clone(),
        })),
    );
    Ok(settle(policy, gather, facts, Stage::Rcpt).await)
}

/// Asks until nothing is left to ask: unlike a session it waits for every answer, since people want to see them all.
async fn settle(policy: &Policy, gather: &Arc<Gather>, facts: &mut Facts, stage: Stage) -> Verdict {
    loop {
        let judgement = judge(policy, facts);
        let questions = judgement.questions().to_vec();
        if questions.is_empty() {
            return match judgement {
                Judgement::Decide { verdict, .. } => verdict,
                Judgement::Ask { so_far, .. } => so_far,
            };
        }
        for answered in join_all(questions.iter().map(|question| answer(gather, question))).await {
            facts.push(stage, Millis(0), Fact::Answered(Box::new(answered)));
        }
    }
}

async fn answer(gather: &Arc<Gather>, question: &Question) -> Answered {
    if let Question::Silence { wait, .. } = question {
        let answer = Answer::Silence(Silence::Silent { watched: *wait });
        return Answered {
            question: question.clone(),
            answer,
            took: Millis(0),
            source: Source::Session,
        };
    }
    let started = tokio::time::Instant::now();
    let (answer, source) = gather.ask(question).await;
    Answered {
        question: question.clone(),
        answer,
        took: started.elapsed().into(),
        source,
    }
}

fn reply(verdict: &Verdict, client: IpAddr, recipient: &ForwardPath) -> Reply {
    match verdict.enforced() {
        Action::Deny => verdict.denial(client, recipient),
        Action::Drop => verdict.farewell(client),
        Action::Clear | Action::Greylist => {
            Reply::new(250, None, "(the backend's own answer to RCPT)")
        }
    }
}

fn print(
    out: &mut impl Write,
    policy: &Policy,
    facts: &Facts,
    verdict: &Verdict,
    reply: &Reply,
) -> std::io::Result<()> {
    let paint = Paint::stdout();
    if let Some(client) = facts.client() {
        writeln!(
            out,
            "{} at listener {}, policy {}",
            paint.bold(&client.ip().to_string()),
            client.listener,
            policy.name
        )?;
    }
    if let Some(rcpt) = facts.rcpt() {
        writeln!(
            out,
            "recipient {}{}",
            rcpt.path,
            if verdict.exempt {
                ", exempt from filtering"
            } else {
                ""
            }
        )?;
    }
    writeln!(out, "\n{}", paint.dim("asked"))?;
    for answered in facts.answers() {
        let asked = answered.question.to_string();
        writeln!(
            out,
            "  {asked:<44} {}  {}",
            told(answered),
            paint.dim(&source(answered))
        )?;
    }
    writeln!(out, "\n{}", paint.dim("found"))?;
    for finding in &verdict.findings {
        writeln!(out, "  {}", row(finding, paint))?;
    }
    writeln!(
        out,
        "\ntotal    {} points (deny from {}, drop from {})",
        verdict.points, policy.deny_points, policy.drop_points
    )?;
    let action = verdict.action.label();
    let action = if verdict.action == Action::Clear {
        paint.good(action)
    } else {
        paint.bad(action)
    };
    let observed = if verdict.observed {
        " (observed only: nothing is refused)"
    } else {
        ""
    };
    writeln!(out, "verdict  {action}{observed}")?;
    writeln!(out, "reply    {reply}")
}

fn row(finding: &Finding, paint: Paint) -> String {
    let points = format!("{:>6}", finding.points.to_string());
    let points = match finding.outcome {
        Outcome::Fail | Outcome::Deny => paint.bad(&points),
        Outcome::Allow | Outcome::Trust => paint.good(&points),
        Outcome::Pass | Outcome::Unknown => points,
    };
    let outcome = finding.outcome.label();
    format!(
        "{points}  {:<9} {outcome:<8} {:<18} {}",
        finding.check, finding.reason, finding.evidence
    )
}

fn told(answered: &Answered) -> String {
    match &answered.answer {
        Answer::Silence(Silence::Silent { .. }) => "assumed silent".to_owned(),
        Answer::Silence(other) => format!("{other:?}"),
        Answer::Dns(DnsAnswer::NoName) => "no such name".to_owned(),
        Answer::Dns(DnsAnswer::NoData) => "no such record".to_owned(),
        Answer::Dns(DnsAnswer::Failed(failure)) => format!("failed: {failure:?}").to_lowercase(),
        Answer::Dns(DnsAnswer::Found(records)) => {
            let data: Vec<String> = records.iter().map(|record| data(&record.data)).collect();
            data.join(" ")
        }
    }
}

fn data(data: &RecordData) -> String {
    match data {
        RecordData::A(address) => address.to_string(),
        RecordData::Aaaa(address) => address.to_string(),
        RecordData::Mx(preference, exchange) => format!("{preference} {exchange}"),
        RecordData::Ptr(name) => name.to_string(),
        RecordData::Txt(text) => format!("\"{text}\""),
    }
}

fn source(answered: &Answered) -> String {
    match answered.source {
        Source::Cache => "from the cache".to_owned(),
        Source::Live => format!("in {}", answered.took),
        Source::Session => String::new(),
    }
}

fn forward_path(text: &str) -> anyhow::Result<ForwardPath> {
    let text = bracketed(text);
    ForwardPath::parse(&text).with_context(|| format!("'{text}' is not an address"))
}

fn bracketed(text: &str) -> String {
    if text.starts_with('<') {
        text.to_owned()
    } else {
        format!("<{text}>")
    }
}
