//! Floor 6: measuring. What traffic does to a gate and a gate to traffic, as plain data and arithmetic: traces of made
//! traffic and their score, tallies over records. Nothing in here opens a socket, reads a clock or prints.

pub mod trace;
