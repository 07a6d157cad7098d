//! The replies that are ours alone, worded once. Verdicts are worded in [`crate::checks::verdict`], faults in
//! [`crate::smtp::fault`]; everything else a client hears comes from its backend.
//!
//! Codes: RFC 5321 §4.2.2; enhanced codes: RFC 3463.

use crate::facts::Limit;
use crate::smtp::reply::Reply;

/// The first line of the greeting, as raw text: a multi-line reply that [`greeting`] completes.
pub(in crate::session) fn teaser(hostname: &str) -> String {
    format!("220-{hostname} ESMTP\r\n")
}

/// The greeting.
pub(in crate::session) fn greeting(hostname: &str) -> Reply {
    Reply::new(220, None, format!("{hostname} ESMTP gatepost"))
}

/// To a client that a limit keeps out; to one that wants TLS and has no turn, RFC 3207 §4.
#[must_use]
pub fn not_admitted(limit: Limit) -> Reply {
    match limit {
        Limit::Connections => Reply::new(
            421,
            Some((4, 3, 2)),
            "Too many connections, try again later",
        ),
        Limit::PerAddress => Reply::new(
            421,
            Some((4, 7, 0)),
            "Too many connections from your address, try again later",
        ),
        Limit::PerNetwork => Reply::new(
            421,
            Some((4, 7, 0)),
            "Too many connections from your network, try again later",
        ),
        Limit::Rate => Reply::new(
            421,
            Some((4, 7, 0)),
            "Connecting too often, try again later",
        ),
        Limit::TlsHandshakes => Reply::new(
            454,
            Some((4, 7, 0)),
            "Too many TLS handshakes at present, try again later",
        ),
        Limit::FailedLogins => Reply::new(
            421,
            Some((4, 7, 0)),
            "Too many failed logins from your address or network, try again later",
        ),
    }
}

/// To HELO.
pub(in crate::session) fn helo(hostname: &str) -> Reply {
    Reply::new(250, None, hostname.to_owned())
}

/// To MAIL.
pub(in crate::session) fn sender_ok() -> Reply {
    Reply::new(250, Some((2, 1, 0)), "Sender noted")
}

/// To RSET and NOOP.
pub(in crate::session) fn ok() -> Reply {
    Reply::new(250, Some((2, 0, 0)), "OK")
}

/// To a chunk that is not the last.
pub(in crate::session) fn chunk_read(size: u64) -> Reply {
    Reply::new(250, Some((2, 0, 0)), format!("{size} octets received"))
}

/// To HELP.
pub(in crate::session) fn help() -> Reply {
    Reply::new(
        214,
        Some((2, 0, 0)),
        "gatepost: see RFC 5321; people answer at postmaster",
    )
}

/// To VRFY: RFC 5321 §3.5.3 asks for 252 where addresses are not told.
pub(in crate::session) fn cannot_verify() -> Reply {
    Reply::new(
        252,
        Some((2, 5, 2)),
        "Can not verify, but mail will be tried",
    )
}

/// To QUIT.
pub(in crate::session) fn goodbye(hostname: &str) -> Reply {
    Reply::new(
        221,
        Some((2, 0, 0)),
        format!("{hostname} closing connection"),
    )
}

/// To STARTTLS.
pub(in crate::session) fn start_tls() -> Reply {
    Reply::new(220, Some((2, 0, 0)), "Ready to start TLS")
}

/// In plain text to a client that speaks it where TLS begins with the first octet (RFC 8314 §3.3).
pub(in crate::session) fn tls_first() -> Reply {
    Reply::new(
        554,
        Some((5, 7, 0)),
        "This port speaks TLS from the first octet; without TLS, try port 25 or 587",
    )
}

/// The same to one that says nothing, and so perhaps waits for a greeting in plain text.
pub(in crate::session) fn no_hello() -> Reply {
    Reply::new(
        421,
        Some((4, 4, 2)),
        "Timeout: this port speaks TLS from the first octet, and the client speaks first",
    )
}

/// To what needs TLS, in plain text (RFC 3207 §4, RFC 4954 §4).
pub(in crate::session) fn starttls_first() -> Reply {
    Reply::new(530, Some((5, 7, 0)), "Must issue a STARTTLS command first")
}

/// To AUTH in plain text (RFC 4954 §6).
pub(in crate::session) fn login_needs_tls() -> Reply {
    Reply::new(
        538,
        Some((5, 7, 11)),
        "Encryption required: issue a STARTTLS command first",
    )
}

/// To MAIL of a user who has not logged in (RFC 6409 §4.3).
pub(in crate::session) fn log_in_first() -> Reply {
    Reply::new(530, Some((5, 7, 0)), "Authentication required")
}

/// When the backend can not be asked about a login (RFC 4954 §6).
pub(in crate::session) fn no_login_now() -> Reply {
    Reply::new(
        454,
        Some((4, 7, 0)),
        "Temporary authentication failure, try again later",
    )
}

/// To `*` in an AUTH exchange (RFC 4954 §4).
pub(in crate::session) fn login_given_up() -> Reply {
    Reply::new(501, Some((5, 7, 0)), "Authentication cancelled")
}

/// To an answer in an AUTH exchange that is none (RFC 4954 §4).
pub(in crate::session) fn no_base64() -> Reply {
    Reply::new(501, Some((5, 5, 2)), "Not base64, authentication cancelled")
}

/// When the backend connection of a login is gone.
pub(in crate::session) fn login_lost() -> Reply {
    Reply::new(
        421,
        Some((4, 4, 2)),
        "The mail system behind this gate was lost, please log in again",
    )
}

/// To a recipient beyond `limits.recipients`.
pub(in crate::session) fn too_many_recipients() -> Reply {
    Reply::new(
        452,
        Some((4, 5, 3)),
        "Too many recipients, send the others in another transaction",
    )
}

/// When the backend can not be reached or used before the message.
pub(in crate::session) fn backend_down() -> Reply {
    Reply::new(
        451,
        Some((4, 3, 2)),
        "The mail system behind this gate is not available, try again later",
    )
}

/// When the backend has as many connections as it may have.
pub(in crate::session) fn backend_busy() -> Reply {
    Reply::new(
        451,
        Some((4, 3, 2)),
        "The mail system behind this gate is busy, try again later",
    )
}

/// To a client whose address the backend must not be told.
pub(in crate::session) fn not_for_this_client() -> Reply {
    Reply::new(
        451,
        Some((4, 3, 5)),
        "Mail from your address can not be handed on here; ask the mail system directly",
    )
}

/// When the backend said something no server may say.
pub(in crate::session) fn backend_broken() -> Reply {
    Reply::new(
        451,
        Some((4, 3, 0)),
        "The mail system behind this gate is in trouble, try again later",
    )
}

/// When the backend was lost in the middle of a transaction.
pub(in crate::session) fn backend_lost() -> Reply {
    Reply::new(
        451,
        Some((4, 4, 2)),
        "The mail system behind this gate was lost, try again later",
    )
}

/// When the backend closes the session.
pub(in crate::session) fn backend_closes() -> Reply {
    Reply::new(
        421,
        Some((4, 3, 2)),
        "The mail system behind this gate closes the session, try again later",
    )
}

/// When a deadline has passed.
pub(in crate::session) fn too_slow() -> Reply {
    Reply::new(421, Some((4, 4, 2)), "Timeout, closing connection")
}

/// When the process drains.
pub(in crate::session) fn draining() -> Reply {
    Reply::new(
        421,
        Some((4, 3, 2)),
        "Service is being restarted, try again in a moment",
    )
}

/// When the session has had its share.
pub(in crate::session) fn session_limit() -> Reply {
    Reply::new(
        421,
        Some((4, 7, 0)),
        "This session has had its share, please reconnect",
    )
}

/// When a defect of ours ends the session.
pub(in crate::session) fn defect() -> Reply {
    Reply::new(
        421,
        Some((4, 3, 0)),
        "Internal trouble, closing connection, try again later",
    )
}
