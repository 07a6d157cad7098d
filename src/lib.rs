//! gatepost: an SMTP filtering proxy that stands in front of an existing MTA.
//!
//! # The house
//!
//! Modules stand on floors. A module uses floors below it, never its own floor's neighbours and never a floor above;
//! `tests/tidy.rs` reads the source and keeps this true.
//!
//! | floor | module | what it is |
//! |--:|---|---|
//! | 9 | [`cli`] | one file per subcommand; the only place that prints and exits |
//! | 8 | [`app`] | start, accept, drain; the only place that spawns and reads the clock |
//! | 7 | [`session`] | one SMTP session from accept to record: the walk |
//! | 7 | [`doctor`] | probes of a domain's mail from outside: DNS, exchangers, policies, backend |
//! | 6 | [`gather`] | answers questions: DNS, through a cache; memory; counts |
//! | 6 | [`measure`] | made traffic and its score, tallies over records: plain data and arithmetic |
//! | 5 | [`store`], [`journal`], [`net`] | memory on disk; session records on disk; sockets, TLS, PROXY header, admission (neighbours, strangers) |
//! | 4 | [`telemetry`] | logging |
//! | 3 | [`config`] | layers, units, problems, snapshot |
//! | 2 | [`checks`] | facts in, questions or findings out; one file per check; the judge |
//! | 1 | [`facts`] | what is known about a session, as plain data |
//! | 0 | [`smtp`] | the protocol: bytes to events, events to replies; both directions |
//!
//! Floors 0 to 2 are pure: no sockets, no clock, no files, no environment, no randomness, no `async`.
//!
//! # Words
//!
//! The standards' words are used, once and everywhere (RFC 5321, 5782, 7208, 6647). Our own are few: a *fact* is one
//! thing learnt about a session; a *question* is something the world or time must answer; a *check* is a pure function
//! from facts to questions or findings; a *finding* has an outcome, *points*, a reason and evidence; a *verdict* is what
//! the points call for; a *record* is everything about one session, enough to judge it again; a *snapshot* is one whole
//! valid configuration; the *backend* is the MTA behind; to *drain* is to finish what is under way and accept no more;
//! an *exempt recipient* is answered by the backend whatever the total.
//!
//! # The walk
//!
//! [`app`] accepts and admits → [`session::run`] → greet → ask ⇄ answers → dialogue → relay (first cleared RCPT) →
//! transfer → end. `docs/session.md` tells it at length.

pub mod app;
pub mod checks;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod facts;
pub mod gather;
pub mod journal;
pub mod measure;
pub mod net;
pub mod session;
pub mod smtp;
pub mod store;
pub mod telemetry;
