//! When clients come.

use std::time::Duration;

use super::draw::Draw;
use crate::measure::scenario::Rhythm;

const HOUR: f64 = 3600.0;
/// How long a batch or a campaign lasts.
const BATCH: Duration = Duration::from_secs(300);
/// How long a hailstorm lasts.
pub(super) const HAILSTORM: Duration = Duration::from_secs(180);
/// Between two visits of a bot that is at it.
const BURST: Duration = Duration::from_secs(120);
/// Of a bot's next visits, percent that come soon; the others come at any time later.
const SOON: f64 = 60.0;

/// How busy the hour is, 0 to 1.
fn busy(rhythm: Rhythm, time: Duration) -> f64 {
    let hour = (time.as_secs_f64() / HOUR) % 24.0;
    match rhythm {
        // Most at one in the afternoon, a twentieth at night.
        Rhythm::Day => {
            0.05 + 0.95 * (0.5 + 0.5 * ((hour - 13.0) * std::f64::consts::TAU / 24.0).cos()).powi(2)
        }
        // Starts at 3, most at 7, ends at 19: the times of Rustock.
        Rhythm::Bot if (3.0..7.0).contains(&hour) => 0.3 + 0.7 * (hour - 3.0) / 4.0,
        Rhythm::Bot if (7.0..19.0).contains(&hour) => 1.0 - 0.6 * (hour - 7.0) / 12.0,
        Rhythm::Bot => 0.1,
        Rhythm::Even | Rhythm::Batch | Rhythm::Steady => 1.0,
    }
}

/// Some time within `span`, where it is busy more often.
pub(super) fn some_time(rhythm: Rhythm, span: Duration, draw: &mut Draw) -> Duration {
    for _ in 0..100 {
        let time = draw.time(span);
        if draw.unit() < busy(rhythm, time) {
            return time;
        }
    }
    draw.time(span)
}

/// The times at which one address comes, in order; `begin` is when its campaign or network begins, if it has one.
pub(super) fn visits(
    rhythm: Rhythm,
    count: usize,
    begin: Option<Duration>,
    span: Duration,
    draw: &mut Draw,
) -> Vec<Duration> {
    let mut times: Vec<Duration> = match rhythm {
        Rhythm::Day | Rhythm::Even => (0..count).map(|_| some_time(rhythm, span, draw)).collect(),
        Rhythm::Batch => {
            let begin = begin.unwrap_or_else(|| some_time(Rhythm::Day, span, draw));
            (0..count).map(|_| begin + draw.time(BATCH)).collect()
        }
        Rhythm::Steady => {
            let every = span.div_f64(count.max(1) as f64);
            let first = draw.time(every);
            (0..count)
                .map(|visit| first + every.mul_f64(visit as f64))
                .collect()
        }
        Rhythm::Bot => bursts(count, span, draw),
    };
    times.iter_mut().for_each(|time| *time = (*time).min(span));
    times.sort_unstable();
    times
}

fn bursts(count: usize, span: Duration, draw: &mut Draw) -> Vec<Duration> {
    let mut time = some_time(Rhythm::Bot, span, draw);
    let mut times = vec![time];
    while times.len() < count {
        time = match draw.chance(SOON) {
            true => time + draw.wait(BURST),
            false => draw.time_between(time, span),
        };
        times.push(time);
    }
    times
}

/// When the batches of a pool's senders begin, and a time in one of them.
pub(super) struct Batches(Vec<Duration>);

impl Batches {
    pub(super) fn new(count: usize, span: Duration, draw: &mut Draw) -> Self {
        let begins = (0..count.max(1)).map(|_| some_time(Rhythm::Day, span, draw));
        Self(begins.collect())
    }

    pub(super) fn some_time(&self, draw: &mut Draw) -> Duration {
        let begin = draw.one(&self.0).copied().unwrap_or_default();
        begin + draw.time(BATCH)
    }
}
