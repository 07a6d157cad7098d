//! Plays a trace: each errand at its time, try after try while something is left to be done.
//!
//! So many sessions at one time and no more: where the machine can not keep up, players come late, and how late is told
//! with the result. Tries that are planned too long after the last errand has begun are not made: a run has an end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

use super::player::{Left, Stage, Visits};
use crate::app::tasks::Tasks;
use crate::measure::trace::{Errand, Ran, Trace};

/// Sessions at one time.
const AT_ONCE: usize = 400;
/// How much longer than planned the last sessions may take, in fact.
const GRACE: Duration = Duration::from_secs(240);

/// What came of it.
pub(super) struct Performance {
    /// Each errand's, by number.
    pub(super) ran: Vec<Ran>,
    pub(super) visits: Visits,
    /// Sessions that were played.
    pub(super) sessions: u64,
    /// The lateness of tries, in fact: the median, and what 99 of 100 kept.
    pub(super) late: [Duration; 2],
    /// Errands that had something left to try when the run ended.
    pub(super) cut_short: usize,
}

/// What the players of one run have in common.
struct Theatre {
    stage: Stage,
    trace: Arc<Trace>,
    /// Later tries are not made, virtual.
    end: Duration,
    seats: Semaphore,
    sessions: AtomicU64,
    book: Mutex<Book>,
    progress: ProgressBar,
}

#[derive(Default)]
struct Book {
    ran: Vec<Ran>,
    late: Vec<Duration>,
    cut_short: usize,
}

/// Plays all of `trace`; tries planned later than `after` behind its last errand are not made.
pub(super) async fn play(
    trace: &Arc<Trace>,
    stage: Stage,
    after: Duration,
    title: &str,
) -> anyhow::Result<Performance> {
    let clock = stage.clock.clone();
    let theatre = Arc::new(Theatre {
        stage,
        trace: Arc::clone(trace),
        end: trace.span + after,
        seats: Semaphore::new(AT_ONCE),
        sessions: AtomicU64::new(0),
        book: Mutex::default(),
        progress: progress(trace.errands.len(), title),
    });
    let tasks = Tasks::default();
    for (number, errand) in trace.errands.iter().enumerate() {
        if let Some(first) = errand.tries.first() {
            // Errands stand in the order of their first tries, so that only those under way take memory.
            sleep_until(clock.at(first.at)).await;
        }
        let theatre = Arc::clone(&theatre);
        tasks.spawn(async move { theatre.run(number).await });
    }
    let rest = clock
        .at(theatre.end)
        .saturating_duration_since(Instant::now());
    if timeout(rest + GRACE, tasks.wait(rest + GRACE)).await != Ok(true) {
        tasks.finish(Duration::ZERO).await;
    }
    theatre.progress.finish_and_clear();
    drop(tasks);
    let theatre = Arc::into_inner(theatre)
        .ok_or_else(|| anyhow::anyhow!("a player did not leave the stage"))?;
    Ok(theatre.close())
}

fn progress(errands: usize, title: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} errands, {eta} left");
    let bar = ProgressBar::new(u64::try_from(errands).unwrap_or(u64::MAX));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(title.to_owned());
    bar
}

impl Theatre {
    async fn run(&self, number: usize) {
        let Some(errand) = self.trace.errands.get(number) else {
            return;
        };
        let ran = self.errand(errand).await;
        self.book().ran.push(ran);
        self.progress.inc(1);
    }

    async fn errand(&self, errand: &Errand) -> Ran {
        let mut left = Left::all(&errand.speech.act);
        let mut ran = Ran {
            errand: errand.id,
            tries: Vec::new(),
        };
        let mut free = self.stage.clock.at(Duration::ZERO);
        for (number, planned) in errand.tries.iter().enumerate() {
            if planned.at > self.end {
                self.book().cut_short += 1;
                break;
            }
            let time = self.stage.clock.at(planned.at);
            sleep_until(time).await;
            let Ok(_seat) = self.seats.acquire().await else {
                break;
            };
            // A try that its own last one has kept waiting is not late.
            self.book().late.push(time.max(free).elapsed());
            ran.tries
                .push(self.stage.play(errand, number, &mut left).await);
            self.sessions.fetch_add(1, Ordering::Relaxed);
            free = Instant::now();
            if !left.any() {
                break;
            }
        }
        ran
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(self) -> Performance {
        let mut book = self
            .book
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        book.ran.sort_unstable_by_key(|ran| ran.errand);
        book.late.sort_unstable();
        let late = |part: usize| {
            let place = book.late.len().saturating_sub(1) * part / 100;
            book.late.get(place).copied().unwrap_or_default()
        };
        Performance {
            late: [late(50), late(99)],
            visits: self.stage.visits(),
            sessions: self.sessions.into_inner(),
            cut_short: book.cut_short,
            ran: book.ran,
        }
    }
}
