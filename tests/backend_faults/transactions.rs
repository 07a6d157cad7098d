//! Several transactions in one session: a connection reused, reset and replaced, and what a transaction leaves behind.

use bytesize::ByteSize;
use gatepost::facts::Ended;

use crate::backend::{Act, Backend, ONE_BY_ONE, PIPELINING, Script, Stage};
use crate::client::{Client, Reply};
use crate::gate::{Gate, check};
use crate::run::Run;
use crate::session::Seen;

const KEYWORDS: [&[&str]; 2] = [PIPELINING, ONE_BY_ONE];
const TAKEN: &str = "250 2.0.0 taken";

/// The first words of the commands of a connection.
fn verbs(seen: &Seen) -> String {
    let verbs = seen.commands.iter().map(|line| &line[..4]);
    verbs.collect::<Vec<_>>().join(" ")
}

/// A whole transaction, its text unlike any other's.
#[track_caller]
fn whole(client: &mut Client, text: &str) -> Reply {
    client.open("user@example.com");
    client.message(format!("Subject: {text}\r\n\r\n{text}.\r\n").as_bytes())
}

fn plain(keywords: &'static [&'static str]) -> Run {
    Run::start(keywords, vec![Script::new(keywords)], |_| ())
}

#[test]
fn the_connection_is_reused() {
    for keywords in KEYWORDS {
        let mut run = plain(keywords);
        for text in ["one", "two", "three"] {
            whole(&mut run.client, text).expect(TAKEN);
        }
        let (seen, record) = run.quit(1);
        assert_eq!(
            verbs(&seen[0]),
            "EHLO MAIL RCPT DATA MAIL RCPT DATA MAIL RCPT DATA QUIT"
        );
        assert_eq!(record.messages.len(), 3);
        assert_eq!(record.ended, Ended::Quit);
    }
}

/// What was begun and not ended is reset before the next one, by whatever the client gave it up.
#[test]
fn rset_where_it_is_due() {
    for keywords in KEYWORDS {
        for give_up in ["RSET", "EHLO client.example.net"] {
            let mut run = plain(keywords);
            run.client.open("first@example.com");
            run.client.command(give_up).expect("250");
            whole(&mut run.client, "second").expect(TAKEN);
            let (seen, _) = run.quit(1);
            assert_eq!(
                verbs(&seen[0]),
                "EHLO MAIL RCPT RSET MAIL RCPT DATA QUIT",
                "{give_up}"
            );
            assert_eq!(seen[0].messages[0].recipients, ["user@example.com"]);
        }
    }
}

/// A transaction that the backend never heard of needs no RSET.
#[test]
fn no_rset_where_none_is_due() {
    let mut run = plain(PIPELINING);
    run.client.mail();
    run.client.command("RSET").expect("250");
    whole(&mut run.client, "one").expect(TAKEN);
    run.client.command("RSET").expect("250");
    run.client.mail();
    run.client.command("RSET").expect("250");
    whole(&mut run.client, "two").expect(TAKEN);
    let (seen, _) = run.quit(1);
    assert_eq!(verbs(&seen[0]), "EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT");
}

/// The backend knows recipients of a transaction whose DATA it refused.
#[test]
fn rset_after_data_was_refused() {
    let refusal = Act::Say(b"451 4.3.1 no room\r\n".to_vec());
    for keywords in KEYWORDS {
        let script = Script::new(keywords)
            .with(Stage::Data, refusal.clone())
            .when(0..1);
        let mut run = Run::start(keywords, vec![script], |_| ());
        run.client.open("first@example.com");
        run.client.command("DATA").expect("451 4.3.1 no room");
        run.client.command("RSET").expect("250");
        whole(&mut run.client, "second").expect(TAKEN);
        let (seen, _) = run.quit(1);
        assert_eq!(
            verbs(&seen[0]),
            "EHLO MAIL RCPT DATA RSET MAIL RCPT DATA QUIT"
        );
    }
}

#[test]
fn a_message_refused_and_then_a_good_one() {
    let refusal = Act::Say(b"550 5.7.1 spam\r\n".to_vec());
    for keywords in KEYWORDS {
        let script = Script::new(keywords)
            .with(Stage::Dot, refusal.clone())
            .when(0..1);
        let mut run = Run::start(keywords, vec![script], |_| ());
        whole(&mut run.client, "one").expect("550 5.7.1 spam");
        whole(&mut run.client, "two").expect(TAKEN);
        let (_, record) = run.quit(1);
        let codes: Vec<_> = record.messages.iter().map(|it| it.reply.code).collect();
        assert_eq!(codes, [550, 250]);
    }
}

/// The client has had its 250 to MAIL, so each recipient is told; the backend is asked once.
#[test]
fn mail_refused() {
    for refusal in ["550 5.7.26 not this sender", "450 4.1.8 no such domain yet"] {
        for keywords in KEYWORDS {
            let act = Act::Say(format!("{refusal}\r\n").into_bytes());
            let script = Script::new(keywords).with(Stage::Mail, act).when(0..1);
            let mut run = Run::start(keywords, vec![script], |_| ());
            run.client.mail();
            for recipient in ["a@example.com", "b@example.com", "postmaster@example.com"] {
                run.client.rcpt(recipient).expect(refusal);
            }
            run.client.command("DATA").expect("503");
            run.client.command("RSET").expect("250");
            whole(&mut run.client, "second").expect(TAKEN);
            let (seen, record) = run.quit(1);
            let mails = seen[0].commands.iter();
            assert_eq!(mails.filter(|line| line.starts_with("MAIL")).count(), 2);
            assert_eq!(record.recipients.len(), 4);
        }
    }
}

#[test]
fn mixed_recipients() {
    for keywords in KEYWORDS {
        for first in ["code-550-5.1.1@example.com", "good@example.com"] {
            let mut run = plain(keywords);
            let client = &mut run.client;
            client.mail();
            client.rcpt(first);
            client
                .rcpt("code-451-4.2.1@example.com")
                .expect("451 4.2.1");
            client.rcpt("other@example.com").expect("250 2.1.5");
            client.rcpt("code-552@example.com").expect("552 <");
            client
                .rcpt("code-251-2.1.5@example.com")
                .expect("251 2.1.5");
            client.message(b"Subject: x\r\n\r\nx\r\n").expect(TAKEN);
            // `check` compares who was accepted with whom the message went to.
            let (seen, record) = run.quit(1);
            assert_eq!(seen[0].messages.len(), 1);
            let told: Vec<_> = record.recipients.iter().map(|it| it.reply.code).collect();
            assert_eq!(told[1..], [451, 250, 552, 251]);
        }
    }
}

#[test]
fn no_recipient_left() {
    for keywords in KEYWORDS {
        let mut run = plain(keywords);
        run.client.mail();
        for _ in 0..2 {
            run.client.rcpt("code-550-5.1.1@example.com").expect("550");
        }
        run.client.command("DATA").expect("503");
        run.client.rcpt("good@example.com").expect("250");
        run.client.message(b"Subject: x\r\n\r\nx\r\n").expect(TAKEN);
        let (seen, _) = run.quit(1);
        assert_eq!(verbs(&seen[0]), "EHLO MAIL RCPT RCPT RCPT DATA QUIT");
    }
}

/// A client that was told of an extension and uses it, when the backend has lost it since: nothing is stripped.
#[test]
fn promised_and_gone() {
    const ALL: &[&str] = &["SIZE 50000000", "8BITMIME", "SMTPUTF8", "DSN", "PIPELINING"];
    for parameter in [
        "BODY=8BITMIME",
        "BODY=7BIT",
        "SMTPUTF8",
        "RET=HDRS",
        "ENVID=abc",
    ] {
        let mut run = Run::start(ALL, vec![Script::new(&["PIPELINING"])], |_| ());
        let client = &mut run.client;
        client.mail_with(&format!(" {parameter}"));
        client.rcpt("user@example.com").expect("451 4.3.0");
        client.rcpt("other@example.com").expect("451 4.3.0");
        client.command("RSET").expect("250");
        let offered = client.command("EHLO client.example.net");
        let keywords = ["8BITMIME", "SMTPUTF8", "DSN"];
        let left = offered.0.iter().find(|line| keywords.contains(&&line[4..]));
        assert_eq!(left, None, "known by now");
        whole(client, "without").expect(TAKEN);
        let (seen, _) = run.quit(2);
        let told = seen.iter().flat_map(|seen| &seen.commands);
        let mails: Vec<_> = told.filter(|line| line.starts_with("MAIL")).collect();
        assert_eq!(mails, ["MAIL FROM:<sender@example.net>"], "{parameter}");
    }
}

/// What it has not lost goes on to it as the client wrote it.
#[test]
fn promised_and_kept() {
    const ALL: &[&str] = &["SIZE 50000000", "8BITMIME", "SMTPUTF8", "DSN", "PIPELINING"];
    let mut run = Run::start(ALL, vec![Script::new(ALL)], |_| ());
    let parameters = "SIZE=99 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=abc";
    run.client.mail_with(&format!(" {parameters}"));
    run.client.rcpt("user@example.com").expect("250");
    run.client
        .message("Subject: ü\r\n\r\nü\r\n".as_bytes())
        .expect(TAKEN);
    let (seen, _) = run.quit(1);
    let mail = seen[0].commands[1].split_once("> ").unwrap();
    let mut told: Vec<_> = mail.1.split(' ').collect();
    let mut said: Vec<_> = parameters.split(' ').collect();
    told.sort_unstable();
    said.sort_unstable();
    assert_eq!(told, said);
}

/// The lower limit is offered and holds. SIZE is only a hint, so a backend without it is not told.
#[test]
fn size_of_the_backend() {
    let small: &[&str] = &["SIZE 1000", "PIPELINING"];
    let mut run = Run::start(small, vec![Script::new(&["PIPELINING"])], |_| ());
    let client = &mut run.client;
    let offered = client.command("EHLO client.example.net");
    assert!(
        offered.0.iter().any(|line| &line[4..] == "SIZE 1000"),
        "{offered:?}"
    );
    client
        .command("MAIL FROM:<sender@example.net> SIZE=1001")
        .expect("552 5.3.4");
    client.mail_with(" SIZE=1000");
    client.rcpt("user@example.com").expect("250");
    client.message(b"Subject: x\r\n\r\nx\r\n").expect(TAKEN);
    let (seen, _) = run.quit(1);
    assert_eq!(seen[0].commands[1], "MAIL FROM:<sender@example.net>");
}

#[test]
fn too_big_and_then_a_good_one() {
    for keywords in KEYWORDS {
        let mut run = Run::start(keywords, vec![Script::new(keywords)], |config| {
            config.limits.message_size = ByteSize::b(5000);
        });
        // Told by its declaration, and told by its octets.
        let declared = "MAIL FROM:<sender@example.net> SIZE=5001";
        run.client.command(declared).expect("552 5.3.4");
        run.client.open("user@example.com");
        let line = b"All work and no play.\r\n";
        run.client.message(&line.repeat(300)).expect("552 5.3.4");
        whole(&mut run.client, "small").expect(TAKEN);
        let (seen, _) = run.quit(2);
        assert!(!seen[0].messages[0].dotted);
        assert_eq!(verbs(&seen[0]), "EHLO MAIL RCPT DATA");
    }
}

/// Smuggling and its kin: refused at the true end, never ended at the backend, and nothing of it clings.
#[test]
fn spoilt_and_then_a_good_one() {
    for body in [
        "a\nb\r\n",
        "a\rb\r\n",
        "a\0b\r\n",
        "a\n.\nMAIL FROM:<x@example.net>\r\n",
        "a\n.\r\nb\r\n",
        "a\r\n.\nb\r\n",
        "a\r\n.\rb\r\n",
        "\n.\r\nb\r\n",
    ] {
        let mut run = plain(PIPELINING);
        run.client.open("user@example.com");
        let reply = run.client.message(body.as_bytes());
        assert!(reply.0[0].starts_with("550 5.6.11"), "{body:?}: {reply:?}");
        whole(&mut run.client, "good").expect(TAKEN);
        let (seen, record) = run.quit(2);
        assert!(!seen[0].messages[0].dotted, "{body:?}");
        assert_eq!(record.messages.len(), 2);
    }
}

/// DSN has parameters of RCPT too; a backend without it would call them an error of the client's.
#[test]
fn promised_to_recipients_and_gone() {
    const ALL: &[&str] = &["DSN", "PIPELINING"];
    for parameter in ["NOTIFY=NEVER", "ORCPT=rfc822;a@example.com"] {
        for first in [true, false] {
            let backend = Backend::start(ALL, vec![Script::new(&["PIPELINING"])]);
            let gate = Gate::start(backend.address, |_| ());
            backend.probed();
            let mut client = Client::greeted(gate.address);
            client.mail();
            if !first {
                client.rcpt("other@example.com").expect("250");
            }
            let rcpt = format!("RCPT TO:<user@example.com> {parameter}");
            client.command(&rcpt).expect("451 4.3.0");
            client.command("RSET").expect("250");
            whole(&mut client, "without").expect(TAKEN);
            let sent = client.quit(false);
            // Whether the connection is kept is of no interest.
            let seen = backend.ended(1);
            check(&sent, &seen);
            let mut told = seen.iter().flat_map(|seen| &seen.commands);
            assert!(!told.any(|line| line.contains(parameter)), "{seen:?}");
            gate.stop(1);
        }
    }
}
