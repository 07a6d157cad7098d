//! Keeps the certificates fresh while the process runs: looks at their files again and again, takes up what is new and
//! good, leaves what is in use where the new is bad, and says when one is about to end.
//!
//! The content of the files counts, not their times: certbot swaps symbolic links, others write over the file. What has
//! changed must look the same twice, [`SETTLE`] apart, so that nothing half written is taken for whole; after SIGHUP, when
//! whoever has sent it is done with writing, once is enough. Each pair is judged by itself. Sessions never wait for it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::app::certificates::dates;
use crate::app::clock;
use crate::app::tasks::{self, Tasks};
use crate::net::tls::pair::Pair;
use crate::net::tls::{Acceptor, TlsProblem};

/// Between the two looks at a file that has changed.
const SETTLE: Duration = Duration::from_secs(2);
/// How often it is looked again at one that goes on changing.
const LOOKS: usize = 5;
/// How often it is said that a certificate is about to end.
const REMINDED: Duration = Duration::from_secs(24 * 60 * 60);

/// The certificates of a running process.
pub struct Keeper {
    acceptor: Acceptor,
    asked: Notify,
    told: Mutex<Vec<Told>>,
}

/// What has been said about one pair.
#[derive(Clone, Debug, Default)]
struct Told {
    /// Why what its files hold is not in use.
    trouble: Option<String>,
    /// When it was last said that it is about to end.
    ending: Option<Instant>,
}

/// A certificate in use, for `status` and metrics.
#[derive(Debug)]
pub(in crate::app) struct Standing {
    pub(in crate::app) pair: Pair,
    pub(in crate::app) self_signed: bool,
    /// Why what its files hold now is not in use.
    pub(in crate::app) trouble: Option<String>,
}

/// What its files hold, against what is in use.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Same,
    New,
    Bad(String),
}

impl Keeper {
    /// Keeps what `acceptor` has just read; what was amiss then has been said.
    pub(in crate::app) fn new(acceptor: Acceptor) -> Arc<Self> {
        let (now, begun) = (clock::now(), Instant::now());
        let told = |pair: &Pair| Told {
            trouble: None,
            ending: dates::amiss(&pair.term(), now).map(|_| begun),
        };
        let told = acceptor.pairs().iter().map(told).collect();
        Arc::new(Self {
            acceptor,
            asked: Notify::new(),
            told: Mutex::new(told),
        })
    }

    /// Looks every `interval`, and when it is asked to, until the process drains.
    pub(in crate::app) fn begin(
        self: &Arc<Self>,
        tasks: &Tasks,
        interval: Duration,
        draining: &CancellationToken,
    ) {
        let (keeper, draining) = (Arc::clone(self), draining.clone());
        tasks.spawn(async move {
            let _ = draining.run_until_cancelled(keeper.watch(interval)).await;
        });
    }

    /// Has the files looked at now.
    pub(in crate::app) fn look(&self) {
        self.asked.notify_one();
    }

    /// Every certificate in use.
    pub(in crate::app) fn standing(&self) -> Vec<Standing> {
        let told = self.told();
        let pairs = self.acceptor.pairs().into_iter().enumerate();
        pairs
            .map(|(index, pair)| Standing {
                pair,
                self_signed: self.acceptor.is_self_signed(),
                trouble: told.get(index).and_then(|told| told.trouble.clone()),
            })
            .collect()
    }

    async fn watch(&self, interval: Duration) {
        loop {
            let asked = tokio::select! {
                () = self.asked.notified() => true,
                () = sleep(interval) => false,
            };
            self.remind(clock::now());
            match asked {
                true => self.look_once().await,
                false => self.look_twice().await,
            }
        }
    }

    async fn look_once(&self) {
        let Some(read) = self.read().await else {
            return;
        };
        if !self.take(read, clock::now(), true) {
            tracing::info!("certificates: the files hold what is in use");
        }
    }

    async fn look_twice(&self) {
        let Some(mut last) = self.read().await else {
            return;
        };
        if self.is_known(&last, clock::now()) {
            return;
        }
        // What goes on changing waits for the next time.
        for _ in 0..LOOKS {
            sleep(SETTLE).await;
            let Some(read) = self.read().await else {
                return;
            };
            if last.iter().zip(&read).all(|(a, b)| is_equal(a, b)) {
                self.take(read, clock::now(), false);
                return;
            }
            last = read;
        }
    }

    /// Reads the files on a thread of its own: a disk that stands still holds up nobody.
    async fn read(&self) -> Option<Vec<Read>> {
        let acceptor = self.acceptor.clone();
        let read = tasks::on_a_thread(move || acceptor.read()).await?;
        (!read.is_empty()).then_some(read)
    }

    /// Whether nothing has changed, or nothing that has not been said.
    fn is_known(&self, read: &[Read], now: SystemTime) -> bool {
        let (in_use, told) = (self.acceptor.pairs(), self.told());
        let mut all = in_use.iter().zip(read).zip(told.iter());
        all.all(|((pair, read), told)| match judge(pair, read, now) {
            Found::Same => told.trouble.is_none(),
            Found::New => false,
            Found::Bad(why) => told.trouble.as_ref() == Some(&why),
        })
    }

    /// Takes up what is new and good, and says what has happened; what is bad again, if somebody has `asked`. Whether
    /// anything was said.
    fn take(&self, read: Vec<Read>, now: SystemTime, asked: bool) -> bool {
        let mut pairs = self.acceptor.pairs();
        let mut told = self.told();
        let (mut news, mut taken) = (false, false);
        for ((pair, read), told) in pairs.iter_mut().zip(read).zip(told.iter_mut()) {
            let chain = pair.files().chain.display().to_string();
            match (judge(pair, &read, now), read) {
                (Found::Same, _) => {
                    if told.trouble.take().is_some() {
                        news = true;
                        tracing::info!(chain, "the certificate's files hold again what is in use");
                    }
                }
                (Found::Bad(why), _) if !asked && told.trouble.as_ref() == Some(&why) => {}
                (Found::Bad(why), _) => {
                    news = true;
                    let expires = humantime::format_rfc3339_seconds(pair.term().ends);
                    tracing::error!(chain, problem = why, %expires, "the new certificate is not taken up; the old one stays in use");
                    told.trouble = Some(why);
                }
                (Found::New, Ok(new)) => {
                    (news, taken) = (true, true);
                    let expires = humantime::format_rfc3339_seconds(new.term().ends);
                    tracing::info!(chain, %expires, "a new certificate is in use");
                    *pair = new;
                    *told = Told::default();
                }
                (Found::New, Err(_)) => {}
            }
        }
        if taken {
            self.acceptor.take_up(pairs);
        }
        news
    }

    /// Says once a day what is about to end.
    fn remind(&self, now: SystemTime) {
        let pairs = self.acceptor.pairs();
        for (pair, told) in pairs.iter().zip(self.told().iter_mut()) {
            let Some((amiss, advice)) = dates::amiss(&pair.term(), now) else {
                told.ending = None;
                continue;
            };
            if told.ending.is_some_and(|told| told.elapsed() < REMINDED) {
                continue;
            }
            told.ending = Some(Instant::now());
            let chain = pair.files().chain.display().to_string();
            let advice = match self.acceptor.is_self_signed() {
                true => "restart gatepost, which makes a new one",
                false => advice,
            };
            tracing::warn!(chain, "{amiss}; {advice}");
        }
    }

    fn told(&self) -> MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Read = Result<Pair, TlsProblem>;

/// One that does not hold today is no better than one that does; where neither holds, whoever has put it there knows why.
fn judge(in_use: &Pair, read: &Read, now: SystemTime) -> Found {
    match read {
        Err(problem) => Found::Bad(problem.to_string()),
        Ok(new) if new.is_same(in_use) => Found::Same,
        Ok(new) if !new.term().holds(now) && in_use.term().holds(now) => {
            let amiss = dates::amiss(&new.term(), now);
            Found::Bad(amiss.map(|(found, _)| found).unwrap_or_default())
        }
        Ok(_) => Found::New,
    }
}

fn is_equal(a: &Read, b: &Read) -> bool {
    match (a, b) {
        (Ok(a), Ok(b)) => a.is_same(b),
        (Err(a), Err(b)) => a.to_string() == b.to_string(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
