//! Any sequence of calls gives what a plain map would, across batches, sweeps and restarts.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Earn(u8, u64),
    Revoke(u8),
    See(u8, bool, u64),
    Forget(u8),
    Wait(u64),
    Flush,
    Sweep(usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..8_u8, 1..100_u64).prop_map(|(who, lifetime)| Step::Earn(who, lifetime)),
        2 => (0..8_u8).prop_map(Step::Revoke),
        6 => (0..8_u8, any::<bool>(), 1..100_u64).prop_map(|(who, passed, window)| Step::See(who, passed, window)),
        1 => (0..8_u8).prop_map(Step::Forget),
        4 => (1..60_u64).prop_map(Step::Wait),
        2 => Just(Step::Flush),
        2 => (1..20_usize).prop_map(Step::Sweep),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Even numbers are networks, odd ones names.
fn identity(who: u8) -> Identity {
    if who.is_multiple_of(2) {
        client(&format!("192.0.2.{who}"))
    } else {
        Identity::spf(&format!("d{who}.example"))
    }
}

/// What should be there.
#[derive(Default)]
struct Model {
    passes: HashMap<u8, Pass>,
    triplets: HashMap<u8, Triplet>,
}

impl Model {
    fn earn(&mut self, who: u8, now: u64, lifetime: u64) {
        let before = self.passes.get(&who).filter(|pass| pass.expires > now);
        let pass = Pass {
            first_seen: before.map_or(now, |pass| pass.first_seen),
            last_seen: now,
            expires: now + lifetime,
            count: before.map_or(0, |pass| pass.count) + 1,
        };
        self.passes.insert(who, pass);
    }

    fn see(&mut self, who: u8, passed: bool, now: u64, window: u64) {
        let before = self.triplets.get(&who).filter(|seen| seen.expires > now);
        let triplet = Triplet {
            first_seen: before.map_or(now, |seen| seen.first_seen),
            last_seen: now,
            expires: now + window,
            passed: passed || before.is_some_and(|seen| seen.passed),
        };
        self.triplets.insert(who, triplet);
    }

    fn check(&self, store: &Store, now: u64) {
        for who in 0..8 {
            let expected = self.passes.get(&who).filter(|pass| pass.expires > now);
            assert_eq!(pass(store, &identity(who), now).as_ref(), expected);
            let expected = self.triplets.get(&who).filter(|seen| seen.expires > now);
            let found = at_once(store.triplet(triplet_key(store, who), now));
            assert_eq!(found.as_ref(), expected);
        }
    }
}

fn triplet_key(store: &Store, who: u8) -> TripletKey {
    store.triplet_key(
        &identity(who),
        "a@example.org",
        &format!("{who}@example.com"),
    )
}

fn play(steps: Vec<Step>) {
    let directory = tempfile::tempdir().unwrap();
    let mut running = Running::begin(Some(directory.path()), 1000);
    let (mut model, mut now) = (Model::default(), NOW);
    for step in steps {
        let store = &running.store;
        match step {
            Step::Earn(who, lifetime) => {
                store.earn(&[identity(who)], now, Duration::from_secs(lifetime));
                model.earn(who, now, lifetime);
            }
            Step::Revoke(who) => {
                store.revoke(&[identity(who)]);
                model.passes.remove(&who);
            }
            Step::See(who, passed, window) => {
                let key = triplet_key(store, who);
                store.saw_triplet(key, passed, now, Duration::from_secs(window));
                model.see(who, passed, now, window);
            }
            Step::Forget(who) => {
                store.forget(&identity(who));
                model.passes.remove(&who);
            }
            Step::Wait(seconds) => now += seconds,
            Step::Flush => assert!(running.flush()),
            Step::Sweep(budget) => {
                running.sweep(now, budget);
            }
            Step::Restart => {
                running.close();
                running = Running::begin(Some(directory.path()), 1000);
            }
        }
        model.check(&running.store, now);
    }
    running.close();
}

proptest! {
    // Each case makes a file and syncs it.
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn it_remembers_what_a_map_would(steps in steps()) {
        play(steps);
    }

    /// Octets from anywhere are a value or none, and never a panic.
    #[test]
    fn octets_from_anywhere_do_no_harm(octets in proptest::collection::vec(any::<u8>(), 0..80), now: u64) {
        use crate::store::value::{Kept, expires};
        let mut octets = octets;
        if let Some(version) = octets.first_mut() {
            *version = 1;
        }
        let _ = expires(&octets);
        let _ = Pass::from_octets(&octets, now);
        let _ = Triplet::from_octets(&octets, now);
        let _ = Entry::from_octets(&octets, now);
        let _ = sightings::Sightings::from_octets(&octets, now);
        let _ = harvest::Counts::from_octets(&octets, now).map(|counts| counts.decayed(now).rounded());
    }
}
