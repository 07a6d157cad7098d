//! Against values from the literature and from formulas for special cases.

use proptest::prelude::*;

use super::*;

fn near(found: f64, expected: f64, within: f64) {
    assert!(
        (found - expected).abs() <= within,
        "{found} is not {expected}"
    );
}

#[test]
fn wilson_is_the_table_of_false_positives() {
    // Percent.
    for (part, whole, low, high, digits) in [
        (0, 1_000, 0.0, 0.38, 0.005),
        (0, 3_000, 0.0, 0.13, 0.005),
        (0, 10_000, 0.0, 0.038, 0.0005),
        (0, 30_000, 0.0, 0.013, 0.0005),
        (1, 10_000, 0.002, 0.057, 0.0005),
        (10, 10_000, 0.05, 0.18, 0.005),
        (30, 10_000, 0.21, 0.43, 0.005),
    ] {
        let interval = wilson(part, whole);
        near(interval.low * 100.0, low, digits);
        near(interval.high * 100.0, high, digits);
    }
    // Newcombe 1998, table I, method 3.
    for (part, whole, low, high) in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ] {
        near(wilson(part, whole).low, low, 0.00005);
        near(wilson(part, whole).high, high, 0.00005);
    }
    assert_eq!(wilson(5, 5).high, 1.0);
    assert_eq!(
        wilson(0, 0),
        Interval {
            low: 0.0,
            high: 1.0
        }
    );
}

#[test]
fn clopper_pearson_is_exact() {
    // Newcombe 1998, table I, method 5.
    for (part, whole, low, high) in [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0.0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ] {
        near(clopper_pearson(part, whole).low, low, 0.00005);
        near(clopper_pearson(part, whole).high, high, 0.00005);
    }
    for whole in [1_u64, 10, 30_000, 1_000_000_000] {
        let all_miss = 1.0 - TAIL.powf(1.0 / whole as f64);
        near(clopper_pearson(0, whole).high, all_miss, 1e-9);
        near(clopper_pearson(whole, whole).low, 1.0 - all_miss, 1e-9);
    }
    assert_eq!(
        clopper_pearson(0, 0),
        Interval {
            low: 0.0,
            high: 1.0
        }
    );
}

#[test]
fn none_of_many_is_three_of_many_at_most() {
    for (whole, percent) in [(1_000, 0.30), (3_000, 0.10), (10_000, 0.030)] {
        near(rule_of_three(whole) * 100.0, percent, 0.0005);
    }
    assert_eq!(rule_of_three(0), 1.0);
    assert_eq!(rule_of_three(1), 1.0);
}

#[test]
fn quantiles_lie_between_values() {
    let values = [1.0, 2.0, 3.0, 4.0];
    assert_eq!(quantile(&values, 0.0), Some(1.0));
    assert_eq!(quantile(&values, 0.5), Some(2.5));
    assert_eq!(quantile(&values, 1.0), Some(4.0));
    assert_eq!(quantile(&values, 9.0), Some(4.0));
    assert_eq!(quantile(&[7.0], 0.9), Some(7.0));
    assert_eq!(quantile(&[], 0.5), None);
}

#[test]
fn mcnemar_is_the_sign_test_for_few_and_chi_squared_for_many() {
    assert_eq!(mcnemar(0, 0), 1.0);
    assert_eq!(mcnemar(4, 4), 1.0);
    // 2 · (1 + 10) / 2^10.
    near(mcnemar(1, 9), 0.021_484_375, 1e-12);
    // Agresti, Categorical Data Analysis §10.1.1, 86 and 150: exact 0.00004.
    near(mcnemar(86, 150), 0.000_037, 0.000_01);
    assert_eq!(mcnemar(9, 1), mcnemar(1, 9));
    // (|480 − 620| − 1)² / 1100 = 17.56, p = 0.0000278.
    near(mcnemar(480, 620), 0.000_027_8, 0.000_000_2);
    let (exact, corrected) = (mcnemar(460, 540), mcnemar(460, 541));
    near(exact, corrected, 0.002);
}

#[test]
fn a_bootstrap_is_as_wide_as_its_clusters_differ() {
    // A hundred hosts of one session each: as wide as the formula.
    let lone: Vec<(u64, u64)> = (0..100).map(|host| (u64::from(host < 30), 1)).collect();
    let interval = bootstrap_share(&lone, 1).unwrap();
    near(interval.low, wilson(30, 100).low, 0.02);
    near(interval.high, wilson(30, 100).high, 0.02);
    // Ten hosts of ten that are all alike: much wider than a formula for a hundred sessions would say.
    let alike: Vec<(u64, u64)> = (0..10)
        .map(|host| (if host < 3 { 10 } else { 0 }, 10))
        .collect();
    let wide = bootstrap_share(&alike, 1).unwrap();
    assert!(wide.high - wide.low > 2.0 * (interval.high - interval.low));
    assert_eq!(bootstrap_share(&alike, 1), Some(wide));
    assert_eq!(bootstrap_share(&[(1, 1)], 1), None);
}

proptest! {
    #[test]
    fn every_interval_holds_its_share(part in 0_u64..5000, more in 0_u64..5000) {
        let whole = part + more;
        let found = share(part, whole);
        for interval in [wilson(part, whole), clopper_pearson(part, whole)] {
            prop_assert!(0.0 <= interval.low && interval.high <= 1.0);
            prop_assert!(interval.low <= found + 1e-12 && found <= interval.high + 1e-12);
        }
        prop_assert!((0.0..=1.0).contains(&mcnemar(part, more)));
    }
}
