//! `[policy.NAME]`: thresholds, the wait before the greeting, exempt recipients, and the settings of the checks.
//!
//! A policy takes what it does not set from the one it inherits, in the end from the defaults. A check's table is merged
//! key by key. Every check of [`ALL`] is part of every policy unless its settings switch it off. The settings themselves
//! are read by the check.

pub(in crate::config) mod build;
pub(in crate::config) mod own_names;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::checks::ALL;
use crate::checks::points::Points;
use crate::checks::policy::Mode;
use crate::checks::shield;
use crate::checks::trace::Field;
use crate::config::place::key;
use crate::config::problem::Complaint;
use crate::config::report::Report;
use crate::config::units::{self, Text};

/// A policy as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::config) struct PolicyTable {
    inherit: Option<String>,
    #[serde(deserialize_with = "units::optional_word")]
    mode: Option<Mode>,
    #[serde(with = "units::optional")]
    greet_wait: Option<Duration>,
    greylist_points: Option<Points>,
    deny_points: Option<Points>,
    drop_points: Option<Points>,
    exempt_recipients: Option<Vec<String>>,
    #[serde(deserialize_with = "units::optional_word")]
    shield: Option<shield::Mode>,
    primary: Option<Vec<String>>,
    #[serde(with = "units::optional")]
    tarpit: Option<Duration>,
    tarpit_drip: Option<bool>,
    add_header: Option<Vec<Field>>,
    checks: BTreeMap<String, Map<String, Value>>,
}

/// A policy as it holds, with what it inherits.
#[derive(Clone, Debug, Serialize)]
pub(in crate::config) struct PolicySettings {
    pub(in crate::config) mode: Mode,
    #[serde(with = "units::text")]
    pub(in crate::config) greet_wait: Duration,
    pub(in crate::config) greylist_points: Points,
    pub(in crate::config) deny_points: Points,
    pub(in crate::config) drop_points: Points,
    pub(in crate::config) exempt_recipients: Vec<String>,
    pub(in crate::config) shield: shield::Mode,
    pub(in crate::config) primary: Vec<String>,
    #[serde(with = "units::text")]
    pub(in crate::config) tarpit: Duration,
    pub(in crate::config) tarpit_drip: bool,
    pub(in crate::config) add_header: Vec<Field>,
    pub(in crate::config) checks: BTreeMap<String, Map<String, Value>>,
    /// The policy itself and those it inherits from, nearest first.
    #[serde(skip)]
    pub(in crate::config) chain: Vec<String>,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            greet_wait: Duration::from_secs(6),
            greylist_points: Points::new(3),
            deny_points: Points::new(5),
            drop_points: Points::new(50),
            exempt_recipients: vec!["postmaster".to_owned(), "abuse".to_owned()],
            shield: shield::Mode::Off,
            primary: Vec::new(),
            tarpit: Duration::ZERO,
            tarpit_drip: false,
            add_header: Vec::new(),
            checks: BTreeMap::new(),
            chain: Vec::new(),
        }
    }
}

impl PolicySettings {
    /// Sets what `table` sets.
    fn lay(&mut self, table: &PolicyTable) {
        fn set<T: Clone>(field: &mut T, value: &Option<T>) {
            if let Some(value) = value {
                field.clone_from(value);
            }
        }
        set(&mut self.mode, &table.mode);
        set(&mut self.greet_wait, &table.greet_wait);
        set(&mut self.greylist_points, &table.greylist_points);
        set(&mut self.deny_points, &table.deny_points);
        set(&mut self.drop_points, &table.drop_points);
        set(&mut self.exempt_recipients, &table.exempt_recipients);
        set(&mut self.shield, &table.shield);
        set(&mut self.primary, &table.primary);
        set(&mut self.tarpit, &table.tarpit);
        set(&mut self.tarpit_drip, &table.tarpit_drip);
        set(&mut self.add_header, &table.add_header);
        for (name, settings) in &table.checks {
            let merged = self.checks.entry(name.clone()).or_default();
            merged.extend(settings.clone());
        }
    }
}

/// The section as it stands in the reference file, without the checks.
pub(in crate::config) const SAMPLE: &str = r#"# One table per policy, [policy.NAME]; "default" is there even when it is not written. A policy with inherit = "default"
# changes only what it sets, in its checks, too.
[policy.default]
# "enforce", or "observe": judge and record everything, refuse nothing.
mode = "enforce"
# How long an unknown client waits for the greeting, at most 10s. A client that speaks before its turn is no mail server.
greet_wait = "6s"
# Points of all findings are added up. From here on a recipient is greylisted: put off until it has waited ...
greylist_points = 3
# ... from here on refused at RCPT ...
deny_points = 5
# ... and from here on the session ends at once.
drop_points = 50
# Local-parts whose recipients the backend answers whatever the points, below drop_points. Bare <postmaster> always is one
# (RFC 5321 §4.5.1).
exempt_recipients = ["postmaster", "abuse"]
# For the policy of a secondary MX, where spammers like to go first: "off"; "tempfail" puts every recipient off, so that
# mail servers use the primary; "when-primary-down" does so while the primary is up, and judges as any other policy while it
# is down; "strict" greylists everybody who is not known. Exempt recipients are let through under each.
shield = "off"
# Where the primary is, for "when-primary-down": addresses with port, such as "192.0.2.25:25"; it is up if one of them greets.
primary = []
# How long each reply takes once a recipient of the client has been refused, at most 30s; "0s": no longer than others. At
# most limits.tarpit clients are held up in this way, more are answered at once.
tarpit = "0s"
# Whether a reply comes octet by octet in that time, instead of at its end.
tarpit_drip = false
# Header fields that are put before each message, in this order: "x-gatepost" (session id, points and findings),
# "authentication-results" (SPF and the reverse name, RFC 8601), "received". A field in the message that claims to be one of
# the first two from here is taken out.
add_header = []
"#;

/// The names that a listener may use: those written and `default`.
pub(in crate::config) fn names(tables: &BTreeMap<String, PolicyTable>) -> Vec<&str> {
    let mut names: Vec<&str> = tables.keys().map(String::as_str).collect();
    if !names.contains(&"default") {
        names.push("default");
    }
    names
}

/// Resolves inheritance and judges the thresholds.
pub(in crate::config) fn resolve(
    tables: &BTreeMap<String, PolicyTable>,
    report: &mut Report<'_>,
) -> BTreeMap<String, PolicySettings> {
    let mut round = BTreeSet::new();
    let mut policies = BTreeMap::new();
    for name in names(tables) {
        crate::config::check_name(&key(&["policy", name]), name, report);
        let mut settings = PolicySettings {
            chain: chain(name, tables, &mut round, report),
            ..Default::default()
        };
        for name in settings.chain.clone().iter().rev() {
            if let Some(table) = tables.get(name) {
                settings.lay(table);
            }
        }
        check(name, &settings, report);
        if let Some(table) = tables.get(name) {
            check_names(name, table, report);
        }
        policies.insert(name.to_owned(), settings);
    }
    policies
}

/// The policy and those it inherits from, as far as they can be followed.
fn chain(
    name: &str,
    tables: &BTreeMap<String, PolicyTable>,
    round: &mut BTreeSet<String>,
    report: &mut Report<'_>,
) -> Vec<String> {
    let mut chain = vec![name.to_owned()];
    let mut last = name;
    while let Some(parent) = tables.get(last).and_then(|table| table.inherit.as_deref()) {
        let at = key(&["policy", last, "inherit"]);
        let names = names(tables);
        if !names.contains(&parent) {
            if !report.is_spoiled(&key(&["policy", parent])) {
                report.wrong(&at, Complaint::unknown("the policy", parent, names));
            }
            break;
        }
        if chain.iter().any(|earlier| earlier == parent) {
            if !round.contains(parent) {
                let found = format!("goes round: {} → {parent}", chain.join(" → "));
                report.complain(&at, found, "leave out inherit in one of them");
                round.extend(chain.iter().cloned());
            }
            break;
        }
        chain.push(parent.to_owned());
        last = parent;
    }
    chain
}

fn check(name: &str, settings: &PolicySettings, report: &mut Report<'_>) {
    let at = |part: &str| key(&["policy", name, part]);
    report.range(
        &at("greet_wait"),
        &settings.greet_wait,
        &(Duration::ZERO..=Duration::from_secs(10)),
        Text::text,
    );
    report.range(
        &at("tarpit"),
        &settings.tarpit,
        &(Duration::ZERO..=Duration::from_secs(30)),
        Text::text,
    );
    check_primary(name, settings, report);
    let thresholds = [
        ("greylist_points", settings.greylist_points),
        ("deny_points", settings.deny_points),
        ("drop_points", settings.drop_points),
    ];
    for (part, points) in thresholds {
        if points <= Points::ZERO {
            report.complain(
                &at(part),
                format!("found {points}"),
                "write more than 0, or every client is meant",
            );
        }
    }
    for (lower, upper) in thresholds.iter().zip(thresholds.iter().skip(1)) {
        if lower.1 > upper.1 && !report.is_spoiled(&at(lower.0)) {
            let found = format!("{} is less than {}, {}", upper.1, lower.0, lower.1);
            report.complain(
                &at(upper.0),
                found,
                "write greylist_points ≤ deny_points ≤ drop_points",
            );
        }
    }
    for (index, local_part) in settings.exempt_recipients.iter().enumerate() {
        let at = key(&["policy", name, "exempt_recipients", &index.to_string()]);
        if local_part.is_empty()
            || !local_part.is_ascii()
            || local_part.contains(['@', ' ', '"', '<', '>'])
        {
            let found = format!(
                "{} is not a local-part",
                crate::config::found::quoted(local_part)
            );
            report.complain(
                &at,
                found,
                "write what stands before the @, such as \"postmaster\"",
            );
        }
    }
    if !settings
        .exempt_recipients
        .iter()
        .any(|local_part| local_part.eq_ignore_ascii_case("postmaster"))
    {
        let advice = "refused clients are told to write to postmaster: leave it in the list";
        report.note(
            &at("exempt_recipients"),
            "\"postmaster\" is missing",
            advice,
        );
    }
}

fn check_primary(name: &str, settings: &PolicySettings, report: &mut Report<'_>) {
    let at = |part: &[&str]| key(&[&["policy", name, "primary"], part].concat());
    for (index, address) in settings.primary.iter().enumerate() {
        if address.parse::<SocketAddr>().is_err() {
            let found = format!("{} is no address", crate::config::found::quoted(address));
            let allowed = "write an address with its port, such as \"192.0.2.25:25\" or \"[2001:db8::25]:25\"";
            report.complain(&at(&[&index.to_string()]), found, allowed);
        }
    }
    let greylists = settings
        .checks
        .get("greylist")
        .and_then(|check| check.get(build::ENABLED));
    if settings.shield == shield::Mode::Strict && greylists == Some(&Value::Bool(false)) {
        report.note(
            &key(&["policy", name, "shield"]),
            "\"strict\" does nothing while the check greylist is switched off",
            "switch it on",
        );
    }
    if settings.shield == shield::Mode::WhenPrimaryDown && settings.primary.is_empty() {
        let allowed = "write where the primary is, such as primary = [\"192.0.2.25:25\"]";
        report.complain(&at(&[]), "shield = \"when-primary-down\" needs it", allowed);
    }
}

/// Unknown checks, told where they are written.
fn check_names(name: &str, table: &PolicyTable, report: &mut Report<'_>) {
    for check in table.checks.keys() {
        if !ALL.iter().any(|kind| kind.name == check) {
            let names = ALL.iter().map(|kind| kind.name);
            report.wrong(
                &key(&["policy", name, "checks", check]),
                Complaint::unknown("the check", check, names),
            );
        }
    }
}
