//! Which zone a name belongs to, and what survives a new list of them.

use super::*;

#[test]
fn names_belong_to_the_longest_zone_and_standing_survives_a_new_list() {
    let zones = Zones::default();
    let key = Zone::new("SECRET.dq.example.", "dq.example", Lists::Addresses);
    zones.watch(vec![
        Zone::new("example", "all", Lists::Addresses),
        key.clone(),
    ]);
    let breaker = zones.of("2.0.0.127.secret.dq.example").unwrap();
    for _ in 0..2 {
        breaker.leave().unwrap().failed();
    }
    assert!(zones.of("notexample").is_none());
    assert!(zones.of("example").is_none());
    zones.watch(vec![
        key.clone(),
        Zone::new("other", "other", Lists::Addresses),
    ]);
    let standings = zones.standings();
    assert_eq!(
        standings.iter().map(|zone| zone.failed).collect::<Vec<_>>(),
        [2, 0]
    );
    assert!(
        !format!("{key:?}{standings:?}")
            .to_lowercase()
            .contains("secret")
    );
}
