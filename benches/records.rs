//! What going through a journal costs, per record: bare parsing of the JSON, judging it again under another policy, and the
//! whole report. `RECORDS=1000000 cargo bench --bench records` makes a journal of so many sessions and times the whole of
//! each on all processors; without it, one record at a time.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]
#![allow(clippy::print_stdout, reason = "a bench tells what it has found")]

#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/support/journal.rs"]
mod journal;

use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gatepost::checks::replay::replay;
use gatepost::measure::replay::{self, Options};
use gatepost::measure::report::report;
use gatepost::measure::tally::Wanted;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

/// Records that are gone through one by one.
const RECORDS: u64 = 1000;

fn one_by_one(criterion: &mut Criterion) {
    let policy = journal::policy(5);
    let harsher = journal::policy(50);
    let mut maker = journal::Maker::new(&policy, 1);
    let records: Vec<_> = (0..RECORDS).map(|_| maker.session()).collect();
    let lines: Vec<Vec<u8>> = records
        .iter()
        .map(|record| serde_json::to_vec(record).expect("a record is written"))
        .collect();
    let octets: usize = lines.iter().map(Vec::len).sum();
    println!("{} octets a record", octets / lines.len());
    let mut group = criterion.benchmark_group(format!("{RECORDS} records"));
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("as any JSON", |bencher| {
        bencher.iter(|| {
            for line in &lines {
                black_box(serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok());
            }
        });
    });
    group.bench_function("parsed whole", |bencher| {
        bencher.iter(|| {
            for line in &lines {
                black_box(gatepost::journal::parse(line));
            }
        });
    });
    group.bench_function("judged again, without parsing", |bencher| {
        bencher.iter(|| {
            for record in &records {
                black_box(replay(&harsher, &record.facts, &record.decisions));
            }
        });
    });
    group.finish();
}

/// Processor time of this process so far, seconds.
fn processor() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("the system counts");
    let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// The whole of a journal on disk, once.
fn whole(_: &mut Criterion) {
    let Some(sessions) = std::env::var("RECORDS")
        .ok()
        .and_then(|count| count.parse().ok())
    else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let policy = journal::policy(5);
    journal::write(directory.path(), &policy, 1, sessions);
    let told = |what: &str, (wall, cpu): (Instant, f64)| {
        let (wall, cpu) = (wall.elapsed().as_secs_f64(), processor() - cpu);
        let each = cpu * 1e6 / sessions as f64;
        println!("{what}: {wall:.1} s; processors were busy for {cpu:.1} s, {each:.1} µs a record");
    };
    let (same, harsher) = (journal::policies(5), journal::policies(50));
    let started = (Instant::now(), processor());
    let changes = replay::replay(directory.path(), &harsher, &Options::default(), |_, _| {});
    told("replay", started);
    println!("  {:?}", changes.expect("the journal is read").changes);
    let started = (Instant::now(), processor());
    let verified = replay::verify(directory.path(), &same, &Wanted::default(), |_, _| {});
    told("replay --verify", started);
    assert_eq!(verified.expect("the journal is read").differences, 0);
    let started = (Instant::now(), processor());
    let report = report(directory.path(), &Wanted::default(), &same, |_, _| {});
    told("report", started);
    assert_eq!(report.expect("the journal is read").sessions.all, sessions);
}

criterion_group!(benches, one_by_one, whole);
criterion_main!(benches);
