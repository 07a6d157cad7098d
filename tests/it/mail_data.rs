//! Mail data: every octet arrives, and what could be read in two ways does not.

use crate::house::House;
use crate::support::client::Client;
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::rbldnsd::{self, Rbldnsd};
use crate::support::wait;

const CLEAN: &str = "192.0.2.77";
const PRINTABLE: &[u8] =
    b" !<>.,:;()[]@ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// About `size` octets of lines of many lengths, with dots where dot-stuffing matters and octets above 127.
fn message(size: usize) -> Vec<u8> {
    let mut message = b"Subject: large\r\nFrom: sender@example.net\r\n\r\n".to_vec();
    let mut state: u32 = 1;
    while message.len() < size {
        // Numerical Recipes' linear congruential generator: the same octets in each run.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = state >> 16;
        match length % 16 {
            0 => message.extend_from_slice(b".\r\n"),
            1 => message.extend_from_slice(b"..\r\n"),
            2 => message.extend_from_slice(b". QUIT\r\n"),
            3 => message.extend_from_slice(b"\r\n"),
            4 => message.extend_from_slice("Grüße.\r\n".as_bytes()),
            _ => {
                let octet =
                    |at: u32| PRINTABLE[(at.wrapping_mul(state) >> 8) as usize % PRINTABLE.len()];
                message.extend((0..length % 900).map(octet));
                message.extend_from_slice(b"\r\n");
            }
        }
    }
    message
}

#[test]
fn a_large_message_arrives_octet_for_octet() {
    let house = House::start();
    let message = message(1024 * 1024);
    let body_at = message
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;

    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
    client.mail(&["user@example.com"], &message).expect(250);

    let delivered = house.exim.delivered(1).remove(0);
    assert!(delivered.text().contains("\r\nSubject: large\r\n"));
    assert_eq!(delivered.body().len(), message.len() - body_at);
    assert!(delivered.body() == &message[body_at..], "the body differs");
}

#[test]
fn a_message_in_single_octets_arrives_octet_for_octet() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(250);
    client.command("DATA").expect(354);
    for octet in b"Subject: slow\r\n\r\nOne.\r\n..\r\n..two\r\n\r\n.\r\n" {
        client.send([*octet]);
    }
    client.reply().expect(250);

    assert_eq!(
        house.exim.delivered(1)[0].body(),
        b"One.\r\n.\r\n.two\r\n\r\n"
    );
}

/// SMTP smuggling (CVE-2023-51764 and its relatives): all these end the data for some servers and not for others.
#[test]
fn bare_line_feeds_and_returns_are_refused_and_nothing_is_delivered() {
    let house = House::start();
    let smuggled =
        "MAIL FROM:<smuggler@example.net>\r\nRCPT TO:<victim@example.com>\r\nDATA\r\nHa.";
    let look_alikes = [
        "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n",
    ];

    for (count, look_alike) in look_alikes.into_iter().enumerate() {
        let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(250);
        client.command("DATA").expect(354);
        client.send(format!(
            "Subject: smuggling\r\n\r\nOne.{look_alike}{smuggled}\r\n.\r\n"
        ));
        client.reply().expect(550).containing("5.6.11");
        client.command("QUIT").expect(221);
        assert_eq!(
            client.closed(),
            "",
            "one message, one reply: {look_alike:?}"
        );

        // Exim has seen the end of that session, and not by a dot.
        let lost = || {
            house
                .exim
                .log()
                .lines()
                .filter(|line| line.contains("lost while reading message data"))
                .count()
        };
        let seen = wait::until(|| (lost() > count).then_some(()));
        assert!(seen.is_some(), "{look_alike:?}: {}", house.exim.log());
    }
    assert_eq!(house.exim.accepted(), 0, "{}", house.exim.log());
}

#[test]
fn a_refused_message_does_not_end_the_session() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(250);
    client.command("DATA").expect(354);
    client.send("Subject: bare\r\n\r\nOne.\nTwo.\r\n.\r\n");
    client.reply().expect(550).containing("5.6.11");

    client
        .mail(
            &["user@example.com"],
            b"Subject: good\r\n\r\nOne.\r\nTwo.\r\n",
        )
        .expect(250);
    assert!(house.exim.delivered(1)[0].text().contains("Subject: good"));
}

#[test]
fn a_client_cut_in_mid_data_leaves_nothing_behind() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(250);
    client.command("DATA").expect(354);
    client.send("Subject: half\r\n\r\nThis message has no e");
    drop(client);

    house.exim.logged(&["lost while reading message data"]);
    assert_eq!(house.exim.accepted(), 0, "{}", house.exim.log());
    assert!(house.exim.delivered_now().is_empty());
}

/// The two octets that are missing could be invented at the end of the connection; they must not be.
#[test]
fn a_client_cut_before_the_last_line_feed_leaves_nothing_behind() {
    for end in ["\r\n", "\r\n.", "\r\n.\r"] {
        let house = House::start();
        let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(250);
        client.command("DATA").expect(354);
        client.send(format!("Subject: almost\r\n\r\nWhole.{end}"));
        drop(client);

        house.exim.logged(&["lost while reading message data"]);
        assert_eq!(house.exim.accepted(), 0, "{end:?}: {}", house.exim.log());
    }
}

/// `mail_data.bare_newline = "normalize"`: bare LF becomes CRLF, the line behind it is dot-stuffed, and what looks like
/// an end without being one is refused even so.
#[test]
fn bare_line_feeds_can_be_normalized() {
    let exim = Exim::start();
    let rbldnsd = Rbldnsd::start();
    let mut setup = Setup::new(exim.address(), rbldnsd.address());
    setup.checks = "[mail_data]\nbare_newline = \"normalize\"\n".to_owned();
    let gatepost = Gatepost::start(&setup);
    let mut client = Client::greeted(gatepost.proxied(), CLEAN);
    let mut say = |message: &str| {
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(250);
        client.command("DATA").expect(354);
        client.send(message);
        client.reply()
    };
    say("Subject: sloppy\n\nOne.\n.two\r\n.\r\n").expect(250);
    say("Subject: smuggling\n\nOne.\n.\r\nMAIL FROM:<>\r\n.\r\n")
        .expect(550)
        .containing("5.6.11");

    let delivered = exim.delivered(1);
    assert_eq!(delivered[0].body(), b"One.\r\n.two\r\n");
}

#[test]
fn fields_before_a_message_are_ours_and_not_forged() {
    let exim = Exim::start();
    let rbldnsd = Rbldnsd::start();
    let mut setup = Setup::new(exim.address(), rbldnsd.address()).zones(&[(
        rbldnsd::ZONE,
        "127.0.0.[2..11]",
        2,
    )]);
    setup.policy = r#"add_header = ["received", "authentication-results", "x-gatepost"]"#.into();
    let gatepost = Gatepost::start(&setup);
    let mut client = Client::greeted(gatepost.proxied(), rbldnsd::LISTED);
    let message = b"X-Gatepost: id=forged; points=-9\r\nSubject: traced\r\nX-GATEPOST:\r\n id=folded\r\n\r\nX-Gatepost: body\r\n";
    client.mail(&["user@example.com"], message).expect(250);

    let delivered = exim.delivered(1).remove(0);
    let text = delivered.text();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "X-Gatepost: body\r\n");
    assert_eq!(header.matches("X-Gatepost:").count(), 1, "{header}");
    assert!(
        !header.contains("forged") && !header.contains("folded"),
        "{header}"
    );
    assert!(header.contains("\r\n\tdnsbl=listed(2)"), "{header}");
    assert!(header.contains("\r\nAuthentication-Results: "), "{header}");
    assert!(
        header.contains(&format!("({})\r\n\tby ", rbldnsd::LISTED)),
        "{header}"
    );
}

/// What looks like an end of data or a command is nothing but octets in a chunk, for us and for Exim.
#[test]
fn chunks_arrive_octet_for_octet() {
    let house = House::start();
    let message =
        b"Subject: chunks\r\n\r\none\r\n.\r\nMAIL FROM:<x@example.org>\r\n.two\r\n..\r\nBDAT 3\r\n";
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
    for cuts in [&[][..], &[25, 26, 27, 28, 29]] {
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(250);
        let mut from = 0;
        for cut in cuts {
            client.send(format!("BDAT {}\r\n", cut - from));
            client.send(&message[from..*cut]);
            client.reply().expect(250);
            from = *cut;
        }
        client.send(format!("BDAT {} LAST\r\n", message.len() - from));
        client.send(&message[from..]);
        client.reply().expect(250);
    }
    client.command("QUIT").expect(221);
    for delivered in house.exim.delivered(2) {
        assert_eq!(delivered.body(), &message[19..], "{}", delivered.text());
    }
}

#[test]
fn chunks_with_a_flaw_or_without_an_end_deliver_nothing() {
    let house = House::start();
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
    for chunks in [
        &["BDAT 8 LAST\r\na\n.\r\nb\r\n"][..],
        &["BDAT 3\r\na\r\n", "BDAT 4 LAST\r\nb\0\r\n"],
    ] {
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        client.command("RCPT TO:<user@example.com>").expect(250);
        let (last, before) = chunks.split_last().unwrap();
        for chunk in before {
            client.send(chunk);
            client.reply().expect(250);
        }
        client.send(last);
        client.reply().expect(550).containing("5.6.11");
    }
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(250);
    client.send("BDAT 3\r\na\r\n");
    client.reply().expect(250);
    client.command("QUIT").expect(221);
    // Exim has written down whatever it took by the time it has taken another.
    let mut client = Client::greeted(house.gatepost.proxied(), CLEAN);
    client
        .mail(&["user@example.com"], b"Subject: x\r\n\r\n")
        .expect(250);
    house.exim.delivered(1);
    assert_eq!(house.exim.accepted(), 1, "{}", house.exim.log());
}
