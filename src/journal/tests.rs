//! The journal on a real disk: bounds, faults, order. No test sleeps; the keeper runs on the test's own thread.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::files::list;
use super::*;
use crate::facts::{Ended, Facts, Millis};

const DAY: Duration = Duration::from_hours(24);
const MIB: u64 = 1024 * 1024;

/// A record of about `size` octets of a session that was accepted `after` 2026-01-01.
fn record(id: usize, after: Duration, size: usize) -> SessionRecord {
    let new_year = humantime::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    SessionRecord {
        version: VERSION,
        id: format!("s{id}"),
        started: timestamp(new_year + after),
        duration_ms: Millis(1500),
        policy: "default".to_owned(),
        facts: Facts::default(),
        decisions: Vec::new(),
        recipients: Vec::new(),
        messages: Vec::new(),
        replies: vec!["x".repeat(size)],
        ended: Ended::Quit,
        bytes_in: 1,
        bytes_out: 2,
        beyond: Beyond::default(),
    }
}

/// Writes `records`, one batch each.
fn write(
    directory: &Path,
    max_size: u64,
    records: impl IntoIterator<Item = SessionRecord>,
) -> Counts {
    let (writer, keeper) = open(directory, max_size, 30 * DAY);
    std::thread::scope(|scope| {
        scope.spawn(|| keeper.run());
        let mut counts = writer.counts();
        for record in records {
            let before = counts.written + counts.lost;
            writer.write(record);
            while counts.written + counts.lost == before {
                std::thread::yield_now();
                counts = writer.counts();
            }
        }
        drop(writer);
        counts
    })
}

fn ids(directory: &Path) -> Vec<String> {
    read(directory).unwrap().map(|record| record.id).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("s{number}")).collect()
}

fn total(directory: &Path) -> u64 {
    list(directory).unwrap().iter().map(|file| file.size).sum()
}

#[test]
fn what_is_written_is_read_in_order_and_found() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("deep/journal");
    let (writer, keeper) = open(&journal, MIB, DAY);
    for number in 0..10 {
        writer.write(record(number, Duration::ZERO, 10));
    }
    drop(writer.clone());
    drop(writer);
    keeper.run();
    assert_eq!(ids(&journal), numbers(0..10));
    assert_eq!(
        find(&journal, "s7").unwrap(),
        Some(record(7, Duration::ZERO, 10))
    );
    assert_eq!(find(&journal, "s").unwrap(), None);
    let files = list(&journal).unwrap();
    assert_eq!(files.len(), 1);
    assert!(
        files[0]
            .path
            .ends_with("sessions-20260101T000001.500Z.jsonl"),
        "{files:?}"
    );
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&files[0].path) & !0o640, 0);
    assert_eq!(mode(&journal) & !0o750, 0);
}

#[test]
fn a_journal_without_a_directory_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    assert_eq!(
        read(&missing).unwrap_err().kind(),
        std::io::ErrorKind::NotFound
    );
    assert!(find(&missing, "s1").is_err());
}

#[test]
fn files_are_rotated_and_the_oldest_go_so_that_all_stay_within_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let other = directory.path().join("sessions-notes.jsonl");
    fs::write(&other, "x".repeat(3 << 20)).unwrap();
    let mut most = 0;
    for part in 0..4 {
        let records = (0..100).map(|number| record(part * 100 + number, Duration::ZERO, 10_000));
        write(directory.path(), MIB, records);
        most = most.max(total(directory.path()));
    }
    assert!(most <= MIB && most > MIB / 2, "{most}");
    let kept = ids(directory.path());
    assert_eq!(kept, numbers(400 - kept.len()..400));
    assert!(other.exists());
}

#[test]
fn files_whose_records_are_all_too_old_go() {
    let directory = tempfile::tempdir().unwrap();
    let daily = (0..60).map(|day| record(day, DAY * u32::try_from(day).unwrap(), 10));
    write(directory.path(), MIB, daily);
    let kept = ids(directory.path());
    assert_eq!(kept.last().map(String::as_str), Some("s59"));
    // 30 days and at most two files (two days each) more.
    assert!((30..=34).contains(&kept.len()), "{kept:?}");
}

#[test]
fn a_file_begun_later_sorts_behind_whatever_the_clock_says() {
    let directory = tempfile::tempdir().unwrap();
    let ends = [DAY * 20, Duration::ZERO, DAY];
    let records = (0..3).map(|number| record(number, ends[number], 50_000));
    write(directory.path(), MIB, records);
    assert_eq!(list(directory.path()).unwrap().len(), 3);
    assert_eq!(ids(directory.path()), numbers(0..3));
}

#[test]
fn bad_lines_are_skipped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    write(
        directory.path(),
        MIB,
        [record(0, Duration::ZERO, 10), record(1, Duration::ZERO, 10)],
    );
    let file = list(directory.path()).unwrap().remove(0).path;
    let good = fs::read_to_string(&file).unwrap();
    let newer = good
        .lines()
        .next()
        .unwrap()
        .replace("\"version\":1", "\"version\":2");
    fs::write(
        &file,
        format!("\n{{}}\n\u{0}\n{newer}\n{good}{}", &good[..40]),
    )
    .unwrap();
    let mut records = read(directory.path()).unwrap();
    assert_eq!(
        records.by_ref().map(|record| record.id).collect::<Vec<_>>(),
        numbers(0..2)
    );
    assert_eq!(records.skipped(), 5);
}

#[test]
fn a_line_without_end_hides_none_behind_it() {
    let directory = tempfile::tempdir().unwrap();
    let line = |id: usize| serde_json::to_string(&record(id, DAY, 0)).unwrap();
    let torn = "\0".repeat(read::LONGEST_LINE + 1000);
    let text = format!("{}\n{torn}\n{}\n{torn}", line(0), line(1));
    fs::write(
        directory.path().join("sessions-20260101T000000.000Z.jsonl"),
        text,
    )
    .unwrap();
    let mut records = read(directory.path()).unwrap();
    let ids: Vec<String> = records.by_ref().map(|record| record.id).collect();
    assert_eq!((ids.len(), records.skipped()), (2, 2));
}

#[test]
fn too_many_waiting_records_are_let_fall_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (writer, keeper) = open(directory.path(), MIB, DAY);
    for number in 0..1030 {
        writer.write(record(number, Duration::ZERO, 10));
    }
    assert_eq!(writer.counts().dropped, 6);
    let large = SessionRecord {
        replies: vec![String::new(); 200_000],
        ..record(0, Duration::ZERO, 0)
    };
    writer.write(large);
    assert_eq!(writer.counts().dropped, 7);
    let tally = writer.clone();
    let count = std::thread::scope(|scope| {
        scope.spawn(|| keeper.run());
        while tally.counts().written < 1024 {
            std::thread::yield_now();
        }
        writer.write(record(1030, Duration::ZERO, 10));
        drop(writer);
        let counts = tally.counts();
        drop(tally);
        counts
    });
    assert_eq!(count.dropped, 7);
    assert_eq!(ids(directory.path()).len(), 1025);
}

#[test]
fn a_record_too_large_for_a_file_is_lost_alone() {
    let directory = tempfile::tempdir().unwrap();
    let records = [
        record(0, Duration::ZERO, 10),
        record(1, Duration::ZERO, 70_000),
        record(2, DAY, 10),
    ];
    let counts = write(directory.path(), MIB, records);
    assert_eq!((counts.written, counts.lost, counts.errors), (2, 1, 0));
    assert_eq!(ids(directory.path()), ["s0", "s2"]);
}

#[test]
fn a_disk_that_recovers_gets_what_waited() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("journal");
    // A file where the directory should be: nothing can be written, not even by root.
    fs::write(&journal, "in the way").unwrap();
    let (writer, mut keeper) = open(&journal, MIB, DAY);
    keeper.retry_after(Duration::from_millis(1));
    writer.write(record(0, Duration::ZERO, 10));
    writer.write(record(1, Duration::ZERO, 10));
    std::thread::scope(|scope| {
        scope.spawn(|| keeper.run());
        while writer.counts().errors < 2 {
            std::thread::yield_now();
        }
        fs::remove_file(&journal).unwrap();
        drop(writer);
    });
    // The writer may have gone before the next attempt, which then is the last one, and succeeds.
    assert_eq!(ids(&journal), numbers(0..2));
}

#[test]
fn a_full_disk_does_not_keep_the_keeper_from_ending() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("journal");
    fs::write(&journal, "in the way").unwrap();
    let (writer, keeper) = open(&journal, MIB, DAY);
    for number in 0..1000 {
        writer.write(record(number, Duration::ZERO, 1000));
    }
    drop(writer);
    keeper.run();
    assert_eq!(fs::read_to_string(&journal).unwrap(), "in the way");
}

#[test]
fn timestamps_are_whole_milliseconds_and_never_out_of_range() {
    let odd = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_890);
    assert_eq!(timestamp(odd).to_string(), "1970-01-01T00:00:01.234Z");
    let before = SystemTime::UNIX_EPOCH - DAY;
    assert_eq!(timestamp(before).to_string(), "1970-01-01T00:00:00.000Z");
    let far = SystemTime::UNIX_EPOCH + DAY * 4_000_000;
    let last = SessionRecord {
        started: timestamp(far),
        ..record(0, DAY, 0)
    };
    assert_eq!(last.ended_at().to_string(), "9999-12-31T23:59:59.000Z");
    for text in ["", "yesterday", "2026-13-01T00:00:00Z"] {
        assert!(Timestamp::try_from(text.to_owned()).is_err());
    }
}
