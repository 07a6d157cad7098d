//! How an explanation looks to people: what was asked, what was found, the sum, the verdict and the reply.

use std::io::Write;
use std::time::Duration;

use humantime::format_duration;

use crate::checks::address::is_public;
use crate::checks::finding::{Finding, Outcome};
use crate::checks::policy::Policy;
use crate::checks::verdict::{Action, Verdict};
use crate::cli::output::Paint;
use crate::facts::{
    Answer, Answered, Client, DnsAnswer, Facts, Millis, Recalled, RecordData, Room, Silence, Source,
};
use crate::smtp::reply::Reply;

/// Where answers stand behind questions.
const COLUMN: usize = 44;

/// Writes what was asked, what was found, and what comes of it.
pub(super) fn explanation(
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
        asked(out, answered, paint)?;
    }
    let no_dns = !facts
        .answers()
        .any(|answered| matches!(answered.answer, Answer::Dns(_)));
    if let Some(ip) = facts.client().map(Client::ip)
        && no_dns
        && !is_public(ip)
    {
        writeln!(
            out,
            "  DNS lists and names: not asked, {ip} is a private address"
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

/// A question and its answer; behind a long question, such as one for an IPv6 address, on a line of its own.
pub(super) fn asked(
    out: &mut impl Write,
    answered: &Answered,
    paint: Paint,
) -> std::io::Result<()> {
    let question = answered.question.to_string();
    let answer = match source(answered) {
        source if source.is_empty() => told(answered),
        source => format!("{}  {}", told(answered), paint.dim(&source)),
    };
    if question.len() > COLUMN {
        writeln!(out, "  {question}")?;
        return writeln!(out, "  {:COLUMN$} {answer}", "");
    }
    writeln!(out, "  {question:<COLUMN$} {answer}")
}

pub(super) fn row(finding: &Finding, paint: Paint) -> String {
    let points = format!("{:>6}", finding.points.to_string());
    let points = match finding.outcome {
        Outcome::Fail | Outcome::Deny => paint.bad(&points),
        Outcome::Allow | Outcome::Trust => paint.good(&points),
        Outcome::Pass | Outcome::Unknown | Outcome::PutOff => points,
    };
    let outcome = finding.outcome.label();
    // What was seen says more than the reason, where there is something to see.
    let told = match finding.evidence.as_str() {
        "" => &finding.reason,
        evidence => evidence,
    };
    format!("{points}  {:<13} {outcome:<8} {told}", finding.check)
}

fn told(answered: &Answered) -> String {
    match &answered.answer {
        Answer::Silence(Silence::Silent { .. }) if answered.took == Millis(0) => {
            "assumed silent".to_owned()
        }
        Answer::Silence(Silence::Silent { .. }) => "silent".to_owned(),
        Answer::Silence(other) => format!("{other:?}"),
        Answer::Primary(primary) => format!("{primary:?}").to_lowercase(),
        Answer::Memory(recalled) => remembered(recalled),
        Answer::Count(Room::Within) => "there is room".to_owned(),
        Answer::Count(Room::Over { wait, .. }) => {
            let wait = Duration::from_secs(wait.0.div_ceil(1000).into());
            format!("no room for {}", format_duration(wait))
        }
        Answer::Count(Room::Unknown) => "not known".to_owned(),
        Answer::Dns(DnsAnswer::NoName) => "no such name".to_owned(),
        Answer::Dns(DnsAnswer::NoData) => "no such record".to_owned(),
        Answer::Dns(DnsAnswer::Failed(failure)) => format!("failed: {failure:?}").to_lowercase(),
        Answer::Dns(DnsAnswer::Found(records)) => {
            let data: Vec<String> = records.iter().map(|record| data(&record.data)).collect();
            data.join(" ")
        }
    }
}

fn remembered(recalled: &Recalled) -> String {
    let ago = |seconds: u32| format_duration(Duration::from_secs(seconds.into()));
    match recalled {
        Recalled::Nothing => "not remembered".to_owned(),
        Recalled::Unavailable => "no memory".to_owned(),
        Recalled::Pass { since, visits } => {
            format!("for {}, clean sessions: {visits}", ago(*since))
        }
        Recalled::Triplet { since, passed } => {
            let passed = if *passed { ", let through" } else { "" };
            format!("first here {} ago{passed}", ago(*since))
        }
        Recalled::Harvest { refused, accepted } => format!("{refused} refused, {accepted} taken"),
        Recalled::Tried { since } => format!("{} ago", ago(*since)),
    }
}

fn data(data: &RecordData) -> String {
    match data {
        RecordData::A(address) => address.to_string(),
        RecordData::Aaaa(address) => address.to_string(),
        RecordData::Cname(name) => format!("→ {name}"),
        RecordData::Mx(preference, exchange) => format!("{preference} {exchange}"),
        RecordData::Ptr(name) => name.to_string(),
        RecordData::Txt(text) => format!("\"{text}\""),
    }
}

fn source(answered: &Answered) -> String {
    match answered.source {
        Source::Cache => "from the cache".to_owned(),
        Source::Live => format!("in {}", answered.took),
        Source::Session | Source::Memory => String::new(),
    }
}
