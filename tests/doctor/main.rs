//! `gatepost doctor` on a small internet on loopback: two DNS servers, Exim as primary and as backup mail exchanger, a web server
//! for the MTA-STS policy, certificates of an authority of its own, and machines that drop what comes.
//!
//! Names lead to documentation addresses, as names in the internet lead to public ones; `reach` says where those are on
//! loopback. One domain is healthy and all about it is good; another is sick, and every planted fault is found and nothing else.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "../support"]
mod support {
    pub(crate) mod exim;
    pub(crate) mod process;
    pub(crate) mod wait;
}

mod certificates;
mod documents;
mod domains;
mod exchanger;
mod healthy;
mod ident;
mod odd;
mod send;
mod servers;
mod service;
mod sick;
mod six;
mod world;
mod worth;
