//! A scripted backend, a gatepost before it, and one client of that gatepost.

use gatepost::config::Config;
use gatepost::journal::SessionRecord;

use crate::backend::{Backend, Script};
use crate::client::{Client, Leave, Sent};
use crate::gate::{Gate, check};
use crate::session::Seen;

/// One session from its EHLO on, and what serves it.
pub(crate) struct Run {
    pub(crate) backend: Backend,
    pub(crate) gate: Gate,
    pub(crate) client: Client,
}

impl Run {
    /// See [`Backend::start`] and [`Gate::start`].
    #[track_caller]
    pub(crate) fn start(
        probe: &'static [&'static str],
        scripts: Vec<Script>,
        adjust: impl FnOnce(&mut Config),
    ) -> Self {
        let backend = Backend::start(probe, scripts);
        let gate = Gate::start(backend.address, adjust);
        backend.probed();
        let client = Client::greeted(gate.address);
        Self {
            backend,
            gate,
            client,
        }
    }

    /// QUIT; what was seen on the backend's connections, of which there are so many, and the session's record.
    #[track_caller]
    pub(crate) fn quit(self, connections: usize) -> (Vec<Seen>, SessionRecord) {
        let Self {
            backend,
            gate,
            client,
        } = self;
        conclude(&backend, gate, &client.quit(false), connections)
    }

    /// As [`Run::quit`] where the session must be closed from the other side.
    #[track_caller]
    pub(crate) fn closed(self, connections: usize) -> (Vec<Seen>, SessionRecord) {
        let Self {
            backend,
            gate,
            client,
        } = self;
        conclude(&backend, gate, &client.quit(true), connections)
    }

    /// As [`Run::quit`] where the client leaves without a word.
    #[track_caller]
    pub(crate) fn leave(self, how: Leave, connections: usize) -> (Vec<Seen>, SessionRecord) {
        let Self {
            backend,
            gate,
            client,
        } = self;
        conclude(&backend, gate, &client.leave(how), connections)
    }
}

#[track_caller]
fn conclude(
    backend: &Backend,
    gate: Gate,
    sent: &[Sent],
    connections: usize,
) -> (Vec<Seen>, SessionRecord) {
    backend.release();
    let seen = backend.ended(connections);
    check(sent, &seen);
    assert_eq!(seen.len(), connections, "{seen:#?}");
    (seen, gate.stop(1).remove(0))
}
