//! One whole session over loopback: client, gatepost, mail sink; beside it the same client straight at the sink.
//!
//! The sink is the demo's mail store, in the same process, so the figure is the time of everything together; what
//! gatepost adds is the difference between the two rows of one run.

#![allow(missing_docs, reason = "the bench harness makes public items")]
#![allow(clippy::unwrap_used, reason = "a bench that can not go on stops")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use gatepost::app::{self, Running, tasks::Tasks};
use gatepost::cli::demo::backend::MailStore;
use gatepost::net::proxy_header::{self, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const CLIENT: &str = "192.0.2.10:40000";

async fn sink(folder: &Path, tasks: &Tasks) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let store = MailStore::new("example.com", &folder.join("Maildir")).unwrap();
    tasks.spawn(store.serve(socket, tasks.clone()));
    address
}

async fn gate(folder: &Path, backend: SocketAddr) -> Running {
    let file = folder.join("gatepost.toml");
    let folder = folder.display();
    let text = format!(
        r#"
hostname = "mx.example.com"
[listen.mx]
address = ["127.0.0.1:0"]
tls = "none"
backend = "sink"
proxy_protocol_from = ["127.0.0.1"]
[backend.sink]
address = ["{backend}"]
[policy.default]
greet_wait = "0s"
checks.rhsbl.enabled = false
checks.rdns.enabled = false
checks.helo.enabled = false
checks.sender_domain.enabled = false
[policy.default.checks.dnsbl]
zones = []
[policy.default.checks.spf]
enabled = false
[limits]
connection_rate_per_address = "off"
[store]
directory = "{folder}/state"
[journal]
directory = "{folder}/journal"
"#
    );
    std::fs::write(&file, text).unwrap();
    let snapshot = gatepost::config::load(Some(&file), &[]).unwrap();
    app::start(&snapshot).await.unwrap()
}

/// A clean session with one message of 4 KB.
async fn deliver(to: SocketAddr, message: &[u8]) {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
        .write_all(&proxy_header::write(
            Version::V2,
            CLIENT.parse().unwrap(),
            to,
        ))
        .await
        .unwrap();
    expect(&mut stream, b"220").await;
    for (line, code) in [
        ("EHLO mail.example.org\r\n", b"250"),
        ("MAIL FROM:<ada@example.org>\r\n", b"250"),
        ("RCPT TO:<bob@example.com>\r\n", b"250"),
        ("DATA\r\n", b"354"),
    ] {
        stream.write_all(line.as_bytes()).await.unwrap();
        expect(&mut stream, code).await;
    }
    stream.write_all(message).await.unwrap();
    expect(&mut stream, b"250").await;
    stream.write_all(b"QUIT\r\n").await.unwrap();
    expect(&mut stream, b"221").await;
}

async fn expect(stream: &mut TcpStream, code: &[u8]) {
    let mut octets = [0; 1024];
    let read = stream.read(&mut octets).await.unwrap();
    assert!(
        octets.starts_with(code),
        "{}",
        String::from_utf8_lossy(&octets[..read])
    );
}

fn sessions(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let tasks = Tasks::default();
    let (direct, gate) = runtime.block_on(async {
        let sink = sink(folder.path(), &tasks).await;
        (sink, gate(folder.path(), sink).await)
    });
    let through = gate.addresses[0].1;
    let mut message = b"Subject: bench\r\n\r\n".to_vec();
    while message.len() < 4096 {
        message.extend_from_slice(
            b"All work and no play makes Jack a dull boy, as they say everywhere.\r\n",
        );
    }
    message.extend_from_slice(b".\r\n");
    let mut group = criterion.benchmark_group("session, one 4 KB message");
    group.measurement_time(Duration::from_secs(8));
    for (name, address) in [
        ("straight to the sink", direct),
        ("through gatepost", through),
    ] {
        group.bench_function(name, |bencher| {
            bencher
                .to_async(&runtime)
                .iter(|| deliver(address, &message));
        });
    }
    group.finish();
    runtime.block_on(gate.stop(Duration::from_secs(1)));
}

criterion_group!(benches, sessions);
criterion_main!(benches);
