//! A million things remembered: octets on disk, how fast they are written through the queue, and how long a session waits
//! for what it asks, while nothing is written and while everything is.

#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatepost::facts::Identity;
use gatepost::store::{Harvest, Memory, Store, open};

const NOW: u64 = 1_800_000_000;
const MONTH: Duration = Duration::from_secs(30 * 86400);
/// As `[store] max_entries` says by default.
const MOST: u64 = 1_000_000;
/// Changes that wait before the bench does.
const WAITING: usize = 40_000;

/// What the tables hold when they are full: half passes, the rest triplets, recipients and sightings.
fn note(memory: &dyn Memory, number: u32) {
    let client = client(number);
    match number % 10 {
        0..2 => memory.earn(&[client], NOW, MONTH),
        2..5 => memory.earn(&[name(number)], NOW, MONTH),
        5..8 => {
            let key = memory.triplet_key(&client, "sender@example.org", &recipient(number));
            memory.saw_triplet(key, false, NOW, MONTH);
        }
        8 => memory.count_recipients(
            &client,
            Harvest {
                refused: 1,
                accepted: 2,
            },
            NOW,
        ),
        _ => memory.sighted(&client, "mx", NOW, Duration::from_secs(1800)),
    }
}

/// Asks for what [`note`] noted; whether it was there.
fn ask(memory: &dyn Memory, number: u32) -> bool {
    let client = client(number);
    match number % 10 {
        0..2 => at_once(memory.pass(&[client], NOW)).is_some(),
        2..5 => at_once(memory.pass(&[name(number)], NOW)).is_some(),
        5..8 => {
            let key = memory.triplet_key(&client, "sender@example.org", &recipient(number));
            at_once(memory.triplet(key, NOW)).is_some()
        }
        8 => at_once(memory.harvest(&client, NOW)) != Harvest::default(),
        _ => !at_once(memory.sightings(&client, NOW)).is_empty(),
    }
}

fn at_once<T>(asked: BoxFuture<'static, T>) -> T {
    asked.now_or_never().expect("it is at hand")
}

fn recipient(number: u32) -> String {
    format!("user{number}@example.com")
}

fn name(number: u32) -> Identity {
    Identity::spf(&format!("mail{number}.example.net"))
}

/// Every other one over IPv6; spread, as clients are.
fn client(number: u32) -> Identity {
    let spread = number.wrapping_mul(2_654_435_761);
    Identity::client(if number.is_multiple_of(2) {
        IpAddr::from(Ipv4Addr::from(spread))
    } else {
        let [a, b, c, d] = spread.to_be_bytes().map(u16::from);
        IpAddr::from(Ipv6Addr::new(
            0x2001,
            0xdb8,
            a << 8 | b,
            c << 8 | d,
            0,
            0,
            0,
            1,
        ))
    })
}

/// Numbers in no order, the same in every run.
fn scattered(most: u32) -> impl Iterator<Item = u32> {
    let mut state = 88_172_645_463_325_252_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        u32::try_from(state % u64::from(most)).expect("it is small")
    })
}

fn load(store: &Store, numbers: impl Iterator<Item = u32>) {
    let (started, mut busy, mut count) = (Instant::now(), Duration::ZERO, 0_u32);
    for number in numbers {
        if count.is_multiple_of(1000) {
            while store.standing().waiting > WAITING {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let before = Instant::now();
        note(store, number);
        busy += before.elapsed();
        count += 1;
    }
    assert!(wait(store.flush()), "it is on disk");
    let all = started.elapsed();
    let standing = store.standing();
    println!(
        "  {count} written in {:.1} s: {:.0} a second; {:.2} µs each for the session; {} dropped, {} evicted",
        all.as_secs_f64(),
        f64::from(count) / all.as_secs_f64(),
        busy.as_secs_f64() * 1e6 / f64::from(count),
        standing.dropped,
        standing.evicted,
    );
}

fn wait<T>(future: BoxFuture<'static, T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("there is a runtime").block_on(future)
}

fn latency(what: &str, store: &Store, numbers: impl Iterator<Item = u32>, there: bool) {
    let mut times: Vec<u64> = Vec::with_capacity(200_000);
    let mut found = 0;
    for number in numbers.take(200_000) {
        let before = Instant::now();
        found += u32::from(ask(store, number));
        times.push(before.elapsed().as_nanos() as u64);
    }
    assert!(
        there && found > 150_000 || !there && found == 0,
        "{found} found"
    );
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize] as f64 / 1e3;
    println!(
        "  {what}: median {:.1} µs, 99 % {:.1}, 99.9 % {:.1}, longest {:.0}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
}

/// What the file takes on disk, and its length: redb doubles a file that grows, with holes.
fn size(directory: &Path) -> String {
    let about = std::fs::metadata(directory.join("memory.redb")).expect("the file is there");
    let (blocks, length) = (about.blocks() as f64 * 512.0, about.len() as f64);
    format!(
        "{:.0} MB on disk, {:.0} MB with holes",
        blocks / 1e6,
        length / 1e6
    )
}

fn anonymous_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.unwrap_or_default() / 1e3
}

fn main() {
    let directory = tempfile::tempdir().expect("there is room");
    let most = u32::try_from(MOST).expect("it is small");
    println!("{MOST} things remembered");
    let (store, keeper) = open(Some(directory.path()), MOST);
    let thread = std::thread::spawn(move || keeper.run());
    println!("written once:");
    load(&store, 0..most);
    println!(
        "  {}, {:.0} MB of memory",
        size(directory.path()),
        anonymous_memory()
    );
    println!("written again in no order:");
    load(&store, scattered(most).take(most as usize));
    println!(
        "  {}, {:.0} MB of memory",
        size(directory.path()),
        anonymous_memory()
    );
    println!("{:?}", store.standing());

    println!("asked while nothing is written:");
    latency("there", &store, scattered(most), true);
    latency(
        "not there",
        &store,
        scattered(most).map(|number| number + most),
        false,
    );
    println!("asked while as much is written as goes:");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut numbers = scattered(most).skip(99);
            while !done.load(Ordering::Relaxed) {
                if store.standing().waiting > WAITING {
                    std::thread::sleep(Duration::from_millis(1));
                }
                numbers
                    .by_ref()
                    .take(100)
                    .for_each(|number| note(&store, number));
            }
        });
        latency("there", &store, scattered(most), true);
        done.store(true, Ordering::Relaxed);
    });

    drop(store);
    thread.join().expect("the keeper ends");
    let before = Instant::now();
    let (store, keeper) = open(Some(directory.path()), MOST);
    println!(
        "opened again, every octet checked: {:.0} ms",
        before.elapsed().as_secs_f64() * 1e3
    );
    latency("asked then, there", &store, scattered(most), true);
    drop(store);
    keeper.run();
}
