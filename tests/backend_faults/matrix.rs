//! Stage by fault: what the client is told, and where.

use std::thread;
use std::time::{Duration, Instant};

use gatepost::config::{Backend as Timers, Config};

use crate::backend::{Act, Backend, ONE_BY_ONE, PIPELINING, Script, Stage, nowhere};
use crate::client::{Client, Reply};
use crate::gate::{Gate, check};
use crate::run::Run;

const RECIPIENT: &str = "user@example.com";
const BODY: [&[u8]; 2] = [b"Subject: first half\r\n", b"\r\nSecond half.\r\n"];

/// The command that got the first reply that was no 2xx or 354.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Rcpt,
    Data,
    Dot,
    Nowhere,
}

impl Stage {
    /// Where the client feels what happens at a stage: the backend is opened at its first RCPT.
    fn felt(self) -> At {
        match self {
            Self::Greeting | Self::Ehlo | Self::StartTls | Self::Mail | Self::Rcpt | Self::Rset => {
                At::Rcpt
            }
            Self::Data => At::Data,
            Self::Body | Self::Dot => At::Dot,
        }
    }
}

/// One transaction through a gatepost of its own; what the client was told at last, and where.
fn transact(script: &Script, adjust: impl FnOnce(&mut Config)) -> (At, Reply) {
    let mut run = Run::start(script.keywords, vec![script.clone()], adjust);
    let (at, reply) = converse(&mut run.client, &run.backend, script);
    // 421 closes both sides; after anything else the session goes on.
    let closed = reply.0[0].starts_with("421");
    let (seen, _) = if closed { run.closed(1) } else { run.quit(1) };
    assert_eq!(seen.len(), 1, "one connection, whatever happened: {seen:?}");
    (at, reply)
}

fn converse(client: &mut Client, backend: &Backend, script: &Script) -> (At, Reply) {
    client.mail();
    let reply = client.rcpt(RECIPIENT);
    if reply.class() != '2' {
        return (At::Rcpt, reply);
    }
    let reply = client.command("DATA");
    if reply.class() != '3' {
        return (At::Data, reply);
    }
    client.body(BODY[0]);
    match script.acts.get(&Stage::Body) {
        // Its time runs while it takes nothing more: there must be more than fits on the way.
        Some(Act::Hold) => client.body(&b"All work and no play makes Jack.\r\n".repeat(1 << 18)),
        // What comes next must find that it has happened.
        Some(_) => backend.acted(1),
        None => {}
    }
    client.body(BODY[1]);
    client.end();
    let reply = client.verdict();
    let at = if reply.class() == '2' {
        At::Nowhere
    } else {
        At::Dot
    };
    (at, reply)
}

/// Runs a fault with a backend that pipelines and with one that does not.
#[track_caller]
fn expect(stage: Stage, act: &Act, at: At, expected: &str) {
    for keywords in [PIPELINING, ONE_BY_ONE] {
        let script = Script::new(keywords).with(stage, act.clone());
        let (felt, reply) = transact(&script, |_| ());
        let case = format!("{stage:?} {act:?}: {felt:?} {reply:?}");
        assert_eq!(felt, at, "{case}");
        assert!(
            reply.0[0].starts_with(expected),
            "expected {expected}: {case}"
        );
    }
}

const ALL: [Stage; 7] = [
    Stage::Greeting,
    Stage::Ehlo,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Body,
    Stage::Dot,
];

/// Those where a reply is due.
const REPLYING: [Stage; 6] = [
    Stage::Greeting,
    Stage::Ehlo,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Dot,
];

fn say(octets: impl AsRef<[u8]>) -> Act {
    Act::Say(octets.as_ref().to_vec())
}

#[test]
fn without_faults_the_message_arrives() {
    for keywords in [PIPELINING, ONE_BY_ONE] {
        let (at, reply) = transact(&Script::new(keywords), |_| ());
        assert_eq!(at, At::Nowhere);
        reply.expect("250 2.0.0 taken");
    }
}

#[test]
fn closed() {
    for stage in ALL {
        expect(stage, &Act::Close, stage.felt(), "451 4.4.2");
    }
}

#[test]
fn lost_by_reset() {
    for stage in ALL {
        expect(stage, &Act::Reset, stage.felt(), "451 4.4.2");
    }
}

#[test]
fn refused() {
    let (_held, address) = nowhere();
    let gate = Gate::start(address, |_| ());
    let mut client = Client::greeted(gate.address);
    client.mail();
    let asked = Instant::now();
    client.rcpt(RECIPIENT).expect("451 4.3.2");
    client.rcpt("postmaster@example.com").expect("451 4.3.2");
    // A refusal is not waited for: far from the 10 s that a connection may take.
    assert!(asked.elapsed() < Duration::from_secs(5));
    client.command("DATA").expect("503");
    check(&client.quit(false), &[]);
    gate.stop(1);
}

/// The timer of each stage, and no other, bounds its silence.
#[test]
fn silent() {
    let timer: fn(Stage, &mut Timers) -> &mut Duration = |stage, timers| match stage {
        Stage::Greeting => &mut timers.greeting_timeout,
        Stage::Ehlo | Stage::StartTls | Stage::Mail | Stage::Rcpt | Stage::Rset => {
            &mut timers.command_timeout
        }
        Stage::Data => &mut timers.data_initiation_timeout,
        Stage::Body => &mut timers.data_block_timeout,
        Stage::Dot => &mut timers.final_reply_timeout,
    };
    let short = Duration::from_millis(700);
    let wait = |stage, keywords| {
        let script = Script::new(keywords).with(stage, Act::Hold);
        let begun = Instant::now();
        let (at, reply) = transact(&script, |config| {
            for timers in config.backend.values_mut() {
                *timer(stage, timers) = short;
            }
        });
        assert!(begun.elapsed() >= short, "{stage:?} was not waited for");
        assert_eq!(at, stage.felt(), "{stage:?}: {reply:?}");
        let not_there = matches!(stage, Stage::Greeting | Stage::Ehlo);
        reply.expect(if not_there { "451 4.3.2" } else { "451 4.4.2" });
    };
    // They only wait: all at once.
    thread::scope(|scope| {
        for stage in ALL {
            scope.spawn(move || wait(stage, PIPELINING));
            scope.spawn(move || wait(stage, ONE_BY_ONE));
        }
    });
}

/// Slow is not silent: the client waits, and then gets the backend's own answer.
#[test]
fn slow() {
    for stage in REPLYING {
        let script = Script::new(PIPELINING).with(stage, Act::Hold);
        let mut run = Run::start(PIPELINING, vec![script], |_| ());
        let (client, backend) = (&mut run.client, &run.backend);
        client.mail();
        client.send(format!("RCPT TO:<{RECIPIENT}>\r\n"));
        let wait = |client: &Client, at: At| {
            if stage.felt() == at {
                backend.acted(1);
                client.still_waits();
                backend.release();
            }
        };
        wait(client, At::Rcpt);
        client.reply().expect("250 2.1.5");
        client.accepted(RECIPIENT);
        client.send("DATA\r\n");
        wait(client, At::Data);
        client.reply().expect("354");
        client.body(BODY[0]);
        client.end();
        wait(client, At::Dot);
        client.verdict().expect("250 2.0.0 taken");
        run.quit(1);
    }
}

/// 421 is passed on as what it is, with our own words, and both sides are closed.
#[test]
fn closing_with_421() {
    let farewell = Act::SayAndClose(b"421 4.3.2 backend.example going down\r\n".to_vec());
    for stage in ALL {
        expect(stage, &farewell, stage.felt(), "421 4.3.2");
    }
}

/// Nothing that the backend says before it has taken our EHLO is about the sender.
#[test]
fn no_session() {
    for stage in [Stage::Greeting, Stage::Ehlo] {
        for reply in [
            "554 5.7.1 go away\r\n",
            "521 no mail here\r\n",
            "550 no\r\n",
            "451 4.3.0 later\r\n",
        ] {
            expect(stage, &say(reply), At::Rcpt, "451 4.3.2");
        }
    }
    expect(
        Stage::Ehlo,
        &say("503 Proxy negotiation failed\r\n"),
        At::Rcpt,
        "451 4.3.2",
    );
}

/// What the backend says of the mail is passed on: code and enhanced code as they are.
#[test]
fn verdicts() {
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
        for reply in [
            "451 4.7.1 greylisted",
            "452 4.3.1 disk full",
            "550 5.7.26 no",
            "552 5.3.4 too big",
            "554 without enhanced code",
        ] {
            expect(stage, &say(format!("{reply}\r\n")), stage.felt(), reply);
        }
    }
}

/// Exim's `drop`: a verdict, and the connection is gone. The verdict counts.
#[test]
fn a_verdict_before_closing() {
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
        let act = Act::SayAndClose(b"550 5.7.1 you are dropped\r\n".to_vec());
        expect(stage, &act, stage.felt(), "550 5.7.1 you are dropped");
    }
}

#[test]
fn what_no_server_may_say() {
    let mut garbage: Vec<Vec<u8>> = [
        "250 bare LF\n250 ok\r\n",
        "250 bare CR\rok\r\n",
        "250 NUL\0\r\n",
        "25 two digits\r\n",
        "2500 four digits\r\n",
        "150 one hundred\r\n",
        "650 six hundred\r\n",
        "250-mixed\r\n550 codes\r\n",
        "\r\n",
        "ok\r\n",
        "334 not asked for\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    garbage.push(b"250 ".iter().copied().chain([b'x'; 4000]).collect());
    garbage.push(b"250-line\r\n".repeat(130));
    for stage in REPLYING {
        for octets in &garbage {
            expect(stage, &say(octets), stage.felt(), "451 4.3.0");
        }
    }
}

#[test]
fn codes_that_can_not_belong() {
    for stage in [
        Stage::Greeting,
        Stage::Ehlo,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Dot,
    ] {
        expect(stage, &say("354 go ahead\r\n"), stage.felt(), "451 4.3.0");
    }
    expect(
        Stage::Data,
        &say("250 taken already\r\n"),
        At::Data,
        "451 4.3.0",
    );
}

/// What is not printable does not reach the client, who checks each line.
#[test]
fn control_characters() {
    let act = say(b"550-5.1.1 \x1b[2Jgone\x07\r\n550 5.1.1 \xff\xfe\r\n");
    for stage in [Stage::Mail, Stage::Rcpt, Stage::Data, Stage::Dot] {
        expect(stage, &act, stage.felt(), "550-5.1.1");
    }
}

/// A reply too many is found before the next command: answers never shift by one.
#[test]
fn one_reply_too_many() {
    let extra = Act::Add(b"250 2.0.0 and another\r\n".to_vec());
    for (stage, at) in [
        (Stage::Greeting, At::Rcpt),
        (Stage::Ehlo, At::Rcpt),
        (Stage::Rcpt, At::Data),
        (Stage::Data, At::Dot),
        (Stage::Body, At::Dot),
    ] {
        expect(stage, &extra, at, "451 4.3.0");
    }
    // In a group the extra reply can not be told from the next one; it is found behind the group.
    for (keywords, at) in [(PIPELINING, At::Data), (ONE_BY_ONE, At::Rcpt)] {
        let script = Script::new(keywords).with(Stage::Mail, extra.clone());
        let (felt, reply) = transact(&script, |_| ());
        assert_eq!(felt, at, "{reply:?}");
        reply.expect("451 4.3.0");
    }
}

/// Said together with the 354, so before the message: not the message's reply (RFC 5321 section 4.1.1.4).
#[test]
fn taken_before_it_was_sent() {
    let early = Act::SayAndClose(b"354 go ahead\r\n250 2.0.0 taken\r\n".to_vec());
    expect(Stage::Data, &early, At::Dot, "451 4.");
}

/// A refusal in mid-data is no reply to the message either, but nothing of the message counts.
#[test]
fn a_refusal_in_mid_data() {
    let refusal = Act::SayAndClose(b"552 5.3.4 too big\r\n".to_vec());
    expect(Stage::Body, &refusal, At::Dot, "451 4.3.0");
}
