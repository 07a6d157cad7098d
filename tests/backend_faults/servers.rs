//! Two servers of one backend, the first of which fails at a stage: up to the first recipient's reply the other has the
//! transaction and the client hears nothing of it; behind it the client hears 4xx, and nobody has the message twice.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use gatepost::config::{Backend as Settings, Config};

use crate::backend::{Act, Backend, ONE_BY_ONE, PIPELINING, Script, Stage, nowhere};
use crate::client::{Client, Sent};
use crate::gate::{Gate, check};

const TAKEN: &str = "250 2.0.0 taken";
const FIRST: &[u8] = b"Subject: first\r\n\r\nfirst\r\n";
const SECOND: &[u8] = b"Subject: second\r\n\r\nsecond\r\n";
const KEYWORDS: [&[&str]; 2] = [PIPELINING, ONE_BY_ONE];

/// A gatepost before both, which have answered its own question.
fn gate(servers: [&Backend; 2], adjust: impl Fn(&mut Settings)) -> Gate {
    let addresses = servers.map(|server| server.address);
    let gate = Gate::start(addresses[0], |config| behind(&addresses, config, adjust));
    servers.iter().for_each(|server| server.probed());
    gate
}

fn behind(addresses: &[SocketAddr], config: &mut Config, adjust: impl Fn(&mut Settings)) {
    for backend in config.backend.values_mut() {
        backend.address = addresses.to_vec();
        adjust(backend);
    }
}

fn good(keywords: &'static [&'static str]) -> Backend {
    Backend::start(keywords, vec![Script::new(keywords)])
}

/// Checks the invariants over both servers, and how many connections each had.
#[track_caller]
fn conclude(servers: [&Backend; 2], connections: [usize; 2], gate: Gate, sent: &[Sent]) {
    servers.iter().for_each(|server| server.release());
    let seen = [0, 1].map(|one| servers[one].ended(connections[one]));
    assert_eq!(seen.each_ref().map(Vec::len), connections, "{seen:#?}");
    check(sent, &seen.concat());
    gate.stop(1);
}

fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// What can go wrong at any stage.
fn troubles() -> Vec<Act> {
    vec![
        Act::Close,
        Act::Reset,
        Act::SayAndClose(bytes("421 4.3.2 going down\r\n")),
        Act::Say(bytes("nonsense\r\n")),
        Act::SayAndClose(bytes("250 half a rep")),
        Act::Hold,
    ]
}

/// The first server fails, the second has both messages.
#[track_caller]
fn moved(stage: Stage, act: &Act, keywords: &'static [&'static str]) {
    let spoilt = Script::new(keywords).with(stage, act.clone());
    let first = Backend::start(keywords, vec![spoilt]);
    let second = good(keywords);
    let gate = gate([&first, &second], |timers| {
        timers.connect_timeout = Duration::from_millis(700);
        // Where the greeting is silent this is too long: it is not waited for while there is another server.
        timers.command_timeout = match stage {
            Stage::Mail | Stage::Rcpt => Duration::from_millis(700),
            _ => timers.command_timeout,
        };
    });
    let mut client = Client::greeted(gate.address);
    client.open("first@example.com");
    client.message(FIRST).expect(TAKEN);
    client.open("second@example.com");
    client.message(SECOND).expect(TAKEN);
    let sent = client.quit(false);
    conclude([&first, &second], [1, 1], gate, &sent);
}

#[test]
fn before_the_first_recipients_reply_another_server_has_it() {
    std::thread::scope(|scope| {
        for stage in [Stage::Greeting, Stage::Ehlo, Stage::Mail, Stage::Rcpt] {
            scope.spawn(move || {
                for act in troubles() {
                    for keywords in KEYWORDS {
                        moved(stage, &act, keywords);
                    }
                }
            });
        }
    });
}

#[test]
fn a_server_that_refuses_sessions_is_passed_over() {
    for refusal in [
        "554 5.3.2 no\r\n",
        "451 4.3.2 later\r\n",
        "421 4.3.2 too many connections\r\n",
    ] {
        for stage in [Stage::Greeting, Stage::Ehlo] {
            moved(stage, &Act::Say(bytes(refusal)), PIPELINING);
        }
    }
}

/// A server's own word on the mail is no failure.
#[test]
fn a_verdict_stands() {
    for stage in [Stage::Mail, Stage::Rcpt] {
        for verdict in ["452 4.3.1 disk full\r\n", "550 5.7.1 never\r\n"] {
            let script = Script::new(PIPELINING).with(stage, Act::Say(bytes(verdict)));
            let (first, second) = (Backend::start(PIPELINING, vec![script]), good(PIPELINING));
            let gate = gate([&first, &second], |_| ());
            let mut client = Client::greeted(gate.address);
            client.mail();
            client.rcpt("user@example.com").expect(verdict.trim_end());
            let sent = client.quit(false);
            conclude([&first, &second], [1, 0], gate, &sent);
        }
    }
}

/// The client counts on what the server said: 4xx, and the next transaction has the other server.
#[test]
fn behind_it_the_client_is_told() {
    for (stage, when) in [
        (Stage::Rcpt, 1..2),
        (Stage::Data, 0..1),
        (Stage::Body, 0..1),
        (Stage::Dot, 0..1),
    ] {
        for act in troubles() {
            let spoilt = Script::new(PIPELINING)
                .with(stage, act.clone())
                .when(when.clone());
            let (first, second) = (Backend::start(PIPELINING, vec![spoilt]), good(PIPELINING));
            let gate = gate([&first, &second], |timers| {
                let short = Duration::from_millis(700);
                timers.command_timeout = short;
                timers.data_initiation_timeout = short;
                timers.final_reply_timeout = short;
            });
            let mut client = Client::greeted(gate.address);
            client.open("first@example.com");
            let mut reply = client.rcpt("another@example.com");
            if reply.class() == '2' {
                reply = client.command("DATA");
            }
            if reply.class() == '3' {
                client.body(&FIRST[..10]);
                if stage == Stage::Body && !matches!(act, Act::Hold) {
                    first.acted(1);
                }
                client.body(&FIRST[10..]);
                client.end();
                reply = client.verdict();
            }
            let case = format!("{stage:?} {act:?}: {reply:?}");
            // One that holds in the body and then goes on has taken the message.
            if (stage, matches!(act, Act::Hold)) == (Stage::Body, true) {
                first.release();
            } else {
                assert_eq!(reply.class(), '4', "{case}");
            }
            if reply.0[0].starts_with("421") {
                let sent = client.quit(true);
                conclude([&first, &second], [1, 0], gate, &sent);
                continue;
            }
            let here = reply.class() == '2';
            client.command("RSET").expect("250");
            client.open("second@example.com");
            client.message(SECOND).expect(TAKEN);
            let sent = client.quit(false);
            conclude([&first, &second], [1, usize::from(!here)], gate, &sent);
        }
    }
}

#[test]
fn when_all_fail_the_client_is_told_once() {
    let close = |stage| vec![Script::new(PIPELINING).with(stage, Act::Close)];
    for (one, other) in [
        (Stage::Greeting, Stage::Mail),
        (Stage::Rcpt, Stage::Ehlo),
        (Stage::Mail, Stage::Rcpt),
    ] {
        let first = Backend::start(PIPELINING, close(one));
        let second = Backend::start(PIPELINING, close(other));
        let gate = gate([&first, &second], |_| ());
        let mut client = Client::greeted(gate.address);
        client.mail();
        client.rcpt("user@example.com").expect("451 4.4.2");
        client.rcpt("another@example.com").expect("451 4.4.2");
        client.command("DATA").expect("503");
        let sent = client.quit(false);
        conclude([&first, &second], [1, 1], gate, &sent);
    }
}

/// A connection kept from the transaction before is replaced by any server's.
#[test]
fn a_stale_connection_is_replaced_elsewhere() {
    let taken = Act::SayAndClose(bytes("250 2.0.0 taken\r\n"));
    let scripts = vec![
        Script::new(PIPELINING).with(Stage::Dot, taken),
        Script::new(PIPELINING).with(Stage::Greeting, Act::Close),
    ];
    let (first, second) = (Backend::start(PIPELINING, scripts), good(PIPELINING));
    let gate = gate([&first, &second], |_| ());
    let mut client = Client::greeted(gate.address);
    client.open("first@example.com");
    client.message(FIRST).expect(TAKEN);
    client.open("second@example.com");
    client.message(SECOND).expect(TAKEN);
    let sent = client.quit(false);
    conclude([&first, &second], [2, 1], gate, &sent);
}

/// Each has as many as the other, and one that nobody is there for none; when it is back it has its share.
#[test]
fn sessions_are_spread_over_those_that_are_there() {
    let (held, address) = nowhere();
    let second = good(PIPELINING);
    let addresses = [address, second.address];
    let gate = Gate::start(addresses[0], |config| behind(&addresses, config, |_| ()));
    second.probed();
    let open = || {
        let mut client = Client::greeted(gate.address);
        client.open("user@example.com");
        client
    };
    let mut clients: Vec<Client> = (0..2).map(|_| open()).collect();
    assert_eq!(second.connections(), 2);

    held.listen(128).unwrap();
    let first = Backend::start_on(
        TcpListener::from(held),
        Script::new(PIPELINING),
        vec![Script::new(PIPELINING)],
    );
    first.probed();
    // Its answer is known a moment after it has given it: until then the other one has the sessions.
    while first.connections() < second.connections() {
        clients.push(open());
    }
    let all = clients.len();
    let sent: Vec<Sent> = clients
        .into_iter()
        .flat_map(|client| client.quit(false))
        .collect();
    let mut seen = first.ended(1);
    seen.extend(second.ended(2));
    check(&sent, &seen);
    gate.stop(all);
}
