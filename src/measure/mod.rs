//! Floor 6: measuring. What traffic does to a gate and a gate to traffic, as plain data and arithmetic: traces of made
//! traffic and their score, tallies over records, how sure a figure is, what each check has brought, plots and the page they
//! stand on. Nothing in here opens a socket, reads a clock or prints.

pub mod credit;
pub mod hidden;
pub mod page;
pub mod plot;
pub mod replay;
pub mod report;
pub mod scenario;
pub mod score;
pub mod shares;
pub mod stats;
pub mod tally;
pub mod trace;
pub mod traffic;
