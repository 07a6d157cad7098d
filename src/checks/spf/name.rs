//! Names that an evaluation asks for: from the text of a record to what can be put into a question.
//!
//! A name that the DNS can not hold is told here, before anything is asked: what it means is for the
//! term that has it. RFC 7208 §4.3, §4.8, §7.3 (truncation); RFC 1035 §2.3.4.

use std::borrow::Cow;

use crate::checks::names::lower;

/// Octets of a name as text: 255 on the wire.
const LONGEST: usize = 253;
/// Octets of a label.
const LONGEST_LABEL: usize = 63;

/// `text` as a name to ask for: lower case, without the final dot, and without the first labels of
/// one that is too long. `None` when the DNS has no such name.
pub(super) fn name(text: &str) -> Option<Cow<'_, str>> {
    let fitting = shortened(text.strip_suffix('.').unwrap_or(text))?;
    let is_label = |label: &str| (1..=LONGEST_LABEL).contains(&label.len());
    let is_text = |octet: u8| matches!(octet, b' '..=b'~');
    let asked = fitting.split('.').all(is_label) && fitting.bytes().all(is_text);
    asked.then(|| lower(fitting))
}

/// `text` without as many first labels as it takes to fit.
fn shortened(mut text: &str) -> Option<&str> {
    while text.len() > LONGEST {
        (_, text) = text.split_once('.')?;
    }
    Some(text)
}

/// Whether `name` has more than one label (§4.3). Both this and below: of names as [`name`] makes them.
pub(super) fn is_multi_label(name: &str) -> bool {
    name.contains('.')
}

/// Whether `name` is `parent` or a name below it.
pub(super) fn is_within(name: &str, parent: &str) -> bool {
    name.strip_suffix(parent)
        .is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_without_the_final_dot() {
        assert_eq!(name("Mail.Example.").as_deref(), Some("mail.example"));
        assert_eq!(name("a b/c:d.example").as_deref(), Some("a b/c:d.example"));
    }

    #[test]
    fn what_the_dns_can_not_hold_is_no_name() {
        let label = format!("{}.example", "a".repeat(64));
        for text in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a.b..",
            "ä.b",
            "a\nb",
            "a\u{fffd}",
            &label,
        ] {
            assert_eq!(name(text), None, "{text:?}");
        }
        assert!(name(&label[1..]).is_some());
    }

    #[test]
    fn a_name_that_is_too_long_loses_its_first_labels() {
        let long = format!("{}end.example", "abcdefghi.".repeat(25));
        assert_eq!(name(&long).unwrap().len(), 251);
        assert!(name(&long).unwrap().ends_with(".end.example"));
        let fits = format!("{}ab.example", "abcdefghi.".repeat(24));
        assert_eq!(name(&fits).unwrap(), fits);
        assert_eq!(name(&"a".repeat(300)), None);
    }

    #[test]
    fn within_is_by_labels() {
        assert!(is_within("example.com", "example.com"));
        assert!(is_within("mail.example.com", "example.com"));
        assert!(!is_within("badexample.com", "example.com"));
        assert!(!is_within("com", "example.com"));
    }
}
