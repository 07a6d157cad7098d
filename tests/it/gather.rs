//! Gathering answers from real DNS servers on loopback: the embedded one, silent ones, and rbldnsd where it is installed.
//!
//! No test sleeps; where a server is to be slow it is held until the test lets it go.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use gatepost::checks::Lists;
use gatepost::cli::demo::dns::{Code, Control, Manner, Server, Transport, Zone};
use gatepost::facts::{
    Answer, DnsAnswer, DnsName, Failure, Millis, Question, RecordData, RecordType, Silence, Source,
};
use gatepost::gather::{self, Answerer, Gather, Settings};

const LISTED: &str = "2.0.0.127.dnsbl.test";

fn zone() -> Zone {
    let mut zone = Zone::new();
    zone.add_address(LISTED, Ipv4Addr::new(127, 0, 0, 2).into());
    zone.add(LISTED, 300, &RecordData::Txt("listed".into()))
        .unwrap();
    zone
}

pub(crate) async fn serve(zone: Zone) -> Control {
    let server = Server::bind_loopback(zone).await.unwrap();
    let control = server.control();
    tokio::spawn(server.serve());
    control
}

pub(crate) fn gather(server: SocketAddr, timeout: Duration) -> Arc<Gather> {
    let settings = Settings {
        servers: vec![server],
        timeout,
        cache_size: 10_000,
    };
    Gather::new(&settings, Arc::new(|task| drop(tokio::spawn(task)))).unwrap()
}

pub(crate) fn patient(server: SocketAddr) -> Arc<Gather> {
    gather(server, Duration::from_secs(20))
}

fn question(name: &str, kind: RecordType) -> Question {
    Question::Dns {
        name: DnsName::new(name),
        kind,
    }
}

pub(crate) async fn ask(gather: &Gather, name: &str, kind: RecordType) -> (DnsAnswer, Source) {
    match gather.ask(&question(name, kind)).await {
        (Answer::Dns(answer), source) => (answer, source),
        (other, _) => panic!("{other:?}"),
    }
}

pub(crate) fn failed(failure: Failure) -> DnsAnswer {
    DnsAnswer::Failed(failure)
}

#[tokio::test]
async fn answers_of_every_type_come_once_over_the_wire_and_then_from_memory() {
    let mut zone = zone();
    let records = [
        (
            "host.test",
            RecordType::Aaaa,
            RecordData::Aaaa("2001:db8::1".parse().unwrap()),
        ),
        (
            "mail.test",
            RecordType::Mx,
            RecordData::Mx(10, "mx.test".into()),
        ),
        ("null.test", RecordType::Mx, RecordData::Mx(0, ".".into())),
        (
            "1.2.0.192.in-addr.arpa",
            RecordType::Ptr,
            RecordData::Ptr("host.test".into()),
        ),
    ];
    for (name, _, data) in &records {
        zone.add(name, 300, data).unwrap();
    }
    let control = serve(zone).await;
    let gather = patient(control.address());
    for (name, kind, data) in records {
        for source in [Source::Live, Source::Cache] {
            let (answer, from) = ask(&gather, name, kind).await;
            assert_eq!(
                answer
                    .records()
                    .iter()
                    .map(|record| &record.data)
                    .collect::<Vec<_>>(),
                [&data]
            );
            assert_eq!(from, source, "{name}");
        }
        assert_eq!(control.asked(name, Transport::Udp), 1);
    }
    let (answer, _) = ask(&gather, LISTED, RecordType::A).await;
    assert_eq!(
        answer.a().collect::<Vec<_>>(),
        [Ipv4Addr::new(127, 0, 0, 2)]
    );
}

#[tokio::test]
async fn names_that_do_not_exist_and_names_without_the_type_are_told_apart_and_remembered() {
    let control = serve(zone()).await;
    let gather = patient(control.address());
    for source in [Source::Live, Source::Cache] {
        assert_eq!(
            ask(&gather, "3.0.0.127.dnsbl.test", RecordType::A).await,
            (DnsAnswer::NoName, source)
        );
        assert_eq!(
            ask(&gather, LISTED, RecordType::Mx).await,
            (DnsAnswer::NoData, source)
        );
        assert_eq!(
            ask(&gather, "dnsbl.test", RecordType::A).await,
            (DnsAnswer::NoData, source)
        );
    }
}

#[tokio::test]
async fn two_hundred_askers_cost_one_packet() {
    let control = serve(zone()).await;
    control.treat(LISTED, Manner::Hold);
    let gather = patient(control.address());
    let asking: Vec<_> = (0..200)
        .map(|_| gather.ask(&question(LISTED, RecordType::A)))
        .collect();
    assert_eq!(gather.health().under_way, 1);
    assert_eq!(gather.health().joined, 199);
    control.release(LISTED);
    for (answer, source) in join_all(asking).await {
        let Answer::Dns(answer) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!((answer.a().count(), source), (1, Source::Live));
    }
    assert_eq!(control.asked(LISTED, Transport::Udp), 1);
}

#[tokio::test]
async fn refusals_are_failures_that_are_remembered() {
    let control = serve(zone()).await;
    let gather = patient(control.address());
    let cases = [
        ("servfail.test", Code::ServFail, Failure::ServFail),
        ("refused.test", Code::Refused, Failure::Refused),
    ];
    for (name, code, failure) in cases {
        control.treat(name, Manner::Refuse(code));
        for source in [Source::Live, Source::Cache] {
            assert_eq!(
                ask(&gather, name, RecordType::A).await,
                (failed(failure), source)
            );
        }
        assert_eq!(control.asked(name, Transport::Udp), 1);
    }
}

#[tokio::test]
async fn a_failure_is_kept_for_half_a_minute() {
    let control = serve(zone()).await;
    control.treat(LISTED, Manner::Refuse(Code::ServFail));
    let gather = patient(control.address());
    assert_eq!(
        ask(&gather, LISTED, RecordType::A).await.0,
        failed(Failure::ServFail)
    );
    control.release(LISTED);
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(29)).await;
    let (_, source) = ask(&gather, LISTED, RecordType::A).await;
    assert_eq!(source, Source::Cache);
    tokio::time::advance(Duration::from_secs(1)).await;
    tokio::time::resume();
    let (answer, source) = ask(&gather, LISTED, RecordType::A).await;
    assert_eq!((answer.a().count(), source), (1, Source::Live));
}

/// A UDP port where nobody reads: the packets pile up in its buffer.
fn silent() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

#[tokio::test]
async fn a_silent_server_and_a_closed_port_fail_within_the_timeout() {
    let silent = silent();
    let closed = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    for server in [silent.local_addr().unwrap(), closed] {
        let timeout = Duration::from_millis(200);
        let gather = gather(server, timeout);
        let start = Instant::now();
        assert_eq!(
            ask(&gather, LISTED, RecordType::A).await,
            (failed(Failure::Timeout), Source::Live)
        );
        assert!(start.elapsed() < timeout * 10, "{:?}", start.elapsed());
        until(|| gather.health().kept == 1).await;
        let again = ask(&gather, LISTED, RecordType::A).await;
        assert_eq!(again, (failed(Failure::Timeout), Source::Cache));
    }
}

#[tokio::test]
async fn a_dead_resolver_is_not_waited_for_after_five_failures() {
    let silent = silent();
    let timeout = Duration::from_millis(100);
    let gather = gather(silent.local_addr().unwrap(), timeout);
    let names = (0..5).map(|number| format!("{number}.test"));
    let questions: Vec<_> = names.map(|name| question(&name, RecordType::A)).collect();
    join_all(questions.iter().map(|question| gather.ask(question))).await;
    until(|| gather.health().resolver.suspended).await;
    let asking = gather.ask(&question("next.test", RecordType::A));
    let answer = asking.now_or_never();
    assert_eq!(
        answer,
        Some((Answer::Dns(failed(Failure::Timeout)), Source::Live))
    );
}

#[tokio::test]
async fn names_that_nobody_answers_are_not_held_against_the_resolver() {
    let control = serve(zone()).await;
    let gather = gather(control.address(), Duration::from_millis(300));
    // As a client would choose them: all in one session, on a host that asks nothing else.
    let names = (0..8).map(|number| format!("{number}.evil{number}.test"));
    let silent = |name: String| {
        control.treat(&name, Manner::Drop);
        question(&name, RecordType::A)
    };
    let questions: Vec<_> = names.map(silent).collect();
    let answers = join_all(questions.iter().map(|question| gather.ask(question)));
    for (answer, _) in answers.await {
        assert_eq!(answer, Answer::Dns(failed(Failure::Timeout)));
    }
    until(|| gather.health().resolver.failed == 8).await;
    until(|| gather.health().resolver.state() == "up").await;
    let (answer, source) = ask(&gather, "next.test", RecordType::A).await;
    assert_eq!((answer, source), (DnsAnswer::NoName, Source::Live));
}

#[tokio::test]
async fn a_failing_zone_is_suspended_alone() {
    let control = serve(zone()).await;
    let gather = patient(control.address());
    let zones = vec![
        gather::Zone::new("key.bad.test", "bad.test", Lists::Addresses),
        gather::Zone::new("dnsbl.test", "dnsbl.test", Lists::Addresses),
    ];
    gather.watch_zones(zones).await;
    for number in 0..5 {
        let name = format!("{number}.key.bad.test");
        control.treat(&name, Manner::Refuse(Code::Refused));
        assert_eq!(
            ask(&gather, &name, RecordType::A).await.0,
            failed(Failure::Refused)
        );
    }
    let (answer, _) = ask(&gather, "6.key.bad.test", RecordType::A).await;
    assert_eq!(answer, failed(Failure::Suspended));
    assert_eq!(control.asked("6.key.bad.test", Transport::Udp), 0);
    assert_eq!(ask(&gather, LISTED, RecordType::A).await.0.a().count(), 1);
    let health = gather.health();
    assert!(health.zones[0].suspended && !health.zones[1].suspended);
    assert_eq!((health.zones[0].failed, health.zones[1].answered), (5, 1));
    assert!(!health.resolver.suspended);
    assert!(!format!("{health:?}{gather:?}").contains("key."));
}

#[tokio::test]
async fn a_late_answer_reaches_the_memory() {
    let control = serve(zone()).await;
    control.treat(LISTED, Manner::Hold);
    // The lookup goes on for as long again after its askers were told.
    let gather = gather(control.address(), Duration::from_secs(2));
    tokio::time::timeout(
        Duration::from_millis(50),
        ask(&gather, LISTED, RecordType::A),
    )
    .await
    .expect_err("the server holds its answer, and the session stops waiting");
    control.release(LISTED);
    until_remembered(&gather).await;
    assert_eq!(control.asked(LISTED, Transport::Udp), 1);
}

#[tokio::test]
async fn an_answer_after_the_timeout_replaces_the_failure() {
    let control = serve(zone()).await;
    control.treat(LISTED, Manner::Hold);
    let gather = gather(control.address(), Duration::from_secs(1));
    let (answer, source) = ask(&gather, LISTED, RecordType::A).await;
    assert_eq!((answer, source), (failed(Failure::Timeout), Source::Live));
    control.release(LISTED);
    until_remembered(&gather).await;
    assert_eq!(gather.health().resolver.failed_in_a_row, 0);
}

/// Lets other tasks run until `done`.
async fn until(done: impl Fn() -> bool) {
    let waiting = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("it is done in the end");
}

/// Asks until the answer comes from memory.
async fn until_remembered(gather: &Gather) {
    let asking = async {
        loop {
            let (answer, source) = ask(gather, LISTED, RecordType::A).await;
            if source == Source::Cache && answer.a().count() == 1 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), asking)
        .await
        .expect("the answer is remembered");
}

#[tokio::test]
async fn a_truncated_answer_is_fetched_over_tcp() {
    let mut zone = zone();
    for number in 0..64 {
        let text = format!("{number:0200}");
        zone.add("large.test", 300, &RecordData::Txt(text.into()))
            .unwrap();
    }
    let control = serve(zone).await;
    control.treat(LISTED, Manner::Truncate);
    let gather = patient(control.address());
    assert_eq!(
        ask(&gather, "large.test", RecordType::Txt)
            .await
            .0
            .txt()
            .count(),
        64
    );
    assert_eq!(ask(&gather, LISTED, RecordType::A).await.0.a().count(), 1);
    for name in ["large.test", LISTED] {
        assert_eq!(control.asked(name, Transport::Udp), 1);
        assert_eq!(control.asked(name, Transport::Tcp), 1);
    }
}

#[tokio::test]
async fn more_than_64_records_are_no_answer() {
    let mut zone = zone();
    for number in 0..65 {
        zone.add_address("crowd.test", Ipv4Addr::new(127, 0, 0, number).into());
    }
    let control = serve(zone).await;
    let gather = patient(control.address());
    assert_eq!(
        ask(&gather, "crowd.test", RecordType::A).await.0,
        failed(Failure::Malformed)
    );
}

#[tokio::test]
async fn texts_are_cleaned() {
    let mut zone = zone();
    zone.add_octets("evil.test", 300, b"a\r\n250 ok\x1b[31m\xff");
    zone.add("long.test", 300, &RecordData::Txt("x".repeat(5000).into()))
        .unwrap();
    for number in 0..5 {
        let text = format!("{number}{}", "x".repeat(4000));
        zone.add("endless.test", 300, &RecordData::Txt(text.into()))
            .unwrap();
    }
    let control = serve(zone).await;
    let gather = patient(control.address());
    let (evil, _) = ask(&gather, "evil.test", RecordType::Txt).await;
    assert_eq!(
        evil.txt().collect::<Vec<_>>(),
        ["a\u{fffd}\u{fffd}250 ok\u{fffd}[31m\u{fffd}"]
    );
    let (long, _) = ask(&gather, "long.test", RecordType::Txt).await;
    assert_eq!(long.txt().collect::<Vec<_>>(), ["x".repeat(4096)]);
    let (endless, _) = ask(&gather, "endless.test", RecordType::Txt).await;
    assert_eq!(endless, failed(Failure::Malformed));
}

#[tokio::test]
async fn aliases_are_followed_but_not_for_ever() {
    let mut zone = zone();
    zone.add_alias("www.test", 300, LISTED).unwrap();
    zone.add_alias("a.test", 300, "b.test").unwrap();
    zone.add_alias("b.test", 300, "a.test").unwrap();
    let control = serve(zone).await;
    let gather = patient(control.address());
    assert_eq!(
        ask(&gather, "www.test", RecordType::A).await.0.a().count(),
        1
    );
    let (aliased, _) = ask(&gather, "www.test", RecordType::A).await;
    assert!(aliased.is_alias());
    assert_eq!(aliased.records()[0].data, RecordData::Cname(LISTED.into()));
    assert_eq!(aliased.records().len(), 2);
    let (plain, _) = ask(&gather, LISTED, RecordType::A).await;
    assert!(!plain.is_alias());
    let (looping, _) = ask(&gather, "a.test", RecordType::A).await;
    assert_eq!(looping.records(), []);
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let control = serve(zone()).await;
    control.treat(LISTED, Manner::Garbage);
    let gather = gather(control.address(), Duration::from_millis(300));
    let (answer, _) = ask(&gather, LISTED, RecordType::A).await;
    assert!(matches!(answer, DnsAnswer::Failed(_)), "{answer:?}");
}

#[tokio::test]
async fn names_that_can_not_be_asked_for_cost_no_packet() {
    let control = serve(zone()).await;
    let gather = patient(control.address());
    let long = "a".repeat(64);
    for name in ["a..b", "with\ttab", long.as_str()] {
        assert_eq!(
            ask(&gather, name, RecordType::A).await.0,
            failed(Failure::Malformed)
        );
    }
    assert_eq!(gather.health().under_way, 0);
}

#[tokio::test]
async fn too_many_lookups_at_one_time_fail_at_once() {
    let silent = silent();
    let gather = gather(silent.local_addr().unwrap(), Duration::from_secs(60));
    let names = (0..4097).map(|number| format!("{number}.test"));
    let questions: Vec<_> = names.map(|name| question(&name, RecordType::A)).collect();
    let mut asking: Vec<_> = questions
        .iter()
        .map(|question| gather.ask(question))
        .collect();
    let last = asking.pop().unwrap();
    assert_eq!(
        last.await,
        (Answer::Dns(failed(Failure::Overload)), Source::Live)
    );
    let health = gather.health();
    assert_eq!((health.under_way, health.overloaded), (4096, 1));
    watch_list(&gather).await;
    let mut listed = gather.ask(&question(LISTED, RecordType::A));
    assert!((&mut listed).now_or_never().is_none(), "lists have room");
    assert_eq!(gather.health().under_way, 4097);
}

async fn watch_list(gather: &Gather) {
    let zone = gather::Zone::new("dnsbl.test", "dnsbl.test", Lists::Addresses);
    gather.watch_zones(vec![zone]).await;
}

/// Questions for names that are answered when the test lets them, or never.
fn held(control: &Control, count: usize) -> Vec<Question> {
    let names = (0..count).map(|number| format!("{number}.held.test"));
    let held = |name: String| {
        control.treat(&name, Manner::Hold);
        question(&name, RecordType::A)
    };
    names.map(held).collect()
}

/// How many of them have reached the server.
fn arrived(control: &Control, count: usize) -> u64 {
    let names = (0..count).map(|number| format!("{number}.held.test"));
    names.map(|name| control.asked(&name, Transport::Udp)).sum()
}

#[tokio::test]
async fn names_that_are_answered_late_do_not_take_the_places_of_lists() {
    const NAMES: usize = 600;
    let control = serve(zone()).await;
    let gather = patient(control.address());
    watch_list(&gather).await;
    let questions = held(&control, NAMES);
    let _asking: Vec<_> = questions
        .iter()
        .map(|question| gather.ask(question))
        .collect();
    until(|| arrived(&control, NAMES) >= 250).await;
    assert_eq!(ask(&gather, LISTED, RecordType::A).await.0.a().count(), 1);
    assert_eq!(arrived(&control, NAMES), 250, "the others wait");
}

#[tokio::test]
async fn a_lookup_that_is_late_has_given_back_its_place() {
    let control = serve(zone()).await;
    // Long enough that the late ones are seen before they end too.
    let gather = gather(control.address(), Duration::from_secs(3));
    let questions = held(&control, 260);
    let asking = questions.iter().map(|question| gather.ask(question));
    for (answer, _) in join_all(asking).await {
        assert!(matches!(answer, Answer::Dns(DnsAnswer::Failed(_))));
    }
    until(|| gather.health().under_way <= 50).await;
    let late = gather.health().under_way;
    assert_eq!(late, 50, "some may still be answered, and no more");
}

#[tokio::test]
async fn one_client_has_its_share_and_others_wait_for_nothing() {
    const NAMES: usize = 200;
    let [bot, neighbour, other] =
        [[192, 0, 2, 1], [192, 0, 2, 200], [198, 51, 100, 1]].map(std::net::IpAddr::from);
    let control = serve(zone()).await;
    let gather = patient(control.address());
    watch_list(&gather).await;
    let questions = held(&control, NAMES);
    let asking = questions
        .iter()
        .map(|question| gather.ask_for(bot, question));
    let mut asking: Vec<_> = asking.collect();
    assert_eq!(gather.health().under_way, 32);

    let fresh = question("fresh.test", RecordType::A);
    let mut waiting = gather.ask_for(neighbour, &fresh);
    assert!((&mut waiting).now_or_never().is_none(), "it waits");
    assert_eq!(gather.health().under_way, 32);
    let (answer, source) = gather.ask_for(other, &fresh).await;
    assert_eq!(
        (answer, source),
        (Answer::Dns(DnsAnswer::NoName), Source::Live)
    );
    let listed = question(LISTED, RecordType::A);
    let (answer, _) = gather.ask_for(bot, &listed).await;
    assert!(matches!(answer, Answer::Dns(DnsAnswer::Found(_))));
    assert_eq!(arrived(&control, NAMES), 32, "no more has left");

    for number in 0..NAMES {
        control.release(&format!("{number}.held.test"));
    }
    for (answer, _) in join_all(asking.drain(..)).await {
        assert_eq!(answer, Answer::Dns(DnsAnswer::NoName));
    }
    let meanwhile = (Answer::Dns(DnsAnswer::NoName), Source::Cache);
    assert_eq!(waiting.await, meanwhile);
}

#[tokio::test]
async fn who_waits_for_its_share_in_vain_hears_so_in_time() {
    let control = serve(zone()).await;
    let gather = gather(control.address(), Duration::from_millis(200));
    let bot = std::net::IpAddr::from([192, 0, 2, 1]);
    let questions = held(&control, 33);
    let mut asking: Vec<_> = questions
        .iter()
        .map(|question| gather.ask_for(bot, question))
        .collect();
    let last = asking.pop().unwrap();
    assert_eq!(
        last.await,
        (Answer::Dns(failed(Failure::Overload)), Source::Live)
    );
    assert_eq!(gather.health().overloaded, 1);
}

#[tokio::test]
async fn a_secret_is_asked_for_but_not_shown() {
    let control = serve(zone()).await;
    let gather = patient(control.address());
    let name = DnsName::secret(LISTED, "2.0.0.127.shown.test");
    let (answer, _) = gather
        .ask(&Question::Dns {
            name,
            kind: RecordType::A,
        })
        .await;
    assert!(matches!(answer, Answer::Dns(DnsAnswer::Found(_))));
    let (shown, source) = ask(&gather, "2.0.0.127.shown.test", RecordType::A).await;
    assert_eq!((shown, source), (DnsAnswer::NoName, Source::Live));
}

#[tokio::test]
async fn a_text_that_tells_the_secret_is_withheld() {
    let mut zone = zone();
    let secret = "3.0.0.127.key4711.dnsbl.test";
    let text = "see https://dnsbl.test/?zone=KEY4711";
    zone.add(secret, 300, &RecordData::Txt(text.into()))
        .unwrap();
    let control = serve(zone).await;
    let gather = patient(control.address());
    // Live, and from memory.
    for _ in 0..2 {
        let question = Question::Dns {
            name: DnsName::secret(secret, "3.0.0.127.list"),
            kind: RecordType::Txt,
        };
        let (Answer::Dns(answer), _) = gather.ask(&question).await else {
            panic!("no answer of the DNS")
        };
        assert_eq!(
            answer.txt().collect::<Vec<_>>(),
            ["(withheld: it holds the key of the zone)"]
        );
    }
}

#[tokio::test]
async fn silence_is_not_watched_here() {
    let control = serve(zone()).await;
    let silence = Question::Silence {
        wait: Millis(6000),
        teaser: true,
    };
    let (answer, _) = patient(control.address()).ask(&silence).await;
    assert_eq!(
        answer,
        Answer::Silence(Silence::Silent { watched: Millis(0) })
    );
}

#[tokio::test]
async fn a_task_that_is_never_run_does_not_hold_its_askers() {
    let settings = Settings {
        servers: vec![silent().local_addr().unwrap()],
        timeout: Duration::from_secs(60),
        cache_size: 10,
    };
    let gather = Gather::new(&settings, Arc::new(drop)).unwrap();
    assert_eq!(
        ask(&gather, LISTED, RecordType::A).await.0,
        failed(Failure::Timeout)
    );
    assert_eq!(gather.health().under_way, 0);
}

mod rbldnsd {
    use std::process::{Child, Command, Stdio};

    use super::*;

    const PROGRAM: &str = "/usr/sbin/rbldnsd";

    /// rbldnsd on a loopback port; it ends with this.
    struct Running {
        child: Child,
        address: SocketAddr,
        _zone: tempfile::NamedTempFile,
    }

    impl Drop for Running {
        fn drop(&mut self) {
            let _gone = self.child.kill().and_then(|()| self.child.wait());
        }
    }

    fn start() -> Option<Running> {
        if !std::path::Path::new(PROGRAM).exists() {
            return None;
        }
        let zone = tempfile::NamedTempFile::new().unwrap();
        let data = "$SOA 300 ns.test. admin.test. 1 600 300 86400 300\n:127.0.0.4:Listed $\n192.0.2.1\n127.0.0.2\n";
        std::fs::write(zone.path(), data).unwrap();
        // rbldnsd gives up root, so its zone must be open to all.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(zone.path(), open).unwrap();
        let address = silent().local_addr().unwrap();
        let child = Command::new(PROGRAM)
            .args(["-n", "-f", "-q", "-r", "/", "-w", "/"])
            .arg("-b")
            .arg(format!("{}/{}", address.ip(), address.port()))
            .arg(format!("dnsbl.test:ip4set:{}", zone.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Running {
            child,
            address,
            _zone: zone,
        })
    }

    #[tokio::test]
    async fn a_real_dnsbl_is_understood() {
        let Some(running) = start() else {
            println!("skipped: {PROGRAM} is not installed");
            return;
        };
        // Packets that come before it listens are lost and sent again.
        let gather = patient(running.address);
        let (listed, _) = ask(&gather, "1.2.0.192.dnsbl.test", RecordType::A).await;
        assert_eq!(
            listed.a().collect::<Vec<_>>(),
            [Ipv4Addr::new(127, 0, 0, 4)]
        );
        let (text, _) = ask(&gather, "1.2.0.192.dnsbl.test", RecordType::Txt).await;
        assert_eq!(text.txt().collect::<Vec<_>>(), ["Listed 192.0.2.1"]);
        let (other, _) = ask(&gather, "2.2.0.192.dnsbl.test", RecordType::A).await;
        assert_eq!(other, DnsAnswer::NoName);
        let (stranger, _) = ask(&gather, "1.2.0.192.else.test", RecordType::A).await;
        assert_eq!(stranger, failed(Failure::Refused));
    }
}
