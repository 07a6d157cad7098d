//! What is taken out and what stays, however the octets are split.

use proptest::prelude::*;

use super::*;

fn forged() -> Forged {
    Forged {
        names: vec!["X-Gatepost".into()],
        authserv_id: Some("mx.example.com".into()),
    }
}

/// The message after the filter, fed in pieces that end at `cuts`.
fn filtered(message: &[u8], cuts: &[usize]) -> Vec<u8> {
    let mut filter = HeaderFilter::new(forged());
    let mut out = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([message.len()]) {
        let cut = cut.clamp(from, message.len());
        out.extend_from_slice(&filter.filter(&message[from..cut]));
        from = cut;
    }
    out.extend(filter.finish());
    out
}

fn becomes(message: &str, expected: &str) {
    let all: Vec<usize> = (0..message.len()).collect();
    for cuts in [&[][..], &all] {
        let found = filtered(message.as_bytes(), cuts);
        assert_eq!(String::from_utf8_lossy(&found), expected, "{message:?}");
    }
}

#[test]
fn fields_that_claim_to_be_ours_are_taken_out() {
    let kept = "From: a@b\r\nSubject: x\r\n\r\nX-Gatepost: in the body\r\n";
    for forgery in [
        "X-Gatepost: clear\r\n",
        "x-gatepost : clear\r\n",
        "X-GATEPOST: a\r\n\tb\r\n  c\r\n",
        ".X-Gatepost: stuffed\r\n",
        "Authentication-Results: mx.example.com; spf=pass\r\n",
        "authentication-results:MX.EXAMPLE.COM;spf=pass\r\n",
        "Authentication-Results:\r\n mx.example.com;\r\n spf=pass\r\n",
        "Authentication-Results: (a (nested) \\) comment)\r\n (more) mx.example.com 1; none\r\n",
        "Authentication-Results: \"mx.exa\\mple.com\"; none\r\n",
        "Authentication-Results: mx.example.com\r\n",
        // As Exim reads it.
        "Authentication-Results:\r\n. mx.example.com; spf=pass\r\n",
        "X-Gatepost\r\n : folded\r\n",
        "X-Gatepost \r\n \r\n\t: folded twice\r\n",
        "X-Gatepost\x0b: x\r\n",
        "Authentication-Results\x0c:\x0bmx.example.com\x0b; none\r\n",
        // Nobody can tell whose these are.
        "Authentication-Results:\r\n",
        "Authentication-Results: (never closed\r\n",
    ] {
        becomes(&format!("{forgery}{kept}"), kept);
        becomes(
            &format!("Received: x\r\n{forgery}{kept}"),
            &format!("Received: x\r\n{kept}"),
        );
        becomes(
            &format!("A: b\r\n c\r\n{forgery}{forgery}"),
            "A: b\r\n c\r\n",
        );
    }
}

#[test]
fn fields_of_others_stay_as_they_are() {
    for kept in [
        "Authentication-Results: other.example; spf=pass\r\n\r\nbody\r\n",
        "Authentication-Results:\r\n other.example; dkim=pass\r\n x=y\r\n\r\n",
        "Authentication-Results: mx.example.com.evil.example; none\r\n\r\n",
        "Authentication-Results: (mx.example.com) other.example; none\r\n\r\n",
        "X-Gatepost-Like: yes\r\nXX-Gatepost: yes\r\n\r\n",
        "Subject: X-Gatepost: no\r\n X-Gatepost: continued\r\n\r\n",
        "no header at all\r\nX-Gatepost: body\r\n",
        "word\r\nX-Gatepost: body\r\n",
        "X-Gatepost\r\nX-Gatepost: body\r\n",
        "word\r\n",
    ] {
        becomes(kept, kept);
    }
    becomes("", "");
    // It would continue the field that is put before it.
    becomes(
        " no header\r\nX-Gatepost: body\r\n",
        "\r\n no header\r\nX-Gatepost: body\r\n",
    );
    becomes("\r\nX-Gatepost: body\r\n", "\r\nX-Gatepost: body\r\n");
    becomes("..\r\nX-Gatepost: body\r\n", "..\r\nX-Gatepost: body\r\n");
}

#[test]
fn long_lines_are_not_held() {
    let long = format!("DKIM-Signature: {}\r\n", "a".repeat(10 * MOST_HELD));
    becomes(
        &format!("{long}X-Gatepost: x\r\n\r\n"),
        &format!("{long}\r\n"),
    );
    let forged = format!(
        "X-Gatepost: {}\r\n continued\r\n",
        "a".repeat(10 * MOST_HELD)
    );
    becomes(&format!("{forged}{long}\r\n"), &format!("{long}\r\n"));
    let endless = format!(
        "Authentication-Results: ({})\r\n mx.example.com; none\r\n",
        "a".repeat(MOST_HELD)
    );
    becomes(&format!("{endless}{long}\r\n"), &format!("{long}\r\n"));
}

/// What stands before a forged field does not end the header, if Exim goes on behind it.
#[test]
fn a_field_that_is_hard_to_read_hides_none_behind_it() {
    let kept = "Subject: x\r\n\r\nX-Gatepost: in the body\r\n";
    for strange in [
        "Foo\r\n : x\r\n".to_owned(),
        "Foo\x0b: x\r\n".to_owned(),
        format!("{}: x\r\n", "n".repeat(3 * MOST_HELD)),
        format!("Foo{}: x\r\n", " ".repeat(3 * MOST_HELD)),
    ] {
        becomes(
            &format!("{strange}X-Gatepost: x\r\n{kept}"),
            &format!("{strange}{kept}"),
        );
    }
    becomes(
        &format!("X-Gatepost{}: x\r\n{kept}", " ".repeat(3 * MOST_HELD)),
        kept,
    );
}

#[test]
fn behind_the_header_nothing_is_copied() {
    let mut filter = HeaderFilter::new(forged());
    assert!(matches!(filter.filter(b"A: b\r\n\r\n"), Cow::Owned(_)));
    assert!(matches!(filter.filter(b"body\r\n"), Cow::Borrowed(_)));
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "X-Gatepost: x", "Authentication-Results:", " mx.example.com;", "\tspf=pass", "A: b", "", ".", "(", " (c)", "X-Gatepost", " : x", ". y", "word",
                "Authentication-Results: \"mx.example.com\"", "Authentication-Results: other;", "no field",
            ]),
            0..12,
        ),
        cuts in prop::collection::vec(0_usize..200, 0..12),
    ) {
        let message = lines.iter().map(|line| format!("{line}\r\n")).collect::<String>();
        let mut cuts = cuts;
        cuts.sort_unstable();
        let whole = filtered(message.as_bytes(), &[]);
        prop_assert_eq!(&whole, &filtered(message.as_bytes(), &cuts));
        // What was ours is gone from the header, and a second pass finds nothing more.
        prop_assert_eq!(&whole, &filtered(&whole, &[]));
    }
}
