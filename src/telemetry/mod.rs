//! Floor 4: what the process says about itself while it runs.

pub mod log;
