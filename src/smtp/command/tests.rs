//! Commands: what is legal, what is refused with which fault, and that writing and reading agree.

use proptest::prelude::*;

use super::*;
use crate::smtp::{arbitrary, line::LineReader};

/// Reads one line as a session does; the text is without its CRLF.
pub(in crate::smtp) fn parse(text: impl AsRef<[u8]>) -> Result<Command, Fault> {
    let input = [text.as_ref(), b"\r\n"].concat();
    let step = LineReader::new().next(&input);
    Command::parse(step.line.expect("a whole line")?)
}

fn written(text: &str) -> String {
    let mut out = Vec::new();
    parse(text)
        .unwrap_or_else(|fault| panic!("{text:?}: {fault:?}"))
        .write(&mut out);
    String::from_utf8(out).unwrap()
}

fn refused(expected: Fault, lines: &[&str]) {
    for line in lines {
        assert_eq!(parse(line), Err(expected), "{line:?}");
    }
}

#[test]
fn canonical_form() {
    let cases = [
        ("ehlo Mx.Example", "EHLO Mx.Example"),
        ("Helo [192.0.2.1]  ", "HELO [192.0.2.1]"),
        ("mail FROM: <a@b>", "MAIL FROM:<a@b>"),
        ("MAIL from:<>", "MAIL FROM:<>"),
        (
            "Mail From:<a@b> body=8bitmime  size=10 ",
            "MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME",
        ),
        ("MAIL FROM:<@x,@y:a@b>", "MAIL FROM:<a@b>"),
        ("MAIL FROM:<ü@ä> SMTPUTF8", "MAIL FROM:<ü@ä> SMTPUTF8"),
        (r#"MAIL FROM:<"a>b"@d>"#, r#"MAIL FROM:<"a>b"@d>"#),
        ("rcpt to:<a@[192.0.2.1]>", "RCPT TO:<a@[192.0.2.1]>"),
        (
            "RCPT TO: <PostMaster> NOTIFY=never",
            "RCPT TO:<PostMaster> NOTIFY=NEVER",
        ),
        ("data", "DATA"),
        ("RSET ", "RSET"),
        ("noop what ever", "NOOP"),
        ("HELP", "HELP"),
        ("quit", "QUIT"),
        ("vrfy <root>", "VRFY postmaster"),
        ("StartTLS", "STARTTLS"),
        ("auth plain AGEAYg==", "AUTH PLAIN AGEAYg=="),
        ("AUTH SCRAM-SHA-256", "AUTH SCRAM-SHA-256"),
        ("AUTH EXTERNAL =", "AUTH EXTERNAL ="),
        ("bdat 17", "BDAT 17"),
        ("BDAT 0 last", "BDAT 0 LAST"),
    ];
    for (line, canonical) in cases {
        assert_eq!(written(line), format!("{canonical}\r\n"), "{line:?}");
    }
}

#[test]
fn unknown_verbs() {
    refused(
        Fault::UnknownVerb,
        &[
            "",
            " ",
            " QUIT",
            "QUITT",
            "DEBUG",
            "WIZ",
            "TURN",
            "ETRN a",
            "ATRN",
            "BURL x",
            "XEXCH50",
            "VERB",
            "ONEX",
            "XCLIENT ADDR=127.0.0.1",
            "XFORWARD NAME=x",
            "PROXY TCP4 1.2.3.4",
            "MAIL:<a@b>",
            "RCPT:<a@b>",
            "EHLO: x",
            "hello x",
            "MAILFROM:<a@b>",
            "+OK",
            "ü",
            ".",
            "-",
            ": x",
            "a b: c",
            "connect.x",
        ],
    );
}

#[test]
fn foreign_protocols() {
    refused(
        Fault::Foreign(Protocol::Http),
        &[
            "GET / HTTP/1.1",
            "post /x HTTP/1.0",
            "CONNECT a:25 HTTP/1.1",
            "PRI * HTTP/2.0",
            "HEAD /",
        ],
    );
    refused(Fault::Foreign(Protocol::Ssh), &["SSH-2.0-OpenSSH_9"]);
    refused(
        Fault::Foreign(Protocol::HeaderLine),
        &[
            "Host: example.com",
            "Subject: MAIL",
            "Content-Type: text/plain",
            "X-1:",
        ],
    );
}

#[test]
fn arguments_where_none_belong() {
    for (verb, line) in [
        (Verb::Data, "DATA x"),
        (Verb::Rset, "RSET x"),
        (Verb::Quit, "QUIT now"),
        (Verb::StartTls, "STARTTLS x"),
        (Verb::StartTls, "STARTTLS  x"),
    ] {
        refused(Fault::Syntax(verb), &[line]);
    }
}

#[test]
fn arguments_that_are_missing_or_wrong() {
    refused(
        Fault::Syntax(Verb::Helo),
        &["HELO", "HELO ", "HELO  a", "HELO a b"],
    );
    refused(
        Fault::Syntax(Verb::Ehlo),
        &["EHLO", "EHLO name junk", "EHLO  a", "EHLO ü"],
    );
    refused(Fault::Syntax(Verb::Vrfy), &["VRFY", "VRFY  a", "VRFY ü"]);
    refused(Fault::Syntax(Verb::Expn), &["EXPN"]);
    refused(Fault::Syntax(Verb::Noop), &["NOOP ü"]);
    assert_eq!(parse(b"HELP \xff"), Err(Fault::Syntax(Verb::Help)));
    refused(
        Fault::Syntax(Verb::Auth),
        &[
            "AUTH",
            "AUTH  PLAIN",
            "AUTH PLAIN  AA==",
            "AUTH PLAIN AA== x",
            "AUTH PLAIN abc",
            "AUTH PLAIN a*==",
            "AUTH PLAIN ==",
            "AUTH PLAIN a===",
            "AUTH PL.AIN",
            "AUTH AAAAAAAAAAAAAAAAAAAAA",
        ],
    );
}

#[test]
fn bdat_is_read_exactly_or_not_at_all() {
    refused(
        Fault::Syntax(Verb::Bdat),
        &[
            "BDAT",
            "BDAT  17",
            "BDAT +17",
            "BDAT -5",
            "BDAT 0x10",
            "BDAT 17LAST",
            "BDAT 17  LAST",
            "BDAT 17 LAST LAST",
            "BDAT 17 LAS",
            "BDAT LAST",
            "BDAT 1,7",
            "BDAT 17 18",
            "BDAT １７",
            "BDAT 18446744073709551616",
            "BDAT 18446744073709551621",
            "BDAT 99999999999999999999999",
            "BDAT 000000000000000000017",
        ],
    );
    let big = parse("BDAT 18446744073709551615 LAST");
    assert_eq!(
        big,
        Ok(Command::Bdat {
            size: u64::MAX,
            last: true
        })
    );
    let not_wrapped = parse("BDAT 4294967313");
    assert_eq!(
        not_wrapped,
        Ok(Command::Bdat {
            size: 4_294_967_313,
            last: false
        })
    );
    assert!(Fault::Syntax(Verb::Bdat).is_fatal());
}

#[test]
fn addresses_that_are_none() {
    refused(
        Fault::Syntax(Verb::Mail),
        &[
            "MAIL",
            "MAIL FROM",
            "MAIL FROM:",
            "MAIL  FROM:<a@b>",
            "MAIL FROM :<a@b>",
            "MAIL FROM:  <a@b>",
            "MAIL FROM:a@b",
            "MAIL <a@b>",
            "MAIL TO:<a@b>",
            "MAIL FROM:<abc@>",
            "MAIL FROM:<a@b.>",
            "MAIL FROM:<a@-b>",
            "MAIL FROM:<a@b/c>",
            "MAIL FROM:<a@b!c>",
            "MAIL FROM:<a@b>SIZE=1",
            "MAIL FROM:<postmaster>",
            "MAIL FROM:<a b@c>",
            "MAIL FROM:<a@b",
            "MAIL FROM:<<a@b>>",
            "MAIL FROM:< >",
            "MAIL FROM:<a@b c>",
            "MAIL FROM:<a@999.x.[1]>",
        ],
    );
    refused(
        Fault::Syntax(Verb::Rcpt),
        &[
            "RCPT",
            "RCPT TO:",
            "RCPT TO:<>",
            "RCPT TO:a@b",
            "RCPT FROM:<a@b>",
            "RCPT TO:<abuse>",
            "RCPT TO:<a@[999.0.2.1]>",
            "RCPT TO:<a@[192.0.2.1>",
            "RCPT TO:<a@b>NOTIFY=NEVER",
            "RCPT TO:\"a@b\"",
            "RCPT TO:<a@b>;",
            "RCPT TO:<\"a@b>",
        ],
    );
}

#[test]
fn parameters() {
    refused(
        Fault::BadParameter(Verb::Mail),
        &[
            "MAIL FROM:<a@b> SIZE=1 SIZE=2",
            "MAIL FROM:<a@b> SIZE=99999999999999999999999999",
        ],
    );
    refused(
        Fault::UnknownParameter(Verb::Mail),
        &["MAIL FROM:<a@b> XFOO=1"],
    );
    refused(
        Fault::BadParameter(Verb::Rcpt),
        &["RCPT TO:<a@b> NOTIFY=NEVER,DELAY"],
    );
    refused(
        Fault::UnknownParameter(Verb::Rcpt),
        &["RCPT TO:<a@b> SIZE=1"],
    );
}

#[test]
fn utf8_needs_smtputf8() {
    refused(
        Fault::EightBit,
        &["MAIL FROM:<ü@b>", "MAIL FROM:<a@ü> SIZE=1"],
    );
    assert_eq!(parse(b"MAIL FROM:<\xfc@b> SMTPUTF8"), Err(Fault::EightBit));
    assert_eq!(parse(b"RCPT TO:<\xfc@b>"), Err(Fault::EightBit));
    assert!(parse("RCPT TO:<ü@b>").unwrap().needs_smtputf8());
    assert!(
        parse("RCPT TO:<a@b> ORCPT=utf-8;ü")
            .unwrap()
            .needs_smtputf8()
    );
    assert!(
        !parse("RCPT TO:<a@b> ORCPT=utf-8;a")
            .unwrap()
            .needs_smtputf8()
    );
}

/// What a lenient parser of the field takes wrongly, at the level of lines.
#[test]
fn line_traps() {
    for (line, fault) in [
        ("EHLO foo\rQUIT", Fault::BareCr),
        ("MAIL FROM:<\"a\rb\"@c>", Fault::BareCr),
        ("EHLO a\0b", Fault::Nul),
        ("EHLO\ta", Fault::ControlCharacter),
        ("MAIL\tFROM:<a@b>", Fault::ControlCharacter),
        ("MAIL FROM:<a@b>\tSIZE=1", Fault::ControlCharacter),
        ("MAIL FROM:<a\x7f@b>", Fault::ControlCharacter),
        ("MAIL FROM:<\"a\x1b\"@b>", Fault::ControlCharacter),
        ("NOOP\nQUIT", Fault::BareLf),
    ] {
        refused(fault, &[line]);
    }
}

/// Names that are no domain are taken as what they are and told apart by `host`.
#[test]
fn helo_traps() {
    for name in ["a..b", "-a", "[999.0.2.1]", "[192.0.2.1"] {
        let Ok(Command::Ehlo(helo)) = parse(format!("EHLO {name}")) else {
            panic!("{name}")
        };
        assert_eq!((helo.as_str(), helo.host()), (name, None));
    }
}

#[test]
fn debug_hides_credentials() {
    let shown = format!("{:?}", parse("AUTH PLAIN AGEAYg==").unwrap());
    assert!(
        shown.contains("PLAIN") && !shown.contains("AGEAYg"),
        "{shown}"
    );
}

/// Octets that are nearly commands.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let words = vec![
        "MAIL FROM:",
        "RCPT TO:",
        "EHLO ",
        "BDAT ",
        "AUTH ",
        "<",
        ">",
        "@",
        "\"",
        "\\",
        "[",
        "]",
        ":",
        ",",
        ";",
        " ",
        "=",
        "SIZE=",
        "ORCPT=",
        "NOTIFY=",
        "+4",
        "a",
        "b.c",
        "ü",
        "17",
        "LAST",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(words).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(command in arbitrary::command()) {
        let mut out = Vec::new();
        command.write(&mut out);
        let text = out.strip_suffix(b"\r\n").unwrap();
        prop_assert_eq!(parse(text), Ok(command));
    }

    #[test]
    fn what_is_read_is_written_to_the_same(text in nearly()) {
        if let Ok(command) = parse(&text) {
            let mut out = Vec::new();
            command.write(&mut out);
            prop_assert_eq!(parse(out.strip_suffix(b"\r\n").unwrap()), Ok(command));
        }
    }

    #[test]
    fn no_input_panics(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let step = LineReader::new().next(&octets);
        prop_assert!(step.consumed <= octets.len());
        if let Some(Ok(line)) = step.line {
            let _ = Command::parse(line);
        }
    }

    #[test]
    fn paths_survive_serde(path in arbitrary::forward_path()) {
        let json = serde_json::to_string(&path).unwrap();
        prop_assert_eq!(serde_json::from_str::<ForwardPath>(&json).unwrap(), path);
    }
}
