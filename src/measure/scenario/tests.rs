//! Scenarios that are built in are read and hold the model; wrong ones are told with line, key and what to write.

use super::*;
use crate::measure::report::Sorts;

fn built_in() -> impl Iterator<Item = (&'static str, Scenario)> {
    BUILT_IN.iter().map(|(name, _)| {
        (
            *name,
            Scenario::load(name).unwrap_or_else(|problems| panic!("{name}: {problems:?}")),
        )
    })
}

fn problems(text: &str) -> Vec<String> {
    let problems = Scenario::parse(Path::new("mine.toml"), text).expect_err("it is wrong");
    problems.iter().map(Problem::to_string).collect()
}

fn text() -> &'static str {
    BUILT_IN.last().expect("there is one").1
}

#[test]
fn what_is_built_in_is_read() {
    let names: Vec<String> = built_in().map(|(_, scenario)| scenario.name).collect();
    assert_eq!(names, ["2008", "2016", "2026"]);
    for (name, scenario) in built_in() {
        assert_eq!(scenario.hash.len(), 64, "{name}");
    }
}

/// The means that docs/measure.md gives, computed from the tables: group, trait, the last digit
/// printed, percent in 2008, 2016 and 2026.
#[test]
fn the_tables_give_the_model() {
    use Group::{Legitimate, Spam, Unwanted};
    let model = [
        (Unwanted, Trait::Listed, 1.0, [77.0, 59.0, 41.0]),
        (Spam, Trait::Listed, 1.0, [84.0, 63.0, 37.0]),
        (Legitimate, Trait::Listed, 0.01, [0.40, 0.33, 0.28]),
        (Unwanted, Trait::Early, 1.0, [30.0, 8.0, 18.0]),
        (Spam, Trait::Early, 1.0, [31.0, 4.0, 2.0]),
        (Legitimate, Trait::Early, 0.01, [0.02, 0.03, 0.01]),
        (Unwanted, Trait::Pipelines, 0.1, [1.9, 0.7, 1.2]),
        (Unwanted, Trait::BadHelo, 1.0, [27.0, 32.0, 39.0]),
        (Spam, Trait::BadHelo, 1.0, [27.0, 13.0, 7.0]),
        (Legitimate, Trait::BadHelo, 0.1, [1.1, 1.0, 0.5]),
        (Spam, Trait::NoPtr, 1.0, [36.0, 25.0, 12.0]),
        (Legitimate, Trait::NoPtr, 0.1, [3.6, 2.3, 1.0]),
        (Spam, Trait::Dynamic, 1.0, [37.0, 26.0, 13.0]),
        (Legitimate, Trait::Dynamic, 0.1, [1.5, 1.1, 0.6]),
        (Spam, Trait::SpfFail, 1.0, [11.0, 13.0, 9.0]),
        (Legitimate, Trait::SpfFail, 0.01, [0.55, 0.53, 0.40]),
        (Spam, Trait::BadDomain, 0.1, [2.0, 1.9, 1.4]),
        (Legitimate, Trait::BadDomain, 0.01, [0.11, 0.10, 0.07]),
        (Spam, Trait::NoRetry, 1.0, [79.0, 48.0, 24.0]),
        (Legitimate, Trait::NoRetry, 0.1, [1.5, 1.3, 0.8]),
    ];
    let scenarios: Vec<Scenario> = built_in().map(|(_, scenario)| scenario).collect();
    for (group, of, digit, expected) in model {
        for (scenario, expected) in scenarios.iter().zip(expected) {
            let found = scenario.expected(of, group);
            let name = &scenario.name;
            assert!(
                (found - expected).abs() <= 0.55 * digit,
                "{name}: {group:?} {of:?}: {found:.3}, expected {expected}"
            );
        }
    }
}

#[test]
fn the_model_lies_within_its_sensitivity() {
    for (name, scenario) in built_in() {
        for range in &scenario.sensitivity {
            let model = scenario.expected(range.of, range.among);
            let (low, high) = (range.low, range.high);
            assert!(low <= model && model <= high, "{name}: {range:?}: {model}");
        }
    }
}

#[test]
fn a_misspelt_key_is_told_with_the_right_one() {
    let wrong = text().replacen("no_quit = 45", "no_qiut = 45", 1);
    let problems = problems(&wrong);
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problem = &problems[0];
    assert!(problem.starts_with("mine.toml:"), "{problem}");
    assert!(
        problem.contains("class.B1.no_qiut: unknown key, did you mean \"no_quit\"?"),
        "{problem}"
    );
}

#[test]
fn shares_that_do_not_sum_to_100_are_told_with_their_sum() {
    let problems = problems(&text().replacen("share = 26", "share = 20", 1));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(
        problems[0].ends_with(
            "class: the shares of all classes but M1 sum to 94; they must sum to 100 percent"
        ),
        "{problems:?}"
    );
}

#[test]
fn what_makes_no_sense_is_told() {
    for (right, wrong, expected) in [
        (
            "listed = 80",
            "listed = 180",
            "class.B1.listed: found 180; allowed: 0 to 100",
        ),
        (
            "no_ptr = 40, dynamic = 35",
            "no_ptr = 70, dynamic = 35",
            "class.B1.dynamic: no_ptr and dynamic sum to 105",
        ),
        (
            "retries = [\"bot\"]",
            "retries = [\"boat\"]",
            "habits.B1.retries: there is no timetable \"boat\"",
        ),
        (
            "recipients = [5, 50]",
            "recipients = [50, 5]",
            "habits.B1.recipients: found [50, 5]",
        ),
        (
            "pool_retry = 9",
            "pool_retry = 1",
            "case.pool_retry: found 1; allowed: 3 to 1000",
        ),
        (
            "span = \"24h\"",
            "span = \"24\"",
            "span: found \"24\"; write a duration with its unit",
        ),
        (
            "span = \"24h\"",
            "span = \"24d\"",
            "span: found 24days; allowed: 1h to 7d",
        ),
        (
            "zone = \"zen.spamhaus.org\"",
            "zone = \"zen.spamhaus.org.\"",
            "list[0].zone: found",
        ),
        (
            "trait = \"listed\"",
            "trait = \"lusted\"",
            "sensitivity[0].trait: the word \"lusted\" is unknown, did you mean \"listed\"?",
        ),
        (
            "evidence = \"D\"",
            "evidence = \"E\"",
            "class.B1.evidence: the word \"E\" is unknown",
        ),
        ("hasty_bot = {", "hasty_boot = {", "timetable: no hasty_bot"),
        (
            "G5 = { share = 0.8",
            "G55 = { share = 0.8",
            "class.G55: the word \"G55\" is unknown",
        ),
        (
            "visits = [59.8,",
            "visits = [50,",
            "habits.B1.visits: they sum to 90.2",
        ),
    ] {
        let text = text().replacen(right, wrong, 1);
        assert_ne!(text, self::text(), "{right}");
        let problems = problems(&text);
        assert_eq!(problems.len(), 1, "{wrong}: {problems:?}");
        assert!(
            problems.iter().any(|problem| problem.contains(expected)),
            "{wrong}: {problems:?}"
        );
    }
}

#[test]
fn a_missing_file_is_told_with_what_is_built_in() {
    let problems = Scenario::load("/nowhere/2030.toml").expect_err("it is not there");
    let text = problems[0].to_string();
    assert!(text.contains("2008, 2016 and 2026"), "{text}");
}

#[test]
fn a_scenario_is_written_as_it_is_read() {
    for (name, scenario) in built_in() {
        let written = toml::to_string(&scenario).expect("it can be written");
        let mut read = Scenario::parse(Path::new(name), &written)
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        read.hash.clone_from(&scenario.hash);
        assert_eq!(read, scenario, "{name}");
    }
}

#[test]
fn most_is_assumed_and_it_is_said() {
    let scenario = Scenario::load("2026").expect("it is built in");
    let evidence = scenario.evidence();
    assert!(
        evidence[&Evidence::A] >= 8,
        "retry timetables are measured: {evidence:?}"
    );
    assert!(
        evidence[&Evidence::D] > evidence[&Evidence::A],
        "{evidence:?}"
    );
    let written = text().matches("evidence = \"").count();
    assert_eq!(evidence.values().sum::<usize>(), written);
}

#[test]
fn what_is_fitted_to_a_log_can_be_read() {
    let mut sorts = Sorts::default();
    sorts.sessions = [300, 200, 20, 250, 230, 50];
    let fitted = sorts.scenario(text(), "a log").expect("it can be fitted");
    let fitted = Scenario::parse(Path::new("fitted.toml"), &fitted).expect("it can be read");
    assert!(
        (fitted.class[&Class::A1].share - 30.0).abs() < 0.01,
        "{fitted:?}"
    );
}
