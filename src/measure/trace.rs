//! A trace: who comes to the server under test, when, from where and how, and the DNS in which they live
//! (`world`); and what was observed when it was played (`played`).
//!
//! A trace is made once from a scenario and a seed (`measure::traffic`), played by `cli::bench` against one or more
//! servers, and scored (`measure::score`). It holds the labels, which no server ever sees: what is stopped must follow
//! from behaviour alone. Times are virtual, since the beginning of the trace, unless a field says otherwise.

mod played;
mod world;

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use played::{Arrival, Played, Ran, Sent, Tried};
pub use world::{Latency, List, Listing, Lists, Trouble, World};

/// Everything that comes to a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario file's SHA-256, hexadecimal.
    pub hash: String,
    /// The seed.
    pub seed: u64,
    /// The domain whose mail server is under test.
    pub domain: String,
    /// The name of that mail server, the primary; some clients greet with it.
    pub host: String,
    /// The local-parts that exist there.
    pub users: Vec<String>,
    /// From the first errand to the last one's first try.
    pub span: Duration,
    /// The DNS.
    pub world: World,
    /// Who comes, by the time of the first try.
    pub errands: Vec<Errand>,
}

/// What one client wants: to send something, or to try something, until it is done or given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Errand {
    /// Its number; stands in the messages' `X-Errand` header field, so that an arrival can be told.
    pub id: u32,
    /// Who it is.
    pub class: Class,
    /// The special case it stands for, if it was put in for that.
    pub case: Option<Case>,
    /// What was drawn for it.
    pub traits: Traits,
    /// Sender hosts or networks that are not independent share a number: intervals are computed over these.
    pub cluster: u32,
    /// Its tries: the first is always made, each further one only if the one before left something to try again.
    pub tries: Vec<Try>,
    /// What it does at each.
    pub speech: Speech,
}

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Try {
    /// When.
    pub at: Duration,
    /// From which address.
    pub from: IpAddr,
    /// Which door it comes to: who was put off by a secondary goes to the primary next.
    pub door: Door,
}

/// A door of the server under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// Port 25 of the primary.
    Primary,
    /// Port 25 of a secondary.
    Secondary,
    /// Port 465, for users.
    Submission,
}

/// What a client does in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Speech {
    /// The argument of HELO or EHLO.
    pub helo: String,
    /// Whether it says EHLO.
    pub extended: bool,
    /// Whether it uses STARTTLS.
    pub tls: Starttls,
    /// The user it logs in as, with the password.
    pub login: Option<(String, String)>,
    /// How it speaks.
    pub dialect: Dialect,
    /// Whether it speaks before the greeting is complete: after this long (session time).
    pub early: Option<Duration>,
    /// It leaves when it has not been greeted for this long (session time).
    pub patience: Option<Duration>,
    /// What it is about.
    pub act: Act,
    /// How it ends.
    pub parting: Parting,
}

/// Whether a client uses STARTTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Starttls {
    /// Never.
    Never,
    /// Where it is offered.
    Offered,
    /// It sends nothing without it, and comes back later.
    Required,
}

/// How a client writes and waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialect {
    /// How verbs are written.
    pub verbs: Verbs,
    /// Whether a space stands behind `FROM:` and `TO:`.
    pub spaced: bool,
    /// When it sends without waiting for replies.
    pub grouping: Grouping,
}

/// How verbs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verbs {
    /// `MAIL FROM:`
    Upper,
    /// `mail from:`
    Lower,
    /// `MAIL From:`, as sendmail writes it.
    Mixed,
}

/// When a client sends without waiting for replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Never.
    Lockstep,
    /// Where PIPELINING is offered (RFC 2920).
    Offered,
    /// Always: MAIL, RCPT and DATA in one segment.
    Always,
    /// Never but for `RSET` and `QUIT` at the end, in one segment.
    Parting,
}

/// What a session is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Mail.
    Mail {
        /// Transactions, one behind the other.
        envelopes: Vec<Envelope>,
        /// After a 5xx to MAIL or RCPT the whole is tried at once with this sender.
        other_sender: Option<String>,
        /// Whether it leaves at the first recipient that is refused.
        leaves_at_unknown: bool,
    },
    /// It asks whether a recipient exists and sends nothing (a callout).
    Callout {
        /// The recipient.
        to: String,
    },
    /// It tries passwords (`AUTH LOGIN`), this often.
    Guess(u8),
    /// It sends these octets, reads a little and goes.
    Scan(Vec<u8>),
    /// It reads the greeting and goes; with `true` it says EHLO and STARTTLS first.
    Look(bool),
}

/// A mail transaction that a client means to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The reverse-path's mailbox; empty for `<>`.
    pub from: String,
    /// The recipients' mailboxes, in order.
    pub to: Vec<String>,
    /// Octets of mail data.
    pub size: u32,
    /// Whether a bare LF is among them.
    pub bare_newline: bool,
}

/// How a client ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parting {
    /// QUIT, and the reply is read.
    Quit,
    /// QUIT behind the final dot or without reading the reply.
    QuitUnheard,
    /// It closes.
    Close,
}

/// What was drawn for an errand, as the columns of a scenario's table: with these the sensitivity band is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a column of the scenario's table"
)]
pub struct Traits {
    /// Listed at its first try.
    pub listed: bool,
    /// Speaks early.
    pub early: bool,
    /// Pipelines without leave.
    pub pipelines: bool,
    /// Its HELO fails a test of shape.
    pub bad_helo: bool,
    /// No reverse name.
    pub no_ptr: bool,
    /// A reverse name that looks dynamic.
    pub dynamic: bool,
    /// SPF says fail.
    pub spf_fail: bool,
    /// The sender's domain can not take mail.
    pub bad_domain: bool,
    /// Does not come back.
    pub no_retry: bool,
    /// Leaves without QUIT.
    pub no_quit: bool,
}

macro_rules! classes {
    ($($name:ident $label:ident $about:literal,)*) => {
        /// Who comes (docs/measure.md).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Class { $(#[doc = $about] $name,)* }

        impl Class {
            /// Every class.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its short name, as in scenario files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it is, for people.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }

            /// What it is counted as.
            #[must_use]
            pub const fn label(self) -> Label {
                match self { $(Self::$name => Label::$label,)* }
            }
        }
    };
}

classes! {
    B1 Spam "Bots with many recipients that do not retry",
    B2 Spam "Bots with one recipient",
    B3 Spam "Bots that retry",
    B4 Spam "Professional engines behind proxies",
    A1 Hostile "Password guessers",
    A2 Hostile "Scanners",
    D1 Hostile "Address harvesters",
    V1 Spam "Snowshoe and rented servers",
    W1 Spam "Hacked servers and web sites",
    P1 Spam "Hacked mailboxes and free mailboxes",
    E1 Spam "Spam through mailing services",
    K1 Hostile "Backscatter",
    G1 Legitimate "Mailbox providers",
    G2 Legitimate "Mailing services",
    G3 Legitimate "Companies with good DNS",
    G4 Legitimate "Companies with bad DNS or HELO",
    G5 Legitimate "Forwarders",
    G6 Legitimate "Mailing lists",
    G7 Legitimate "Bounces, receipts and callouts",
    G8 Legitimate "Scripts, appliances and shops",
    G9 Monitoring "Monitoring",
    G10 Legitimate "People who write to postmaster@ or abuse@",
    M1 Legitimate "Users who log in",
}

/// What a class is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Mail nobody asked for.
    Spam,
    /// Guessers, scanners, harvesters, backscatter: no mail worth having, kept apart from spam.
    Hostile,
    /// Mail that must arrive.
    Legitimate,
    /// Looks whether the server is there.
    Monitoring,
}

macro_rules! cases {
    ($($name:ident $word:literal $about:literal,)*) => {
        /// Legitimate traffic that breaks naive filters (docs/measure.md, "Special cases"), each with its own line in the result.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Case { $(#[doc = $about] #[serde(rename = $word)] $name,)* }

        impl Case {
            /// Every case.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its word, as in scenario files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What it is, for people.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$name => $about,)* }
            }
        }
    };
}

cases! {
    PoolRetry "pool_retry" "A pool that retries from other addresses",
    FastRetry "fast_retry" "One address that retries often and soon",
    GivesUpEarly "gives_up_early" "Gives up after half an hour",
    SlowRetry "slow_retry" "Retries like Postfix",
    TooFast "too_fast" "Comes back after two seconds",
    UniqueSender "unique_sender" "A new sender for every message",
    NoRetry "no_retry" "Never comes back",
    ShortPatience "short_patience" "Waits no longer than 15, 30 or 45 seconds for the greeting",
    SlightPipelining "slight_pipelining" "RSET and QUIT in one segment, QUIT behind the final dot",
    Spelling "spelling" "Lower case, mixed case, a space behind the colon",
    BadNames "bad_names" "No reverse name, or a HELO that is unqualified, unresolvable or has an underscore",
    Forwarder "forwarder" "Forwarded mail, for which SPF fails",
    NullSender "null_sender" "Bounces and lists with the null reverse-path",
    ListedToPostmaster "listed_to_postmaster" "postmaster@ or abuse@ from a listed address",
    PostmasterAmongOthers "postmaster_among_others" "A user and postmaster@ in one transaction, in both orders",
    NoFallback "no_fallback" "Does not go to another MX",
    GoodSecondary "good_secondary" "Came to the secondary for a good reason",
    ListedUser "listed_user" "A user from a listed, dynamic address",
    ChangingIpv6 "changing_ipv6" "Another IPv6 network at each retry",
    NeedsTls "needs_tls" "Goes on only with STARTTLS",
}
