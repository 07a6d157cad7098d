//! The built binary at the command line: what each command prints, its exit code, and what it leaves behind.
//!
//! Sessions with real partners are `tests/it`. Here a small DNS server and, where one is needed, a mail store stand in
//! for the world; everything listens on loopback.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../support"]
mod support {
    pub(crate) mod process;
    pub(crate) mod wait;
}

mod check_config;
mod control;
mod demo;
mod explain;
mod generate;
mod records;
mod reload;
mod run;
mod systemd;
mod upgrade;
mod world;
