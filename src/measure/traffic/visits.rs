//! How many hosts a class has, in which networks, and how often each comes.

use super::draw::Draw;
use crate::measure::scenario::Habits;

/// The most visits of one address that a table can say.
const MOST_VISITS: usize = 60;

/// A network with the visits of each of its hosts.
pub(super) struct Plan {
    pub(super) visits: Vec<usize>,
}

/// Networks, their hosts and how often each comes, so that there are `count` visits in all.
pub(super) fn plan(habits: &Habits, count: usize, draw: &mut Draw) -> Vec<Plan> {
    let most = habits.most_addresses as usize;
    let mut plans = Vec::new();
    let (mut left, mut hosts) = (count, 0);
    while left > 0 && (most == 0 || hosts < most) {
        let mut visits = Vec::new();
        for _ in 0..draw.between(habits.network) {
            if left == 0 || (most > 0 && hosts == most) {
                break;
            }
            let times = times(&habits.visits, draw).min(left);
            left -= times;
            hosts += 1;
            visits.push(times);
        }
        plans.push(Plan { visits });
    }
    // There are no more addresses: the rest falls to those that there are.
    let mut turns: Vec<&mut usize> = plans.iter_mut().flat_map(|plan| &mut plan.visits).collect();
    let (each, more) = (left / turns.len().max(1), left % turns.len().max(1));
    for (turn, visits) in turns.iter_mut().enumerate() {
        **visits += each + usize::from(turn < more);
    }
    plans
}

/// How often an address comes.
fn times(visits: &[f64; 6], draw: &mut Draw) -> usize {
    let mut drawn = draw.unit() * visits.iter().sum::<f64>();
    for (share, times) in visits.iter().zip(1..) {
        if drawn < *share {
            return match times {
                5 => draw.between([5, 10]) as usize,
                // Beyond the table: geometric.
                6 => 10 + draw.repeats(10.0, MOST_VISITS),
                times => times,
            };
        }
        drawn -= share;
    }
    1
}
