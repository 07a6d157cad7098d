//! Every line of a journal is looked at once and taken in order, whatever is damaged in between.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn number(line: &[u8]) -> Line<u32> {
    match std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.parse().ok())
    {
        Some(number) if number % 10 == 3 => Line::Other,
        Some(number) => Line::Wanted(number),
        None => Line::Damaged,
    }
}

#[test]
fn lines_come_in_order_and_each_is_counted_once() {
    let journal = tempfile::tempdir().unwrap();
    let file = |hour: u8| {
        journal
            .path()
            .join(format!("sessions-20260101T{hour:02}0000.000Z.jsonl"))
    };
    // Several batches, so that reading, looking and taking overlap.
    let long = "0".repeat(100);
    let lines = |from: u32, to: u32| {
        (from..to)
            .map(|number| format!("{long}{number}\n"))
            .collect::<String>()
    };
    fs::write(file(0), lines(0, 50_000)).unwrap();
    fs::write(
        file(1),
        lines(50_000, 100_000) + "not a number\n" + "1234 torn",
    )
    .unwrap();
    fs::write(file(2), lines(100_000, 100_100)).unwrap();
    let (mut taken, mut told) = (Vec::new(), (0, 0));
    let looked = AtomicU64::new(0);
    let look = |line: &[u8]| {
        looked.fetch_add(1, Ordering::Relaxed);
        number(line)
    };
    let read = each(
        journal.path(),
        None,
        look,
        |number| taken.push(number),
        |done, all| told = (done, all),
    )
    .unwrap();
    let expected: Vec<u32> = (0..100_100).filter(|number| number % 10 != 3).collect();
    assert_eq!(taken, expected);
    assert_eq!(
        (read.records, read.others, read.damaged),
        (90_090, 10_010, 2)
    );
    assert_eq!(looked.into_inner(), 100_101);
    assert_eq!(told.0, read.octets);
    assert!(told.1 > told.0, "ends of lines are octets too");
    let since = Some(Timestamp::try_from("2026-01-01T01:00:00Z".to_owned()).unwrap());
    let late = each(journal.path(), since, number, |_| {}, |_, _| {}).unwrap();
    assert_eq!(
        late.records + late.others,
        50_100,
        "a file that ended before is not read"
    );
    assert!(each(Path::new("/nowhere"), None, number, |_| {}, |_, _| {}).is_err());
}

#[test]
fn an_empty_journal_is_one() {
    let journal = tempfile::tempdir().unwrap();
    let read = each(journal.path(), None, number, |_| {}, |_, _| {}).unwrap();
    assert_eq!(read, Read::default());
}

#[test]
fn the_end_of_a_time_does_not_belong_to_it() {
    let at = |hour: u8| Timestamp::try_from(format!("2026-01-01T{hour:02}:00:00Z")).unwrap();
    let wanted = Wanted {
        since: Some(at(1)),
        until: Some(at(3)),
        listener: Some("mx".to_owned()),
        policy: None,
    };
    let found: Vec<bool> = (0..5).map(|hour| wanted.is_at(at(hour))).collect();
    assert_eq!(found, [false, true, true, false, false]);
    assert!(wanted.is_of("mx", "any") && !wanted.is_of("mx2", "any"));
}
