//! What is said over the control socket: one request, one answer, each a line of JSON.
//!
//! The same types for both ends, the process and the commands.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::doctor::Report;
use crate::facts::{self, Question};
use crate::store::Entry;

/// What is asked of a running process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How it is doing.
    Status {},
    /// The entries that were added by command.
    Entries {},
    /// What it knows by itself that a session would ask: memory, the primary, recipients counted.
    Known {
        /// The questions.
        questions: Vec<Question>,
    },
    /// Add an entry.
    Keep {
        /// Whether it lets in or keeps out.
        allow: bool,
        /// A network, a name in HELO or a sender.
        subject: String,
        /// How long it holds, in seconds; for good if there is none.
        #[serde(default)]
        seconds: Option<u64>,
        /// Why, for people.
        #[serde(default)]
        comment: String,
    },
    /// Log at another level until the process ends, or say which it is.
    Log {
        /// The level, or levels of parts; as in the configuration if it is empty.
        #[serde(default)]
        level: Option<String>,
    },
    /// Remove an entry, and what is remembered of a client.
    Forget {
        /// An entry's subject, or an identity.
        what: String,
    },
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Entries`].
    Entries(Vec<Entry>),
    /// To [`Request::Known`]: an answer for each question.
    Known(Vec<facts::Answer>),
    /// The entry was added.
    Kept {
        /// As it is kept.
        entry: Box<Entry>,
        /// What whoever added it should know.
        notes: Vec<String>,
    },
    /// To [`Request::Log`].
    Log(Log),
    /// It was forgotten, as far as it was there.
    Forgotten {
        /// Whether an entry was.
        entry: bool,
        /// Whether something about a client was.
        client: bool,
    },
    /// It was not done, and why.
    Refused(String),
}

/// How a process is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its version.
    pub version: String,
    /// Our name.
    pub hostname: String,
    /// When it was started, seconds since 1970 UTC.
    pub started: u64,
    /// Seconds since then.
    pub uptime: u64,
    /// What it listens on, a line for each address.
    pub listeners: Vec<Listener>,
    /// Where clean sessions go.
    pub backends: Vec<Backend>,
    /// The certificates in use toward clients.
    pub certificates: Vec<Certificate>,
    /// The resolver, by lookups outside of the zones.
    pub resolver: Zone,
    /// The zones that the policies ask.
    pub zones: Vec<Zone>,
    /// Lookups in all.
    pub lookups: Lookups,
    /// Sessions since the start.
    pub sessions: Sessions,
    /// The policies that judge, with the checks they have on.
    pub policies: Vec<Policy>,
    /// Records of sessions; nothing if the journal is switched off.
    pub journal: Option<Journal>,
    /// What is logged.
    pub log: Log,
    /// What is remembered; nothing if there is no memory.
    pub memory: Option<Memory>,
    /// Entries added by command.
    pub entries: Entries,
    /// How the last reload went; nothing before the first.
    #[serde(default)]
    pub reload: Option<Reload>,
    /// The mail of our own domains, as it was found last.
    #[serde(default)]
    pub doctor: Vec<Examined>,
}

/// What the doctor has found about a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examined {
    /// When, in seconds since 1970 UTC.
    pub at: u64,
    /// What.
    pub report: Report,
}

/// A reload of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// When it was, in seconds since 1970 UTC.
    pub at: u64,
    /// Whether the new configuration holds.
    pub taken: bool,
    /// What was wrong with it, if it does not.
    pub problems: Vec<String>,
    /// What has changed in it and waits for a restart.
    pub restart: Vec<String>,
}

/// An address that is listened on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The listener's name.
    pub name: String,
    /// The address.
    pub address: SocketAddr,
    /// The policy that judges its clients.
    pub policy: String,
    /// The policy's mode.
    pub mode: String,
    /// The backend.
    pub backend: String,
}

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its mode.
    pub mode: String,
    /// The checks that are on, in their order.
    pub checks: Vec<String>,
}

/// Records of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// Where they are.
    pub directory: PathBuf,
    /// Written.
    pub written: u64,
    /// Let fall because too many waited, or because they could not be written.
    pub dropped: u64,
    /// Failed attempts to write.
    pub failures: u64,
}

/// The log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// The level, or the levels of parts.
    pub level: String,
    /// The level of the configuration, where another was set by command.
    pub configured: Option<String>,
    /// Lines lost because they were read too slowly.
    pub lost: u64,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Its name.
    pub name: String,
    /// Whether it answered when last asked.
    pub up: Option<bool>,
    /// Connections open now.
    pub connections: usize,
    /// The most that may be.
    pub max_connections: usize,
    /// Its servers.
    pub servers: Vec<Server>,
}

/// A server of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Where it is.
    pub address: SocketAddr,
    /// Whether it answered when last asked.
    pub up: Option<bool>,
    /// Seconds that it has been down.
    pub down: Option<u64>,
    /// Why it is down.
    pub why: Option<String>,
    /// Connections open now, or being opened.
    pub connections: usize,
    /// What its last self-test has shown of relaying for strangers, as a word.
    pub test: Option<String>,
    /// Whom it takes clients for: `client`, or an address that is not theirs; nothing if it does not say.
    pub takes_client_for: Option<String>,
    /// Seconds since that test.
    pub tested: Option<u64>,
}

/// A certificate in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Its file.
    pub chain: PathBuf,
    /// The host names it is for.
    pub names: Vec<String>,
    /// The kind of its key.
    pub key: String,
    /// Whether gatepost has made it.
    pub self_signed: bool,
    /// When it, or the first of its chain, ends; seconds since 1970 UTC.
    pub expires: u64,
    /// Why what its files hold now is not in use.
    pub trouble: Option<String>,
}

/// A zone, or the resolver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its name for people.
    pub name: String,
    /// Lookups answered.
    pub answered: u64,
    /// Lookups failed.
    pub failed: u64,
    /// Failures since the last answer.
    pub failed_in_a_row: u32,
    /// Whether it is not asked for a while.
    pub suspended: bool,
    /// Answers that no list may give.
    pub trouble: u64,
    /// What its last test has shown, as a word.
    pub test: String,
    /// Seconds since that test.
    pub tested: Option<u64>,
}

/// Lookups in all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookups {
    /// Under way now.
    pub under_way: usize,
    /// Answers held in memory.
    pub kept: usize,
    /// Questions answered from memory.
    pub from_cache: u64,
    /// Questions that joined the lookup of another session.
    pub joined: u64,
    /// Questions that failed because too many were under way.
    pub overloaded: u64,
}

/// Sessions since the start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Under way.
    pub open: u64,
    /// Ended.
    pub ended: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Recipients refused.
    pub refused: u64,
}

/// What is remembered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Whether it outlives the process.
    pub on_disk: bool,
    /// How much each table holds, expired things too.
    pub kept: BTreeMap<String, u64>,
    /// Changes not written yet.
    pub waiting: usize,
    /// Changes let fall because too many waited.
    pub dropped: u64,
    /// Things removed because there were too many.
    pub evicted: u64,
    /// Things removed because they had expired.
    pub expired: u64,
    /// Failures of the disk.
    pub failures: u64,
}

/// Entries added by command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// On the allow list.
    pub allow: usize,
    /// On the deny list.
    pub deny: usize,
}
