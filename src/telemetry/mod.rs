//! Floor 4: what the process says about itself while it runs: the log, and metrics.

pub mod log;
pub mod metrics;
