//! gatepost: an SMTP filtering proxy that stands in front of an existing MTA.

pub mod checks;
pub mod config;
pub mod facts;
pub mod smtp;
