//! A trace: who comes to the server under test, when, from where and how, and the DNS in which they live; and what was
//! observed when it was played.
//!
//! A trace is made once from a scenario and a seed (`measure::traffic`), played by `cli::bench` against one or more
//! servers, and scored (`measure::score`). It holds the labels, which no server ever sees: what is stopped must follow
//! from behaviour alone. Times are virtual, since the beginning of the trace, unless a field says otherwise.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::facts::RecordData;
use crate::measure::hidden::Hidden;

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

/// The DNS in which the clients live.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct World {
    /// Records by name, without the final dot; reverse names, HELO names, sender domains, SPF policies.
    pub records: Vec<(String, RecordData)>,
    /// Lists of addresses (RFC 5782).
    pub lists: Vec<List>,
    /// How long answers take, and how many never come.
    pub latency: Latency,
}

/// A list of addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct List {
    /// Its zone.
    pub zone: String,
    /// What it lists: bad senders, or good ones.
    pub lists: Lists,
    /// The addresses that it lists.
    pub listings: Vec<Listing>,
    /// When it has trouble of its own, and which.
    pub troubles: Vec<(Range<Duration>, Trouble)>,
}

/// What a list lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lists {
    /// Addresses with the trait `listed`; the answers are 127.0.0.2 (hand-picked), .3 (snowshoe), .4 (bots), .10
    /// (dynamic).
    Listed,
    /// Good senders; the answers are 127.0.5.1 to 127.0.5.3.
    Allowed,
}

/// An address on a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listing {
    /// The address.
    pub address: IpAddr,
    /// From when on.
    pub from: Duration,
    /// What the list answers, in 127.0.0.0/8.
    pub answer: Ipv4Addr,
}

/// What can be wrong with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trouble {
    /// It does not answer.
    Dead,
    /// It answers this to everything: an error code in 127.255.255.0/24.
    Says(Ipv4Addr),
}

/// How the DNS answers. Real time, not virtual: a waiting session feels it as it is, scaled as its other waits are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The median (log-normal), seconds.
    pub median: f64,
    /// The standard deviation of its natural logarithm.
    pub sigma: f64,
    /// The share of questions that are never answered, 0 to 1.
    pub lost: f64,
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

/// What was observed when an errand was run at a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// The errand's number.
    pub errand: u32,
    /// The tries that were made, in order.
    pub tries: Vec<Tried>,
}

/// What was observed at one try.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// When it began in fact, virtual.
    pub at: Duration,
    /// From connect to the last line of the greeting, real time; `None` if there was none.
    pub greeted: Option<Duration>,
    /// From connect to the end, real time.
    pub took: Duration,
    /// The last reply code heard; 0 if none was.
    pub last: u16,
    /// Whether the server closed or reset where the client would have gone on.
    pub cut: bool,
    /// Whether the backend was reached, where that can be told.
    pub reached: Option<bool>,
    /// What became of each transaction that was begun.
    pub envelopes: Vec<Sent>,
    /// Whether the client had to tell of our own trouble (no connection could be made, for example).
    pub trouble: Option<String>,
}

/// What became of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Which of the act's envelopes it was for; a callout has one.
    pub of: u32,
    /// Which of its recipients were named, each by its place in the envelope: a retry names those that are left.
    pub to: Vec<u32>,
    /// The reply code to MAIL; 0 if none came.
    pub mail: u16,
    /// The reply codes to each RCPT that was sent, as in `to`; 0 where none came.
    pub rcpt: Vec<u16>,
    /// The reply code to the final dot; 0 if it did not come to that.
    pub data: u16,
}

/// A message that has arrived at the backend: told by its `X-Errand` header field, `<errand>.<try>.<envelope>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Arrival {
    /// The errand's number.
    pub errand: u32,
    /// The try, counted from 0.
    pub attempt: u32,
    /// The transaction of that try, counted from 0 ([`Tried::envelopes`]).
    pub envelope: u32,
    /// The recipients it was delivered for.
    pub to: Vec<String>,
}

/// What a server was put through and what it cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// What the server is called in results.
    pub target: String,
    /// What became of each errand, by number.
    pub ran: Vec<Ran>,
    /// What arrived behind it; `None` if that can not be seen.
    pub arrived: Option<Vec<Arrival>>,
    /// CPU of the server under test, its whole process group, seconds; `None` if it is not ours to see.
    pub server_cpu: Option<f64>,
    /// CPU of the backend, its whole process group, seconds.
    pub backend_cpu: Option<f64>,
    /// Sessions that the backend had.
    pub backend_sessions: Option<u64>,
    /// DNS questions that the server asked, without those with which it tests its lists; `None` if it asks others.
    pub dns_questions: Option<u64>,
    /// What it could not be shown.
    #[serde(default)]
    pub hidden: Hidden,
    /// How long it took, real time.
    pub took: Duration,
    /// How many virtual seconds passed in a real one.
    pub clock: f64,
}
