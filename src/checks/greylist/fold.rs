//! What stays the same in a sender's mailbox from message to message.
//!
//! Mailing lists write the recipient or a number into it (VERP), forwarders a time stamp and a checksum (SRS), others a
//! signature (BATV): taken as it is, such a sender would be new each time and wait each time.

use crate::smtp::path::ReversePath;

/// The reverse-path, lower case, without what changes: the words behind the last `prvs=`, what follows a `+` or an `=`, and
/// numbers. Empty for the null reverse-path.
pub(in crate::checks) fn sender(path: &ReversePath) -> String {
    let ReversePath::Mailbox(mailbox) = path else {
        return String::new();
    };
    let local_part = mailbox.local_part.unquoted().to_lowercase();
    let domain = mailbox.domain.to_string().to_lowercase();
    format!("{}@{domain}", fold(&local_part))
}

fn fold(local_part: &str) -> String {
    // BATV (draft-levine-smtp-batv §4): prvs=TAG=mailbox, or prvs=mailbox=TAG or prvs=mailbox/TAG.
    if let Some(signed) = local_part.strip_prefix("prvs=") {
        let parts = signed.split(['=', '/']);
        let longest = parts.max_by_key(|part| part.len()).unwrap_or_default();
        return digits(longest);
    }
    // SRS0=hash=stamp=domain=user and SRS1=...: who forwards is in the domain behind the @.
    if let Some(scheme) = ["srs0", "srs1"].iter().find(|scheme| {
        local_part
            .strip_prefix(**scheme)
            .is_some_and(|rest| rest.starts_with(['=', '+', '-']))
    }) {
        return (*scheme).to_owned();
    }
    digits(stem(local_part))
}

/// The local-part without an address of the recipient in it (`bounce-4711-ada=example.com`) and without a detail behind `+`.
fn stem(local_part: &str) -> &str {
    let (before, after) = local_part.split_once('=').unwrap_or((local_part, ""));
    let named = match after.contains('.') {
        true => before.rsplit_once('-').map_or(before, |(list, _)| list),
        false => before,
    };
    named.split('+').next().unwrap_or_default()
}

/// Each run of digits, or of digits and hexadecimal letters that is as long as a checksum, as `#`.
fn digits(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for (at, word) in text.split(['-', '_', '.']).enumerate() {
        if at > 0 {
            folded.push('-');
        }
        if is_token(word) {
            folded.push('#');
            continue;
        }
        let mut in_number = false;
        for letter in word.chars() {
            let number = letter.is_ascii_digit();
            match (number, in_number) {
                (false, _) => folded.push(letter),
                (true, false) => folded.push('#'),
                (true, true) => {}
            }
            in_number = number;
        }
    }
    folded
}

/// A word that a program made: hexadecimal, or long with digits among letters.
fn is_token(word: &str) -> bool {
    const LONG: usize = 8;
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = digits > 0 && word.bytes().all(|octet| octet.is_ascii_hexdigit());
    hexadecimal || word.len() >= LONG && digits * 5 >= word.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_folded_away() {
        for (first, second) in [
            (
                "<bounce-4711-ada=example.com@list.example>",
                "<bounce-4712-bob=example.com@list.example>",
            ),
            (
                "<bounces+4711-ada=example.com@list.example>",
                "<bounces+1-x=y.example@list.example>",
            ),
            (
                "<SRS0=aBcD=7F=example.org=user@fwd.example>",
                "<srs0=xyz1=7G=example.net=other@fwd.example>",
            ),
            (
                "<prvs=0123456789=user@example.org>",
                "<prvs=9876543210=user@example.org>",
            ),
            (
                "<msprvs1=17465abc=bounces-1@mail.example>",
                "<msprvs1=99999xyz=bounces-2@mail.example>",
            ),
            (
                "<0100018f2c3b4a5d-7e6f-000000@email.example>",
                "<0100018f2c3b4a5e-7e61-000001@email.example>",
            ),
            ("<News@Example.ORG>", "<news@example.org>"),
        ] {
            let fold = |path: &str| sender(&ReversePath::parse(path).unwrap());
            assert_eq!(fold(first), fold(second), "{first} {second}");
        }
    }

    #[test]
    fn what_differs_stays_different() {
        for (first, second) in [
            ("<ada@example.org>", "<bob@example.org>"),
            ("<ada@example.org>", "<ada@example.net>"),
            ("<owner-users@list.example>", "<owner-devel@list.example>"),
            ("<>", "<a@b.example>"),
        ] {
            let fold = |path: &str| sender(&ReversePath::parse(path).unwrap());
            assert_ne!(fold(first), fold(second), "{first} {second}");
        }
        assert_eq!(sender(&ReversePath::Null), "");
    }
}
