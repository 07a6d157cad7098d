//! What a session costs the machine: CPU time of the whole server process, gatepost beside HAProxy in one run.
//!
//! HAProxy in TCP mode understands nothing of SMTP and is the least that anything between client and mail server can
//! cost. Both send a PROXY header of version 2 to the same sink; gatepost judges, records and logs as by default, but has
//! no DNSBL to ask. The two take turns, and the ratio is taken pair by pair, so that a machine whose speed drifts does
//! not matter. Client and sink are in this process and are not counted.
//!
//! `cargo bench --bench compare` needs haproxy (Debian package `haproxy`). Not a timing of latency: see `session`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench that can not go on stops, and figures are rounded"
)]

#[path = "compare/client.rs"]
mod client;
#[path = "compare/servers.rs"]
mod servers;
#[path = "compare/sink.rs"]
mod sink;

use std::net::SocketAddr;

use client::{Case, Mode};
use servers::Server;

/// Pairs of rounds for each case.
const ROUNDS: usize = 7;

/// What is measured; each round is this many sessions by so many clients at once.
const CASES: [Case; 6] = [
    Case {
        name: "clean session, one 4 KB message, plain",
        mode: Mode::Plain,
        octets: 4 * 1024,
        sessions: 2000,
        clients: 8,
    },
    Case {
        name: "the same under implicit TLS, no resumption",
        mode: Mode::Tls,
        octets: 4 * 1024,
        sessions: 500,
        clients: 8,
    },
    Case {
        name: "one 10 MB message, plain",
        mode: Mode::Plain,
        octets: 10 * 1024 * 1024,
        sessions: 40,
        clients: 2,
    },
    Case {
        name: "connect, greeting, QUIT",
        mode: Mode::Greeting,
        octets: 0,
        sessions: 3000,
        clients: 8,
    },
    Case {
        name: "the same under implicit TLS, whole handshake",
        mode: Mode::Full,
        octets: 0,
        sessions: 1000,
        clients: 8,
    },
    Case {
        name: "the same, handshake resumed by a ticket",
        mode: Mode::Resumed,
        octets: 0,
        sessions: 1000,
        clients: 8,
    },
];

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let sink = runtime.block_on(sink::start());
    let gatepost = Server::gatepost(folder.path(), sink);
    let haproxy = Server::haproxy(folder.path(), sink);
    println!(
        "CPU of the server per session, median of {ROUNDS} rounds; ratio pair by pair, its least and most"
    );
    for case in CASES {
        let mut pairs = Vec::new();
        for round in 0..=ROUNDS {
            let pair = [&gatepost, &haproxy].map(|server| {
                let before = server.cpu();
                runtime.block_on(client::play(case, server.address(case.mode), round));
                (server.cpu() - before).as_secs_f64() * 1e6 / case.sessions as f64
            });
            // The first warms caches and allocators.
            if round > 0 {
                pairs.push(pair);
            }
        }
        tell(case.name, &pairs);
    }
}

fn tell(name: &str, pairs: &[[f64; 2]]) {
    let [ours, theirs] = [0, 1].map(|side| sorted(pairs.iter().map(|pair| pair[side])));
    let ratios = sorted(pairs.iter().map(|[ours, theirs]| ours / theirs));
    let middle = pairs.len() / 2;
    println!(
        "{name}: gatepost {:.1} µs, HAProxy {:.1} µs, ratio {:.2} ({:.2} to {:.2})",
        ours[middle],
        theirs[middle],
        ratios[middle],
        ratios[0],
        ratios[ratios.len() - 1],
    );
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    socket.local_addr().unwrap().port()
}
