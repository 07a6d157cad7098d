//! Tests of what is known of a backend: which server is next, which are down, how many places there are.

use super::server::FIRST_PAUSE;
use super::*;
use tokio::time::Instant;

fn upstream(max_connections: usize, servers: u16) -> Upstream {
    let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let backend = config::Backend {
        max_connections,
        address: (1..=servers).map(address).collect(),
        // Without it nothing is used before it was tested.
        allow_open_backend: true,
        ..config::Backend::default()
    };
    Upstream::new("exim", backend)
}

/// The port of the next server, given the ports of those that were tried.
fn next(upstream: &Upstream, tried: &[u16]) -> Option<u16> {
    seat(upstream, tried).map(|seat| seat.server().address.port())
}

fn seat(upstream: &Upstream, tried: &[u16]) -> Option<Seat> {
    let tried: Vec<_> = tried
        .iter()
        .map(|port| SocketAddr::from(([127, 0, 0, 1], *port)))
        .collect();
    upstream.choose(&tried)
}

fn silent() -> Trouble {
    Trouble::Silent("greet")
}

fn refused() -> Trouble {
    Trouble::Refuses("554 no".to_owned())
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_one_at_a_time_finds_out() {
    let upstream = upstream(9, 1);
    let server = &upstream.servers()[0];
    assert_eq!(server.standing().up, None);
    assert!(next(&upstream, &[]).is_some() && next(&upstream, &[]).is_some());
    assert!(server.failed(&silent()), "it goes down");
    assert!(!server.failed(&silent()), "it was down");
    assert_eq!(next(&upstream, &[]), None);
    tokio::time::advance(FIRST_PAUSE).await;
    assert!(next(&upstream, &[]).is_some(), "the probe");
    assert_eq!(next(&upstream, &[]), None, "the others are told at once");
    server.failed(&silent());
    tokio::time::advance(FIRST_PAUSE).await;
    assert_eq!(next(&upstream, &[]), None, "twice as long");
    tokio::time::advance(FIRST_PAUSE).await;
    assert!(next(&upstream, &[]).is_some());
    let (down, why) = server.standing().down.unwrap();
    assert_eq!(down, 4 * FIRST_PAUSE - FIRST_PAUSE);
    assert!(why.contains("did not greet in time"), "{why}");
    assert!(server.answered(Extensions::default()), "it was down");
    assert!(!server.answered(Extensions::default()), "no news");
    assert_eq!(server.standing().up, Some(true));
    assert!(next(&upstream, &[]).is_some() && next(&upstream, &[]).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_never_heard_of_again_makes_room_for_the_next() {
    let upstream = upstream(9, 1);
    upstream.servers()[0].failed(&silent());
    tokio::time::advance(FIRST_PAUSE).await;
    assert!(next(&upstream, &[]).is_some());
    tokio::time::advance(upstream.backend.greeting_timeout).await;
    assert!(next(&upstream, &[]).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_found_another_trouble_makes_room_at_once() {
    let upstream = upstream(9, 1);
    let server = &upstream.servers()[0];
    server.failed(&refused());
    assert!(next(&upstream, &[]).is_some() && next(&upstream, &[]).is_some());
    server.failed(&silent());
    server.failed(&refused());
    assert_eq!(next(&upstream, &[]), None, "that was no probe");
    tokio::time::advance(FIRST_PAUSE).await;
    assert!(next(&upstream, &[]).is_some());
    server.failed(&refused());
    assert!(next(&upstream, &[]).is_some(), "the next probe");
    assert_eq!(next(&upstream, &[]), None, "and only that");
}

#[tokio::test(start_paused = true)]
async fn the_one_with_the_fewest_connections_is_next() {
    let upstream = upstream(9, 3);
    let first = seat(&upstream, &[]).unwrap();
    let _second = seat(&upstream, &[]).unwrap();
    let _third = seat(&upstream, &[]).unwrap();
    let ports = upstream.servers().iter().map(|one| one.standing());
    assert!(ports.map(|one| one.connections).eq([1, 1, 1]));
    assert_eq!(next(&upstream, &[]), Some(1));
    assert_eq!(next(&upstream, &[1]), Some(2));
    assert_eq!(next(&upstream, &[1, 2, 3]), None);
    drop(first);
    let _fourth = seat(&upstream, &[]).unwrap();
    let _fifth = seat(&upstream, &[]).unwrap();
    assert_eq!(next(&upstream, &[]), Some(2));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_down_is_left_alone_while_another_is_up() {
    let upstream = upstream(9, 2);
    upstream.servers()[0].failed(&silent());
    tokio::time::advance(100 * FIRST_PAUSE).await;
    let _held = seat(&upstream, &[]).unwrap();
    assert_eq!(next(&upstream, &[]), Some(2), "however busy");
    assert_eq!(next(&upstream, &[2]), None);
    assert_eq!((upstream.left(&[]), upstream.answers()), (1, Some(false)));
    upstream.servers()[1].failed(&silent());
    assert_eq!(next(&upstream, &[]), Some(1), "all are down");
    assert_eq!(next(&upstream, &[]), None, "somebody finds out");
    tokio::time::advance(FIRST_PAUSE).await;
    assert_eq!(next(&upstream, &[]), Some(2));
    upstream.servers()[0].answered(Extensions::default());
    assert_eq!(next(&upstream, &[]), Some(1));
    assert_eq!(upstream.answers(), Some(true));
}

/// Its name is the client's own choice.
#[tokio::test(start_paused = true)]
async fn one_that_refused_a_name_is_asked_like_any_other() {
    let upstream = upstream(9, 2);
    let name = Trouble::RefusesName("550 who is that".to_owned());
    upstream.servers()[0].failed(&name);
    assert!(!upstream.servers()[0].is_in_trouble());
    assert_eq!(next(&upstream, &[]), Some(1));
    assert!(name.is_the_servers(), "another may take it all the same");
}

/// How long a server takes to greet may be up to one client, where it looks up the client's name first.
#[tokio::test(start_paused = true)]
async fn one_that_was_not_waited_for_is_asked_last_and_not_down() {
    let upstream = upstream(9, 2);
    let server = &upstream.servers()[0];
    assert!(!server.failed(&Trouble::Hurried), "it does not go down");
    assert_eq!(server.standing().down, None);
    assert_eq!(next(&upstream, &[]), Some(2));
    assert_eq!(next(&upstream, &[2]), Some(1));
    server.ask_last(Instant::now() + 60 * FIRST_PAUSE);
    tokio::time::advance(30 * FIRST_PAUSE).await;
    assert_eq!(next(&upstream, &[]), Some(2), "it is being asked");
    server.answered(Extensions::default());
    assert_eq!(next(&upstream, &[]), Some(1));
    server.ask_last(Instant::now() + 60 * FIRST_PAUSE);
    assert_eq!(next(&upstream, &[]), Some(1), "it has answered");
}

/// A refusal may be about one client, who could otherwise take the servers away from all others.
#[tokio::test(start_paused = true)]
async fn one_that_refused_is_asked_last_for_a_while() {
    let upstream = upstream(9, 2);
    upstream.servers()[0].failed(&refused());
    let _held = seat(&upstream, &[]).unwrap();
    assert_eq!(next(&upstream, &[]), Some(2), "however busy");
    assert_eq!(next(&upstream, &[2]), Some(1));
    upstream.servers()[1].failed(&refused());
    assert_eq!(next(&upstream, &[]), Some(1), "both");
    tokio::time::advance(10 * FIRST_PAUSE).await;
    assert_eq!(next(&upstream, &[]), Some(1));
}

#[tokio::test(start_paused = true)]
async fn what_is_offered_is_what_all_have_that_are_up() {
    let upstream = upstream(9, 3);
    assert_eq!(upstream.offered(), Extensions::default());
    let offer = |size, smtputf8| Extensions {
        size: Some(size),
        eight_bit_mime: true,
        smtputf8,
        ..Extensions::default()
    };
    let [one, other, _] = upstream.servers() else {
        panic!("three")
    };
    one.answered(offer(0, true));
    assert_eq!(upstream.offered(), offer(0, true));
    other.answered(offer(1000, false));
    assert_eq!(upstream.offered(), offer(1000, false));
    other.failed(&silent());
    assert_eq!(upstream.offered(), offer(0, true));
    one.failed(&silent());
    assert_eq!(upstream.offered(), offer(1000, false));
}

#[tokio::test(start_paused = true)]
async fn one_that_relays_is_not_used_until_it_does_not() {
    let mut upstream = strict(2);
    let shown = |relaying| Tested {
        relaying,
        seen: SeenAs::Itself,
    };
    let test = |upstream: &Upstream, server: usize, relaying| {
        upstream.tested(&upstream.servers()[server], shown(relaying));
    };
    test(&upstream, 1, Relaying::Refused);
    test(&upstream, 0, Relaying::Open);
    assert_eq!(next(&upstream, &[]), Some(2));
    assert_eq!(next(&upstream, &[2]), None);
    assert!(matches!(upstream.why_none(), Trouble::BacksOff));
    test(&upstream, 1, Relaying::Open);
    assert_eq!(next(&upstream, &[]), None);
    assert!(matches!(upstream.why_none(), Trouble::Relays));
    test(&upstream, 1, Relaying::Unknown);
    assert_eq!(next(&upstream, &[]), None);
    test(&upstream, 1, Relaying::Refused);
    assert_eq!(next(&upstream, &[]), Some(2));
    upstream.backend.allow_open_backend = true;
    test(&upstream, 0, Relaying::Open);
    assert_eq!(next(&upstream, &[]), Some(1));
}

/// A backend that allows nobody to relay.
fn strict(servers: u16) -> Upstream {
    let mut backend = upstream(9, servers).backend;
    backend.allow_open_backend = false;
    Upstream::new("exim", backend)
}

/// Answering is not enough. What a test does not tell is no reason to keep all mail back for ever, and changes nothing.
#[tokio::test(start_paused = true)]
async fn one_that_was_not_tested_is_not_used() {
    let upstream = strict(1);
    let server = &upstream.servers()[0];
    let test = |relaying| {
        let seen = SeenAs::Unsaid;
        upstream.tested(server, Tested { relaying, seen });
        next(&upstream, &[]).is_some()
    };
    server.answered(Extensions::default());
    assert_eq!(next(&upstream, &[]), None);
    assert!(matches!(upstream.why_none(), Trouble::Untested));
    let used = [
        (Relaying::Unknown, true),
        (Relaying::Refused, true),
        (Relaying::Unknown, true),
        (Relaying::Open, false),
        (Relaying::Unknown, false),
        (Relaying::Refused, true),
    ];
    for (relaying, used) in used {
        assert_eq!(test(relaying), used, "{relaying:?}");
    }
    // Away and back: as before, until it was tested anew.
    server.failed(&silent());
    server.answered(Extensions::default());
    assert!(server.wants_test() && next(&upstream, &[]).is_some());
}

/// At first, and when it has been away.
#[tokio::test(start_paused = true)]
async fn when_a_test_is_due() {
    let upstream = upstream(9, 1);
    let server = &upstream.servers()[0];
    assert!(!server.wants_test(), "it has not answered");
    server.answered(Extensions::default());
    assert!(server.wants_test());
    let refused = Tested {
        relaying: Relaying::Refused,
        seen: SeenAs::Unsaid,
    };
    upstream.tested(server, refused);
    server.answered(Extensions::default());
    assert!(!server.wants_test());
    tokio::time::advance(FIRST_PAUSE).await;
    assert_eq!(server.standing().tested, Some((FIRST_PAUSE, refused)));
    server.failed(&silent());
    assert!(!server.wants_test(), "it is down");
    server.answered(Extensions::default());
    assert!(server.wants_test());
}

/// A client in a network of its own.
fn client(network: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, network, 7]))
}

#[tokio::test(start_paused = true)]
async fn one_network_has_two_places_on_sufferance() {
    let upstream = upstream(400, 1);
    let neighbour = |host: u8| upstream.place(Some(IpAddr::from([192, 0, 2, host])));
    let held = [neighbour(1).await.unwrap(), neighbour(2).await.unwrap()];
    assert!(matches!(neighbour(3).await, Err(Trouble::Busy)));
    assert!(upstream.place(client(3)).await.is_ok(), "another network");
    let six = |text: &str| upstream.place(Some(text.parse().unwrap()));
    let _six = [
        six("2001:db8:0:100::1").await.unwrap(),
        six("2001:db8:0:1ff::1").await.unwrap(),
    ];
    assert!(six("2001:db8:0:180::1").await.is_err());
    assert!(six("2001:db8:0:200::1").await.is_ok());
    drop(held);
    assert!(neighbour(3).await.is_ok(), "given back");
}

/// A twentieth, at least two.
#[tokio::test(start_paused = true)]
async fn how_many_places_are_on_sufferance() {
    for (all, few) in [(9, 2), (40, 2), (60, 3), (400, 20)] {
        let upstream = upstream(all, 1);
        let mut held = Vec::new();
        while let Ok(place) = upstream.place(client(held.len() as u8)).await {
            assert!(place.is_on_sufferance());
            held.push(place);
        }
        assert_eq!(held.len(), few, "of {all}");
        held.pop();
        assert!(upstream.place(client(99)).await.is_ok(), "given back");
        assert!(!upstream.place(None).await.unwrap().is_on_sufferance());
    }
}

#[tokio::test(start_paused = true)]
async fn sufferance_does_not_take_the_places_of_others() {
    let upstream = upstream(9, 1);
    let _held = [
        upstream.place(client(1)).await.unwrap(),
        upstream.place(client(2)).await.unwrap(),
    ];
    assert!(matches!(
        upstream.place(client(3)).await,
        Err(Trouble::Busy)
    ));
    let mut others = Vec::new();
    for _ in 0..7 {
        others.push(upstream.place(None).await.unwrap());
    }
    assert!(matches!(upstream.place(None).await, Err(Trouble::Busy)));
    others.pop();
    assert!(upstream.place(None).await.is_ok());
}
