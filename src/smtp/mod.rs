//! Floor 0: the protocol. Bytes to events, events to replies, in both directions.
//!
//! No policy, no sockets, no clock: the caller owns buffers and time. Only `line` makes a
//! [`Line`], only `path` a path, and [`Command::parse`] is the only way from a client's octets to a
//! command. What goes on to a backend is written anew from parsed values, never copied.
//!
//! | standard | what | where |
//! |---|---|---|
//! | RFC 5321 §2.3.8, §4.1.1 | lines end with CRLF and nothing else | `line`, `body` |
//! | RFC 5321 §4.1.1 | commands | `verb`, `command` |
//! | RFC 5321 §4.1.2, §4.1.3 | paths, mailboxes, domains, address literals | `path`, `domain` |
//! | RFC 5321 §4.1.4, §4.3.2 | order of commands, codes that belong to them | `phase`, `server`, `client` |
//! | RFC 5321 §4.2 | replies, written and read | `reply` |
//! | RFC 5321 §4.5.2 | mail data, transparency, end of data | `body` |
//! | RFC 5321 §4.5.3 | limits and timers | `limits`, `phase` |
//! | RFC 1870, 6152, 6531, 3461, 4954 §5 | SIZE, BODY, SMTPUTF8, RET ENVID NOTIFY ORCPT, AUTH | `params`, `xtext`, `extension` |
//! | RFC 2034, 3463, 5248 | enhanced status codes | `reply`, `fault` |
//! | RFC 2920 | pipelining, command groups | `verb`, `server` |
//! | RFC 3030 | BDAT; BINARYMIME never | `command`, `chunk` |
//! | RFC 3207 | STARTTLS | `server` |
//! | RFC 4954 | AUTH | `command`, `line` (length), `server`, `auth` |
//! | RFC 7504 | 521 | `fault` |
//! | Postfix's XCLIENT_README | XCLIENT, toward a server only | `xclient` |

pub mod auth;
pub mod body;
pub mod chunk;
pub mod client;
pub mod command;
pub mod domain;
pub mod extension;
pub mod fault;
pub mod header_filter;
pub mod limits;
pub mod line;
pub mod params;
pub mod path;
pub mod phase;
mod protocol;
pub mod reply;
mod rewrite;
pub mod server;
pub(crate) mod text;
pub mod verb;
pub mod xclient;
mod xtext;

#[cfg(test)]
mod arbitrary;

pub use body::{BareNewline, BodyEnd, BodyRead, BodyReader};
pub use client::{Client, NotSent};
pub use command::{Command, InitialResponse};
pub use domain::{AddressLiteral, Domain, HeloName, Host};
pub use extension::Extensions;
pub use fault::{Fault, Protocol};
pub use line::{Line, LineReader, LineStep};
pub use params::{BodyKind, MailParams, Notify, Orcpt, RcptParams, Ret, Xtext};
pub use path::{ForwardPath, LocalPart, Mailbox, ReversePath};
pub use phase::{Phase, Timer};
pub use reply::{BadEnhancedCode, BadReply, EnhancedCode, Reply, ReplyClass, ReplyReader};
pub use server::{Event, Server, Step};
pub use text::BadText;
pub use verb::Verb;
