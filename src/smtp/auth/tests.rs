//! What may stand in an AUTH exchange, and what of it is shown.

use super::*;
use crate::smtp::line::LineReader;

fn answer(line: &str) -> Answer {
    let octets = format!("{line}\r\n");
    let read = LineReader::new().next(octets.as_bytes()).line;
    Answer::read(read.unwrap().unwrap())
}

fn challenge(text: &str) -> Option<Challenge> {
    Challenge::read(&Reply::new(334, None, text.to_owned()))
}

fn initial(text: &str) -> Option<InitialResponse> {
    Some(InitialResponse::parse(text).unwrap())
}

#[test]
fn answers() {
    assert_eq!(answer("*"), Answer::Cancel);
    for good in ["", "AGEAYg==", "YQ=="] {
        assert_eq!(answer(good), Answer::Response(Response(good.into())));
    }
    for bad in ["=", "YQ", "a b", "**", "Y*==", "MAIL FROM:<a@b>", "\u{e9}"] {
        assert_eq!(answer(bad), Answer::Garbage, "{bad}");
    }
}

#[test]
fn a_response_is_written_as_it_was_and_shown_nowhere() {
    let Answer::Response(response) = answer("AGEAYg==") else {
        panic!("it is one")
    };
    let mut out = Vec::new();
    response.write(&mut out);
    assert_eq!(out, b"AGEAYg==\r\n");
    assert_eq!(format!("{response:?}"), "Response(..)");
    let named = Named::begun("PLAIN", initial("AGEAYg==").as_ref());
    assert_eq!(format!("{named:?}"), "Named(..)");
}

#[test]
fn challenges() {
    for good in ["", "VXNlcm5hbWU6", &"AAAA".repeat(126)] {
        let read = challenge(good).unwrap();
        assert_eq!(read.reply(), Reply::new(334, None, good.to_owned()));
        let mut out = Vec::new();
        read.reply().write(&mut out);
        assert_eq!(
            out,
            format!("334 {good}\r\n").into_bytes(),
            "nothing is cut"
        );
    }
    for bad in ["Username:", "a", &"AAAA".repeat(127)] {
        assert_eq!(challenge(bad), None, "{bad}");
    }
    let two = Reply::new(334, None, "").with_line("");
    assert_eq!(Challenge::read(&two), None);
    assert_eq!(Challenge::read(&Reply::new(354, None, "")), None);
}

#[test]
fn mechanisms_that_are_handed_through() {
    assert_eq!(
        handed_through("GSSAPI LOGIN SCRAM-SHA-256-PLUS EXTERNAL PLAIN").as_deref(),
        Some("LOGIN PLAIN")
    );
    assert_eq!(handed_through("DIGEST-MD5 NTLM ANONYMOUS"), None);
}

#[test]
fn names() {
    let of =
        |mechanism: &str, said: &str| Named::begun(mechanism, initial(said).as_ref()).accepted();
    // NUL ann NUL secret; boss NUL ann NUL secret
    assert_eq!(of("PLAIN", "AGFubgBzZWNyZXQ=").as_deref(), Some("ann"));
    assert_eq!(of("PLAIN", "Ym9zcwBhbm4Ac2VjcmV0").as_deref(), Some("ann"));
    assert_eq!(of("LOGIN", "YW5u").as_deref(), Some("ann"));
    // Only a password, or two NUL too few or one too many: nobody's name.
    for broken in [
        "c2VjcmV0",
        "AGFubg==",
        "AGFubgBzZWNyZXQA",
        "AGEKbgBzZWNyZXQ=",
        "=",
    ] {
        assert_eq!(of("PLAIN", broken), None, "{broken}");
    }
    assert_eq!(of("SCRAM-SHA-256", "AGFubgBzZWNyZXQ="), None);

    let answered = |mechanism: &str, asked: &str, said: &str| {
        let mut named = Named::begun(mechanism, None);
        let Answer::Response(response) = answer(said) else {
            panic!("{said}")
        };
        named.answered(mechanism, &challenge(asked).unwrap(), &response);
        named.accepted()
    };
    assert_eq!(
        answered("PLAIN", "", "AGFubgBzZWNyZXQ=").as_deref(),
        Some("ann")
    );
    assert_eq!(
        answered("LOGIN", "VXNlcm5hbWU6", "YW5u").as_deref(),
        Some("ann")
    );
    assert_eq!(
        answered("LOGIN", "VXNlciBOYW1lAA==", "YW5u").as_deref(),
        Some("ann")
    );
    // "Password:"
    assert_eq!(answered("LOGIN", "UGFzc3dvcmQ6", "c2VjcmV0"), None);
    assert_eq!(answered("CRAM-MD5", "VXNlcm5hbWU6", "YW5u"), None);
}

/// Of LOGIN with the name in the AUTH command, the one answer is the password, whatever it is asked by.
#[test]
fn a_name_that_is_known_is_not_replaced() {
    let mut named = Named::begun("LOGIN", initial("YW5u").as_ref());
    let Answer::Response(password) = answer("c2VjcmV0") else {
        panic!("it is one")
    };
    named.answered("LOGIN", &challenge("VXNlcm5hbWU6").unwrap(), &password);
    assert_eq!(named.accepted().as_deref(), Some("ann"));
}
