//! The memory's answers over a store in memory, with a clock that the test turns.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::facts::{Listed, Subject};
use crate::store;

struct World {
    now: Arc<AtomicU64>,
    remembrance: Remembrance,
}

impl World {
    fn new() -> Self {
        let now = Arc::new(AtomicU64::new(1_800_000_000));
        // The keeper, which would write to a disk, is not needed: what is not written yet is read all the same.
        let (store, keeper) = store::open(None, 1000);
        std::mem::forget(keeper);
        let clock = Arc::clone(&now);
        let clock: Clock = Arc::new(move || clock.load(Ordering::Relaxed));
        Self {
            now,
            remembrance: Remembrance::new(Arc::new(store), clock),
        }
    }

    fn after(&self, time: Duration) {
        self.now.fetch_add(time.as_secs(), Ordering::Relaxed);
    }

    async fn recall(&self, recall: &Recall) -> Recalled {
        self.remembrance.recall(recall).await
    }
}

fn triplet(recipient: &str) -> Recall {
    Recall::Triplet {
        identity: "192.0.2.0/24".parse().unwrap(),
        sender: "ada@example.org".into(),
        recipient: recipient.into(),
    }
}

fn here(since: u32, passed: bool) -> Recalled {
    Recalled::Triplet { since, passed }
}

#[tokio::test]
async fn a_triplet_waits_from_the_first_time_it_was_asked_about() {
    let world = World::new();
    let asked = triplet("b@example.com");
    assert_eq!(world.recall(&asked).await, Recalled::Nothing);
    world.after(Duration::from_secs(30));
    assert_eq!(world.recall(&asked).await, here(30, false));
    world.after(Duration::from_secs(600));
    assert_eq!(world.recall(&asked).await, here(630, false));
    assert_eq!(
        world.recall(&triplet("c@example.com")).await,
        Recalled::Nothing
    );
    world.remembrance.has_waited(&asked);
    world.after(WINDOW + Duration::from_secs(DAY));
    assert!(matches!(
        world.recall(&asked).await,
        Recalled::Triplet { passed: true, .. }
    ));
    world.after(KNOWN);
    assert_eq!(world.recall(&asked).await, Recalled::Nothing);
}

#[tokio::test]
async fn one_that_comes_again_and_again_too_late_begins_anew() {
    let world = World::new();
    let asked = triplet("b@example.com");
    assert_eq!(world.recall(&asked).await, Recalled::Nothing);
    // Asking in between does not lengthen the window.
    world.after(WINDOW / 2);
    assert_eq!(world.recall(&asked).await, here(86_400, false));
    world.after(WINDOW / 2 + Duration::from_secs(1));
    assert_eq!(world.recall(&asked).await, Recalled::Nothing);
    world.after(Duration::from_secs(61));
    assert_eq!(world.recall(&asked).await, here(61, false));
}

#[tokio::test]
async fn passes_are_earned_renewed_and_lost() {
    let world = World::new();
    let identities: Vec<Identity> = ["192.0.2.1/32", "spf:example.org", "name:example.net"]
        .map(|text| text.parse().unwrap())
        .into();
    let pass = |at: usize| Recall::Pass(identities[at].clone());
    assert_eq!(world.recall(&pass(0)).await, Recalled::Nothing);
    world.remembrance.earned(&identities[..2]);
    world.after(PASS - Duration::from_secs(1));
    assert!(matches!(
        world.recall(&pass(0)).await,
        Recalled::Pass { visits: 1, .. }
    ));
    assert_eq!(world.recall(&pass(2)).await, Recalled::Nothing);
    world.remembrance.earned(&identities[1..2]);
    world.after(Duration::from_secs(2));
    assert_eq!(world.recall(&pass(0)).await, Recalled::Nothing);
    assert!(matches!(
        world.recall(&pass(1)).await,
        Recalled::Pass { visits: 2, .. }
    ));
    world.remembrance.lost(&identities);
    assert_eq!(world.recall(&pass(1)).await, Recalled::Nothing);
}

#[tokio::test]
async fn recipients_are_counted_and_visits_seen() {
    let world = World::new();
    let network: IpNet = "192.0.2.0/24".parse().unwrap();
    let harvest = Recall::Harvest(network);
    world.remembrance.recipients(network, 3, 1);
    world.remembrance.recipients(network, 2, 0);
    assert_eq!(
        world.recall(&harvest).await,
        Recalled::Harvest {
            refused: 5,
            accepted: 1
        }
    );
    let tried = |listener: &str| Recall::Tried {
        network,
        listener: listener.into(),
    };
    assert_eq!(world.recall(&tried("mx")).await, Recalled::Nothing);
    world.remembrance.was_at(network, "mx");
    world.after(Duration::from_secs(90));
    assert_eq!(
        world.recall(&tried("mx")).await,
        Recalled::Tried { since: 90 }
    );
    assert_eq!(world.recall(&tried("backup")).await, Recalled::Nothing);
    world.after(TRIED);
    assert_eq!(world.recall(&tried("mx")).await, Recalled::Nothing);
}

#[tokio::test]
async fn an_entry_holds_for_its_time_and_the_latest_of_a_subject_counts() {
    let world = World::new();
    let remembrance = &world.remembrance;
    let listed = |allow| Listed {
        allow,
        subject: Subject::Network("192.0.2.0/24".parse().unwrap()),
    };
    let held = || remembrance.entries(|_| true);
    let week = Duration::from_secs(7 * DAY);
    let _ = remembrance.keep_entry(&listed(false), Some(week), "liar");
    let entry = held().pop().unwrap();
    assert_eq!((entry.allow, &*entry.comment), (false, "liar"));
    world.after(week - Duration::from_secs(1));
    assert_eq!(held().len(), 1);
    world.after(Duration::from_secs(1));
    assert!(held().is_empty());

    let _ = remembrance.keep_entry(&listed(false), None, "");
    let _ = remembrance.keep_entry(&listed(true), None, "");
    world.after(week * 1000);
    assert!(matches!(held().as_slice(), [entry] if entry.allow));
    assert!(remembrance.remove_entry(&listed(true).subject));
    assert!(!remembrance.remove_entry(&listed(true).subject));
    assert!(held().is_empty());
}

#[tokio::test]
async fn forgetting_says_whether_anything_was_known() {
    let world = World::new();
    let identity: Identity = "192.0.2.77/32".parse().unwrap();
    assert!(!world.remembrance.forget(&identity).await);
    world.remembrance.earned(std::slice::from_ref(&identity));
    assert!(world.remembrance.forget(&identity).await);
    let pass = Recall::Pass(identity.clone());
    assert_eq!(world.recall(&pass).await, Recalled::Nothing);
    assert!(!world.remembrance.forget(&identity).await);
}

#[tokio::test]
async fn who_only_looks_leaves_no_trace() {
    let world = World::new();
    let triplet = triplet("user@example.com");
    for _ in 0..2 {
        assert_eq!(world.remembrance.look(&triplet).await, Recalled::Nothing);
    }
    assert_eq!(world.recall(&triplet).await, Recalled::Nothing);
    world.after(Duration::from_secs(60));
    let seen = Recalled::Triplet {
        since: 60,
        passed: false,
    };
    assert_eq!(world.remembrance.look(&triplet).await, seen);
}
