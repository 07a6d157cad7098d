//! Real partners for the tests: Exim, rbldnsd, swaks, openssl, and a small SMTP client of our own.
//!
//! Nothing here is gatepost's own code. Every server listens on loopback only, on a port of its own, with its
//! files in a temporary directory; it is ended by its process id when its handle goes out of scope.

pub(crate) mod client;
pub(crate) mod exim;
pub(crate) mod front;
pub(crate) mod gatepost;
pub(crate) mod haproxy;
pub(crate) mod openssl;
pub(crate) mod process;
pub(crate) mod rbldnsd;
pub(crate) mod swaks;
pub(crate) mod wait;
