//! Whole sessions against the built binary, with a real Exim behind it and a real DNSBL server beside it.
//!
//! Needs the Debian packages that `make test` installs. Everything listens on loopback; clients from other addresses
//! are played by a PROXY header to a listener that is configured to take one.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod backend_tls;
mod certificates;
mod dashboards;
mod exim_recipe;
mod fail2ban;
mod faults;
mod gather;
mod house;
mod journal;
mod log_line;
mod mail_data;
mod memory;
mod names;
mod page;
mod real_exim;
mod real_haproxy;
mod real_rbldnsd;
mod real_tls;
mod real_tls_clients;
mod self_test;
mod servers;
mod setup_exim;
mod shield;
mod submission;
mod zones;
