//! What may wait behind a command, as a table (RFC 2920 §3.1).

use super::*;

#[test]
fn what_may_wait() {
    use Fault::{BytesAfterStartTls, DataBefore354, GroupBreak, MailBeforeEhloReply, Pipelining};
    let started: &[&str] = &[];
    let ready = &["EHLO c.example"][..];
    let open = &["EHLO c.example", MAIL, RCPT][..];
    // State, verb to be answered, input that waits; fault without and with PIPELINING.
    type Case<'a> = (&'a [&'a str], Verb, &'a str, Option<Fault>, Option<Fault>);
    let cases: [Case<'_>; 24] = [
        (ready, Verb::Ehlo, "", None, None),
        (
            started,
            Verb::Ehlo,
            "MAIL FROM:<a@b>\r\n",
            Some(MailBeforeEhloReply),
            Some(MailBeforeEhloReply),
        ),
        (
            started,
            Verb::Helo,
            "mail",
            Some(MailBeforeEhloReply),
            Some(MailBeforeEhloReply),
        ),
        (
            started,
            Verb::Ehlo,
            "NOOP\r\n",
            Some(Pipelining),
            Some(Pipelining),
        ),
        (
            ready,
            Verb::Ehlo,
            "RSET\r\n",
            Some(Pipelining),
            Some(GroupBreak),
        ),
        (
            ready,
            Verb::Mail,
            "RCPT TO:<a@b>\r\n",
            Some(Pipelining),
            None,
        ),
        (open, Verb::Rcpt, "DATA\r\n", Some(Pipelining), None),
        (
            open,
            Verb::Data,
            "x",
            Some(DataBefore354),
            Some(DataBefore354),
        ),
        (
            ready,
            Verb::Data,
            "x",
            Some(DataBefore354),
            Some(DataBefore354),
        ),
        (
            ready,
            Verb::StartTls,
            "\x16\x03",
            Some(BytesAfterStartTls),
            Some(BytesAfterStartTls),
        ),
        (ready, Verb::EndOfData, "MAIL FROM:<a@b>\r\n", None, None),
        (ready, Verb::EndOfData, "QUIT\r\n", None, None),
        (ready, Verb::EndOfData, "\x16\x03", None, None),
        (ready, Verb::Rset, "QUIT\r\n", None, None),
        (started, Verb::Rset, "quit\r\n", None, None),
        (open, Verb::Rset, "QUIT\r\n", Some(Pipelining), None),
        (
            ready,
            Verb::Rset,
            "MAIL FROM:<a@b>\r\n",
            Some(Pipelining),
            None,
        ),
        (
            started,
            Verb::Rset,
            "QUI",
            Some(Pipelining),
            Some(Pipelining),
        ),
        (ready, Verb::Noop, "QUIT\r\n", Some(Pipelining), None),
        (ready, Verb::Vrfy, "QUIT\r\n", Some(Pipelining), None),
        (
            ready,
            Verb::Auth,
            "AGEAYg==\r\n",
            Some(Pipelining),
            Some(GroupBreak),
        ),
        (ready, Verb::Quit, "x", Some(Pipelining), Some(GroupBreak)),
        (
            open,
            Verb::Ehlo,
            "MAIL",
            Some(MailBeforeEhloReply),
            Some(MailBeforeEhloReply),
        ),
        (
            ready,
            Verb::Connect,
            "x",
            Some(Pipelining),
            Some(GroupBreak),
        ),
    ];
    for (state, verb, waiting, without, with) in cases {
        for (pipelining, expected) in [(false, without), (true, with)] {
            let mut server = greeted();
            server.set_offer(Extensions {
                pipelining,
                ..server.offer().clone()
            });
            talk(&mut server, state);
            let judged = server.judge_waiting(verb, waiting.as_bytes());
            assert_eq!(
                judged, expected,
                "{state:?} {verb:?} {waiting:?} {pipelining}"
            );
        }
    }
}

#[test]
fn helo_client_was_not_offered_pipelining() {
    let mut server = greeted();
    talk(&mut server, &["HELO c.example"]);
    assert_eq!(
        server.judge_waiting(Verb::Mail, b"RCPT"),
        Some(Fault::Pipelining)
    );
}
