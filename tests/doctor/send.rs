//! `--send`: a message through each backup exchanger, and whether it arrives.

use crate::domains::{HEALTHY, MX2};
use crate::exchanger::{Exchanger, Role, Setup};
use crate::healthy::Healthy;
use crate::world::Told;

fn of_backup(told: &[Told]) -> &Told {
    told.iter().find(|told| told.probe == "backup_mx").unwrap()
}

#[test]
fn what_is_relayed_arrives_and_what_is_lost_does_not() {
    let mut healthy = Healthy::start();
    let maildir = healthy.primary.maildir();
    let maildir = maildir.to_str().unwrap();
    let send = ["--send", "--maildir", maildir, "--wait"];
    let (code, told) = healthy.world.examine(&[&send[..], &["60s"]].concat());
    let backup = of_backup(&told);
    assert_eq!(
        backup.outcome,
        "good",
        "{backup:?}\n{}",
        healthy.primary.log()
    );
    assert!(
        backup
            .seen
            .contains("a message for postmaster@healthy.example arrived after"),
        "{backup:?}"
    );
    assert!(backup.seen.contains(maildir), "{backup:?}");
    assert_eq!(code, Some(0));

    let loses = Exchanger::start(&Setup {
        name: "mx2.healthy.example",
        domain: HEALTHY,
        role: Role::Loses,
        pair: Some(healthy.world.authority.vouch("mx2.healthy.example")),
        options: "pipelining_connect_advertise_hosts =",
        acl: "",
    });
    healthy.world.way(MX2, 25, loses.address);
    // Asked only, it looks as good as the other.
    let (_, told) = healthy.world.examine(&[]);
    assert_eq!(of_backup(&told).outcome, "good");
    let (code, told) = healthy.world.examine(&[&send[..], &["2s"]].concat());
    let backup = of_backup(&told);
    assert_eq!(backup.outcome, "fault", "{backup:?}");
    assert!(
        backup.seen.contains("which has not arrived within 2s"),
        "{backup:?}"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn nothing_is_sent_where_nobody_could_see_it_arrive() {
    let healthy = Healthy::start();
    let refused = healthy.world.run(&["doctor", "--send"]);
    assert_eq!(refused.code, Some(2), "{}", refused.transcript);
    assert!(
        refused.transcript.contains("--maildir"),
        "{}",
        refused.transcript
    );
}
