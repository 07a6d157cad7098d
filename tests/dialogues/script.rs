//! Reads a file of dialogues.
//!
//! ```text
//! ; a comment
//! # tls starttls        a setting: before the first title for all dialogues of the file, behind one for that alone
//! == a title            begins a dialogue
//! C: EHLO a.example     the client says a line, CRLF behind it
//! C< NOOP\n             the client says these octets; \r \n \\ \x00, and {3} behind one of these says it three times
//! S: 250 2.0.0 OK       the server has said exactly this line, and no time has passed since
//! S~ 250 * OK           the same, * standing for anything
//! S< \x15             the server has said these octets
//! S! closed | open      the server has closed, or has not, and has said nothing else
//! + 6s                  time passes; what was said before must have been told. With a backend only after "# clock still"
//! C! leaves | deaf | tls    the client goes away, reads nothing from here on, or upgrades to TLS
//! ! drain | cut         the process drains, or can wait no longer
//! E: quit               how the session ended, as the log says it; a fault is named: "fault bare_cr"
//! M: X-Client: ...      what the mail store has stored, or the backend of users was told, line by line, all of it
//! ```

use std::path::Path;
use std::time::Duration;

/// One conversation.
#[derive(Debug, Default, Clone)]
pub(crate) struct Dialogue {
    /// File, line and title.
    pub(crate) name: String,
    /// What is set otherwise than usual: key, value.
    pub(crate) settings: Vec<(String, String)>,
    /// What happens, each with its line in the file.
    pub(crate) steps: Vec<(usize, Step)>,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The client says octets.
    Say(Vec<u8>),
    /// The server says a line; in the second kind `*` stands for anything.
    Hear(String),
    HearLike(String),
    /// The server says octets.
    HearOctets(Vec<u8>),
    /// The server has closed.
    Closed,
    /// The server has not closed.
    Open,
    /// Time passes.
    Wait(Duration),
    /// The client goes away.
    Leave,
    /// The client reads no more.
    Deaf,
    /// The client shakes hands.
    Tls,
    /// The process drains.
    Drain,
    /// The process can wait no longer.
    Cut,
    /// The session has ended.
    Ended(String),
    /// The next line of what is stored.
    Stored(String),
}

/// The dialogues of a file.
pub(crate) fn read(path: &Path, text: &str) -> Result<Vec<Dialogue>, String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let mut common = Vec::new();
    let mut dialogues: Vec<Dialogue> = Vec::new();
    for (number, line) in text.lines().enumerate().map(|(at, line)| (at + 1, line)) {
        let wrong = |what: &str| format!("{file}:{number}: {what}: {line}");
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if let Some(title) = line.strip_prefix("== ") {
            dialogues.push(Dialogue {
                name: format!("{file}:{number}: {title}"),
                settings: common.clone(),
                steps: Vec::new(),
            });
        } else if let Some(setting) = line.strip_prefix("# ") {
            let (key, value) = setting.split_once(' ').unwrap_or((setting, ""));
            let settings = dialogues.last_mut().map(|dialogue| &mut dialogue.settings);
            let pair = (key.to_owned(), value.to_owned());
            settings.unwrap_or(&mut common).push(pair);
        } else {
            let step = step(line).map_err(|what| wrong(&what))?;
            let dialogue = dialogues.last_mut().ok_or_else(|| wrong("no title yet"))?;
            dialogue.steps.push((number, step));
        }
    }
    let endless = dialogues
        .iter()
        .find(|dialogue| !dialogue.steps.iter().any(|(_, step)| is_end(step)));
    match endless {
        Some(dialogue) => Err(format!("{}: no E: line", dialogue.name)),
        None => Ok(dialogues),
    }
}

fn is_end(step: &Step) -> bool {
    matches!(step, Step::Ended(_))
}

fn step(line: &str) -> Result<Step, String> {
    let (mark, rest) = line.split_once(' ').ok_or("not a step")?;
    Ok(match (mark, rest) {
        ("C:", text) => Step::Say(format!("{text}\r\n").into_bytes()),
        ("C<", text) => Step::Say(octets(text)?),
        ("S:", text) => Step::Hear(text.to_owned()),
        ("S~", text) => Step::HearLike(text.to_owned()),
        ("S<", text) => Step::HearOctets(octets(text)?),
        ("S!", "closed") => Step::Closed,
        ("S!", "open") => Step::Open,
        ("+", time) => {
            Step::Wait(humantime::parse_duration(time).map_err(|error| error.to_string())?)
        }
        ("C!", "leaves") => Step::Leave,
        ("C!", "deaf") => Step::Deaf,
        ("C!", "tls") => Step::Tls,
        ("!", "drain") => Step::Drain,
        ("!", "cut") => Step::Cut,
        ("E:", label) => Step::Ended(label.to_owned()),
        ("M:", text) => Step::Stored(text.to_owned()),
        _ => return Err("not a step".to_owned()),
    })
}

/// Text with escapes as octets.
fn octets(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        if *first != b'\\' {
            out.push(*first);
            rest = behind;
            continue;
        }
        let (octet, behind) = match behind {
            [b'r', behind @ ..] => (b'\r', behind),
            [b'n', behind @ ..] => (b'\n', behind),
            [b'\\', behind @ ..] => (b'\\', behind),
            [b'x', high, low, behind @ ..] => (hex(*high, *low)?, behind),
            _ => return Err("not an escape".to_owned()),
        };
        let (times, behind) = repetition(behind)?;
        out.extend(std::iter::repeat_n(octet, times));
        rest = behind;
    }
    Ok(out)
}

fn hex(high: u8, low: u8) -> Result<u8, String> {
    let digits = [high, low];
    let digits = std::str::from_utf8(&digits).map_err(|error| error.to_string())?;
    u8::from_str_radix(digits, 16).map_err(|error| error.to_string())
}

/// `{3}` behind an escape, and what stands behind that.
fn repetition(text: &[u8]) -> Result<(usize, &[u8]), String> {
    let Some(inside) = text.strip_prefix(b"{") else {
        return Ok((1, text));
    };
    let end = inside.iter().position(|octet| *octet == b'}');
    let (digits, behind) = inside.split_at(end.ok_or("{ without }")?);
    let digits = String::from_utf8_lossy(digits);
    let times = digits.parse().map_err(|_| "no number in {}")?;
    Ok((times, &behind[1..]))
}

/// Whether `text` fits a pattern in which `*` stands for anything.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.split_once(part) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    rest.ends_with(last)
}
