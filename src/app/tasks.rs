//! The only place that spawns: every task is tracked, and a panic in one ends that one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gather::Spawn;

/// The tasks of one running process.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    cut: CancellationToken,
}

impl Tasks {
    /// Runs `task` to its end, or until the deadline of [`Tasks::finish`].
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tracker.spawn(async move {
            let guarded = AssertUnwindSafe(task).catch_unwind();
            tokio::select! {
                outcome = guarded => {
                    if outcome.is_err() {
                        tracing::error!("defect: a task panicked; its session is over, the others go on");
                    }
                }
                () = cut.cancelled() => {}
            }
        });
    }

    /// Runs a session to its end. It bears its own defects and is told itself when there is no more time, so it needs no
    /// guard around it; with ten thousand of them, a guard is memory.
    pub fn spawn_session(&self, session: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(session);
    }

    /// [`Tasks::spawn`] for floors that may not spawn themselves.
    #[must_use]
    pub fn spawner(&self) -> Spawn {
        let tasks = self.clone();
        Arc::new(move |task: BoxFuture<'static, ()>| tasks.spawn(task))
    }

    /// Waits until every task has ended, but no longer than `most`. Says whether all have.
    pub async fn wait(&self, most: Duration) -> bool {
        self.tracker.close();
        tokio::time::timeout(most, self.tracker.wait())
            .await
            .is_ok()
    }

    /// As [`Tasks::wait`], but then cuts what can be cut; the rest goes with the runtime.
    pub async fn finish(&self, most: Duration) {
        if !self.wait(most).await {
            self.cut.cancel();
            self.wait(most).await;
        }
    }
}

/// Does `work`, which may wait for a disk, beside the tasks. Nothing when it panics.
pub async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

/// Waits for a thread without holding up the tasks beside it.
pub async fn join(thread: std::thread::JoinHandle<()>) {
    let _ = tokio::task::spawn_blocking(move || thread.join()).await;
}
