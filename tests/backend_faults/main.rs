//! The fault matrix: a backend that fails at every stage in every way, a client that vanishes at every point.
//!
//! Everything runs in this process over loopback sockets. After each run the invariants of mail in transit are checked
//! ([`gate::check`]): I1 a client hears 2xx to its message only after the backend's 2xx to that same message; I2 the
//! backend is sent a final dot only where the client sent one; I3 the octets between are identical; I4 its recipients
//! are those that were accepted; I5 it is told the client's own address; I6 one reply to each command, in order; I7
//! nothing but clean lines reaches it; I8 its trouble is 4xx to the client.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod backend;
mod backend_tls;
mod client;
mod client_lost;
mod gate;
mod hung;
mod limits;
mod matrix;
mod memory;
mod places;
mod run;
mod self_test;
mod servers;
mod session;
mod stale;
mod stop;
mod tls;
mod transactions;
mod xclient;
