//! Tests of the sending machine, and of both machines against each other.

use proptest::prelude::*;

use super::*;
use crate::smtp::{
    auth::Answer,
    extension::Extensions,
    line::LineReader,
    server::{Event, Server},
};

fn command(line: &str) -> Command {
    let input = format!("{line}\r\n");
    let line = LineReader::new()
        .next(input.as_bytes())
        .line
        .expect("a line");
    line.and_then(Command::parse)
        .unwrap_or_else(|fault| panic!("{input}: {fault:?}"))
}

/// A client that was greeted.
fn greeted() -> Client {
    let mut client = Client::new();
    assert_eq!(hear(&mut client, "220 x"), Ok(Verb::Connect));
    client
}

/// Gives the client one line, which is a whole reply.
fn hear(client: &mut Client, line: &str) -> Result<Verb, BadReply> {
    let (_, reply) = client.next(format!("{line}\r\n").as_bytes())?;
    Ok(reply.expect("a whole reply").0)
}

fn send(client: &mut Client, line: &str) -> Result<String, NotSent> {
    let mut out = Vec::new();
    client.send(&command(line), &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// Sends each line and gives it the reply.
fn talk(client: &mut Client, lines: &[(&str, &str)]) {
    for (line, reply) in lines {
        send(client, line).unwrap();
        assert_eq!(hear(client, reply), Ok(command(line).verb()));
    }
}

const OPEN: [(&str, &str); 4] = [
    ("EHLO c.example", "250 x"),
    ("MAIL FROM:<a@b.example>", "250 x"),
    ("RCPT TO:<c@d.example>", "250 x"),
    ("DATA", "354 x"),
];

#[test]
fn a_message() {
    let mut client = greeted();
    talk(&mut client, &OPEN);
    assert_eq!((client.phase(), client.outstanding()), (Phase::Data, 0));
    let mut out = Vec::new();
    client.end_of_data(&mut out).unwrap();
    assert_eq!(out, b".\r\n");
    assert_eq!(
        client.end_of_data(&mut out),
        Err(NotSent::NotInData),
        "one dot, not two"
    );
    assert_eq!(hear(&mut client, "250 2.0.0 id"), Ok(Verb::EndOfData));
    talk(&mut client, &[("RSET", "250 x"), ("QUIT", "221 x")]);
    assert_eq!(client.phase(), Phase::Closed);
}

#[test]
fn a_group_is_answered_in_order() {
    let mut client = greeted();
    talk(&mut client, &OPEN[..1]);
    for line in [
        "MAIL FROM:<a@b.example>",
        "RCPT TO:<c@d.example>",
        "RCPT TO:<e@d.example>",
    ] {
        send(&mut client, line).unwrap();
    }
    assert_eq!(client.outstanding(), 3);
    let mut input = &b"250 2.1.0 ok\r\n550-5.1.1 no\r\n550 5.1.1 one\r\n250 2.1.5 ok\r\n"[..];
    let mut heard = Vec::new();
    while let (used, Some((verb, reply))) = client.next(input).unwrap() {
        heard.push((verb, reply.code));
        input = &input[used..];
        if client.outstanding() == 0 {
            break;
        }
    }
    assert_eq!(
        heard,
        [(Verb::Mail, 250), (Verb::Rcpt, 550), (Verb::Rcpt, 250)]
    );
    assert_eq!((client.phase(), input), (Phase::Rcpt, &b""[..]));
}

#[test]
fn reply_without_a_command() {
    let mut client = greeted();
    assert_eq!(client.next(b""), Ok((0, None)));
    assert_eq!(client.next(b"2"), Err(BadReply::Unsolicited));
    assert_eq!(client.quiet(b"421 x\r\n"), Err(BadReply::Unsolicited));
    assert_eq!(client.quiet(b""), Ok(()));
    send(&mut client, "EHLO c.example").unwrap();
    assert_eq!(client.quiet(b"250 x\r\n"), Ok(()));
    let (used, _) = client.next(b"250 x\r\n250 x\r\n").unwrap();
    assert_eq!(
        client.quiet(&b"250 x\r\n250 x\r\n"[used..]),
        Err(BadReply::Unsolicited)
    );
}

#[test]
fn code_that_can_not_belong_to_the_command() {
    for (line, code) in [
        ("EHLO x", "354"),
        ("MAIL FROM:<>", "354"),
        ("RCPT TO:<a@b>", "300"),
        ("DATA", "250"),
        ("DATA", "334"),
        ("RSET", "354"),
        ("QUIT", "354"),
        ("AUTH PLAIN", "354"),
        ("STARTTLS", "334"),
    ] {
        let mut client = greeted();
        send(&mut client, line).unwrap();
        assert_eq!(
            hear(&mut client, &format!("{code} x")),
            Err(BadReply::WrongClass),
            "{line} {code}"
        );
    }
    assert_eq!(hear(&mut Client::new(), "354 x"), Err(BadReply::WrongClass));
    let mut client = greeted();
    talk(&mut client, &OPEN);
    client.end_of_data(&mut Vec::new()).unwrap();
    assert_eq!(hear(&mut client, "354 x"), Err(BadReply::WrongClass));
}

#[test]
fn nothing_but_the_dot_goes_into_mail_data() {
    let mut client = greeted();
    talk(&mut client, &OPEN[..3]);
    assert_eq!(client.end_of_data(&mut Vec::new()), Err(NotSent::NotInData));
    send(&mut client, "DATA").unwrap();
    assert_eq!(send(&mut client, "QUIT"), Err(NotSent::InData));
    assert_eq!(
        client.end_of_data(&mut Vec::new()),
        Err(NotSent::NotInData),
        "354 is not there yet"
    );
    hear(&mut client, "354 x").unwrap();
    assert_eq!(send(&mut client, "QUIT"), Err(NotSent::InData));
    client.end_of_data(&mut Vec::new()).unwrap();
}

#[test]
fn outstanding_commands_are_bounded() {
    let mut client = greeted();
    for _ in 0..OUTSTANDING_MAX {
        send(&mut client, "NOOP").unwrap();
    }
    let mut out = Vec::new();
    assert_eq!(
        client.send(&Command::Noop, &mut out),
        Err(NotSent::TooManyOutstanding)
    );
    assert!(out.is_empty());
    hear(&mut client, "250 x").unwrap();
    send(&mut client, "NOOP").unwrap();
}

#[test]
fn closing_reply_and_refused_greeting() {
    let mut client = Client::new();
    assert_eq!(hear(&mut client, "554 x"), Ok(Verb::Connect));
    assert_eq!(client.phase(), Phase::Connect);
    let mut client = Client::new();
    assert_eq!(hear(&mut client, "421 x"), Ok(Verb::Connect));
    assert_eq!(client.phase(), Phase::Closed);
}

#[test]
fn starttls_makes_everything_forgotten() {
    let mut client = greeted();
    talk(
        &mut client,
        &[("EHLO c.example", "250 x"), ("STARTTLS", "220 x")],
    );
    client.reset_after_starttls();
    assert_eq!((client.phase(), client.outstanding()), (Phase::Start, 0));
    assert_eq!(client.next(b"250 injected\r\n"), Err(BadReply::Unsolicited));
}

#[test]
fn auth_lines() {
    let mut client = greeted();
    talk(
        &mut client,
        &[("EHLO c.example", "250 x"), ("AUTH PLAIN", "334 ")],
    );
    let mut lines = LineReader::new();
    let line = lines.next(b"AGEAYg==\r\n").line.unwrap().unwrap();
    let Answer::Response(response) = Answer::read(line) else {
        panic!("it is one")
    };
    let mut out = Vec::new();
    client.send_response(&response, &mut out).unwrap();
    assert_eq!(out, b"AGEAYg==\r\n");
    assert_eq!(hear(&mut client, "235 x"), Ok(Verb::Auth));
}

/// Codes a server may give to a verb.
fn codes(verb: Verb) -> &'static [u16] {
    match verb {
        Verb::Connect => &[220, 220, 220, 554, 421],
        Verb::Data => &[354, 354, 354, 451, 503, 421],
        Verb::Quit => &[221, 500],
        Verb::StartTls => &[454, 502],
        Verb::Auth => &[535, 235, 454],
        _ => &[250, 250, 250, 250, 251, 451, 452, 550, 503, 421, 521],
    }
}

fn line_of(verb: Verb) -> &'static str {
    match verb {
        Verb::Helo => "HELO c.example",
        Verb::Ehlo => "EHLO c.example",
        Verb::Mail => "MAIL FROM:<a@b.example>",
        Verb::Rcpt => "RCPT TO:<c@d.example>",
        Verb::Vrfy => "VRFY x",
        Verb::StartTls => "STARTTLS",
        Verb::Auth => "AUTH PLAIN AGEAYg==",
        other => other.keyword(),
    }
}

/// The verbs a client may say in this phase and that `Server` passes with all offers made.
fn legal(phase: Phase) -> Vec<Verb> {
    let not_offered = [Verb::Expn, Verb::Bdat];
    Verb::ALL
        .into_iter()
        .filter(|verb| phase.allows(*verb) && !not_offered.contains(verb))
        .collect()
}

/// A relay of one legal dialogue: client octets through the server machine, commands through the
/// client machine, the backend's replies back the same way. `dice` decides verbs and codes.
fn relay(dice: &[(usize, usize)]) -> Result<usize, TestCaseError> {
    let offer = Extensions {
        starttls: true,
        auth: Some("PLAIN".into()),
        ..Extensions::default()
    };
    let (mut server, mut client) = (Server::new(), Client::new());
    server.set_offer(offer);
    let mut messages = 0;
    let mut pending = Some(Verb::Connect);
    for (which_verb, which_code) in dice {
        let verb = match pending.take() {
            Some(verb) => verb,
            None if server.phase() == Phase::Data => Verb::EndOfData,
            None => {
                let legal = legal(server.phase());
                let Some(verb) = legal.get(which_verb % legal.len().max(1)) else {
                    break;
                };
                *verb
            }
        };
        match verb {
            Verb::Connect => {}
            Verb::EndOfData => {
                let step = server.next(b"Subject: x\r\n\r\n.\r\n");
                prop_assert!(matches!(step.event, Event::Body(body) if body.end));
                prop_assert_eq!(client.end_of_data(&mut Vec::new()), Ok(()));
                messages += 1;
            }
            _ => match server
                .next(format!("{}\r\n", line_of(verb)).as_bytes())
                .event
            {
                Event::Command(command) => {
                    prop_assert_eq!(client.send(&command, &mut Vec::new()), Ok(()));
                }
                Event::Fault(_) if matches!(verb, Verb::StartTls | Verb::Auth) => continue,
                other => prop_assert!(false, "{:?}: {:?}", verb, other),
            },
        }
        let codes = codes(verb);
        let mut wire = Vec::new();
        Reply::new(codes[which_code % codes.len()], None, "x")
            .with_line("y")
            .write(&mut wire);
        let (used, heard) = client
            .next(&wire)
            .map_err(|bad| TestCaseError::fail(bad.to_string()))?;
        prop_assert_eq!(used, wire.len());
        let Some((heard_verb, reply)) = heard else {
            return Err(TestCaseError::fail("no reply"));
        };
        prop_assert_eq!(heard_verb, verb);
        let mut out = Vec::new();
        server.reply(verb, &reply, &mut out);
        prop_assert_eq!(out, wire);
        prop_assert_eq!(server.phase(), client.phase());
    }
    Ok(messages)
}

/// The generator must reach mail data, or the property below would say little.
#[test]
fn relay_reaches_mail_data() {
    let connect = (0, 0);
    let nth = |phase: Phase, verb| {
        legal(phase)
            .iter()
            .position(|other| *other == verb)
            .unwrap()
    };
    let dice = [
        connect,
        (nth(Phase::Start, Verb::Ehlo), 0),
        (nth(Phase::Ready, Verb::Mail), 0),
        (nth(Phase::Mail, Verb::Rcpt), 0),
        (nth(Phase::Rcpt, Verb::Data), 0),
        (0, 0),
    ];
    assert_eq!(relay(&dice).unwrap(), 1);
}

proptest! {
    #[test]
    fn both_machines_stay_in_phase(dice in prop::collection::vec((any::<usize>(), any::<usize>()), 0..80)) {
        relay(&dice)?;
    }

    #[test]
    fn any_input_in_any_split(
        input in prop::collection::vec(prop::sample::select(
            vec!["250 x\r\n", "354 x\r\n", "550-x\r\n", "550 x\r\n", "421 x\r\n", "\n", "25", "\r\n", "é", "0 y"]), 0..12),
        cut in any::<usize>(),
    ) {
        let input = input.concat().into_bytes();
        let cut = cut % (input.len() + 1);
        prop_assert_eq!(read_all(&input, &[cut]), read_all(&input, &[]));
    }
}

/// Replies heard by a client with commands enough outstanding, and the error that ended it.
fn read_all(input: &[u8], cuts: &[usize]) -> (Vec<(Verb, Reply)>, Option<BadReply>) {
    let mut client = Client::new();
    for line in ["EHLO x", "MAIL FROM:<>", "RCPT TO:<a@b>", "DATA"] {
        send(&mut client, line).unwrap();
    }
    let (mut heard, mut start) = (Vec::new(), 0);
    for end in cuts.iter().copied().chain([input.len()]) {
        loop {
            match client.next(&input[start..end.max(start)]) {
                Err(bad) => return (heard, Some(bad)),
                Ok((used, reply)) => {
                    start += used;
                    let Some(reply) = reply else { break };
                    heard.push(reply);
                }
            }
        }
    }
    (heard, None)
}

/// Postfix answers with a greeting, and EHLO is due again; anything else leaves a session that can do nothing.
#[test]
fn xclient_begins_the_session_anew() {
    let helo = crate::smtp::domain::HeloName::parse("c.example").unwrap();
    let xclient = Xclient {
        name: &crate::smtp::xclient::HostName::Unavailable,
        address: "192.0.2.7:1".parse().unwrap(),
        extended: true,
        helo: &helo,
    };
    let takes = Attributes {
        address: true,
        ..Attributes::default()
    };
    let mut out = Vec::new();
    let mut client = greeted();
    let mut introduce = |client: &mut Client| client.send_xclient(&xclient, takes, &mut out);
    assert_eq!(introduce(&mut client), Err(NotSent::OutOfPlace));
    talk(&mut client, &OPEN[..1]);
    assert_eq!(introduce(&mut client), Ok(()));
    assert_eq!(client.phase(), Phase::Connect);
    assert_eq!(hear(&mut client, "220 x"), Ok(Verb::Connect));
    assert_eq!(client.phase(), Phase::Start);
    talk(&mut client, &OPEN[..2]);
    assert_eq!(introduce(&mut client), Err(NotSent::OutOfPlace));

    let mut refused = greeted();
    talk(&mut refused, &OPEN[..1]);
    assert_eq!(introduce(&mut refused), Ok(()));
    assert_eq!(introduce(&mut refused), Err(NotSent::OutOfPlace));
    assert_eq!(hear(&mut refused, "550 x"), Ok(Verb::Connect));
    assert_eq!(refused.phase(), Phase::Connect);
    assert_eq!(out, b"XCLIENT ADDR=192.0.2.7\r\n".repeat(2));
}
