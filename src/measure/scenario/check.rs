//! What does not make sense in a scenario that can be read.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Habits, Row, Scenario, Trait};
use crate::config::Fault;
use crate::measure::trace::{Case, Class};

/// How far sums of percent may be off, for rounding.
const ROUNDING: f64 = 0.05;
const HOUR: Duration = Duration::from_secs(3600);
const WEEK: Duration = Duration::from_secs(7 * 86400);
/// Most tries of one errand.
const MOST_TRIES: u32 = 200;
/// Most recipients of a transaction.
const MOST_RECIPIENTS: u32 = 500;

/// Collects them.
#[derive(Default)]
struct Found(Vec<Fault>);

impl Found {
    fn complain(&mut self, key: &[&str], found: impl Into<String>, allowed: impl Into<String>) {
        self.0.push(Fault {
            key: key.iter().map(|part| (*part).to_owned()).collect(),
            found: found.into(),
            allowed: allowed.into(),
        });
    }

    fn number(&mut self, key: &[&str], value: f64, range: RangeInclusive<f64>) {
        if !range.contains(&value) {
            let allowed = format!("allowed: {} to {}", range.start(), range.end());
            self.complain(key, format!("found {value}"), allowed);
        }
    }

    fn percent(&mut self, key: &[&str], value: f64) {
        self.number(key, value, 0.0..=100.0);
    }

    fn sum(&mut self, key: &[&str], what: &str, sum: f64) {
        if (sum - 100.0).abs() > ROUNDING {
            let found = format!("{what} sum to {}", (sum * 1000.0).round() / 1000.0);
            self.complain(key, found, "they must sum to 100 percent");
        }
    }

    fn between(&mut self, key: &[&str], [least, most]: [u32; 2], range: RangeInclusive<u32>) {
        if least > most || !range.contains(&least) || !range.contains(&most) {
            let allowed = format!(
                "write the least and the most, {} to {}",
                range.start(),
                range.end()
            );
            self.complain(key, format!("found [{least}, {most}]"), allowed);
        }
    }
}

/// Everything that does not make sense.
pub(super) fn faults(scenario: &Scenario) -> Vec<Fault> {
    let mut found = Found::default();
    if !(HOUR..=WEEK).contains(&scenario.span) {
        let wrong = format!("found {}", humantime::format_duration(scenario.span));
        found.complain(&["span"], wrong, "allowed: 1h to 7d");
    }
    classes(scenario, &mut found);
    shares(scenario, &mut found);
    timetables(scenario, &mut found);
    others(scenario, &mut found);
    found.0
}

fn classes(scenario: &Scenario, found: &mut Found) {
    for class in Class::ALL {
        let name = class.name();
        match scenario.class.get(class) {
            Some(row) => traits(name, row, found),
            None => missing(&["class"], name, class.about(), found),
        }
        match scenario.habits.get(class) {
            Some(habits) => self::habits(name, habits, scenario, found),
            None => missing(&["habits"], name, class.about(), found),
        }
    }
    for case in Case::ALL {
        match scenario.case.get(case) {
            Some(3..=1000) => {}
            Some(number) => {
                let key = ["case", case.name()];
                found.complain(&key, format!("found {number}"), "allowed: 3 to 1000");
            }
            None => missing(&["case"], case.name(), case.about(), found),
        }
    }
}

fn missing(key: &[&str], name: &str, about: &str, found: &mut Found) {
    let allowed = format!("write {name} = ... here ({about})");
    found.complain(key, format!("no {name}"), allowed);
}

fn traits(name: &str, row: &Row, found: &mut Found) {
    found.percent(&["class", name, "share"], row.share);
    for column in Trait::ALL {
        found.percent(&["class", name, column.name()], column.percent(row));
    }
    let both = row.no_ptr + row.dynamic;
    if both > 100.0 {
        let wrong = format!("no_ptr and dynamic sum to {both}");
        let allowed = "an address without a name has no dynamic one: 100 at most";
        found.complain(&["class", name, "dynamic"], wrong, allowed);
    }
}

fn shares(scenario: &Scenario, found: &mut Found) {
    let rows = scenario.class.iter();
    let sum = rows.filter(|(class, _)| **class != Class::M1);
    let sum = sum.map(|(_, row)| row.share).sum();
    found.sum(&["class"], "the shares of all classes but M1", sum);
}

fn habits(name: &str, habits: &Habits, scenario: &Scenario, found: &mut Found) {
    let key = |part: &'static str| ["habits", name, part];
    found.between(&key("recipients"), habits.recipients, 1..=MOST_RECIPIENTS);
    found.between(&key("network"), habits.network, 1..=250);
    found.percent(&key("unknown"), habits.unknown);
    found.percent(&key("allowed"), habits.allowed);
    found.percent(&key("spf_pass"), habits.spf_pass);
    found.number(&key("messages"), habits.messages, 1.0..=20.0);
    for share in habits.visits {
        found.percent(&key("visits"), share);
    }
    found.sum(&key("visits"), "they", habits.visits.iter().sum());
    let spf = habits.spf_pass + scenario.class_row(name).map_or(0.0, |row| row.spf_fail);
    if spf > 100.0 {
        let wrong = format!("SPF pass and fail sum to {spf}");
        found.complain(&key("spf_pass"), wrong, "100 percent at most");
    }
    if habits.retries.is_empty() {
        found.complain(&key("retries"), "found none", "name timetables");
    }
    for timetable in &habits.retries {
        if !scenario.timetable.contains_key(timetable) {
            let wrong = format!("there is no timetable {timetable:?}");
            found.complain(&key("retries"), wrong, known(scenario.timetable.keys()));
        }
    }
    if let Some(pool) = &habits.pool
        && !scenario.pool.contains_key(pool)
    {
        let wrong = format!("there is no pool {pool:?}");
        found.complain(&key("pool"), wrong, known(scenario.pool.keys()));
    }
}

fn known<'n>(names: impl Iterator<Item = &'n String>) -> String {
    let names: Vec<String> = names.map(|name| format!("{name:?}")).collect();
    format!("allowed: {}", names.join(", "))
}

/// Timetables that clients have whatever the habits say: hasty bots and the special cases.
const NEEDED: [&str; 15] = [
    "aol",
    "exchange",
    "exim",
    "gmail",
    "gmx",
    "hasty_bot",
    "mail_ru",
    "microsoft",
    "postfix",
    "qq",
    "script",
    "sendmail",
    "too_fast",
    "yahoo",
    "yandex",
];

fn timetables(scenario: &Scenario, found: &mut Found) {
    for name in NEEDED {
        if !scenario.timetable.contains_key(name) {
            missing(&["timetable"], name, "when such senders try again", found);
        }
    }
    for (name, timetable) in &scenario.timetable {
        let key = |part: &'static str| ["timetable", name.as_str(), part];
        if !timetable.after.is_sorted() {
            found.complain(&key("after"), "found times out of order", "sort them");
        }
        let listed = u32::try_from(timetable.after.len()).unwrap_or(u32::MAX);
        let tries = timetable.tries.max(listed.saturating_add(1));
        if tries > MOST_TRIES {
            let wrong = format!("found {tries} tries");
            found.complain(&key("tries"), wrong, format!("at most {MOST_TRIES}"));
        }
        if timetable.tries > listed.saturating_add(1) && timetable.every.is_zero() {
            let allowed = "write how often the later tries are made, such as \"4m\"";
            found.complain(&key("tries"), "there is no `every`", allowed);
        }
        found.number(&key("addresses"), timetable.addresses.into(), 1.0..=50.0);
        found.number(&key("jitter"), timetable.jitter, 0.0..=50.0);
    }
    for (name, pool) in &scenario.pool {
        let key = |part: &'static str| ["pool", name.as_str(), part];
        found.number(&key("providers"), pool.providers.into(), 1.0..=1000.0);
        found.between(&key("addresses"), pool.addresses, 1..=60_000);
        found.percent(&key("allowed"), pool.allowed);
    }
}

fn others(scenario: &Scenario, found: &mut Found) {
    for (name, figure) in scenario.other.percents() {
        found.percent(&["other", name, "value"], figure.value);
    }
    let other = &scenario.other;
    found.number(
        &["other", "size_spam", "value"],
        other.size_spam.value,
        0.5..=10_000.0,
    );
    let size = other.size_legitimate.value;
    found.number(&["other", "size_legitimate", "value"], size, 0.5..=10_000.0);
    found.number(
        &["other", "size_sigma", "value"],
        other.size_sigma.value,
        0.0..=3.0,
    );
    if other.guesser_names.is_empty() {
        found.complain(
            &["other", "guesser_names"],
            "found none",
            "write at least one",
        );
    }
    found.number(&["dns", "median"], scenario.dns.median, 0.0..=5000.0);
    found.number(&["dns", "sigma"], scenario.dns.sigma, 0.0..=3.0);
    found.percent(&["dns", "lost"], scenario.dns.lost);
    for (index, list) in scenario.list.iter().enumerate() {
        let index = index.to_string();
        found.percent(&["list", &index, "coverage"], list.coverage);
        if list.zone.is_empty() || list.zone.starts_with('.') || list.zone.ends_with('.') {
            let allowed = "write a domain without a dot at either end";
            found.complain(
                &["list", &index, "zone"],
                format!("found {:?}", list.zone),
                allowed,
            );
        }
    }
    for (index, range) in scenario.sensitivity.iter().enumerate() {
        let index = index.to_string();
        let key = |part: &'static str| ["sensitivity", index.as_str(), part];
        found.percent(&key("low"), range.low);
        found.percent(&key("high"), range.high);
        if range.low > range.high {
            let wrong = format!("found {}, and low is {}", range.high, range.low);
            found.complain(&key("high"), wrong, "write a number that is not below low");
        }
    }
}
