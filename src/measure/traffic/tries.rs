//! The tries of an errand, by the timetable of its sender.

use std::net::IpAddr;
use std::time::Duration;

use super::draw::Draw;
use crate::measure::scenario::Timetable;
use crate::measure::trace::{Door, Try};

/// When it tries, since the first time; the first is zero.
pub(super) fn offsets(timetable: &Timetable, draw: &mut Draw) -> Vec<Duration> {
    let mut offsets = vec![Duration::ZERO];
    offsets.extend(&timetable.after);
    let mut last = timetable.after.last().copied().unwrap_or_default();
    while offsets.len() < timetable.tries as usize {
        last += timetable.every;
        offsets.push(last);
    }
    let jitter = timetable.jitter / 100.0;
    for offset in offsets.iter_mut().filter(|_| jitter > 0.0) {
        *offset = offset.mul_f64(1.0 - jitter + 2.0 * jitter * draw.unit());
    }
    offsets.sort_unstable();
    offsets
}

/// The tries at these offsets, from these addresses by turns. The first goes to `first`, the others to `then`.
pub(super) fn tries(
    begin: Duration,
    offsets: &[Duration],
    addresses: &[IpAddr],
    first: Door,
    then: Door,
) -> Vec<Try> {
    let doors = std::iter::once(first).chain(std::iter::repeat(then));
    let places = addresses.iter().copied().cycle().zip(doors);
    let tries = offsets.iter().zip(places);
    tries
        .map(|(offset, (from, door))| Try {
            at: begin + *offset,
            from,
            door,
        })
        .collect()
}

/// Only once.
pub(super) const ONCE: &[Duration] = &[Duration::ZERO];
