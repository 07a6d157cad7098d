//! gatepost: an SMTP filtering proxy that stands in front of an existing MTA.

pub mod config;
pub mod smtp;
