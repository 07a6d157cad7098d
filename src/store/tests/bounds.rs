//! What keeps the memory small and the waiting short: sweeps, caps, the queue, and many at once.

use super::*;

#[test]
fn a_sweep_goes_round_in_small_steps() {
    let directory = tempfile::tempdir().unwrap();
    for directory in [None, Some(directory.path())] {
        let running = Running::begin(directory, 100_000);
        for number in 0..100_u8 {
            let lifetime = if number < 60 { HOUR } else { HOUR * 3 };
            let address = format!("192.0.2.{number}");
            running.store.earn(&[client(&address)], NOW, lifetime);
            running
                .store
                .sighted(&client(&address), "mx", NOW, lifetime);
        }
        // Nothing has expired; what only waits is not looked at.
        assert_eq!(running.sweep(NOW, 10), 0);
        assert!(running.flush() || directory.is_none());
        let later = NOW + 3600;
        let steps: Vec<usize> = (0..40).map(|_| running.sweep(later, 10)).collect();
        assert!(steps.iter().all(|gone| *gone <= 10), "{steps:?}");
        assert_eq!(steps.iter().sum::<usize>(), 120);
        assert_eq!(running.store.standing().expired, 120);
        assert_eq!(running.store.standing().kept[0], ("passes", 40));
        assert!(pass(&running.store, &client("192.0.2.60"), later).is_some());
        running.close();
    }
}

#[test]
fn the_cap_of_a_table_holds_and_what_ends_first_goes_first() {
    let directory = tempfile::tempdir().unwrap();
    for directory in [None, Some(directory.path())] {
        let running = Running::begin(directory, 1000);
        running.store.sighted(&client("192.0.2.1"), "mx", NOW, HOUR);
        for number in 0..2000_u32 {
            let address = std::net::Ipv4Addr::from(0xc000_0000 + number).to_string();
            let lifetime = HOUR * (1 + number % 2);
            running.store.earn(&[client(&address)], NOW, lifetime);
        }
        running.flush();
        let standing = running.store.standing();
        assert_eq!(standing.kept[0], ("passes", 500));
        assert_eq!(standing.evicted, 1500);
        assert_eq!(standing.dropped, 0);
        // All that are left are of those that last longer.
        assert_eq!(running.sweep(NOW + 3600, 5000), 1);
        assert_eq!(running.store.standing().kept[0], ("passes", 500));
        running.close();
    }
}

#[test]
fn candidates_for_removal_are_sought_all_round() {
    let engine = InMemory::default();
    let mut eviction = Eviction::default();
    for round in 0..50_u8 {
        let changes: Vec<(Place, Vec<u8>)> = (0..40)
            .map(|number| {
                let net = format!("10.{round}.{number}.0/24").parse().unwrap();
                let (table, key) = (Table::Harvest, Key::network(&net));
                (Place { table, key }, vec![1, 0, 0, 0, 0, round])
            })
            .collect();
        let changes: Vec<_> = changes
            .iter()
            .map(|(place, octets)| (*place, Some(octets.as_slice())))
            .collect();
        engine.write(&changes, false).unwrap();
        eviction.step(&engine, 1000).unwrap();
        assert!(engine.count(Table::Harvest).unwrap() <= 100);
    }
}

#[test]
fn many_at_once_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::begin(Some(directory.path()), 100_000);
    let store = &running.store;
    let one = Harvest {
        refused: 1,
        accepted: 1,
    };
    std::thread::scope(|scope| {
        for thread in 0..8_u8 {
            scope.spawn(move || {
                for round in 0..500_u16 {
                    let shared = client(&format!("192.0.2.{}", round % 4));
                    store.count_recipients(&shared, one, NOW);
                    store.earn(std::slice::from_ref(&shared), NOW, HOUR);
                    let own = Identity::spf(&format!("t{thread}r{round}.example"));
                    store.earn(std::slice::from_ref(&own), NOW, HOUR);
                    assert_eq!(pass(store, &own, NOW).unwrap().count, 1);
                    if round % 100 == 0 {
                        assert!(wait(store.flush()));
                    }
                }
            });
        }
    });
    let check = |store: &Store| {
        for last in 0..4 {
            let shared = client(&format!("192.0.2.{last}"));
            assert_eq!(at_once(store.harvest(&shared, NOW)).refused, 1000);
            assert_eq!(pass(store, &shared, NOW).unwrap().count, 1000);
        }
        assert_eq!(store.standing().dropped, 0);
    };
    check(store);
    running.close();
    let running = Running::begin(Some(directory.path()), 100_000);
    check(&running.store);
    assert_eq!(running.store.standing().kept[0], ("passes", 4004));
    running.close();
}

#[test]
fn too_many_waiting_changes_are_let_fall_and_counted() {
    let (store, keeper) = open(None, 1_000_000);
    let over = 10;
    for number in 0..u32::try_from(overlay::MOST).unwrap() + over {
        let address = std::net::Ipv4Addr::from(number).to_string();
        store.earn(&[client(&address)], NOW, HOUR);
    }
    let standing = store.standing();
    assert_eq!(standing.waiting, overlay::MOST);
    assert_eq!(standing.dropped, u64::from(over));
    // What waits already can change, and what must not be lost is taken.
    store.earn(&[client("0.0.0.1")], NOW, HOUR);
    assert_eq!(pass(&store, &client("0.0.0.1"), NOW).unwrap().count, 2);
    store.keep_entry(entry(Subject::Helo("a.example".into()), ""));
    assert_eq!(store.standing().dropped, u64::from(over));
    assert_eq!(store.standing().waiting, overlay::MOST + 1);
    let running = Running::start((store.clone(), keeper));
    running.flush();
    assert_eq!(store.standing().waiting, 0);
    drop(store);
    running.close();
}

#[test]
fn writes_wake_the_keeper_by_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::begin(Some(directory.path()), 1000);
    let client = client("192.0.2.1");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    for round in 0..3 {
        running
            .store
            .earn(std::slice::from_ref(&client), NOW + round, HOUR);
        while running.store.standing().waiting > 0 {
            assert!(std::time::Instant::now() < deadline, "it is never written");
            std::thread::yield_now();
        }
    }
    running.close();
}

#[test]
fn the_list_of_entries_is_not_held_up_by_who_looks_at_it() {
    let (store, _keeper) = open(None, 1000);
    assert!(store.keep_entry(entry(Subject::Helo("a.example".into()), "")));
    let before = store.entries();
    assert!(store.remove_entry(&Subject::Helo("a.example".into())));
    assert_eq!(before.len(), 1);
    assert_eq!(Arc::strong_count(&before), 1);
    assert!(store.entries().is_empty());
}
