//! Two real Exims behind one gatepost; the first is lost at every stage of a session. What gatepost has accepted is in the
//! log of one of them, once; and what it has not, the client has been told to send again.

use std::thread;

use crate::support::client::Client;
use crate::support::exim::Exim;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::process;

const CLEAN: &str = "192.0.2.77";
const MESSAGE: &[u8] = b"Subject: test\r\nFrom: sender@example.net\r\n\r\nHello.\r\n";

/// Makes Exim wait at a stage, but for gatepost's own question.
fn slow(acl: &str) -> String {
    format!(
        "acl_smtp_{acl} = warn condition = ${{if !eq{{$sender_host_address}}{{192.0.2.1}}}}\\n\\\n  \
           logwrite = at {acl}\\n\\\n  delay = 20s\\n\\\n  accept\n"
    )
}

/// Two Exims, of which the first has these options, and a gatepost that knows both of them.
fn scene(options: &str) -> (Exim, Exim, Gatepost) {
    let (first, second) = (Exim::start_with(options), Exim::start());
    let nobody = ([127, 0, 0, 1], process::free_tcp_port()).into();
    let mut setup = Setup::new(first.address(), nobody);
    setup.backend.push(second.address());
    setup.backend_settings = "connect_timeout = \"1s\"".to_owned();
    let gatepost = Gatepost::start(&setup);
    for exim in [&first, &second] {
        gatepost.logged(&["backend answers", &exim.address().to_string()]);
    }
    (first, second, gatepost)
}

/// A whole message, sent again where that is asked for; the replies to its end.
fn send(gatepost: &Gatepost) -> Vec<u16> {
    let mut codes = Vec::new();
    for _ in 0..5 {
        let mut client = Client::greeted(gatepost.proxied(), CLEAN);
        client.command("MAIL FROM:<sender@example.net>").expect(250);
        let mut reply = client.command("RCPT TO:<user@example.com>");
        if reply.code == 250 {
            reply = client.command("DATA");
        }
        if reply.code == 354 {
            reply = client.message(MESSAGE);
        }
        codes.push(reply.code);
        if reply.code == 250 {
            return codes;
        }
        assert!((400..500).contains(&reply.code), "{}", reply.text());
    }
    panic!("never accepted: {codes:?}");
}

/// The stages up to the first recipient's reply: the client notices nothing.
#[test]
fn lost_before_the_first_recipients_reply() {
    let rcpt = "SLOW_RCPT = yes\n".to_owned();
    let stages = [
        ("helo", slow("helo")),
        ("mail", slow("mail")),
        ("rcpt", rcpt),
    ];
    thread::scope(|scope| {
        for (stage, options) in &stages {
            scope.spawn(move || {
                let (mut first, second, gatepost) = scene(options);
                let sending = scope.spawn(move || (send(&gatepost), gatepost));
                first.logged(&[&format!("at {stage}")]);
                first.kill();
                let (codes, _gatepost) = sending.join().unwrap();
                assert_eq!(codes, [250], "{stage}");
                second.delivered(1);
                assert_eq!((first.accepted(), second.accepted()), (0, 1), "{stage}");
            });
        }
    });
}

/// Not there at all, or there and silent.
#[test]
fn lost_before_the_greeting() {
    let (mut first, second, gatepost) = scene("");
    first.freeze();
    assert_eq!(send(&gatepost), [250]);
    // Whether it is down or only slow, gatepost finds out by itself, in the whole time for a greeting.
    assert!(!gatepost.log().contains("ERROR"), "{}", gatepost.log());
    first.kill();
    assert_eq!(send(&gatepost), [250]);
    gatepost.logged(&["ERROR", "connection refused"]);
    second.delivered(2);
    assert_eq!(first.accepted(), 0);

    let (mut first, second, gatepost) = scene("");
    first.kill();
    assert_eq!(send(&gatepost), [250]);
    gatepost.logged(&["ERROR", "connection refused"]);
    second.delivered(1);
}

/// The client has heard what the first server said: it is told to come again, and then the second one has the message.
#[test]
fn lost_behind_it() {
    let stages = [
        ("predata", slow("predata")),
        ("data", format!("OWN_ACL_DATA = yes\n{}", slow("data"))),
    ];
    thread::scope(|scope| {
        for (stage, options) in &stages {
            scope.spawn(move || {
                let (mut first, second, gatepost) = scene(options);
                let sending = scope.spawn(move || (send(&gatepost), gatepost));
                first.logged(&[&format!("at {stage}")]);
                first.kill();
                let (codes, _gatepost) = sending.join().unwrap();
                assert_eq!(codes, [451, 250], "{stage}");
                second.delivered(1);
                assert_eq!((first.accepted(), second.accepted()), (0, 1), "{stage}");
            });
        }
    });
}

#[test]
fn lost_in_mid_data() {
    let (mut first, second, gatepost) = scene("");
    let mut client = Client::greeted(gatepost.proxied(), CLEAN);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(250);
    client.command("DATA").expect(354);
    client.send("Subject: first half\r\n");
    first.kill();
    client.send("\r\nSecond half.\r\n.\r\n");
    client.reply().expect(451);
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    second.delivered(1);
    assert_eq!((first.accepted(), second.accepted()), (0, 1));
}

/// Between two transactions of a session.
#[test]
fn lost_between_transactions() {
    let (mut first, second, gatepost) = scene("");
    let mut client = Client::greeted(gatepost.proxied(), CLEAN);
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    first.delivered(1);
    first.kill();
    client.mail(&["user@example.com"], MESSAGE).expect(250);
    second.delivered(1);
    assert_eq!((first.accepted(), second.accepted()), (1, 1));
}
