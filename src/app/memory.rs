//! Opens the memory, gives it its thread and its clock, and has it swept.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::app::tasks::Tasks;
use crate::app::{StartProblem, clock};
use crate::config;
use crate::gather::memory::{Clock, Remembrance};
use crate::store::{self, Memory};

/// The pause between two sweeps, and how many things each looks at: a million in under ten minutes.
const PAUSE: Duration = Duration::from_secs(1);
const BUDGET: usize = 2000;

/// The memory, and the thread that ends when nobody remembers any more.
pub(in crate::app) fn open(
    config: &config::Store,
    tasks: &Tasks,
    draining: &CancellationToken,
) -> Result<(Remembrance, JoinHandle<()>), StartProblem> {
    let directory = config.enabled.then_some(config.directory.as_path());
    let (memory, keeper) = store::open(directory, config.max_entries);
    let thread = std::thread::Builder::new()
        .name("memory".to_owned())
        .spawn(move || keeper.run())
        .map_err(|error| StartProblem::Thread("memory", error))?;
    let memory: Arc<dyn Memory> = Arc::new(memory);
    let (swept, draining) = (Arc::clone(&memory), draining.clone());
    tasks.spawn(async move {
        let _ = draining.run_until_cancelled(sweep(swept)).await;
    });
    let clock: Clock = Arc::new(now);
    Ok((Remembrance::new(memory, clock), thread))
}

fn now() -> u64 {
    let since = clock::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

async fn sweep(memory: Arc<dyn Memory>) {
    loop {
        tokio::time::sleep(PAUSE).await;
        memory.sweep(now(), BUDGET).await;
    }
}
