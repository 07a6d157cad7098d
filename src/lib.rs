//! gatepost: an SMTP filtering proxy that stands in front of an existing MTA.

pub mod checks;
pub mod cli;
pub mod facts;
pub mod gather;
pub mod journal;
pub mod smtp;
