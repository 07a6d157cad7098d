//! What is said to the service manager (sd_notify(3)): ready, reloading, stopping, how it is going, and that we are alive.
//!
//! Without `NOTIFY_SOCKET` nothing is said. Alive are we while every accept loop turns: a loop that stands still, or a runtime
//! that does, ends the feed of the watchdog, and systemd starts the service anew.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::app::control::Desk;
use crate::app::control::message::Status;
use crate::app::tasks::Tasks;

/// How often it is said how it is going, if that has changed.
const PAUSE: Duration = Duration::from_secs(5);
/// The least time between two looks at the loops.
const LEAST: Duration = Duration::from_millis(10);
/// Octets of a status line; more is cut.
const STATUS: usize = 400;

/// Everything is up: listeners, memory, and backends have been tested.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read anew, since now.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// No more is accepted.
pub fn stopping(sessions: u64) {
    let status = format!("draining: {sessions} sessions are finishing");
    tell(&[NotifyState::Stopping, NotifyState::Status(&status)]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager can not be told");
    }
}

/// What feeds the watchdog: the pulses of all accept loops.
#[derive(Debug, Default)]
pub(in crate::app) struct Heart {
    pulses: Mutex<Vec<Arc<AtomicBool>>>,
    /// How often the watchdog wants to be fed, if there is one.
    every: Option<Duration>,
}

/// One accept loop's.
#[derive(Debug)]
pub(in crate::app) struct Pulse {
    beat: Arc<AtomicBool>,
    interval: Option<Interval>,
}

impl Pulse {
    /// To be awaited beside the next client, again and again.
    pub(in crate::app) async fn beat(&mut self) {
        match &mut self.interval {
            Some(interval) => _ = interval.tick().await,
            None => std::future::pending().await,
        }
        self.beat.store(true, Ordering::Relaxed);
    }
}

impl Heart {
    /// With the watchdog that the environment names (`WATCHDOG_USEC`, `WATCHDOG_PID`).
    pub(in crate::app) fn from_environment() -> Arc<Self> {
        Arc::new(Self::new(sd_notify::watchdog_enabled()))
    }

    fn new(watchdog: Option<Duration>) -> Self {
        Self {
            pulses: Mutex::default(),
            // Fed three times in its time: one that is missed is no stall.
            every: watchdog.map(|time| (time / 3).max(LEAST)),
        }
    }

    /// A pulse for a loop that is in `beat`'s hands from now on.
    pub(in crate::app) fn pulse(&self, beat: &Arc<AtomicBool>) -> Pulse {
        let interval = self.every.map(|every| {
            let mut interval = interval(every / 2);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        Pulse {
            beat: Arc::clone(beat),
            interval,
        }
    }

    /// These loops must turn, and no others.
    pub(in crate::app) fn depends_on(&self, pulses: Vec<Arc<AtomicBool>>) {
        *self.lock() = pulses;
    }

    /// Whether every loop has turned since the last look.
    fn all_beat(&self) -> bool {
        let pulses = self.lock();
        // Each is looked at, so that each begins anew.
        let still = pulses
            .iter()
            .filter(|beat| !beat.swap(false, Ordering::Relaxed));
        still.count() == 0
    }

    /// Feeds until `draining`, if there is a watchdog.
    pub(in crate::app) fn begin(self: &Arc<Self>, tasks: &Tasks, draining: &CancellationToken) {
        let Some(every) = self.every else {
            return;
        };
        let (heart, draining) = (Arc::clone(self), draining.clone());
        tasks.spawn(async move {
            let feeding = heart.feed(every, || tell(&[NotifyState::Watchdog]));
            let _ = draining.run_until_cancelled(feeding).await;
        });
    }

    async fn feed(&self, every: Duration, feed: impl Fn()) {
        loop {
            sleep(every).await;
            match self.all_beat() {
                true => feed(),
                false => tracing::error!("an accept loop stands still: the watchdog is not fed"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<AtomicBool>>> {
        self.pulses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says how it is going, until the process drains.
pub(in crate::app) fn begin(tasks: &Tasks, desk: &Arc<Desk>) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let (desk, draining) = (Arc::clone(desk), desk.draining());
    tasks.spawn(async move {
        let _ = draining.run_until_cancelled(go_on_saying(&desk)).await;
    });
}

async fn go_on_saying(desk: &Desk) {
    let mut said = String::new();
    loop {
        let now = in_words(&desk.status());
        if now != said {
            tell(&[NotifyState::Status(&now)]);
            said = now;
        }
        sleep(PAUSE).await;
    }
}

/// Sessions, and what troubles us, in one line.
fn in_words(status: &Status) -> String {
    let mut words = format!(
        "{} sessions, {} messages delivered",
        status.sessions.open, status.sessions.delivered
    );
    let down = status.backends.iter().filter(|one| one.up == Some(false));
    let backends = down.map(|one| format!("backend {} is down", one.name));
    let suspended = status.zones.iter().filter(|zone| zone.suspended);
    let zones = suspended.map(|zone| format!("zone {} is suspended", zone.name));
    let refused = status
        .certificates
        .iter()
        .filter(|one| one.trouble.is_some());
    let certificates =
        refused.map(|one| format!("the new {} is not taken up", one.chain.display()));
    let reload = status.reload.iter().filter(|reload| !reload.taken);
    let reload = reload.map(|_| "the changed configuration is refused, see the log".to_owned());
    for trouble in backends.chain(zones).chain(certificates).chain(reload) {
        if words.len() + trouble.len() > STATUS {
            return words + "; and more";
        }
        words = words + "; " + &trouble.replace(char::is_control, " ");
    }
    words
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// A loop that is in something for good has no pulse, and one of several is enough.
    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_starves_the_watchdog() {
        let heart = Heart::new(Some(Duration::from_secs(30)));
        let beats: Vec<Arc<AtomicBool>> = (0..2).map(|_| Arc::default()).collect();
        heart.depends_on(beats.clone());
        let fed = AtomicUsize::new(0);
        let feeding = heart.feed(Duration::from_secs(10), || {
            fed.fetch_add(1, Ordering::Relaxed);
        });
        let stuck = CancellationToken::new();
        let turns = async |mut pulse: Pulse, until: CancellationToken| {
            while until.run_until_cancelled(pulse.beat()).await.is_some() {}
            std::future::pending::<()>().await;
        };
        let healthy = turns(heart.pulse(&beats[0]), CancellationToken::new());
        let other = turns(heart.pulse(&beats[1]), stuck.clone());
        let seen = async {
            sleep(Duration::from_secs(61)).await;
            let before = fed.load(Ordering::Relaxed);
            stuck.cancel();
            // One more, for the pulse it had in this time.
            sleep(Duration::from_secs(11)).await;
            let then = fed.load(Ordering::Relaxed);
            sleep(Duration::from_secs(600)).await;
            assert_eq!(fed.load(Ordering::Relaxed), then);
            before
        };
        let before = tokio::select! {
            () = feeding => 0,
            () = healthy => 0,
            () = other => 0,
            before = seen => before,
        };
        assert_eq!(before, 6);
    }
}
