//! What a held connection costs: memory of the gatepost process for 10,000 clients that say nothing.
//!
//! Not a timing. It starts the real binary, opens the connections from many loopback addresses, and reads the process's
//! anonymous memory before, while they wait for their greeting, and after they have been greeted and fallen silent.
//! `cargo bench --bench held` prints it; an argument sets another number of connections.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that can not go on stops"
)]

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

const CONNECTIONS: usize = 10_000;

fn main() {
    let count = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .next()
        .unwrap_or(CONNECTIONS);
    raise_descriptors();
    let folder = tempfile::tempdir().unwrap();
    for (what, wait) in [
        ("waiting for the greeting", "10s"),
        ("greeted and silent", "0s"),
    ] {
        let (mut gate, address) = start(folder.path(), wait);
        // One client first, so that what is made once is not counted.
        let first = connect(address, 0);
        let before = anonymous(&gate);
        let begun = Instant::now();
        let held: Vec<TcpStream> = (1..=count).map(|number| connect(address, number)).collect();
        let after = settled(&gate);
        println!(
            "held connection, {what}: {:.2} KB ({count} connections, {:.1} MB in all, opened in {:.1} s)",
            (after - before) as f64 / count as f64 / 1024.0,
            (after - before) as f64 / 1e6,
            begun.elapsed().as_secs_f64(),
        );
        drop((first, held));
        gate.kill().unwrap();
        gate.wait().unwrap();
    }
}

fn start(folder: &std::path::Path, wait: &str) -> (Child, SocketAddr) {
    let file = folder.join("gatepost.toml");
    let text = format!(
        r#"
hostname = "mx.example.com"
user = "root"
[listen.mx]
address = ["127.0.0.1:0"]
tls = "none"
backend = "none"
[backend.none]
address = ["127.0.0.1:9"]
[policy.default]
greet_wait = "{wait}"
[resolver]
servers = ["127.0.0.1:9"]
[limits]
connections = 100000
connections_per_address = 100000
connections_per_network = 100000
connection_rate_per_address = "off"
[store]
directory = "{}"
[journal]
enabled = false
"#,
        folder.join("state").display()
    );
    std::fs::write(&file, text).unwrap();
    let mut gate = Command::new(env!("CARGO_BIN_EXE_gatepost"))
        .args(["run", "--config"])
        .arg(&file)
        .env("NO_COLOR", "1")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(gate.stderr.take().unwrap()).lines();
    let line = lines
        .find_map(|line| line.ok().filter(|line| line.contains("listening")))
        .expect("it listens");
    std::thread::spawn(move || lines.for_each(drop));
    let address = line
        .split("address=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    (gate, address.parse().unwrap())
}

/// A client from one of many loopback addresses; it reads what it is sent at once and then says nothing.
fn connect(to: SocketAddr, number: usize) -> TcpStream {
    let [high, low] = u16::try_from(number / 200 + 1).unwrap().to_be_bytes();
    let from = SocketAddrV4::new(Ipv4Addr::new(127, 9, high, low), 0);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::V4(from).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut octets = [0; 256];
    assert!(stream.read(&mut octets).unwrap() > 0);
    stream
}

/// Anonymous resident memory, octets: heap and stacks, without the program's own pages.
fn anonymous(gate: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gate.id())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Memory once it no longer changes: the last lookups of the last connections may still be under way.
fn settled(gate: &Child) -> u64 {
    let mut last = 0;
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(200));
        let now = anonymous(gate);
        if now == last {
            break;
        }
        last = now;
    }
    last
}

fn raise_descriptors() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}
