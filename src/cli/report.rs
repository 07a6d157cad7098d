//! `gatepost report`: what recorded sessions tell.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::checks::policy::Policy;
use crate::cli::config_file::ConfigFile;
use crate::cli::output::{self, Usage};
use crate::cli::progress::Progress;
use crate::cli::when;
use crate::config::Snapshot;
use crate::journal::Timestamp;
use crate::measure::report::{Report, report};
use crate::measure::scenario::{BUILT_IN, Scenario};
use crate::measure::tally::Wanted;

/// Arguments of `gatepost report`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Sessions that were judged under the policy of this name
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Write JSON
    #[arg(long)]
    json: bool,
    /// Write a page with plots into this file, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write a scenario with the shares of these sessions into this file, too
    #[arg(long, value_name = "FILE")]
    fit_scenario: Option<PathBuf>,
    /// The scenario that gives what a log can not tell: 2008, 2016, 2026 or a file
    #[arg(long, value_name = "NAME|FILE", default_value = "2026")]
    base_scenario: String,
}

/// Which records.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Which {
    /// Sessions that began then or later: a day, a time (2026-11-21T10:00, UTC), or how long ago (24h, 7d)
    #[arg(long, value_name = "TIME", value_parser = when::time)]
    since: Option<Timestamp>,
    /// Sessions that began before
    #[arg(long, value_name = "TIME", value_parser = when::time)]
    until: Option<Timestamp>,
    /// Sessions of this listener
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// The directory of the records; the configuration's by default, which need not be there if this is given
    #[arg(long, value_name = "DIRECTORY")]
    journal: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) config: ConfigFile,
}

impl Which {
    /// As sessions are chosen by it.
    pub(in crate::cli) fn wanted(&self) -> anyhow::Result<Wanted> {
        in_order(self.since, self.until)?;
        Ok(Wanted {
            since: self.since,
            until: self.until,
            listener: self.listener.clone(),
            policy: None,
        })
    }

    /// Where the records are.
    pub(in crate::cli) fn place(&self) -> Result<Place, ExitCode> {
        Place::new(&self.config, self.journal.as_deref())
    }
}

/// Where records are, and by what they can be judged again.
pub(in crate::cli) struct Place {
    pub(in crate::cli) directory: PathBuf,
    pub(in crate::cli) policies: BTreeMap<String, Arc<Policy>>,
    listeners: Vec<String>,
}

impl Place {
    /// That of the configuration, or `journal`; who names that needs no configuration, but then nothing is judged again.
    pub(in crate::cli) fn new(config: &Path, journal: Option<&Path>) -> Result<Self, ExitCode> {
        if let Some(directory) = journal
            && !config.exists()
        {
            return Ok(Self {
                directory: directory.to_owned(),
                policies: BTreeMap::new(),
                listeners: Vec::new(),
            });
        }
        let Snapshot {
            config, policies, ..
        } = output::load(config)?;
        Ok(Self {
            directory: journal.unwrap_or(&config.journal.directory).to_owned(),
            policies,
            listeners: config.listen.keys().cloned().collect(),
        })
    }

    /// What was asked for and is not in the configuration.
    fn unknown(&self, wanted: &Wanted) -> Vec<String> {
        let policies: Vec<String> = self.policies.keys().cloned().collect();
        let asked = [
            ("policy", &wanted.policy, &policies),
            ("listen", &wanted.listener, &self.listeners),
        ];
        let unknown = asked.into_iter().filter_map(|(table, name, names)| {
            let name = name.as_ref().filter(|name| !names.contains(name))?;
            (!names.is_empty()).then(|| {
                let names = names.join(", ");
                format!("the configuration has no [{table}.{name}]; it has {names}")
            })
        });
        unknown.collect()
    }
}

/// Refuses a time that ends before it begins.
pub(in crate::cli) fn in_order(
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<(), Usage> {
    match (since, until) {
        (Some(since), Some(until)) if since >= until => Err(Usage(format!(
            "nothing lies between {since} and {until}: --until must be the later one"
        ))),
        _ => Ok(()),
    }
}

/// Why there are no records.
pub(in crate::cli) fn no_records(directory: &Path) -> String {
    format!(
        "the session records in {} can not be read",
        directory.display()
    )
}

/// Reports.
pub(in crate::cli) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut wanted = arguments.which.wanted()?;
    wanted.policy.clone_from(&arguments.policy);
    let place = match arguments.which.place() {
        Ok(place) => place,
        Err(code) => return Ok(code),
    };
    let progress = Progress::new("reading");
    let report = report(&place.directory, &wanted, &place.policies, |done, all| {
        progress.tell(done, all);
    });
    drop(progress);
    let report = report.with_context(|| no_records(&place.directory))?;
    // First what needs no file: a journal is not read for nothing because one can not be written.
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", report.text())?;
        if report.sessions.all == 0 {
            for unknown in place.unknown(&wanted) {
                writeln!(out, "{unknown}")?;
            }
        }
    }
    if let Some(file) = &arguments.html {
        let page = report.html()?;
        std::fs::write(file, page)
            .with_context(|| format!("{} can not be written", file.display()))?;
    }
    if let Some(file) = &arguments.fit_scenario {
        fit(&report, file, &arguments.base_scenario)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn fit(report: &Report, file: &Path, base: &str) -> anyhow::Result<()> {
    let built_in = BUILT_IN.iter().find(|(name, _)| *name == base);
    let text = match built_in {
        Some((_, text)) => (*text).to_owned(),
        None => std::fs::read_to_string(base).with_context(|| format!("{base} can not be read"))?,
    };
    let time = |time: Option<Timestamp>| time.map_or_else(String::new, |time| time.to_string());
    let about = format!(
        "fitted to {} sessions from {} to {}; what a log can not tell is from {base}",
        report.sessions.all,
        time(report.first),
        time(report.last),
    );
    let text = report.sorts.scenario(&text, &about)?;
    if let Err(problems) = Scenario::parse(file, &text) {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::bail!("no scenario comes of it: {}", problems.join("; "));
    }
    std::fs::write(file, text).with_context(|| format!("{} can not be written", file.display()))
}
