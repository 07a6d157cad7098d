//! Shares against games whose solution is known, against all orders tried one by one, and what must hold of every game.

use proptest::prelude::*;

use super::*;

/// So many cases, and which sets stop them.
type Cases = (u64, fn(u32) -> bool);

fn shares(checks: usize, cases: &[Cases]) -> (Table, Vec<Share>) {
    let mut table = Table::new(checks);
    for (count, stops) in cases {
        table.add(&Stopped::by(checks, stops), *count);
    }
    table.settle();
    let shares = table.shares();
    (table, shares)
}

fn is_near(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-9
}

#[test]
fn the_glove_game_is_solved() {
    // One left glove and two right ones; a pair is worth 1. Known: 4/6, 1/6, 1/6.
    let (table, shares) = shares(3, &[(6, |set| set & 1 != 0 && set & 6 != 0)]);
    assert_eq!(
        (table.cases(), table.stopped(), table.stopped_anyway()),
        (6, 6, 0)
    );
    for (share, expected) in shares.iter().zip([4.0, 1.0, 1.0]) {
        assert!(is_near(share.shapley, expected), "{share:?}");
        assert_eq!(share.alone, 0);
    }
    assert_eq!(shares[0].unique, 6);
    assert_eq!(shares[1].unique, 0);
}

#[test]
fn two_that_see_the_same_share_it_and_neither_is_missed() {
    let (_, shares) = shares(
        2,
        &[
            (10, |set| set != 0),
            (4, |set| set & 2 != 0),
            (6, |_| false),
        ],
    );
    let expected = [(10, 0, 5.0), (14, 4, 9.0)];
    for (share, (alone, unique, shapley)) in shares.iter().zip(expected) {
        assert_eq!((share.alone, share.unique), (alone, unique));
        assert!(is_near(share.shapley, shapley), "{share:?}");
    }
}

#[test]
fn who_lets_in_has_less_than_nothing() {
    // The second vouches for what the first would stop.
    let (table, shares) = shares(2, &[(8, |set| set == 1)]);
    assert_eq!(table.stopped(), 0);
    assert_eq!((shares[0].alone, shares[0].unique), (8, 0));
    assert_eq!((shares[1].alone, shares[1].unique), (0, -8));
    assert!(is_near(shares[0].shapley, 4.0) && is_near(shares[1].shapley, -4.0));
}

#[test]
fn sixteen_checks_are_counted_and_none_is_a_game_too() {
    let (table, shares) = shares(MOST, &[(3, |set| set.count_ones() >= 8)]);
    assert_eq!(table.stopped(), 3);
    for share in &shares {
        assert!(is_near(share.shapley, 3.0 / 16.0), "{share:?}");
    }
    let (table, none) = shares_of_none();
    assert_eq!((table.stopped(), none.len()), (2, 0));
}

fn shares_of_none() -> (Table, Vec<Share>) {
    shares(0, &[(2, |_| true)])
}

/// The mean over all orders, tried one by one.
fn by_orders(checks: usize, stops: impl Fn(u32) -> bool) -> Vec<f64> {
    fn go(order: &mut Vec<usize>, checks: usize, each: &mut impl FnMut(&[usize])) {
        if order.len() == checks {
            return each(order);
        }
        for next in 0..checks {
            if !order.contains(&next) {
                order.push(next);
                go(order, checks, each);
                order.pop();
            }
        }
    }
    let (mut sums, mut orders) = (vec![0_i32; checks], 0);
    go(&mut Vec::new(), checks, &mut |order| {
        orders += 1;
        let mut set = 0;
        for check in order {
            let before = i32::from(stops(set));
            set |= 1 << check;
            sums[*check] += i32::from(stops(set)) - before;
        }
    });
    sums.iter()
        .map(|sum| f64::from(*sum) / f64::from(orders))
        .collect()
}

proptest! {
    #[test]
    fn shapley_is_the_mean_over_all_orders_and_sums_to_the_total(
        checks in 1_usize..6,
        games in prop::collection::vec((any::<u32>(), 1_u64..9), 1..8),
    ) {
        let (mut whole, mut left, mut right) = (Table::new(checks), Table::new(checks), Table::new(checks));
        let mut expected = vec![0.0; checks];
        for (at, (game, count)) in games.iter().enumerate() {
            let stops = |set: u32| game >> set & 1 == 1;
            whole.add(&Stopped::by(checks, stops), *count);
            let half = if at % 2 == 0 { &mut left } else { &mut right };
            half.add(&Stopped::by(checks, stops), *count);
            for (sum, share) in expected.iter_mut().zip(by_orders(checks, stops)) {
                *sum += share * *count as f64;
            }
        }
        whole.settle();
        left.settle();
        left.merge(right);
        let shares = whole.shares();
        prop_assert_eq!(&shares, &left.shares());
        for (share, expected) in shares.iter().zip(expected) {
            prop_assert!((share.shapley - expected).abs() < 1e-9, "{} {expected}", share.shapley);
        }
        let sum: f64 = shares.iter().map(|share| share.shapley).sum();
        let total = whole.stopped() as f64 - whole.stopped_anyway() as f64;
        prop_assert!((sum - total).abs() < 1e-9);
    }

    #[test]
    fn checks_that_can_not_matter_have_nothing(relevant in 0_u32..64, game in any::<u64>()) {
        let stops = |set: u32| game >> (set & relevant) & 1 == 1;
        let short = Stopped::by_relevant(6, relevant, stops);
        prop_assert_eq!(&short, &Stopped::by(6, stops));
        let mut table = Table::new(6);
        table.add(&short, 5);
        table.settle();
        for (check, share) in table.shares().iter().enumerate() {
            prop_assert!(relevant >> check & 1 == 1 || share.shapley.abs() < 1e-9);
        }
        for set in 0..64 {
            prop_assert_eq!(short.is_by(set), stops(set));
            prop_assert_eq!(short.and(&Stopped::by(6, |_| true)).is_by(set), stops(set));
            prop_assert!(!short.and(&Stopped::by(6, |_| false)).is_by(set));
        }
    }
}
