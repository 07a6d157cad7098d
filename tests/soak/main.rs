//! The soak: minutes of mixed load with trouble in it, and a balance at the end. `make soak`; `MINUTES=10 SEED=1 make soak`.
//!
//! Real Exim, a real DNSBL server, the built binary. While clients of all kinds come and go, Exim is killed and started
//! again, the resolver falls silent, and gatepost is told to take up another configuration: one that is wrong, one with a
//! listener and limits of its own, the first again. At the end everything must add up: each message that
//! was answered 2xx is at the backend exactly once, and none that was refused; every connection is a session, has a record
//! and a log line, and is counted once; memory has stayed flat and descriptors have come back.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]
#![allow(clippy::print_stdout, reason = "the balance is for people")]
#![allow(dead_code, reason = "the support of other tests is only partly needed")]

#[path = "../support/mod.rs"]
mod support;

mod balance;
mod players;
mod reloads;

use std::thread;
use std::time::{Duration, Instant};

use balance::Balance;
use players::Players;
use reloads::Reloads;
use support::exim::Exim;
use support::gatepost::{Gatepost, Setup};
use support::process;
use support::rbldnsd::{self, Rbldnsd};

/// Clients at one time.
const CLIENTS: u64 = 12;
/// Trouble comes this often, and lasts a third of that.
const TROUBLE: Duration = Duration::from_secs(12);

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
#[ignore = "takes minutes: make soak"]
fn everything_adds_up_after_minutes_of_trouble() {
    let (minutes, seed) = (setting("MINUTES", 2), setting("SEED", 1));
    println!("MINUTES={minutes} SEED={seed}");
    // An Exim that is killed while it delivers may deliver twice; so it delivers at the end.
    let (mut exim, rbldnsd) = (Exim::start_with("queue_only = true"), Rbldnsd::start());
    let admin = std::net::SocketAddr::from(([127, 0, 0, 1], process::free_tcp_port()));
    let mut setup = Setup::new(exim.address(), rbldnsd.address()).zones(&[(
        rbldnsd::ZONE,
        "127.0.0.[2..11]",
        5,
    )]);
    // All come from four networks and write as one sender, which is one too many within minutes.
    setup
        .checks
        .push_str("[policy.default.checks.rate]\nenabled = false\n");
    setup.checks.push_str(&format!(
        "[admin]\naddress = \"{admin}\"\n[limits]\nconnection_rate_per_address = \"off\"\n"
    ));
    let gatepost = Gatepost::start(&setup);
    let players = Players::start(gatepost.proxied(), CLIENTS, seed);

    let mut reloads = Reloads::new(&setup);
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    let mut balance = Balance::new(&gatepost, admin);
    let mut round = 0;
    while Instant::now() < end {
        thread::sleep(TROUBLE * 2 / 3);
        match round % 3 {
            0 => {
                exim.kill();
                thread::sleep(TROUBLE / 3);
                exim.start_again();
            }
            1 => {
                rbldnsd.freeze();
                thread::sleep(TROUBLE / 3);
                rbldnsd.thaw();
            }
            _ => {
                let until = Instant::now() + TROUBLE / 3;
                reloads.play(&gatepost);
                thread::sleep(until.saturating_duration_since(Instant::now()));
            }
        }
        round += 1;
        if round % 3 == 0 {
            balance.sample(players.sessions());
        }
    }
    let played = players.stop();
    reloads.settle(&gatepost);
    exim.run_queue();
    balance.draw(&gatepost, &exim, &played);
}
