//! Tests of the receiving machine.

mod chunks;
mod splits;
mod waiting;

use super::*;
use crate::smtp::body::BodyEnd;

/// A server with all its offers, greeted.
fn greeted() -> Server {
    let mut server = Server::new();
    server.set_offer(Extensions {
        size: Some(1000),
        eight_bit_mime: true,
        smtputf8: true,
        dsn: true,
        enhanced_status_codes: true,
        pipelining: true,
        chunking: false,
        starttls: true,
        auth: Some("PLAIN LOGIN".into()),
    });
    answer(&mut server, Verb::Connect, 220);
    server
}

fn answer(server: &mut Server, verb: Verb, code: u16) {
    server.reply(verb, &Reply::new(code, None, "x"), &mut Vec::new());
}

/// Gives the server one line and takes what it says about it.
fn say(server: &mut Server, line: &str) -> Result<Command, Fault> {
    let input = format!("{line}\r\n");
    let step = server.next(input.as_bytes());
    assert_eq!(step.consumed, input.len(), "{line}");
    match step.event {
        Event::Command(command) => Ok(command),
        Event::Fault(fault) => Err(fault),
        other => panic!("{line}: {other:?}"),
    }
}

/// Says each line and answers it as a willing server would.
fn talk(server: &mut Server, lines: &[&str]) {
    for line in lines {
        let verb = say(server, line)
            .unwrap_or_else(|fault| panic!("{line}: {fault:?}"))
            .verb();
        answer(server, verb, willing(verb));
    }
}

const fn willing(verb: Verb) -> u16 {
    match verb {
        Verb::Data => 354,
        Verb::Quit => 221,
        Verb::StartTls => 220,
        Verb::Auth => 334,
        _ => 250,
    }
}

const MAIL: &str = "MAIL FROM:<a@b.example>";
const RCPT: &str = "RCPT TO:<c@d.example>";

#[test]
fn two_messages_in_a_session() {
    let mut server = greeted();
    talk(&mut server, &["EHLO c.example", MAIL, RCPT, RCPT, "DATA"]);
    let input = b"Subject: x\r\n\r\nMAIL FROM:<x@y>\r\n.\r\nMAIL FROM:<>\r\n";
    let step = server.next(input);
    let Event::Body(body) = step.event else {
        panic!("{:?}", step.event)
    };
    assert_eq!(body.outcome(), Some(BodyEnd::Clean));
    assert_eq!(&*body.chunk, b"Subject: x\r\n\r\nMAIL FROM:<x@y>\r\n");
    assert_eq!(server.data_size(), 31);

    let rest = &input[step.consumed..];
    assert_eq!(
        server.next(rest).event,
        Event::NeedMore,
        "nothing is read before the reply"
    );
    assert_eq!(server.next(rest).consumed, 0);
    answer(&mut server, Verb::EndOfData, 250);
    assert_eq!(server.phase(), Phase::Ready);
    assert!(matches!(
        server.next(rest).event,
        Event::Command(Command::Mail(..))
    ));
    answer(&mut server, Verb::Mail, 250);
    talk(&mut server, &[RCPT, "RSET", "QUIT"]);
    assert_eq!(server.phase(), Phase::Closed);
    assert_eq!(server.next(b"NOOP\r\n").event, Event::NeedMore);
}

#[test]
fn order() {
    let ehlo = "EHLO c.example";
    let cases: [(&[&str], &str, Verb); 16] = [
        (&[], MAIL, Verb::Mail),
        (&[], RCPT, Verb::Rcpt),
        (&[], "DATA", Verb::Data),
        (&[], "STARTTLS", Verb::StartTls),
        (&[], "AUTH PLAIN", Verb::Auth),
        (&["RSET"], MAIL, Verb::Mail),
        (&[ehlo], RCPT, Verb::Rcpt),
        (&[ehlo], "DATA", Verb::Data),
        (&[ehlo, MAIL], MAIL, Verb::Mail),
        (&[ehlo, MAIL], "DATA", Verb::Data),
        (&[ehlo, MAIL], "STARTTLS", Verb::StartTls),
        (&[ehlo, MAIL], "AUTH PLAIN", Verb::Auth),
        (&[ehlo, MAIL, RCPT], MAIL, Verb::Mail),
        (&[ehlo, MAIL, RCPT, "RSET"], RCPT, Verb::Rcpt),
        (&[ehlo, MAIL, RCPT, ehlo], "DATA", Verb::Data),
        (&["HELO c", MAIL, RCPT, "HELO c"], RCPT, Verb::Rcpt),
    ];
    for (before, line, verb) in cases {
        let mut server = greeted();
        let offer = Extensions {
            pipelining: false,
            ..server.offer().clone()
        };
        server.set_offer(offer);
        talk(&mut server, before);
        assert_eq!(
            say(&mut server, line),
            Err(Fault::OutOfOrder(verb)),
            "{before:?} {line}"
        );
    }
}

/// In the same group something may have been refused that the client has not read about yet (RFC 2920 §3.1).
#[test]
fn with_pipelining_what_lost_its_transaction_is_no_fault() {
    let ehlo = "EHLO c.example";
    let cases: [(&[&str], &str, Fault); 8] = [
        (&[ehlo], RCPT, Fault::InVain(Verb::Rcpt)),
        (&[ehlo], "DATA", Fault::InVain(Verb::Data)),
        (&[ehlo, MAIL], "DATA", Fault::InVain(Verb::Data)),
        (&[ehlo, MAIL], MAIL, Fault::OutOfOrder(Verb::Mail)),
        (&[ehlo, MAIL], "STARTTLS", Fault::OutOfOrder(Verb::StartTls)),
        (&[], RCPT, Fault::OutOfOrder(Verb::Rcpt)),
        (&["HELO c"], RCPT, Fault::OutOfOrder(Verb::Rcpt)),
        (&["HELO c", MAIL], "DATA", Fault::OutOfOrder(Verb::Data)),
    ];
    for (before, line, fault) in cases {
        let mut server = greeted();
        talk(&mut server, before);
        assert_eq!(say(&mut server, line), Err(fault), "{before:?} {line}");
    }
}

#[test]
fn refused_commands_do_not_move() {
    let mut server = greeted();
    talk(&mut server, &["EHLO c.example"]);
    say(&mut server, MAIL).unwrap();
    answer(&mut server, Verb::Mail, 451);
    assert_eq!(say(&mut server, RCPT), Err(Fault::InVain(Verb::Rcpt)));
    talk(&mut server, &[MAIL]);
    say(&mut server, RCPT).unwrap();
    answer(&mut server, Verb::Rcpt, 550);
    let fault = say(&mut server, "DATA").unwrap_err();
    assert_eq!(fault, Fault::InVain(Verb::Data));
    let mut out = Vec::new();
    server.refuse(&fault.reply(), &mut out);
    assert!(out.starts_with(b"503 5.5.1 "), "{}", out.escape_ascii());
    assert_eq!(server.phase(), Phase::Mail);
}

#[test]
fn what_is_not_offered() {
    let mut server = greeted();
    talk(&mut server, &["EHLO c.example"]);
    assert_eq!(
        say(&mut server, "EXPN list"),
        Err(Fault::NotOffered(Verb::Expn))
    );
    say(&mut server, "VRFY postmaster").unwrap();
    server.set_offer(Extensions::default());
    assert_eq!(
        say(&mut server, "STARTTLS"),
        Err(Fault::NotOffered(Verb::StartTls))
    );
    assert_eq!(
        say(&mut server, "AUTH PLAIN"),
        Err(Fault::NotOffered(Verb::Auth))
    );
    talk(&mut server, &[MAIL, RCPT]);
    assert_eq!(
        say(&mut server, "BDAT 5 LAST"),
        Err(Fault::NotOffered(Verb::Bdat))
    );
}

const MAIL_PARAMS: [&str; 8] = [
    "SIZE=10",
    "BODY=7BIT",
    "BODY=8BITMIME",
    "SMTPUTF8",
    "RET=FULL",
    "ENVID=x",
    "AUTH=<>",
    "AUTH=a@b.example",
];

#[test]
fn parameters_are_legal_where_offered() {
    let offers = [
        (
            "SIZE",
            Extensions {
                size: Some(1000),
                ..Extensions::default()
            },
        ),
        (
            "BODY",
            Extensions {
                eight_bit_mime: true,
                ..Extensions::default()
            },
        ),
        (
            "SMTPUTF8",
            Extensions {
                smtputf8: true,
                ..Extensions::default()
            },
        ),
        (
            "RET ENVID",
            Extensions {
                dsn: true,
                ..Extensions::default()
            },
        ),
        (
            "AUTH",
            Extensions {
                auth: Some("PLAIN".into()),
                ..Extensions::default()
            },
        ),
    ];
    for (keywords, offer) in offers {
        for param in MAIL_PARAMS {
            let mut server = greeted();
            server.set_offer(offer.clone());
            talk(&mut server, &["EHLO c.example"]);
            let said = say(&mut server, &format!("{MAIL} {param}"));
            let keyword = param.split('=').next().unwrap();
            if keywords.split(' ').any(|offered| offered == keyword) {
                assert!(said.is_ok(), "{param}: {said:?}");
            } else {
                assert_eq!(
                    said,
                    Err(Fault::UnknownParameter(Verb::Mail)),
                    "{keywords} {param}"
                );
            }
        }
    }
    for (dsn, param) in [
        (true, "NOTIFY=NEVER"),
        (false, "NOTIFY=NEVER"),
        (false, "ORCPT=rfc822;x"),
    ] {
        let mut server = greeted();
        server.set_offer(Extensions {
            dsn,
            ..Extensions::default()
        });
        talk(&mut server, &["EHLO c.example", MAIL]);
        let said = say(&mut server, &format!("{RCPT} {param}"));
        assert_eq!(
            said.err(),
            (!dsn).then_some(Fault::UnknownParameter(Verb::Rcpt))
        );
    }
}

#[test]
fn helo_offers_nothing() {
    for hello in [
        &["HELO c.example"][..],
        &["EHLO c.example", "HELO c.example"],
    ] {
        for param in MAIL_PARAMS {
            let mut server = greeted();
            talk(&mut server, hello);
            let said = say(&mut server, &format!("{MAIL} {param}"));
            assert_eq!(said, Err(Fault::UnknownParameter(Verb::Mail)), "{param}");
            assert_eq!(
                say(&mut server, "STARTTLS"),
                Err(Fault::NotOffered(Verb::StartTls))
            );
        }
        let mut server = greeted();
        talk(&mut server, hello);
        talk(&mut server, &[MAIL, RCPT, "DATA"]);
    }
}

#[test]
fn size_over_the_limit() {
    let mut server = greeted();
    talk(&mut server, &["EHLO c.example"]);
    assert_eq!(
        say(&mut server, &format!("{MAIL} SIZE=1001")),
        Err(Fault::MessageTooBig)
    );
    talk(&mut server, &[&format!("{MAIL} SIZE=1000"), "RSET"]);
    server.set_offer(Extensions {
        size: Some(0),
        ..Extensions::default()
    });
    talk(
        &mut server,
        &[
            "EHLO c.example",
            &format!("{MAIL} SIZE=18446744073709551615"),
        ],
    );
}

#[test]
fn utf8_recipient_needs_smtputf8_of_this_transaction() {
    let recipient = "RCPT TO:<jürgen@d.example>";
    let mut server = greeted();
    talk(
        &mut server,
        &[
            "EHLO c.example",
            &format!("{MAIL} SMTPUTF8"),
            recipient,
            "RSET",
            MAIL,
        ],
    );
    assert_eq!(say(&mut server, recipient), Err(Fault::EightBit));
    assert_eq!(
        say(&mut server, "MAIL FROM:<x@y> SMTPUTF8"),
        Err(Fault::OutOfOrder(Verb::Mail))
    );
    assert_eq!(
        say(&mut server, recipient),
        Err(Fault::EightBit),
        "a refused MAIL changes nothing"
    );
    talk(&mut server, &[RCPT]);
}

#[test]
fn auth_exchange() {
    let mut server = greeted();
    talk(&mut server, &["EHLO c.example", "AUTH LOGIN"]);
    let long = [&[b'A'; 12_000][..], b"\r\nMAIL"].concat();
    let step = server.next(&long);
    assert_eq!(step.consumed, 12_002);
    assert!(matches!(step.event, Event::AuthLine(line) if line.as_bytes().len() == 12_000));
    answer(&mut server, Verb::Auth, 535);
    assert!(
        say(&mut server, "NOOP").is_ok(),
        "commands again after the end of the exchange"
    );
    talk(&mut server, &["AUTH PLAIN"]);
    assert_eq!(
        server.next(b"\x01").event,
        Event::Fault(Fault::ControlCharacter)
    );
    server.refuse(&Fault::ControlCharacter.reply(), &mut Vec::new());
    assert_eq!(
        server.next(b"x\r\n").event,
        Event::NeedMore,
        "the rest of the faulty line"
    );
    assert_eq!(say(&mut server, "x"), Err(Fault::UnknownVerb));
    talk(&mut server, &["AUTH PLAIN"]);
    answer(&mut server, Verb::Auth, 235);
    assert_eq!(
        say(&mut server, "AUTH PLAIN"),
        Err(Fault::OutOfOrder(Verb::Auth))
    );
}

#[test]
fn only_mechanisms_that_are_offered() {
    let mut server = greeted();
    talk(&mut server, &["EHLO c.example"]);
    for line in ["AUTH CRAM-MD5", "AUTH PLAI", "AUTH EXTERNAL ="] {
        assert_eq!(say(&mut server, line), Err(Fault::UnknownMechanism));
    }
    talk(&mut server, &["auth login"]);
}

#[test]
fn starttls_makes_everything_forgotten() {
    let mut server = greeted();
    server.set_bare_newline(BareNewline::Normalize);
    server.set_body_line_max(Some(70));
    talk(&mut server, &["EHLO c.example"]);
    answer(&mut server, Verb::Auth, 235);
    assert!(
        server.next(&[b'x'; 5000]).consumed > 0,
        "a half-read line is there"
    );
    answer(&mut server, Verb::StartTls, 220);
    server.reset_after_starttls();
    assert_eq!(server.phase(), Phase::Start);
    assert!(!server.offers_pipelining() && !server.smtputf8());
    assert_eq!(say(&mut server, MAIL), Err(Fault::OutOfOrder(Verb::Mail)));
    talk(&mut server, &["EHLO c.example"]);
    assert_eq!(
        say(&mut server, "STARTTLS"),
        Err(Fault::NotOffered(Verb::StartTls))
    );
    talk(&mut server, &["AUTH PLAIN"]);
    answer(&mut server, Verb::Auth, 235);
    talk(&mut server, &[MAIL, RCPT, "DATA"]);
    let step = server.next(b"a\n.\r\n");
    assert!(
        matches!(step.event, Event::Body(body) if body.refused == Some(Fault::BodyLookAlikeEnd))
    );
}

#[test]
fn settings_of_mail_data_hold() {
    let mut server = greeted();
    server.set_body_line_max(Some(3));
    for (bare, refused) in [
        (BareNewline::Reject, Some(Fault::BodyBareLf)),
        (BareNewline::Normalize, None),
    ] {
        server.set_bare_newline(bare);
        talk(&mut server, &["EHLO c.example", MAIL, RCPT, "DATA"]);
        let step = server.next(b"abc\nabc\r\n.\r\n");
        assert!(matches!(step.event, Event::Body(body) if body.end && body.refused == refused));
        answer(&mut server, Verb::EndOfData, 250);
    }
    talk(&mut server, &[MAIL, RCPT, "DATA"]);
    let step = server.next(b"abcd\r\n");
    assert!(
        matches!(step.event, Event::Body(body) if body.refused == Some(Fault::BodyLineTooLong))
    );
}

#[test]
fn closing_replies_close() {
    let mut server = greeted();
    server.refuse(&Fault::BareCr.reply(), &mut Vec::new());
    assert_eq!(server.phase(), Phase::Closed);
    let mut server = greeted();
    server.refuse(&Fault::UnknownVerb.reply(), &mut Vec::new());
    assert_eq!(server.phase(), Phase::Start);
    answer(&mut server, Verb::Noop, 421);
    assert_eq!(server.phase(), Phase::Closed);
}
