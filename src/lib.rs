//! gatepost: an SMTP filtering proxy that stands in front of an existing MTA.

pub mod cli;
pub mod facts;
pub mod gather;
pub mod smtp;
