//! Which socket is whose: by its address, by its name, or opened; and what stays over a reload.

use std::path::Path;

use super::*;
use crate::config::{Layers, from_layers};

fn snapshot(listeners: &str) -> Snapshot {
    let text = format!(
        "hostname = \"mx.example.com\"\n{listeners}\n[backend.store]\naddress = \"127.0.0.1:9\"\n"
    );
    let layers = Layers {
        file: Some((Path::new("g.toml"), &text)),
        ..Layers::default()
    };
    from_layers(&layers).unwrap()
}

/// Sockets with these names, as they would be passed.
fn passed(names: &[&str]) -> (Passed, Vec<SocketAddr>) {
    let one = |name: &&str| {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        ready(Some(socket), (*name).to_owned()).unwrap()
    };
    let sockets: Vec<PassedSocket> = names.iter().map(one).collect();
    let addresses = sockets.iter().map(|passed| passed.address).collect();
    let passed = Passed {
        sockets,
        troubles: Vec::new(),
    };
    (passed, addresses)
}

fn origins(opened: &[Open]) -> Vec<(&str, SocketAddr, Origin)> {
    let one = |open: &'_ Open| (open.address, open.origin);
    let names = opened.iter().map(|open| open.wanted.listener.as_str());
    let rest = opened.iter().map(one);
    names
        .zip(rest)
        .map(|(name, (address, origin))| (name, address, origin))
        .collect()
}

#[test]
fn an_address_goes_before_a_name_and_both_before_a_socket_of_ones_own() {
    let (passed, at) = passed(&["gatepost.socket", "smtps", "smtps", "stray"]);
    let snapshot = snapshot(&format!(
        "[listen.mx]\naddress = [\"{}\", \"127.0.0.1:0\"]\nbackend = \"store\"\n\
         [listen.smtps]\naddress = [\"127.0.0.2:0\", \"127.0.0.3:0\"]\nbackend = \"store\"\n",
        at[0]
    ));
    let opened = listeners(&snapshot, &passed, &[]).unwrap();
    let own = opened[1].address;
    assert_eq!(
        origins(&opened),
        [
            ("mx", at[0], Origin::Passed),
            ("mx", own, Origin::Own),
            ("smtps", at[1], Origin::PassedByName),
            ("smtps", at[2], Origin::PassedByName),
        ]
    );
    assert_eq!(passed.unused(&snapshot.config), [at[3]]);

    // The same again wants nothing more, and keeps all of it.
    let have: Vec<(Wanted, Origin)> = opened
        .iter()
        .map(|open| (open.wanted.clone(), open.origin))
        .collect();
    assert!(listeners(&snapshot, &passed, &have).unwrap().is_empty());
    for (had, origin) in &have {
        assert!(served(&snapshot.config, had, *origin).is_some(), "{had:?}");
    }
}

/// A listener that comes back has its socket again; no other could open it.
#[test]
fn what_was_passed_is_lent_and_lent_again() {
    let (passed, at) = passed(&["gatepost.socket"]);
    let wanting = format!(
        "[listen.mx]\naddress = \"{}\"\nbackend = \"store\"\n",
        at[0]
    );
    let wanting = snapshot(&wanting);
    let other = snapshot("[listen.mx]\naddress = \"127.0.0.1:0\"\nbackend = \"store\"\n");
    let first = listeners(&wanting, &passed, &[]).unwrap();
    assert!(served(&other.config, &first[0].wanted, first[0].origin).is_none());
    assert_eq!(passed.unused(&other.config), at);
    drop(first);
    let again = listeners(&wanting, &passed, &[]).unwrap();
    assert_eq!(origins(&again), [("mx", at[0], Origin::Passed)]);
}

/// Any port is a listener's own; a written one is its address whatever the name.
#[test]
fn a_listener_with_another_name_keeps_an_address_that_is_written() {
    let wanted = |listener: &str, address: &str| Wanted {
        listener: listener.to_owned(),
        address: address.parse().unwrap(),
    };
    for (one, other, same) in [
        (("a", "127.0.0.1:25"), ("b", "127.0.0.1:25"), true),
        (("a", "127.0.0.1:0"), ("a", "127.0.0.1:0"), true),
        (("a", "127.0.0.1:0"), ("b", "127.0.0.1:0"), false),
        (("a", "127.0.0.1:25"), ("a", "127.0.0.1:26"), false),
        (("a", "0.0.0.0:25"), ("a", "[::]:25"), false),
    ] {
        let (one, other) = (wanted(one.0, one.1), wanted(other.0, other.1));
        assert_eq!(one.is_served_by(&other), same, "{one:?} {other:?}");
    }
}

#[test]
fn a_socket_that_does_not_listen_is_of_no_use() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let error = ready(Some(socket.into()), "mx".to_owned()).unwrap_err();
    assert!(error.to_string().contains("does not listen"), "{error}");
}
