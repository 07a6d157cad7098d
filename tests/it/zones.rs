//! Zones that are tested by their test entries (RFC 5782 §5): healthy, listing everything, dead, refusing, and a real one.
//!
//! No test sleeps: the clock is moved.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use gatepost::checks::Lists;
use gatepost::cli::demo::dns::{Control, Manner, Server, Transport, Zone};
use gatepost::facts::{DnsAnswer, Failure, RecordType, Source};
use gatepost::gather::memory::Remembrance;
use gatepost::gather::{self, Fitness, Gather, Standing};
use gatepost::store;
use tokio::runtime::Runtime;

use crate::gather::{ask, failed, gather, patient, serve};
use crate::house::House;
use crate::support::client::Client;
use crate::support::gatepost::{Gatepost, Setup};
use crate::support::{process, rbldnsd, wait};

/// Its key is asked for and never shown.
const ASKED: &str = "key4711.bl.test";
const SHOWN: &str = "bl.test";
const MUST: &str = "2.0.0.127.key4711.bl.test";
const MUST_NOT: &str = "1.0.0.127.key4711.bl.test";
const CLIENT: &str = "77.2.0.192.key4711.bl.test";
const LISTING: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn zone(listed: &[&str], answer: Ipv4Addr) -> Zone {
    let mut zone = Zone::new();
    for name in listed {
        zone.add_address(name, answer.into());
    }
    zone
}

async fn watch(gather: &Gather, lists: Lists) {
    let zones = vec![
        gather::Zone::new(ASKED, SHOWN, lists),
        gather::Zone::new("other.test", "other.test", Lists::Addresses),
    ];
    gather.watch_zones(zones).await;
}

fn standing(gather: &Gather) -> Standing {
    let health = gather.health();
    assert!(!format!("{health:?}{gather:?}").contains("key4711"));
    health.zones[0].clone()
}

fn says(gather: &Gather) -> (&'static str, &'static str) {
    let standing = standing(gather);
    (standing.state(), standing.reason())
}

async fn after(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

async fn client(gather: &Gather) -> (DnsAnswer, Source) {
    ask(gather, CLIENT, RecordType::A).await
}

fn asked(control: &Control) -> [u64; 2] {
    [MUST, MUST_NOT].map(|name| control.asked(name, Transport::Udp))
}

#[tokio::test]
async fn a_healthy_zone_is_tested_at_once_and_every_ten_minutes() {
    let control = serve(zone(&[MUST, CLIENT], LISTING)).await;
    let gather = patient(control.address());
    watch(&gather, Lists::Addresses).await;
    assert_eq!(says(&gather), ("up", "untested"));

    gather.test_zones().await;
    assert_eq!(says(&gather), ("up", "tested"));
    assert!(standing(&gather).tested.unwrap() < Duration::from_secs(60));
    gather.test_zones().await;
    after(500).await;
    gather.test_zones().await;
    assert_eq!(asked(&control), [1, 1], "no test is due");
    after(100).await;
    gather.test_zones().await;
    assert_eq!(asked(&control), [2, 2], "memory is not asked");
    assert_eq!(client(&gather).await.0.a().count(), 1);
}

#[tokio::test]
async fn a_zone_that_lists_everything_is_suspended_until_it_is_mended() {
    for (lists, must_not) in [
        (Lists::Addresses, MUST_NOT),
        (Lists::Names, "invalid.key4711.bl.test"),
    ] {
        let control = serve(zone(&[must_not, CLIENT], LISTING)).await;
        let gather = patient(control.address());
        watch(&gather, lists).await;
        assert_eq!(client(&gather).await.0.a().count(), 1);

        gather.test_zones().await;
        assert_eq!(says(&gather), ("suspended", "lists_everything"));
        let suspended = (failed(Failure::Suspended), Source::Live);
        assert_eq!(client(&gather).await, suspended, "nor from memory");
        let other = ask(&gather, "77.2.0.192.other.test", RecordType::A).await;
        assert_eq!(other.0, DnsAnswer::NoName, "the other zone goes on");

        control.change(|zone| {
            zone.remove(must_not);
            zone.remove(CLIENT);
        });
        after(30).await;
        gather.test_zones().await;
        assert_eq!(says(&gather), ("up", "no_test_entry"));
        let mended = (DnsAnswer::NoName, Source::Live);
        assert_eq!(client(&gather).await, mended, "the listing is forgotten");
    }
}

#[tokio::test]
async fn an_answer_that_comes_after_the_suspension_does_not_count() {
    let control = serve(zone(&[MUST_NOT, CLIENT], LISTING)).await;
    control.treat(CLIENT, Manner::Hold);
    let gather = patient(control.address());
    watch(&gather, Lists::Addresses).await;
    let question = gatepost::facts::Question::Dns {
        name: gatepost::facts::DnsName::new(CLIENT),
        kind: RecordType::A,
    };
    let asking = gather::Answerer::ask(&*gather, &question);
    gather.test_zones().await;
    control.release(CLIENT);
    let answer = gatepost::facts::Answer::Dns(failed(Failure::Suspended));
    assert_eq!(asking.await.0, answer);
    assert_eq!(gather.health().kept, 0);
}

#[tokio::test]
async fn a_dead_zone_is_suspended_by_its_breaker_and_not_by_one_silence() {
    let control = serve(zone(&[MUST], LISTING)).await;
    control.treat(MUST_NOT, Manner::Drop);
    let gather = gather(control.address(), Duration::from_millis(100));
    watch(&gather, Lists::Addresses).await;
    for round in 1..=5 {
        gather.test_zones().await;
        let state = if round < 5 { "failing" } else { "suspended" };
        assert_eq!(says(&gather), (state, "no_answer"), "{round}");
        assert_eq!(standing(&gather).failed, round, "one silence for each test");
        after(30).await;
    }
    control.release(MUST_NOT);
    gather.test_zones().await;
    assert_eq!(says(&gather), ("up", "tested"));
}

#[tokio::test]
async fn a_zone_that_refuses_this_resolver_is_suspended() {
    let code = Ipv4Addr::new(127, 255, 255, 254);
    for name in [MUST, MUST_NOT] {
        let control = serve(zone(&[name], code)).await;
        let gather = patient(control.address());
        watch(&gather, Lists::Addresses).await;
        gather.test_zones().await;
        assert_eq!(says(&gather), ("suspended", "error_code"));
        assert_eq!(standing(&gather).fitness, Fitness::Wrong(code));
        assert_eq!(standing(&gather).trouble, 1);
        assert_eq!(client(&gather).await.0, failed(Failure::Suspended));
    }
}

/// A gatherer that begins now and remembers what one before it has kept.
async fn restarted(server: SocketAddr, memory: &Remembrance) -> std::sync::Arc<Gather> {
    let gather = gather(server, Duration::from_millis(500));
    gather.remember_with(memory.clone());
    watch(&gather, Lists::Addresses).await;
    gather
}

#[tokio::test]
async fn what_a_test_has_shown_holds_after_a_restart_until_the_next() {
    let (store, keeper) = store::open(None, 1000);
    let keeper = std::thread::spawn(move || keeper.run());
    let memory = Remembrance::new(
        std::sync::Arc::new(store),
        std::sync::Arc::new(|| 1_800_000_000),
    );
    let control = serve(zone(&[MUST, MUST_NOT, CLIENT], LISTING)).await;
    let first = restarted(control.address(), &memory).await;
    first.test_zones().await;
    assert_eq!(says(&first), ("suspended", "lists_everything"));

    let second = restarted(control.address(), &memory).await;
    assert_eq!(says(&second), ("suspended", "lists_everything"));
    assert_eq!(standing(&second).tested, None, "not by this one");
    assert_eq!(client(&second).await.0, failed(Failure::Suspended));
    control.change(|zone| zone.remove(MUST_NOT));
    second.test_zones().await;
    assert_eq!(says(&second), ("up", "tested"));
    assert_eq!(
        says(&*restarted(control.address(), &memory).await),
        ("up", "tested")
    );

    control.treat(MUST_NOT, Manner::Drop);
    for _ in 0..5 {
        after(600).await;
        second.test_zones().await;
    }
    assert_eq!(says(&second), ("suspended", "no_answer"));
    let third = restarted(control.address(), &memory).await;
    assert_eq!(
        says(&third),
        ("suspended", "no_answer"),
        "nobody waits for it"
    );
    control.release(MUST_NOT);
    third.test_zones().await;
    assert_eq!(says(&third), ("up", "tested"));
    drop((first, second, third, memory));
    keeper.join().unwrap();
}

#[test]
fn nobody_is_refused_for_a_zone_that_lists_everything() {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::bind_loopback(zone(
        &[MUST, MUST_NOT, CLIENT],
        LISTING,
    )));
    let server = server.unwrap();
    let control = server.control();
    runtime.spawn(server.serve());
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, process::free_tcp_port()));
    let mut setup = Setup::new(nobody, control.address());
    setup.checks = format!(
        "[policy.default.checks.dnsbl]\n\
         zones = [{{ zone = \"{ASKED}\", name = \"{SHOWN}\", points = 5 }}]\n"
    );
    let gatepost = Gatepost::start(&setup);
    gatepost.logged(&[SHOWN, "it lists everything"]);

    let mut client = Client::greeted(gatepost.proxied(), "192.0.2.77");
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").transient();
    client.command("QUIT").expect(221);
    let record = gatepost.recorded(&["192.0.2.77"]).to_string();
    assert!(record.contains("suspended"), "{record}");
    assert!(!record.contains("key4711"), "{record}");
    assert!(!gatepost.log().contains("key4711"), "{}", gatepost.log());
    assert_eq!(control.asked(CLIENT, Transport::Udp), 0);
}

#[test]
fn a_real_list_passes_its_test() {
    let house = House::start();
    for zone in [rbldnsd::ZONE, rbldnsd::POLICY_ZONE] {
        let name = format!("2.0.0.127.{zone}");
        let tested = || (house.rbldnsd.asked(&name, "A") == 1).then_some(());
        assert!(wait::until(tested).is_some(), "{zone} is tested");
    }
    let mut client = Client::greeted(house.gatepost.proxied(), rbldnsd::LISTED);
    client.command("MAIL FROM:<sender@example.net>").expect(250);
    client.command("RCPT TO:<user@example.com>").expect(550);
    let log = house.gatepost.log();
    assert!(
        !log.contains("suspended") && !log.contains("test entry"),
        "{log}"
    );
}
