//! Recipients are counted for whom they should, and only where there is room for them.

use super::*;
use crate::facts::{Party, Per, Quota};

fn address(text: &str, per_minute: u32) -> Quota {
    quota(Party::Address(text.parse().unwrap()), per_minute)
}

fn quota(of: Party, per_minute: u32) -> Quota {
    let rate = Rate::new(per_minute, Per::Minute).unwrap();
    Quota { of, rate }
}

fn count(rates: &Rates, quotas: &[Quota]) -> Room {
    rates.count(&Counting {
        recipient: 1,
        quotas: quotas.into(),
    })
}

fn over(quota: u8, wait: u32) -> Room {
    let wait = Millis(wait);
    Room::Over { quota, wait }
}

#[tokio::test(start_paused = true)]
async fn a_recipient_finds_room_again_when_it_was_told() {
    let rates = Rates::default();
    let quotas = [address("192.0.2.1/32", 7)];
    for _ in 0..7 {
        assert_eq!(count(&rates, &quotas), Room::Within);
    }
    let full = count(&rates, &quotas);
    let Room::Over { quota: 0, wait } = full else {
        panic!("{full:?}");
    };
    assert_eq!(count(&rates, &[address("192.0.2.2/32", 7)]), Room::Within);
    tokio::time::advance(Duration::from(wait) - Duration::from_millis(2)).await;
    assert_ne!(count(&rates, &quotas), Room::Within);
    tokio::time::advance(Duration::from_millis(2)).await;
    assert_eq!(count(&rates, &quotas), Room::Within);
    assert_ne!(count(&rates, &quotas), Room::Within);
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_in_one_quota_is_counted_in_none() {
    let rates = Rates::default();
    let (wide, narrow) = (address("192.0.2.1/32", 3), address("192.0.2.0/24", 1));
    let both = [wide.clone(), narrow.clone()];
    assert_eq!(count(&rates, &both), Room::Within);
    for _ in 0..5 {
        assert_eq!(count(&rates, &both), over(1, 60_000));
    }
    let alone = [wide];
    assert_eq!(count(&rates, &alone), Room::Within);
    assert_eq!(count(&rates, &alone), Room::Within);
    // Both are full now: the longer wait counts.
    assert_eq!(count(&rates, &both), over(1, 60_000));
    assert_eq!(count(&rates, &alone), over(0, 20_000));
}

#[tokio::test(start_paused = true)]
async fn parties_are_told_apart_by_what_they_are() {
    let rates = Rates::default();
    let network = "192.0.2.0/24".parse().unwrap();
    let sender = |mailbox: &str| Party::Sender {
        network,
        mailbox: mailbox.into(),
    };
    let parties = [
        Party::Address(network),
        Party::Network(network),
        Party::ExemptFromAddress(network),
        Party::ExemptFromNetwork(network),
        sender("a@b.example"),
        sender("c@b.example"),
    ];
    for party in &parties {
        assert_eq!(count(&rates, &[quota(party.clone(), 1)]), Room::Within);
    }
    for party in parties {
        assert_eq!(count(&rates, &[quota(party, 1)]), over(0, 60_000));
    }
}

#[tokio::test(start_paused = true)]
async fn who_only_looks_is_not_counted() {
    let rates = Rates::default();
    let counting = Counting {
        recipient: 1,
        quotas: [address("192.0.2.1/32", 1)].into(),
    };
    for _ in 0..3 {
        assert_eq!(rates.look(&counting), Room::Within);
    }
    assert_eq!(rates.limits.read().unwrap().len(), 0);
    assert_eq!(rates.count(&counting), Room::Within);
    for _ in 0..3 {
        assert_eq!(rates.look(&counting), over(0, 60_000));
    }
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(rates.count(&counting), Room::Within);
}

#[test]
fn nothing_to_count_is_within() {
    let rates = Rates::default();
    assert_eq!(count(&rates, &[]), Room::Within);
    let rate = Rate::new(u32::MAX, Per::Second).unwrap();
    let of = Party::Address("192.0.2.1/32".parse().unwrap());
    let immense = [Quota { of, rate }];
    assert_eq!(count(&rates, &immense), Room::Within);
}
