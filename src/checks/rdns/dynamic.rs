//! Does a reverse name look like one that a provider gives to connections it numbers through?
//!
//! No standard says how such names look; these are the shapes that providers use. A name looks dynamic when it holds the
//! client's whole address (decimal or hexadecimal, forwards or backwards), or a part of it or a number beside a word such
//! as "dynamic", "pppoe", "dsl", "pool". Words such as "mail", "static", "server" speak against it, whatever else stands
//! there: a name that is called dynamic and is not costs more than one that is missed. Only labels in front of the
//! provider's own domain are read.

mod words;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use words::{ACCESS, AGAINST, AGAINST_FROM, ANY, CUSTOMER, HOSTING, PLAIN, SECOND_LEVEL};

/// Whether `name`, in lower case, looks like the dynamic name of the address `client`.
#[must_use]
pub fn looks_dynamic(name: &str, client: IpAddr) -> bool {
    let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).count();
    // Most names of mail servers end here.
    if digits(name) < 2 {
        return false;
    }
    let Some((host, domain)) = split(name) else {
        return false;
    };
    let digits = digits(host);
    if digits < 2 || HOSTING.iter().any(|part| domain.contains(part)) {
        return false;
    }
    let words = || {
        host.split(|c: char| !c.is_ascii_alphabetic())
            .filter(|word| !word.is_empty())
    };
    let has = |list: &[&str]| words().any(|word| list.contains(&word));
    let begins = |list: &[&str]| words().any(|word| list.iter().any(|from| word.starts_with(from)));
    if has(AGAINST) || begins(AGAINST_FROM) || words().any(|word| word.ends_with("mail")) {
        return false;
    }
    if has(PLAIN) || has(ACCESS) && digits >= 4 {
        return true;
    }
    match octets_held(host, client) {
        0 | 1 => false,
        2 => has(ACCESS) || has(CUSTOMER),
        3 => has(ACCESS) || has(CUSTOMER) || has(ANY),
        _ => true,
    }
}

/// The labels in front of the registered domain, and the first label of that; `None` for the bare domain.
fn split(name: &str) -> Option<(&str, &str)> {
    let (rest, _) = name.rsplit_once('.')?;
    let (mut host, mut domain) = rest.rsplit_once('.')?;
    if SECOND_LEVEL.contains(&domain) {
        (host, domain) = host.rsplit_once('.')?;
    }
    Some((host, domain))
}

/// How many octets of the address stand in the labels, in an order: 4 for the whole address, of IPv6, too.
fn octets_held(host: &str, client: IpAddr) -> usize {
    match client {
        IpAddr::V4(client) => {
            let octets = client.octets();
            match in_hexadecimal(host, client) || is_run_together(host, octets) {
                true => 4,
                false => in_numbers(host, octets),
            }
        }
        IpAddr::V6(client) => in_nibbles(host, client),
    }
}

/// Whether the eight hexadecimal digits of the address, or of its octets from the last to the first, stand in the labels,
/// whatever stands between the digits that is neither letter nor digit.
fn in_hexadecimal(host: &str, client: Ipv4Addr) -> bool {
    let client = u32::from(client);
    let (mut run, mut digits) = (0_u32, 0);
    let mut letters = host.chars().filter(char::is_ascii_alphanumeric);
    letters.any(|letter| {
        let digit = letter.to_digit(16).filter(|_| !letter.is_ascii_uppercase());
        let Some(digit) = digit else {
            digits = 0;
            return false;
        };
        run = run << 4 | digit;
        digits += 1;
        digits >= 8 && (run == client || run == client.swap_bytes())
    })
}

/// The longest part of the address among the decimal numbers of the labels.
fn in_numbers(host: &str, [a, b, c, d]: [u8; 4]) -> usize {
    let numbers: Vec<Option<u8>> = digit_runs(host).map(|run| run.parse().ok()).collect();
    let holds = |wanted: &[u8]| {
        let forwards = wanted.iter().copied().map(Some);
        let mut windows = numbers.windows(wanted.len());
        windows.any(|window| {
            let window = window.iter().copied();
            window.clone().eq(forwards.clone()) || window.eq(forwards.clone().rev())
        })
    };
    // Some providers put the last octet in a label of its own, in front of the others.
    if holds(&[a, b, c, d]) || holds(&[d, a, b, c]) {
        return 4;
    }
    if holds(&[a, b, c]) || holds(&[b, c, d]) {
        return 3;
    }
    if holds(&[c, d]) { 2 } else { 0 }
}

/// Whether a run of digits is the address without separators, or as one number.
fn is_run_together(host: &str, [a, b, c, d]: [u8; 4]) -> bool {
    let mut long = digit_runs(host).filter(|run| run.len() > 6).peekable();
    // Few names have one; for the others nothing is put together.
    if long.peek().is_none() {
        return false;
    }
    let shapes = [
        format!("{a:03}{b:03}{c:03}{d:03}"),
        format!("{d:03}{c:03}{b:03}{a:03}"),
        format!("{a}{b}{c}{d}"),
        format!("{d}{c}{b}{a}"),
        u32::from_be_bytes([a, b, c, d]).to_string(),
    ];
    long.any(|run| shapes.iter().any(|shape| shape == run))
}

fn digit_runs(host: &str) -> impl Iterator<Item = &str> {
    host.split(|c: char| !c.is_ascii_digit())
        .filter(|run| !run.is_empty())
}

/// Four when the labels hold the address, or the half of it that tells hosts apart.
fn in_nibbles(host: &str, client: Ipv6Addr) -> usize {
    let squeezed: String = host.chars().filter(char::is_ascii_alphanumeric).collect();
    let nibbles = format!("{:032x}", u128::from(client));
    let reversed: String = nibbles.chars().rev().collect();
    let halves = nibbles.get(16..).into_iter().chain(reversed.get(..16));
    if halves.into_iter().any(|half| squeezed.contains(half)) {
        return 4;
    }
    let groups = client
        .segments()
        .map(|group| format!("{group:x}"))
        .join("-");
    let short = client.to_string().replace(':', "-");
    let dashed = host.replace('.', "-");
    let holds = dashed.contains(&groups) || dashed.contains(short.trim_matches('-'));
    if holds { 4 } else { 0 }
}

#[cfg(test)]
mod tests;
