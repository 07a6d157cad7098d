//! A backend that hangs: its clients do not wait one after the other, and that it is back is found out, by one of them or by
//! gatepost's own question.

use std::thread;
use std::time::Duration;

use gatepost::config::Config;

use crate::backend::{Act, Backend, PIPELINING, Script, Stage};
use crate::client::{Client, Leave, Reply, Sent};
use crate::gate::{Gate, check};

const DOWN: &str = "451 4.3.2 The mail system behind this gate is not available";

fn scene(scripts: Vec<Script>, timeout: Duration) -> (Backend, Gate) {
    let backend = Backend::start(PIPELINING, scripts);
    let adjust = |config: &mut Config| {
        config.limits.commands_without_mail = u32::MAX;
        for backend in config.backend.values_mut() {
            backend.greeting_timeout = timeout;
            backend.command_timeout = timeout;
        }
    };
    let gate = Gate::start(backend.address, adjust);
    backend.probed();
    (backend, gate)
}

fn script(stage: Stage, act: Act) -> Script {
    Script::new(PIPELINING).with(stage, act)
}

/// Has been told that the backend is down: tries again and again until it is `enough`.
fn try_until(client: &mut Client, mut enough: impl FnMut(&Reply) -> bool) {
    loop {
        client.sent.pop();
        client.command("RSET").expect("250");
        client.mail();
        if enough(&client.rcpt("user@example.com")) {
            return;
        }
        // Not so often that the session has its share.
        thread::sleep(Duration::from_millis(50));
    }
}

/// Tries until a recipient is taken; then goes.
fn until_taken(mut client: Client) -> Vec<Sent> {
    try_until(&mut client, |reply| reply.class() == '2');
    client.quit(false)
}

/// Silent where it should greet, or after EHLO.
#[test]
fn one_client_finds_out_and_the_others_are_told_at_once() {
    for stage in [Stage::Greeting, Stage::Ehlo] {
        let (backend, gate) = scene(vec![script(stage, Act::Hold)], Duration::from_secs(1));
        backend.keep_silent();
        let mut first = Client::greeted(gate.address);
        first.mail();
        first.rcpt("user@example.com").expect(DOWN);
        let mut second = Client::greeted(gate.address);
        second.mail();
        second.rcpt("user@example.com").expect(DOWN);
        backend.sees("one connection", |seen| seen.len() == 1);

        let trying = thread::spawn(move || until_taken(first));
        backend.sees("another connection", |seen| seen.len() > 1);
        second.command("RSET").expect("250");
        second.mail();
        second.rcpt("user@example.com").expect(DOWN);
        backend.sees("no third connection", |seen| seen.len() == 2);
        backend.release();
        let mut sent = trying.join().unwrap();

        second.command("RSET").expect("250");
        second.open("user@example.com");
        sent.extend(second.quit(false));
        check(&sent, &backend.ended(3));
        gate.stop(2);
    }
}

/// Whoever finds out and meets trouble of another kind does not leave the others waiting for the longest pause.
#[test]
fn a_probe_that_fails_otherwise_is_followed_by_the_next() {
    for act in [
        Act::Say(b"421 4.3.2 too many connections\r\n".to_vec()),
        Act::Close,
        Act::Reset,
        Act::Say(b"nonsense\r\n".to_vec()),
        Act::Say(b"554 5.3.2 no\r\n".to_vec()),
    ] {
        let scripts = vec![
            script(Stage::Greeting, Act::Hold),
            script(Stage::Greeting, act),
            Script::new(PIPELINING),
        ];
        let (backend, gate) = scene(scripts, Duration::from_millis(100));
        backend.keep_silent();
        let mut first = Client::greeted(gate.address);
        first.mail();
        first.rcpt("user@example.com").expect(DOWN);
        // A 421 ends its session, as it would at the backend.
        let mut second = Client::greeted(gate.address);
        second.mail();
        second.rcpt("user@example.com").expect(DOWN);
        try_until(&mut second, |_| backend.connections() > 1);
        let mut sent = second.leave(Leave::Rst);
        sent.extend(until_taken(first));
        backend.release();
        check(&sent, &backend.ended(3));
        gate.stop(2);
    }
}

/// How long the client's own attempt takes may be up to that client: gatepost asks by itself, and the others have their mail.
#[test]
fn a_slow_session_does_not_keep_the_others_out() {
    let down = Act::Say(b"503 5.5.1 no\r\n".to_vec());
    let scripts = vec![
        script(Stage::Ehlo, down),
        script(Stage::Greeting, Act::Hold),
        Script::new(PIPELINING),
    ];
    let (backend, gate) = scene(scripts, Duration::from_secs(60));
    let mut first = Client::greeted(gate.address);
    first.mail();
    first.rcpt("user@example.com").expect(DOWN);
    let mut second = Client::greeted(gate.address);
    second.mail();
    let mut sent = thread::scope(|scope| {
        // Its next attempt hangs.
        let hanging = scope.spawn(|| until_taken(first));
        backend.sees("another connection", |seen| seen.len() > 1);
        let mut sent = until_taken(second);
        backend.release();
        sent.extend(hanging.join().unwrap());
        sent
    });
    sent.retain(|sent| !sent.accepted.is_empty());
    check(&sent, &backend.ended(3));
    gate.stop(2);
}

/// A client that the backend is not told of finds nothing out, and keeps nobody from it.
#[test]
fn a_client_that_may_not_be_named_is_no_probe() {
    let scripts = vec![script(Stage::Greeting, Act::Hold), Script::new(PIPELINING)];
    let (backend, gate) = scene(scripts, Duration::from_millis(100));
    backend.keep_silent();
    let mut first = Client::greeted(gate.address);
    first.mail();
    first.rcpt("user@example.com").expect(DOWN);
    let mut local = Client::greeted_as(gate.address, "127.0.0.1");
    local.mail();
    local.rcpt("user@example.com").expect(DOWN);
    try_until(&mut local, |reply| reply.0[0].starts_with("451 4.3.5 "));

    let mut sent = local.quit(false);
    sent.extend(until_taken(first));
    backend.release();
    check(&sent, &backend.ended(2));
    gate.stop(2);
}
