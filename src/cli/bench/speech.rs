//! What a player writes: verbs in its spelling, the message with its mark.

use crate::measure::trace::{Dialect, Envelope, Verbs};

/// The longest message that is made, octets; larger ones are cut.
const MOST: usize = 10 << 20;
/// A line of filler: 72 octets with its end.
const FILLER: &str = "The quick brown fox jumps over the lazy dog, and then once more: again.\r\n";

/// HELO or EHLO with its argument.
pub(super) fn hello(dialect: Dialect, extended: bool, name: &str) -> String {
    let verb = if extended { "EHLO" } else { "HELO" };
    format!("{} {name}\r\n", plain(dialect, verb))
}

/// A verb without argument.
pub(super) fn bare(dialect: Dialect, verb: &str) -> String {
    format!("{}\r\n", plain(dialect, verb))
}

/// MAIL with its reverse-path.
pub(super) fn mail(dialect: Dialect, from: &str) -> String {
    path(dialect, ["MAIL FROM:", "mail from:", "MAIL From:"], from)
}

/// RCPT with its forward-path.
pub(super) fn rcpt(dialect: Dialect, to: &str) -> String {
    path(dialect, ["RCPT TO:", "rcpt to:", "RCPT To:"], to)
}

fn path(dialect: Dialect, [upper, lower, mixed]: [&str; 3], path: &str) -> String {
    let verb = match dialect.verbs {
        Verbs::Upper => upper,
        Verbs::Lower => lower,
        Verbs::Mixed => mixed,
    };
    let space = if dialect.spaced { " " } else { "" };
    format!("{verb}{space}<{path}>\r\n")
}

fn plain(dialect: Dialect, verb: &str) -> String {
    match dialect.verbs {
        Verbs::Lower => verb.to_ascii_lowercase(),
        Verbs::Upper | Verbs::Mixed => verb.to_owned(),
    }
}

/// Mail data up to the final dot, which is not in it. `mark` is what tells the message when it has arrived.
pub(super) fn message(envelope: &Envelope, from: &str, mark: &str) -> String {
    let to = envelope.to.first().map_or("undisclosed", String::as_str);
    let author = if from.is_empty() {
        "MAILER-DAEMON@example.com"
    } else {
        from
    };
    let mut text = format!(
        "Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nFrom: <{author}>\r\nTo: <{to}>\r\nSubject: simulated\r\n\
         Message-ID: <{mark}@bench.invalid>\r\nX-Errand: {mark}\r\n\r\n"
    );
    if envelope.bare_newline {
        text.push_str("a line that ends too early\nand its rest\r\n");
    }
    let size = usize::try_from(envelope.size).unwrap_or(MOST).min(MOST);
    text.reserve(size.saturating_sub(text.len()) + FILLER.len());
    while text.len() < size {
        text.push_str(FILLER);
    }
    text
}
