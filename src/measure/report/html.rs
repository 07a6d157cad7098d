//! The report as a page.

use crate::measure::page::{Cell, Page, Section};
use crate::measure::plot::{Bar, Line, PlotError, Stack, Unit, bars, lines, stacked};
use crate::measure::report::text::{observed, part_text, percent, shield, size, span};
use crate::measure::report::{Part, PolicyPart, Report, Suspect, TopList};
use crate::measure::stats::share;

pub(super) fn html(report: &Report) -> Result<String, PlotError> {
    let mut sections = vec![
        summary(report),
        over_time(report)?,
        outcomes(report),
        early(report)?,
    ];
    for policy in report.policies.iter().filter(|policy| policy.known) {
        sections.extend([checks(policy)?, brought(policy)?, cost(policy)]);
    }
    sections.extend([
        delay(report),
        top("Networks", "Network", &report.networks),
        top("Names in HELO", "Name", &report.helo_names),
        zones(report),
        suspects(report),
        limits(report),
    ]);
    let page = Page {
        title: "gatepost report".to_owned(),
        about: about(report),
        sections,
    };
    Ok(page.html())
}

fn about(report: &Report) -> Vec<String> {
    let mut about = Vec::new();
    if let (Some(first), Some(last)) = (report.first, report.last) {
        about.push(format!(
            "{} sessions from {first} to {last} (UTC)",
            report.sessions.all
        ));
    }
    about.extend(observed(report));
    let only = [("Listener", &report.listener), ("Policy", &report.policy)];
    about.extend(
        only.iter()
            .filter_map(|(what, name)| name.as_ref().map(|name| format!("{what} {name} only"))),
    );
    about.push(
        "No record says what was spam: this tells what was refused, put off and handed on."
            .to_owned(),
    );
    about
}

fn summary(report: &Report) -> Section {
    let figure =
        |part: Part, says: &str| (percent(part.share), format!("{says}: {}", part_text(part)));
    let shares = report.shares;
    let figures = [
        figure(shares.kept_from_backend, "sessions kept from the backend"),
        figure(shares.dropped, "connections dropped"),
        figure(shares.refused, "recipients refused"),
        figure(shares.put_off, "recipients put off"),
        (
            size(report.spared.received_bytes + report.spared.announced_bytes),
            "sent or announced in sessions that the backend never saw".to_owned(),
        ),
        (
            format!("{:.2}", report.dns.live_per_session),
            "DNS questions asked for each session".to_owned(),
        ),
    ];
    let note = "In brackets: 95 % intervals over client networks, for sessions of one network are not independent.";
    Section::new("At a glance").figures(&figures).note(note)
}

fn over_time(report: &Report) -> Result<Section, PlotError> {
    let line = |label: &str, count: fn(&super::Hour) -> u64| Line {
        label: label.to_owned(),
        points: report
            .hours
            .iter()
            .map(|hour| (seconds(hour.time), count(hour) as f64))
            .collect(),
    };
    let all = [
        line("sessions", |hour| hour.sessions),
        line("messages delivered", |hour| hour.delivered),
        line("recipients refused", |hour| hour.refused),
        line("recipients put off", |hour| hour.put_off),
    ];
    let plot = lines(Unit::Count, &all)?;
    Ok(Section::new("Hour by hour")
        .plot(&plot, "Sessions, messages and recipients in each hour, UTC"))
}

fn seconds(time: crate::journal::Timestamp) -> f64 {
    let since = time
        .time()
        .duration_since(std::time::SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

fn outcomes(report: &Report) -> Section {
    let rows = |what: &str, counts: &mut dyn Iterator<Item = (&&'static str, &u64)>| {
        let rows = counts.filter(|(_, count)| **count > 0);
        let rows = rows.map(|(word, count)| vec![text(what), text(word), number(*count)]);
        rows.collect::<Vec<_>>()
    };
    let all = [
        rows("sessions, ended", &mut report.sessions.ended.iter()),
        rows(
            "sessions, gravest verdict",
            &mut report.sessions.verdicts.iter(),
        ),
        rows("recipients", &mut report.recipients.iter()),
        rows("messages", &mut report.messages.iter()),
    ];
    Section::new("Outcomes")
        .table(&["Of", "Outcome", "Count"], &all.concat())
        .note("The words and totals of the metrics.")
}

fn early(report: &Report) -> Result<Section, PlotError> {
    let series = [
        "handed on",
        "cut off",
        "refused",
        "put off",
        "left by itself",
    ];
    let stack = |row: &super::ReachedRow| Stack {
        label: match row.reached {
            "connect" => "before EHLO",
            "helo" => "at EHLO",
            "mail" => "at MAIL",
            "rcpt" => "at RCPT",
            _ => "at mail data",
        }
        .to_owned(),
        parts: [
            row.handed_on,
            row.cut_off,
            row.refused,
            row.put_off,
            row.left,
        ]
        .map(|count| count as f64)
        .into(),
    };
    let stacks: Vec<Stack> = report.reached.iter().map(stack).collect();
    let says = "How far sessions came, and what became of them: the earlier, the cheaper";
    Ok(Section::new("How far sessions came").plot(&stacked(Unit::Count, &series, &stacks)?, says))
}

fn checks(policy: &PolicyPart) -> Result<Section, PlotError> {
    let looked = policy.checks.iter().filter(|check| check.looked > 0);
    let all: Vec<Bar> = looked
        .clone()
        .map(|check| Bar {
            label: check.check.to_owned(),
            value: check.against_share,
            interval: Some(check.against_interval),
        })
        .collect();
    let rows: Vec<Vec<Cell>> = looked
        .map(|check| {
            vec![
                text(check.check),
                number(check.looked),
                number(check.not_looked),
                number(check.against),
                Cell::Number(percent(check.against_share)),
                number(check.in_favour),
            ]
        })
        .collect();
    let head = [
        "Check",
        "Could look",
        "Could not",
        "Spoke against",
        "Share",
        "Spoke for",
    ];
    let note = "A check that a session gave no chance to look (it ended before, or a question was not answered) is not \
                counted as silent.";
    Ok(Section::new(&format!("Policy {}: what checks found", policy.name))
        .plot(&bars(Unit::Share, &all)?, "Sessions in which a check spoke against the client, of those in which it could look; Wilson's 95 % interval")
        .table(&head, &rows)
        .note(note))
}

fn brought(policy: &PolicyPart) -> Result<Section, PlotError> {
    let spoke = policy.checks.iter().filter(|check| {
        let brought = check.recipients;
        brought.alone > 0 || brought.unique != 0 || brought.shapley.abs() > 0.05
    });
    let all: Vec<Bar> = spoke
        .clone()
        .map(|check| Bar {
            label: check.check.to_owned(),
            value: check.recipients.shapley,
            interval: None,
        })
        .collect();
    let rows: Vec<Vec<Cell>> = spoke
        .map(|check| {
            let brought = |one: super::Brought| {
                [
                    number(one.alone),
                    number_signed(one.unique),
                    Cell::Number(format!("{:.1}", one.shapley)),
                ]
            };
            let units = [check.recipients, check.transactions, check.connections].map(brought);
            std::iter::once(text(check.check))
                .chain(units.into_iter().flatten())
                .collect()
        })
        .collect();
    let head = [
        "Check",
        "Recipients: alone",
        "unique",
        "Shapley",
        "Transactions: alone",
        "unique",
        "Shapley",
        "Connections: alone",
        "unique",
        "Shapley",
    ];
    let kept = format!(
        "Judged again with every set of checks: {} of {} recipients, {} of {} transactions and {} of {} connections are kept out \
         (refused, put off or dropped).",
        policy.recipients.kept_out,
        policy.recipients.all,
        policy.transactions.kept_out,
        policy.transactions.all,
        policy.connections.kept_out,
        policy.connections.all
    );
    let note = "Alone: with this check only. Unique: what would come in without it. Shapley: what it adds on average over all \
                orders; these add up to all that is kept out, without what a shield keeps out anyway.";
    let mut section =
        Section::new(&format!("Policy {}: what each check brings", policy.name)).text(&kept);
    if let Some(shield) = shield(policy) {
        section = section.text(&format!("{shield}."));
    }
    Ok(section
        .plot(
            &bars(Unit::Count, &all)?,
            "Recipients kept out, by Shapley share",
        )
        .table(&head, &rows)
        .note(note))
}

fn cost(policy: &PolicyPart) -> Section {
    let costs = policy
        .checks
        .iter()
        .filter(|check| check.dns_live + check.dns_cached > 0 || check.held_seconds > 0.0);
    let rows: Vec<Vec<Cell>> = costs
        .map(|check| {
            let each = share(check.dns_live, policy.sessions);
            vec![
                text(check.check),
                number(check.dns_live),
                number(check.dns_cached),
                Cell::Number(format!("{each:.2}")),
                Cell::Number(format!("{:.1}", check.waited_seconds)),
                Cell::Number(format!("{:.1}", check.held_seconds)),
            ]
        })
        .collect();
    let head = [
        "Check",
        "DNS asked",
        "From the cache",
        "Asked a session",
        "Waited, s",
        "Held greeting, s",
    ];
    Section::new(&format!("Policy {}: what checks cost", policy.name)).table(&head, &rows).note(
        "A question that several checks use counts for each. Waited: the slowest answer of each session, added up; checks wait \
         at the same time.",
    )
}

fn delay(report: &Report) -> Section {
    let (delay, greeting) = (report.delay, report.greeting);
    let time = |seconds: Option<f64>| seconds.map_or_else(|| "none".to_owned(), span);
    let figures = [
        (
            delay.put_off.to_string(),
            "recipients put off by greylisting".to_owned(),
        ),
        (
            percent(share(delay.let_through, delay.put_off)),
            "came again and were let through".to_owned(),
        ),
        (time(delay.p50_seconds), "half came within".to_owned()),
        (
            time(delay.p90_seconds),
            "nine of ten came within".to_owned(),
        ),
        (time(delay.most_seconds), "the last came after".to_owned()),
        (
            format!("{:.1} s", greeting.mean_seconds),
            format!(
                "wait before the greeting, on average of the {} of {} delivering sessions that were made to wait",
                greeting.waited, greeting.delivered
            ),
        ),
    ];
    let note = format!(
        "By triplet, within these records. {} were put off in the last 24 hours and may still come.",
        delay.may_still_come
    );
    Section::new("How late mail came")
        .figures(&figures)
        .note(&note)
}

fn top(heading: &str, what: &str, list: &TopList) -> Section {
    let rows: Vec<Vec<Cell>> = list
        .first
        .iter()
        .map(|row| vec![text(&row.what), number(row.refused), number(row.sessions)])
        .collect();
    let note = match (list.different, list.short_by) {
        (Some(different), _) => format!("The most often refused of {different}."),
        (None, short) => format!("Too many to count all: a count may be {short} too small."),
    };
    Section::new(heading)
        .table(&[what, "Refused in", "Sessions"], &rows)
        .note(&note)
}

fn zones(report: &Report) -> Section {
    let zones = &report.zones;
    let mut head = vec!["Zone", "Answered", "Lists"];
    let numbers: Vec<String> = (1..=zones.zones.len())
        .map(|number| format!("({number})"))
        .collect();
    head.extend(numbers.iter().map(String::as_str));
    let rows: Vec<Vec<Cell>> = zones
        .zones
        .iter()
        .enumerate()
        .map(|(at, zone)| {
            let of = |counts: &[u64]| number(counts.get(at).copied().unwrap_or_default());
            let mut row = vec![
                text(&format!("({}) {zone}", at + 1)),
                of(&zones.answered),
                of(&zones.listing),
            ];
            let given = zones.given.get(at).into_iter().flatten();
            row.extend(
                given.map(|given| Cell::Number(given.map_or_else(|| "–".to_owned(), percent))),
            );
            row
        })
        .collect();
    Section::new("How far zones agree").table(&head, &rows).note(
        "Of the sessions that the zone of a row lists, the share that the zone of a column lists too. Whatever a zone answers \
         that can be a listing counts here, whether or not the policy counts it.",
    )
}

fn suspects(report: &Report) -> Section {
    let suspects = &report.suspects;
    let mut section = Section::new("Perhaps refused wrongly");
    for kind in suspects.kinds() {
        section = section.text(&format!("{} {}", kind.count, kind.says()));
        if !kind.first.is_empty() {
            let rows: Vec<Vec<Cell>> = kind.first.iter().map(suspect).collect();
            let head = ["Client", "Times", "First", "Last", "Session", "Then"];
            section = section.table(&head, &rows);
        }
    }
    section
        .note("Each is a reason to look, none is a proof. This shows a session:")
        .command("gatepost explain ID")
}

fn suspect(suspect: &Suspect) -> Vec<Cell> {
    vec![
        text(&suspect.client),
        number(suspect.times.into()),
        text(&suspect.first.to_string()),
        text(&suspect.last.to_string()),
        text(&suspect.refused),
        text(suspect.then.as_deref().unwrap_or_default()),
    ]
}

fn limits(report: &Report) -> Section {
    let mut section = Section::new("What this does not tell")
        .text("Refused is not spam, and handed on is not wanted mail: no record says what a message was.")
        .text(
            "A check that would have asked something that nobody asked stays without its answer; a recipient that a set of checks \
             would greylist for the first time counts as put off.",
        )
        .text("Of a session with more than 100 recipients, those beyond are counted and not judged again.");
    if report.read.damaged > 0 {
        section = section.text(&format!(
            "{} lines could not be understood and are left out.",
            report.read.damaged
        ));
    }
    for policy in report
        .policies
        .iter()
        .filter(|policy| !policy.known || policy.judged_otherwise > 0)
    {
        let about = match policy.known {
            true => format!(
                "{} sessions would be judged otherwise by policy {} as it is now.",
                policy.judged_otherwise, policy.name
            ),
            false => format!(
                "Policy {} is not in the configuration: its {} sessions are not judged again.",
                policy.name, policy.sessions
            ),
        };
        section = section.text(&about);
    }
    section
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn number(number: u64) -> Cell {
    Cell::Number(number.to_string())
}

fn number_signed(number: i64) -> Cell {
    Cell::Number(number.to_string())
}
