//! Texts of strangers, made fit to be shown; and lists in sentences.

/// Most characters of a stranger's text.
const MOST: usize = 200;

/// Printable ASCII, of bounded length.
pub(in crate::doctor) fn shown(text: &str) -> String {
    let printable = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    let mut shown: String = text.chars().take(MOST).map(printable).collect();
    if text.chars().count() > MOST {
        shown.push_str("...");
    }
    shown
}

/// Things with commas between them.
pub(in crate::doctor) fn list<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    let things: Vec<String> = things.into_iter().map(|one| one.to_string()).collect();
    things.join(", ")
}

/// The value of `tag` in a record of tags such as `v=DMARC1; p=reject` (RFC 6376 §3.2, RFC 7489 §6.4).
pub(in crate::doctor) fn tag<'t>(record: &'t str, tag: &str) -> Option<&'t str> {
    tags(record).find_map(|(name, value)| name.eq_ignore_ascii_case(tag).then_some(value))
}

/// Every tag with its value.
pub(in crate::doctor) fn tags(record: &str) -> impl Iterator<Item = (&str, &str)> {
    record.split(';').filter_map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim(), value.trim()))
    })
}

/// Whether two names are the same, whatever their case and final dot.
pub(in crate::doctor) fn same_name(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_whatever_the_spaces_and_the_case() {
        let record = "v=DMARC1 ; P = reject;rua=mailto:a@b.example;;x";
        assert_eq!(tag(record, "v"), Some("DMARC1"));
        assert_eq!(tag(record, "p"), Some("reject"));
        assert_eq!(tag(record, "x"), None);
    }

    #[test]
    fn what_a_terminal_would_obey_is_not_shown() {
        assert_eq!(shown("a\u{1b}[2Jb\u{fffd}"), "a?[2Jb?");
        assert_eq!(shown(&"x".repeat(201)).len(), 203);
    }
}
